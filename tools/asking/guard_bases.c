/* See guard_bases.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "asking/guard_bases.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "rein/doc.h"

enum { BASES_MAX = 64, NAME_MAX_BYTES = 128 };

struct base_search {
    const struct guard_options *options;
    guard_base_fn each;
    void *ctx;
    char found[BASES_MAX][NAME_MAX_BYTES];
    size_t len;
};

/* A text at the top of a document; "" if there is none, or no document. */
static void read_top(const char *text, const char *key, char out[NAME_MAX_BYTES])
{
    struct rein_problems *unheard = NULL;
    struct rein_doc *doc = NULL;
    *out = '\0';
    if (rein_problems_new(&unheard) != 0)
        return;
    if (rein_doc_read(&doc, &(struct rein_source){"policy", text, strlen(text)}, unheard) == 0) {
        const struct rein_node *node = rein_node_get(rein_doc_root(doc), key);
        if (node != NULL && node->kind == REIN_NODE_TEXT && node->len < NAME_MAX_BYTES)
            memcpy(out, node->text, node->len + 1);
    }
    rein_doc_free(doc);
    rein_problems_free(unheard);
}

static bool is_there(const struct base_search *s, const char *name)
{
    for (size_t i = 0; i < s->options->policies_len; i++)
        if (strcmp(s->options->policies[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < s->len; i++)
        if (strcmp(s->found[i], name) == 0)
            return true;
    return false;
}

/* The document of this name in the folder; owned. NULL: there is none. */
static char *find_named(const char *folder, const char *name)
{
    struct files_list list = {0};
    char *found = NULL;
    if (files_documents(&list, folder) < 0)
        return NULL;
    for (size_t i = 0; i < list.len && found == NULL; i++) {
        char other[NAME_MAX_BYTES], *text;
        size_t len;
        if (files_read(&text, &len, list.paths[i], REIN_DOC_BYTES_MAX) < 0)
            continue;
        read_top(text, "name", other);
        if (strcmp(other, name) == 0)
            found = text;
        else
            free(text);
    }
    files_list_fini(&list);
    return found;
}

/* What a policy extends, what that extends, and so on. */
static int find_chain(struct base_search *s, const char *folder, const char *policy)
{
    char name[NAME_MAX_BYTES];
    int rv = 0;
    read_top(policy, "extends", name);
    while (rv == 0 && *name != '\0' && s->len < BASES_MAX && !is_there(s, name)) {
        char *text = find_named(folder, name);
        if (text == NULL)
            return 0;
        memcpy(s->found[s->len], name, sizeof name);
        rv = s->each(s->ctx, s->len++, text);
        read_top(text, "extends", name);
        free(text);
    }
    return rv;
}

int guard_bases_find(const struct guard_options *options, guard_base_fn each, void *ctx)
{
    struct base_search *s = calloc(1, sizeof *s);
    int rv = s != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0)
        *s = (struct base_search){.options = options, .each = each, .ctx = ctx};
    for (size_t i = 0; i < options->policies_len && rv == 0; i++) {
        const struct guard_policy *policy = &options->policies[i];
        char *folder = policy->file != NULL ? files_beside(policy->file, ".") : NULL;
        if (folder != NULL)
            rv = find_chain(s, folder, policy->text);
        else if (policy->file != NULL)
            rv = REIN_ENOMEM;
        free(folder);
    }
    free(s);
    return rv;
}
