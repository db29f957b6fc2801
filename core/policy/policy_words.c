/* Lists of words that rules name: inline, or in files of the library, an entry a line.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"

enum { NAMES_MAX = 64, LIST_WORDS_MAX = 200000 };

/* ---- files ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const struct rein_source *find_list(const struct rein_library *library, const char *name)
{
    for (size_t i = 0; library != NULL && i < library->lists_len; i++)
        if (strcmp(last_part(library->lists[i].name), name) == 0)
            return &library->lists[i];
    return NULL;
}

static void list_missing(struct policy_loader *l, const struct rein_node *node)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t len = l->library != NULL ? l->library->lists_len : 0;
    for (size_t i = 0; i < len && i < NAMES_MAX; i++)
        names[i] = last_part(l->library->lists[i].name);
    const char *nearest = rein_nearest(node->text, names);
    if (strchr(node->text, '/') != NULL)
        rein_problems_node(l->problems, node, NULL,
                           "write the name of a file in the folder of lists, such as `names.txt`, without a path");
    else if (nearest != NULL)
        rein_problems_node(l->problems, node, NULL, "there is no list `%.64s`; did you mean `%s`?", node->text,
                           nearest);
    else
        rein_problems_node(
            l->problems, node, NULL,
            "there is no list `%.64s`: put the file into the folder `lists` next to `policies`, or set the "
            "config key `lists`",
            node->text);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next entry of a list, without the blanks around it; false at the end. Lines that begin with # are comments. */
static bool next_entry(struct span *rest, unsigned *line, struct span *entry)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->data, '\n', rest->len);
        struct span found = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->len};
        size_t taken = found.len + (end != NULL);
        *rest = (struct span){rest->data + taken, rest->len - taken};
        (*line)++;
        if (*line == 1 && found.len >= 3 && memcmp(found.data, "\xEF\xBB\xBF", 3) == 0)
            found = (struct span){found.data + 3, found.len - 3};
        while (found.len > 0 && is_blank(found.data[0]))
            found = (struct span){found.data + 1, found.len - 1};
        while (found.len > 0 && is_blank(found.data[found.len - 1]))
            found.len--;
        if (found.len == 0 || found.data[0] == '#')
            continue;
        *entry = found;
        return true;
    }
    return false;
}

static void check_entry(struct policy_loader *l, const struct rein_source *list, unsigned line, const char *entry,
                        bool folded)
{
    const char *fault = ruleset_word_fault(entry, folded);
    if (fault != NULL)
        rein_problems_add(l->problems, list->name, line, 1, "", "the entry `%.60s` %s", entry, fault);
}

struct words {
    const char **items;
    size_t len, cap;
};

static int words_add(struct policy_loader *l, const struct rein_node *node, struct words *words, const char *word)
{
    const char **items = heap_one_more(words->items, words->len, &words->cap, 64, sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    words->items = items;
    if (words->len == LIST_WORDS_MAX) {
        rein_problems_node(l->problems, node, NULL, "too many entries: a list can have %d", LIST_WORDS_MAX);
        return REIN_EPOLICY;
    }
    words->items[words->len++] = word;
    return 0;
}

/* All entries of a file; they are copied, because the rest of the line follows them. */
static int add_file(struct policy_loader *l, const struct rein_node *node, bool folded, struct words *words)
{
    const struct rein_source *list = find_list(l->library, node->text);
    if (list == NULL) {
        list_missing(l, node);
        return 0;
    }
    struct span rest = {list->text, list->len}, entry;
    size_t before = words->len;
    unsigned line = 0;
    int rv = 0;
    while (rv == 0 && next_entry(&rest, &line, &entry)) {
        const char *word = arena_copy(&l->words, entry.data, entry.len);
        if (word == NULL)
            return REIN_ENOMEM;
        if (memchr(entry.data, '\0', entry.len) != NULL)
            rein_problems_add(l->problems, list->name, line, 1, "", "this is no text: it has a NUL byte");
        check_entry(l, list, line, word, folded);
        rv = words_add(l, node, words, word);
    }
    if (rv == 0 && words->len == before)
        rein_problems_node(l->problems, node, NULL, "the list `%.64s` has no entries", node->text);
    return rv == REIN_EPOLICY ? 0 : rv;
}

/* ---- inline ---- */

static int add_inline(struct policy_loader *l, const struct rein_node *node, bool folded, struct words *words)
{
    const char *fault = ruleset_word_fault(node->text, folded);
    if (fault != NULL)
        rein_problems_node(l->problems, node, NULL, "the entry `%.60s` %s", node->text, fault);
    int rv = words_add(l, node, words, node->text);
    return rv == REIN_EPOLICY ? 0 : rv;
}

static int each_text(struct policy_loader *l, const struct rein_node *node, bool folded, struct words *words,
                     int (*add)(struct policy_loader *, const struct rein_node *, bool, struct words *))
{
    bool is_list = node->kind == REIN_NODE_LIST;
    int rv = 0;
    for (const struct rein_node *at = is_list ? node->first : node; at != NULL && rv == 0;
         at = is_list ? at->next : NULL)
        if (at->kind == REIN_NODE_TEXT)
            rv = add(l, at, folded, words);
    return rv;
}

int policy_collect_words(struct policy_loader *l, const struct rein_node *rule, const char *path, bool folded,
                         const char ***out, size_t *len)
{
    const struct rein_node *node = rein_node_get(rule, path);
    struct words words = {NULL, 0, 0};
    int rv = 0;
    if (node != NULL && node->kind != REIN_NODE_MAP)
        rv = each_text(l, node, folded, &words, add_inline);
    const struct rein_node *files = node != NULL && node->kind == REIN_NODE_MAP ? rein_node_get(node, "file") : NULL;
    if (files != NULL)
        rv = each_text(l, files, folded, &words, add_file);
    *out = words.items;
    *len = words.len;
    return rv;
}

/* ---- the version ---- */

static int put_file(struct policy_loader *l, const struct rein_node *node, bool folded, struct words *words)
{
    const struct rein_source *list = find_list(l->library, node->text);
    struct span rest = list != NULL ? (struct span){list->text, list->len} : SPAN(""), entry;
    unsigned line = 0;
    int rv = bytes_append_span(l->canon, SPAN("list\n"));
    (void)folded;
    (void)words;
    while (rv == 0 && next_entry(&rest, &line, &entry)) {
        rv = bytes_append_span(l->canon, entry);
        if (rv == 0)
            rv = bytes_append_span(l->canon, SPAN("\n"));
    }
    return rv;
}

static const char *const paths[] = {"words.file", "near.words.file", "except.words.file"};

int policy_put_words(struct policy_loader *l, struct bytes *out)
{
    const struct rein_node *rules = rein_node_get(l->root, "rules");
    int rv = 0;
    l->canon = out;
    for (const struct rein_node *rule = rules != NULL ? rules->first : NULL; rule != NULL; rule = rule->next)
        for (size_t i = 0; i < sizeof paths / sizeof *paths && rv == 0; i++) {
            const struct rein_node *files = rein_node_get(rule, paths[i]);
            if (files != NULL)
                rv = each_text(l, files, false, NULL, put_file);
        }
    return rv;
}

/* ---- for the record ---- */

const struct rein_source *policy_list_at(const struct policy_loader *l, size_t n)
{
    const struct rein_node *rules = rein_node_get(l->root, "rules");
    for (const struct rein_node *rule = rules != NULL ? rules->first : NULL; rule != NULL; rule = rule->next)
        for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
            const struct rein_node *files = rein_node_get(rule, paths[i]);
            bool is_list = files != NULL && files->kind == REIN_NODE_LIST;
            for (const struct rein_node *at = is_list ? files->first : files; at != NULL;
                 at = is_list ? at->next : NULL)
                if (n-- == 0)
                    return find_list(l->library, at->text);
        }
    return NULL;
}
