/* A policy's signals: the lexicons that it names, compiled together.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/heap.h"
#include "detect/lexicon.h"
#include "policy/policy_load.h"

enum { CANON_MAX = 32 << 20 };

/* Patterns use signals, and so does `when: risky`. */
static bool wants_signals(const struct policy_loader *l)
{
    const struct rein_policy_settings *s = &l->policy->settings;
    if (s->prefix.when == REIN_WHEN_RISKY && (s->prefix.deliver != REIN_DELIVER_OFF || l->shadow))
        return true;
    for (int i = 0; i < REIN_PATTERNS; i++)
        if (l->policy->pattern_settings.enabled[i])
            return true;
    return policy_asks_for_risk(l);
}

const struct rein_node *policy_lexicon_at(const struct policy_loader *l, size_t i, const char **name)
{
    const struct rein_node *list = rein_node_get(l->root, "lexicons");
    *name = NULL;
    if (list == NULL && i == 0 && wants_signals(l))
        *name = "english";
    const struct rein_node *at = list != NULL ? list->first : NULL;
    for (size_t k = 0; at != NULL && k < i; k++)
        at = at->next;
    if (at != NULL)
        *name = at->text;
    return *name != NULL ? policy_library_find(l->lexicons, l->lexicons_len, *name) : NULL;
}

/* The expression that vectorscan refused when it compiled all of them together. */
static void blame(struct policy_loader *l, size_t index, const char *why)
{
    const char *name;
    const struct rein_node *lexicon;
    for (size_t i = 0; (lexicon = policy_lexicon_at(l, i, &name)) != NULL; i++) {
        const struct rein_node *text = lexicon_expression(lexicon, &index);
        if (text != NULL) {
            rein_problems_node(l->problems, text, NULL, "cannot be compiled: %s", why);
            return;
        }
    }
    rein_problems_node(l->problems, l->root, "lexicons", "cannot be compiled: %s", why);
}

static int add_lexicons(struct policy_loader *l)
{
    const char *name;
    for (size_t i = 0;; i++) {
        const struct rein_node *lexicon = policy_lexicon_at(l, i, &name);
        if (name == NULL)
            return 0;
        if (lexicon == NULL) {
            policy_library_missing(l, l->root, "lexicons", "lexicon", name, l->lexicons, l->lexicons_len);
            continue;
        }
        int rv = lexicon_add(lexicon, l->policy->signals, l->problems);
        if (rv != 0)
            return rv;
    }
}

/* ---- sharing ---- */

void policy_signals_unref(struct policy_signals *shared)
{
    if (shared == NULL || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) != 1)
        return;
    signals_free(shared->set);
    heap_free(shared);
}

static int digest_lexicons(struct policy_loader *l, char digest[DIGEST_HEX])
{
    const char *name;
    const struct rein_node *lexicon;
    struct bytes canon;
    int rv = 0;
    bytes_init(&canon, CANON_MAX);
    for (size_t i = 0; rv == 0 && (lexicon = policy_lexicon_at(l, i, &name)) != NULL; i++)
        rv = doc_canon(lexicon, &canon);
    if (rv == 0)
        digest_hex(bytes_span(&canon), digest);
    bytes_fini(&canon);
    return rv;
}

static struct policy_signals *find_shared(const struct policy_loader *l, const char *digest)
{
    for (size_t i = 0; i < l->peers_len; i++) {
        struct policy_signals *shared = l->peers[i]->shared;
        if (strcmp(shared->digest, digest) == 0) {
            atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
            return shared;
        }
    }
    return NULL;
}

/* ---- loading ---- */

static int signals_compile(struct policy_loader *l)
{
    size_t before = rein_problems_said(l->problems), bad = 0;
    const char *why = "";
    int rv = add_lexicons(l);
    if (rv != 0 || rein_problems_said(l->problems) != before)
        return rv; /* the numbers of the entries would be wrong */
    rv = signals_finish(l->policy->signals, &bad, &why);
    if (rv == REIN_EPOLICY)
        blame(l, bad, why);
    return rv == REIN_EPOLICY ? 0 : rv;
}

int policy_load_signals(struct policy_loader *l)
{
    char digest[DIGEST_HEX];
    int rv = digest_lexicons(l, digest);
    if (rv != 0)
        return rv;
    struct policy_signals *shared = find_shared(l, digest);
    bool is_new = shared == NULL;
    if (is_new) {
        shared = heap_new(1, sizeof(*shared));
        if (shared == NULL)
            return REIN_ENOMEM;
        atomic_init(&shared->refs, 1);
        memcpy(shared->digest, digest, sizeof(digest));
        rv = signals_new(&shared->set);
    }
    l->policy->shared = shared;
    l->policy->signals = shared->set;
    return rv == 0 && is_new ? signals_compile(l) : rv;
}
