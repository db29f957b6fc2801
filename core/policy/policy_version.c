/* A policy's version: the digest of everything that it resolves to.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/digest.h"
#include "policy/policy_load.h"

enum { CANON_MAX = 32 << 20 };

static int put_thresholds(const struct policy_loader *l, struct bytes *out)
{
    int rv = 0;
    for (int i = 0; i < REIN_PATTERNS && rv == 0; i++) {
        char text[64];
        if (i >= REIN_OUTCOME_RISK_REASONING && l->policy->patterns[i].action == REIN_ALLOW)
            continue; /* so that policies without them keep the version that they had before */
        int len = snprintf(text, sizeof(text), "%s>=%.17g;", rein_pattern_name((enum rein_pattern)i),
                           l->policy->patterns[i].threshold);
        rv = bytes_append(out, text, (size_t)len);
    }
    return rv;
}

static int put_lexicons(const struct policy_loader *l, struct bytes *out)
{
    const char *name;
    const struct rein_node *lexicon;
    int rv = 0;
    for (size_t i = 0; rv == 0 && (lexicon = policy_lexicon_at(l, i, &name)) != NULL; i++)
        rv = doc_canon(lexicon, out);
    return rv;
}

int policy_load_version(struct policy_loader *l)
{
    struct bytes canon;
    bytes_init(&canon, CANON_MAX);
    int rv = bytes_append_span(&canon, SPAN("rein policy 1\n"));
    if (rv == 0)
        rv = doc_canon(l->root, &canon);
    if (rv == 0)
        rv = put_thresholds(l, &canon);
    if (rv == 0 && l->prefix != NULL)
        rv = doc_canon(l->prefix, &canon);
    if (rv == 0 && l->corrective != NULL)
        rv = doc_canon(l->corrective, &canon);
    if (rv == 0)
        rv = put_lexicons(l, &canon);
    if (rv == 0 && l->model != NULL)
        rv = doc_canon(l->model, &canon);
    if (rv == 0)
        rv = policy_put_judges(l, &canon);
    if (rv == 0)
        rv = policy_put_words(l, &canon);
    char *version = arena_new(&l->policy->arena, DIGEST_HEX, 1);
    if (rv == 0 && version == NULL)
        rv = REIN_ENOMEM;
    if (rv == 0)
        digest_hex(bytes_span(&canon), version);
    bytes_fini(&canon);
    l->policy->settings.version = version;
    return rv;
}
