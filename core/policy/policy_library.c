/* The templates, lexicons and models that a policy may refer to: read, checked, found by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/heap.h"
#include "detect/lexicon.h"
#include "policy/policy_load.h"

enum { NEAR_MAX = 64 };

static const char *name_of(const struct rein_doc *doc)
{
    return doc != NULL ? rein_node_text(rein_doc_root(doc), "name") : NULL;
}

static int read_one(struct rein_doc **out, const struct rein_source *source, const struct rein_schema *schema,
                    struct rein_problems *problems)
{
    int rv = rein_doc_read(out, source, problems);
    if (rv == 0)
        rv = rein_doc_check(*out, schema, problems);
    if (*out != NULL && schema == rein_schema_lexicon())
        lexicon_check(rein_doc_root(*out), problems);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static void check_twin(struct rein_doc *const *docs, size_t i, struct rein_problems *problems)
{
    const char *name = name_of(docs[i]);
    const struct rein_node *twin = name != NULL ? policy_library_find(docs, i, name) : NULL;
    if (twin != NULL)
        rein_problems_node(problems, rein_doc_root(docs[i]), "name",
                           "the name `%s` is also used in %s: rename one of them", name, twin->file);
}

static int read_all(struct rein_doc ***out, const struct rein_source *sources, size_t len,
                    const struct rein_schema *schema, struct rein_problems *problems)
{
    if (len == 0)
        return 0;
    struct rein_doc **docs = heap_new(len, sizeof(*docs));
    if (docs == NULL)
        return REIN_ENOMEM;
    *out = docs;
    for (size_t i = 0; i < len; i++) {
        int rv = read_one(&docs[i], &sources[i], schema, problems);
        if (rv != 0)
            return rv;
        check_twin(docs, i, problems);
    }
    return 0;
}

int policy_library_read(struct policy_loader *l, const struct rein_library *library)
{
    if (library == NULL)
        return 0;
    l->library = library;
    l->templates_len = library->templates_len;
    l->lexicons_len = library->lexicons_len;
    l->models_len = library->models_len;
    l->judges = library->judges;
    l->judges_len = library->judges_len;
    l->any_judge = library->any_judge;
    int rv = read_all(&l->templates, library->templates, library->templates_len, rein_schema_template(), l->problems);
    if (rv == 0)
        rv = read_all(&l->lexicons, library->lexicons, library->lexicons_len, rein_schema_lexicon(), l->problems);
    if (rv == 0)
        rv = read_all(&l->models, library->models, library->models_len, rein_schema_model(), l->problems);
    return rv;
}

static void free_all(struct rein_doc **docs, size_t len)
{
    for (size_t i = 0; docs != NULL && i < len; i++)
        rein_doc_free(docs[i]);
    heap_free(docs);
}

void policy_library_free(struct policy_loader *l)
{
    free_all(l->templates, l->templates_len);
    free_all(l->lexicons, l->lexicons_len);
    free_all(l->models, l->models_len);
}

const struct rein_node *policy_library_find(struct rein_doc *const *docs, size_t len, const char *name)
{
    for (size_t i = 0; docs != NULL && i < len; i++) {
        const char *other = name_of(docs[i]);
        if (other != NULL && strcmp(other, name) == 0)
            return rein_doc_root(docs[i]);
    }
    return NULL;
}

void policy_library_missing(struct policy_loader *l, const struct rein_node *node, const char *path, const char *what,
                            const char *name, struct rein_doc *const *docs, size_t len)
{
    const char *names[NEAR_MAX + 1] = {NULL};
    size_t names_len = 0;
    for (size_t i = 0; docs != NULL && i < len && names_len < NEAR_MAX; i++)
        if (name_of(docs[i]) != NULL)
            names[names_len++] = name_of(docs[i]);
    const char *nearest = rein_nearest(name, names);
    if (nearest != NULL)
        rein_problems_node(l->problems, node, path, "there is no %s `%s`; did you mean `%s`?", what, name, nearest);
    else
        rein_problems_node(l->problems, node, path, "there is no %s `%s`", what, name);
}
