/* A policy that extends another: their documents become one, before anything is checked.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the policy itself replace those of the one that it extends, map by map. Rules and judges are matched by their
 * ids: the keys of one replace those of its namesake, and new ones come behind. Nodes keep the file, line and column
 * where they were written, so problems are said of the right place. */
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"

enum { CHAIN_MAX = 8 };

/* The documents that the present one is made of; the first one is its own. */
struct chain {
    struct rein_doc *docs[CHAIN_MAX];
    const char *names[CHAIN_MAX];
    size_t len;
};

static const char *name_in(const struct rein_node *root)
{
    const struct rein_node *name = root->kind == REIN_NODE_MAP ? rein_node_get(root, "name") : NULL;
    return name != NULL && name->kind == REIN_NODE_TEXT ? name->text : "";
}

/* ---- finding ---- */

/* Reads one of the library's policies; *out is NULL if it cannot be read, or has another name than `name`. */
static int read_named(const struct rein_source *source, const char *name, struct rein_doc **out)
{
    struct rein_problems *unheard;
    *out = NULL;
    int rv = rein_problems_new(&unheard);
    if (rv != 0)
        return rv;
    rv = rein_doc_read(out, source, unheard);
    rein_problems_free(unheard);
    if (rv == 0 && name != NULL && strcmp(name_in(rein_doc_root(*out)), name) != 0) {
        rein_doc_free(*out);
        *out = NULL;
    }
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int find_policy(const struct policy_loader *l, const char *name, struct rein_doc **out)
{
    const struct rein_library *library = l->library;
    int rv = 0;
    *out = NULL;
    for (size_t i = 0; library != NULL && i < library->policies_len && rv == 0 && *out == NULL; i++)
        rv = read_named(&library->policies[i], name, out);
    return rv;
}

static int say_missing(struct policy_loader *l, const struct rein_node *node)
{
    enum { NEAR = 64 };
    struct rein_doc *docs[NEAR] = {NULL};
    const char *names[NEAR + 1] = {NULL};
    size_t len = 0;
    int rv = 0;
    for (size_t i = 0; l->library != NULL && i < l->library->policies_len && len < NEAR && rv == 0; i++) {
        rv = read_named(&l->library->policies[i], NULL, &docs[len]);
        if (docs[len] != NULL) {
            names[len] = name_in(rein_doc_root(docs[len]));
            len++;
        }
    }
    const char *nearest = rein_nearest(node->text, names);
    if (nearest != NULL)
        rein_problems_node(l->problems, node, NULL, "there is no policy `%.64s`; did you mean `%s`?", node->text,
                           nearest);
    else
        rein_problems_node(l->problems, node, NULL,
                           "there is no policy `%.64s` in the folder of policies, so it cannot be extended",
                           node->text);
    while (len > 0)
        rein_doc_free(docs[--len]);
    return rv;
}

/* Says which policies extend one another in a circle. */
static void say_circle(struct policy_loader *l, const struct rein_node *node, const struct chain *chain, size_t from)
{
    char names[400] = "";
    if (from + 1 == chain->len) {
        rein_problems_node(l->problems, node, NULL, "the policy extends itself: name another one");
        return;
    }
    for (size_t i = from; i < chain->len; i++) {
        strncat(names, chain->names[i], sizeof names - strlen(names) - 1);
        strncat(names, " -> ", sizeof names - strlen(names) - 1);
    }
    rein_problems_node(l->problems, node, NULL, "the policies extend one another in a circle: %s%.64s", names,
                       node->text);
}

/* Adds the policies that are extended, one by the other. */
static int follow_chain(struct policy_loader *l, struct chain *chain, bool *is_whole)
{
    *is_whole = false;
    for (;;) {
        const struct rein_node *root = rein_doc_root(chain->docs[chain->len - 1]);
        const struct rein_node *node = root->kind == REIN_NODE_MAP ? rein_node_get(root, "extends") : NULL;
        if (node == NULL || node->kind != REIN_NODE_TEXT) {
            *is_whole = true; /* a wrong value is found when the document is checked */
            return 0;
        }
        for (size_t i = 0; i < chain->len; i++)
            if (strcmp(chain->names[i], node->text) == 0) {
                say_circle(l, node, chain, i);
                return 0;
            }
        if (chain->len == CHAIN_MAX) {
            rein_problems_node(l->problems, node, NULL, "too many policies extend one another: at most %d", CHAIN_MAX);
            return 0;
        }
        struct rein_doc *doc;
        int rv = find_policy(l, node->text, &doc);
        if (rv != 0 || doc == NULL)
            return rv != 0 ? rv : say_missing(l, node);
        if (doc->is_broken)
            rein_problems_node(l->problems, node, NULL,
                               "the policy `%.64s` has values that cannot be read: `rein check` says which",
                               node->text);
        chain->docs[chain->len] = doc;
        chain->names[chain->len++] = name_in(rein_doc_root(doc));
    }
}

/* ---- merging ---- */

static void unlink_child(struct rein_node *parent, struct rein_node *child)
{
    struct rein_node **at = &parent->first;
    while (*at != child)
        at = &(*at)->next;
    *at = child->next;
    parent->count--;
}

static void append_child(struct rein_node *parent, struct rein_node *child)
{
    struct rein_node **at = &parent->first;
    size_t index = 0;
    for (; *at != NULL; at = &(*at)->next)
        (*at)->index = index++;
    *at = child;
    child->next = NULL;
    child->index = index;
    child->parent = parent;
    parent->count++;
}

static struct rein_node *child_named(struct rein_node *map, const char *key)
{
    for (struct rein_node *at = map->first; at != NULL; at = at->next)
        if (at->key != NULL && strcmp(at->key, key) == 0)
            return at;
    return NULL;
}

/* What a rule searches for is one thing: one that is named takes the place of another kind. */
static const char *const searches[] = {"literal", "words", "regex", "builtin", "prompt", "match", "max_bytes"};

static bool is_search(const char *key)
{
    for (size_t i = 0; i < sizeof searches / sizeof *searches; i++)
        if (strcmp(searches[i], key) == 0)
            return true;
    return false;
}

static bool names_search(struct rein_node *rule)
{
    for (size_t i = 0; i < 5; i++)
        if (child_named(rule, searches[i]) != NULL)
            return true;
    return false;
}

static void drop_searches(struct rein_node *rule)
{
    for (struct rein_node *at = rule->first, *next; at != NULL; at = next) {
        next = at->next;
        if (at->key != NULL && is_search(at->key))
            unlink_child(rule, at);
    }
}

/* What only some actions use goes with them. */
static void drop_unused(struct rein_node *rule)
{
    static const struct {
        const char *key, *actions;
    } uses[] = {{"replacement", " redact "},
                {"restore", " redact "},
                {"message", " refuse steer "},
                {"finish_reason", " refuse steer cut_response "}};
    struct rein_node *action = child_named(rule, "action");
    char word[24];
    if (action == NULL || action->kind != REIN_NODE_TEXT || action->len > sizeof word - 3)
        return;
    snprintf(word, sizeof word, " %s ", action->text);
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        struct rein_node *key = child_named(rule, uses[i].key);
        if (key != NULL && strstr(uses[i].actions, word) == NULL)
            unlink_child(rule, key);
    }
}

/* The action of `above` becomes that of `below`, which loses what is of no use with it. */
static void take_action(struct rein_node *below, struct rein_node *above)
{
    struct rein_node *action = child_named(above, "action"), *before = child_named(below, "action");
    if (action == NULL)
        return;
    if (before != NULL)
        unlink_child(below, before);
    unlink_child(above, action);
    append_child(below, action);
    drop_unused(below);
}

static void merge_map(struct rein_node *below, struct rein_node *above);

static struct rein_node *item_with_id(struct rein_node *list, const char *id)
{
    for (struct rein_node *at = list->first; at != NULL; at = at->next) {
        const struct rein_node *other = at->kind == REIN_NODE_MAP ? rein_node_get(at, "id") : NULL;
        if (other != NULL && other->kind == REIN_NODE_TEXT && strcmp(other->text, id) == 0)
            return at;
    }
    return NULL;
}

/* The items of `above` are put into `below`. */
static void merge_items(struct rein_node *below, struct rein_node *above)
{
    for (struct rein_node *at = above->first, *next; at != NULL; at = next) {
        const struct rein_node *id = at->kind == REIN_NODE_MAP ? rein_node_get(at, "id") : NULL;
        struct rein_node *same = id != NULL && id->kind == REIN_NODE_TEXT ? item_with_id(below, id->text) : NULL;
        next = at->next;
        bool is_twin = same != NULL && same->file == at->file; /* of its own document: an error that is said later */
        if (same == NULL || is_twin) {
            append_child(below, at);
            continue;
        }
        if (names_search(at))
            drop_searches(same);
        take_action(same, at);
        next = at->next;
        same->line = at->line;
        same->column = at->column;
        same->file = at->file;
        merge_map(same, at);
    }
}

static bool has_ids(const char *key)
{
    return strcmp(key, "rules") == 0 || strcmp(key, "judges") == 0;
}

/* The keys of `above` are put into `below`. */
static void merge_map(struct rein_node *below, struct rein_node *above)
{
    for (struct rein_node *at = above->first, *next; at != NULL; at = next) {
        struct rein_node *same = child_named(below, at->key);
        next = at->next;
        bool are_maps = same != NULL && same->kind == REIN_NODE_MAP && at->kind == REIN_NODE_MAP;
        bool are_lists = same != NULL && same->kind == REIN_NODE_LIST && at->kind == REIN_NODE_LIST;
        if (are_maps) {
            take_action(same, at);
            merge_map(same, at);
        } else if (are_lists && has_ids(at->key) && below->parent == NULL) {
            merge_items(same, at);
        } else {
            if (same != NULL)
                unlink_child(below, same);
            append_child(below, at);
        }
    }
}

/* The root of the first document becomes what all of them are together. */
static void merge_chain(struct chain *chain)
{
    struct rein_node *merged = chain->docs[chain->len - 1]->root;
    for (size_t i = chain->len - 1; i-- > 0;) {
        struct rein_node *root = chain->docs[i]->root, *extends = child_named(merged, "extends");
        if (extends != NULL)
            unlink_child(merged, extends);
        if (root->kind != REIN_NODE_MAP || merged->kind != REIN_NODE_MAP)
            return;
        merge_map(merged, root);
        merged->file = root->file;
        merged->line = root->line;
        merged->column = root->column;
    }
    struct rein_node *extends = child_named(merged, "extends");
    if (extends != NULL)
        unlink_child(merged, extends);
    chain->docs[0]->root = merged;
}

int policy_extend(struct policy_loader *l)
{
    struct chain chain = {.docs = {l->doc}, .names = {name_in(rein_doc_root(l->doc))}, .len = 1};
    bool is_whole;
    int rv = follow_chain(l, &chain, &is_whole);
    if (rv == 0 && is_whole && chain.len > 1)
        merge_chain(&chain);
    for (size_t i = chain.len; i-- > 1;) { /* their nodes are the document's now */
        chain.docs[i]->others = l->doc->others;
        l->doc->others = chain.docs[i];
    }
    return rv;
}

int rein_policy_read(struct rein_doc **out, const struct rein_source *policy, const struct rein_library *library,
                     struct rein_problems *problems)
{
    struct policy_loader l = {.library = library, .problems = problems};
    int rv = rein_doc_read(&l.doc, policy, problems);
    if (rv != 0)
        return rv;
    rv = policy_extend(&l);
    int checked = rv == 0 ? rein_doc_check(l.doc, rein_schema_policy(), problems) : rv;
    *out = l.doc;
    return checked;
}
