/* What a policy was made of: its documents, with their texts and digests, for a record of what was in force.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/digest.h"
#include "policy/policy_load.h"

enum { TEXT_MAX = 4 << 20, CANON_MAX = 32 << 20 };

/* The digest of what the document means. */
static int set_digest(struct policy_loader *l, const struct rein_node *root, struct rein_policy_document *document)
{
    struct bytes canon;
    bytes_init(&canon, CANON_MAX);
    int rv = doc_canon(root, &canon);
    char *digest = arena_new(&l->policy->arena, DIGEST_HEX, 1);
    if (rv == 0 && digest == NULL)
        rv = REIN_ENOMEM;
    if (rv == 0)
        digest_hex(bytes_span(&canon), digest);
    bytes_fini(&canon);
    document->digest = digest;
    return rv;
}

static int set_resolved(struct policy_loader *l, const struct rein_node *root, struct rein_policy_document *document)
{
    struct bytes text;
    bytes_init(&text, TEXT_MAX);
    int rv = doc_write(root, &text);
    if (rv == 0)
        document->resolved = arena_copy(&l->policy->arena, bytes_span(&text).data, bytes_len(&text));
    bytes_fini(&text);
    return rv == 0 && document->resolved == NULL ? REIN_ENOMEM : rv;
}

/* The next document, named; NULL with *rv = 0: it is there already. */
static struct rein_policy_document *begin_document(struct policy_loader *l, const char *kind, const char *name, int *rv)
{
    struct rein_policy *policy = l->policy;
    *rv = 0;
    for (size_t i = 0; i < policy->documents_len; i++)
        if (strcmp(policy->documents[i].kind, kind) == 0 && strcmp(policy->documents[i].name, name) == 0)
            return NULL; /* a template may be prefix and corrective */
    struct rein_policy_document *document = &policy->documents[policy->documents_len];
    *document = (struct rein_policy_document){.kind = kind, .name = arena_copy(&policy->arena, name, strlen(name))};
    *rv = document->name != NULL ? 0 : REIN_ENOMEM;
    policy->documents_len += *rv == 0;
    return *rv == 0 ? document : NULL;
}

static int add_document(struct policy_loader *l, const char *kind, const struct rein_node *root, bool has_text)
{
    int rv;
    struct rein_policy_document *document = begin_document(l, kind, rein_node_text(root, "name"), &rv);
    if (document == NULL)
        return rv;
    rv = set_digest(l, root, document);
    return rv == 0 && has_text ? set_resolved(l, root, document) : rv;
}

static int add_list(struct policy_loader *l, const struct rein_source *list)
{
    const char *slash = strrchr(list->name, '/');
    int rv;
    struct rein_policy_document *document = begin_document(l, "list", slash != NULL ? slash + 1 : list->name, &rv);
    if (document == NULL)
        return rv;
    char *digest = arena_new(&l->policy->arena, DIGEST_HEX, 1);
    if (digest == NULL)
        return REIN_ENOMEM;
    digest_hex((struct span){list->text, list->len}, digest);
    document->digest = digest;
    return 0;
}

static size_t count_lexicons(const struct policy_loader *l)
{
    const char *name;
    size_t len = 0;
    while (policy_lexicon_at(l, len, &name) != NULL)
        len++;
    return len;
}

static size_t count_lists(const struct policy_loader *l)
{
    size_t len = 0;
    while (policy_list_at(l, len) != NULL)
        len++;
    return len;
}

int policy_load_documents(struct policy_loader *l, const struct rein_source *source)
{
    enum { OTHERS = 4 }; /* the policy, two templates, a model */
    struct rein_policy *policy = l->policy;
    const struct rein_node *lexicon;
    const struct rein_source *list;
    const char *name;
    policy->documents =
        arena_new(&policy->arena, count_lexicons(l) + count_lists(l) + OTHERS, sizeof *policy->documents);
    int rv = policy->documents != NULL ? add_document(l, "policy", l->root, true) : REIN_ENOMEM;
    if (rv == 0) {
        policy->documents[0].source = arena_copy(&policy->arena, source->text, source->len);
        rv = policy->documents[0].source != NULL ? 0 : REIN_ENOMEM;
    }
    if (rv == 0 && l->prefix != NULL)
        rv = add_document(l, "template", l->prefix, true);
    if (rv == 0 && l->corrective != NULL)
        rv = add_document(l, "template", l->corrective, true);
    for (size_t i = 0; rv == 0 && (lexicon = policy_lexicon_at(l, i, &name)) != NULL; i++)
        rv = add_document(l, "lexicon", lexicon, false);
    if (rv == 0 && l->model != NULL)
        rv = add_document(l, "model", l->model, false);
    for (size_t i = 0; rv == 0 && (list = policy_list_at(l, i)) != NULL; i++)
        rv = add_list(l, list);
    return rv;
}

const struct rein_policy_document *rein_policy_documents(const struct rein_policy *policy, size_t *len)
{
    *len = policy->documents_len;
    return policy->documents;
}
