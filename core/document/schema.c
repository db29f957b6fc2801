/* Checking a tree against its table: unknown keys, types, ranges, what is missing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "document/doc.h"

enum { NAMES_MAX = 64, NAME_LEN_MAX = 64, QUOTED = 60, LIST_MAX = 400, FIT_BASE = 1000, FEW = 6 };

/* ---- rows ---- */

const char *schema_row_name(const struct rein_key *row)
{
    const char *dot = strrchr(row->path, '.');
    return dot != NULL ? dot + 1 : row->path;
}

/* The rest of the row's path below the parent's; NULL if it is not below it. */
static const char *below(const struct rein_key *row, const struct rein_key *parent)
{
    size_t len = strlen(parent->path);
    if (len == 0)
        return row->path;
    return strncmp(row->path, parent->path, len) == 0 && row->path[len] == '.' ? row->path + len + 1 : NULL;
}

bool schema_is_child(const struct rein_key *row, const struct rein_key *parent)
{
    const char *rest = below(row, parent);
    return rest != NULL && strpbrk(rest, ".[") == NULL;
}

const struct rein_key *schema_row(const struct rein_key *parent, const char *name)
{
    for (const struct rein_key *row = parent + 1; row->path != NULL; row++) {
        const char *rest = below(row, parent);
        if (rest != NULL && strcmp(rest, name) == 0)
            return row;
    }
    return NULL;
}

const struct rein_key *schema_item(const struct rein_key *list)
{
    size_t len = strlen(list->path);
    for (const struct rein_key *row = list + 1; row->path != NULL; row++)
        if (strncmp(row->path, list->path, len) == 0 && strcmp(row->path + len, "[]") == 0)
            return row;
    return NULL;
}

/* ---- one value ---- */

static void expects(struct rein_problems *problems, const struct rein_node *node, const char *what)
{
    static const char *const kinds[] = {
        [REIN_NODE_TEXT] = "text", [REIN_NODE_LIST] = "a list", [REIN_NODE_MAP] = "a map"};
    if (doc_is_nothing(node))
        rein_problems_node(problems, node, NULL, "expects %s, but there is no value", what);
    else if (node->kind == REIN_NODE_TEXT && strncmp(what, "a list of", 9) == 0)
        rein_problems_node(problems, node, NULL, "expects %s, not `%.*s`: write `[%.*s]`", what, QUOTED, node->text,
                           QUOTED, node->text);
    else if (node->kind == REIN_NODE_TEXT)
        rein_problems_node(problems, node, NULL, "expects %s, not %s`%.*s`", what, node->quoted ? "the text " : "",
                           QUOTED, node->text);
    else if (node->kind == REIN_NODE_MAP && strcmp(what, "a list") == 0)
        rein_problems_node(problems, node, NULL, "expects a list, not a map: begin each item with `- `");
    else
        rein_problems_node(problems, node, NULL, "expects %s, not %s", what, kinds[node->kind]);
}

static bool is_schema_plain(const struct rein_node *node)
{
    return node->kind == REIN_NODE_TEXT && !node->quoted && !doc_is_nothing(node);
}

static void check_text(const struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    if (node->kind != REIN_NODE_TEXT || doc_is_nothing(node))
        expects(problems, node, "text");
    else if (node->len < (size_t)row->min)
        rein_problems_node(problems, node, NULL,
                           row->min == 1 ? "must not be empty" : "must be at least %" PRId64 " bytes", row->min);
    else if (row->max > 0 && node->len > (size_t)row->max)
        rein_problems_node(problems, node, NULL, "must be at most %" PRId64 " bytes, not %zu", row->max, node->len);
}

static bool is_name(const char *text, size_t len)
{
    if (len == 0 || len > NAME_LEN_MAX || !isalnum((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
            return false;
    return true;
}

static void check_name(const struct rein_node *node, struct rein_problems *problems)
{
    if (node->kind != REIN_NODE_TEXT || doc_is_nothing(node))
        expects(problems, node, "a name");
    else if (!is_name(node->text, node->len))
        rein_problems_node(problems, node, NULL,
                           "`%.*s` is not a valid name: use up to 64 letters, digits, '.', '_' and '-', beginning with "
                           "a letter or digit",
                           QUOTED, node->text);
}

static void check_int(const struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    int64_t value;
    if (!is_schema_plain(node) || !doc_read_int(node->text, &value))
        expects(problems, node, "a whole number");
    else if (row->min == row->max && value != row->min)
        rein_problems_node(problems, node, NULL, "must be %" PRId64 ", not %" PRId64, row->min, value);
    else if (value < row->min || value > row->max)
        rein_problems_node(problems, node, NULL, "must be from %" PRId64 " to %" PRId64 ", not %" PRId64, row->min,
                           row->max, value);
}

static void check_number(const struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    double value;
    if (!is_schema_plain(node) || !doc_read_number(node->text, &value))
        expects(problems, node, "a number");
    else if (value < (double)row->min || value > (double)row->max)
        rein_problems_node(problems, node, NULL, "must be from %" PRId64 " to %" PRId64 ", not %g", row->min, row->max,
                           value);
}

static void check_bool(const struct rein_node *node, struct rein_problems *problems)
{
    if (!is_schema_plain(node) || (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0))
        expects(problems, node, "true or false");
}

static void list_words(const char *const *words, const char *last, char out[LIST_MAX])
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; words[i] != NULL && at < LIST_MAX; i++) {
        bool is_last = i > 0 && words[i + 1] == NULL;
        const char *blank = is_last ? " " : "";
        int len = snprintf(out + at, LIST_MAX - at, "%s%s%s%s",
                           is_last ? " "
                           : i > 0 ? ", "
                                   : "",
                           is_last ? last : "", blank, words[i]);
        at += len > 0 ? (size_t)len : 0;
    }
}

static void check_word(const struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    char words[LIST_MAX];
    list_words(row->words, "or", words);
    if (node->kind != REIN_NODE_TEXT || doc_is_nothing(node)) {
        expects(problems, node, words);
        return;
    }
    if (schema_find_word(row, node->text, node->len) >= 0)
        return;
    if (doc_find_word(row->later_words, node->text, node->len) >= 0) {
        rein_problems_node(problems, node, NULL, "`%s` is reserved for a later version; remove it", node->text);
        return;
    }
    const char *nearest = rein_nearest(node->text, row->words);
    if (nearest != NULL)
        rein_problems_node(problems, node, NULL, "`%.*s` is not one of %s; did you mean `%s`?", QUOTED, node->text,
                           words, nearest);
    else
        rein_problems_node(problems, node, NULL, "`%.*s` is not one of %s", QUOTED, node->text, words);
}

/* ---- lists and maps ---- */

static void check_node(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems);

static bool is_list(const struct rein_node *node, const struct rein_key *row, const char *what,
                    struct rein_problems *problems)
{
    if (node->kind != REIN_NODE_LIST) {
        expects(problems, node, what);
        return false;
    }
    if (node->count < (size_t)row->min)
        rein_problems_node(problems, node, NULL, row->min == 1 ? "must not be empty" : "must hold at least %" PRId64,
                           row->min);
    if (row->max > 0 && node->count > (size_t)row->max)
        rein_problems_node(problems, node, NULL, "must hold at most %" PRId64 ", not %zu", row->max, node->count);
    return true;
}

static void check_map(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems);

static void check_texts(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    if ((row->flags & REIN_KEY_OR_MAP) != 0 && node->kind == REIN_NODE_MAP) {
        check_map(node, row, problems);
        return;
    }
    static const struct rein_key each = {.type = REIN_TYPE_TEXT, .min = 1, .path = ""};
    bool one_may = (row->flags & REIN_KEY_ONE_OR_MANY) != 0;
    if (one_may && node->kind == REIN_NODE_TEXT && !doc_is_nothing(node)) {
        check_text(node, &each, problems);
        return;
    }
    if (is_list(node, row, one_may ? "text or a list of texts" : "a list of texts", problems))
        for (struct rein_node *at = node->first; at != NULL; at = at->next)
            check_text(at, &each, problems);
}

static void check_words(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    if (!is_list(node, row, "a list of words", problems))
        return;
    for (struct rein_node *at = node->first; at != NULL; at = at->next)
        check_word(at, row, problems);
}

static void check_list(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    const struct rein_key *item = schema_item(row);
    if (item == NULL || !is_list(node, row, "a list", problems))
        return;
    for (struct rein_node *at = node->first; at != NULL; at = at->next)
        check_node(at, item, problems);
}

static void say_unknown(const struct rein_node *node, const struct rein_key *parent, struct rein_problems *problems)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    size_t len = 0;
    for (const struct rein_key *row = parent + 1; row->path != NULL && len < NAMES_MAX; row++)
        if (schema_is_child(row, parent) && row->instead == NULL)
            names[len++] = schema_row_name(row);
    const char *nearest = rein_nearest(node->key, names);
    char path[DOC_PATH_MAX], known[LIST_MAX];
    doc_path(node, NULL, path);
    list_words(names, "and", known);
    if (nearest == NULL && len > 0 && len <= FEW)
        rein_problems_add(problems, node->file, node->key_line, node->key_column, path,
                          len > 1 ? "unknown key; the keys are %s" : "unknown key; the only key is %s", known);
    else if (nearest != NULL)
        rein_problems_add(problems, node->file, node->key_line, node->key_column, path,
                          "unknown key; did you mean `%s`?", nearest);
    else
        rein_problems_add(problems, node->file, node->key_line, node->key_column, path, "unknown key");
}

static void check_missing(const struct rein_node *node, const struct rein_key *parent, struct rein_problems *problems)
{
    for (const struct rein_key *row = parent + 1; row->path != NULL; row++) {
        if ((row->flags & REIN_KEY_REQUIRED) == 0 || !schema_is_child(row, parent))
            continue;
        const char *name = schema_row_name(row);
        char words[LIST_MAX] = "";
        if (row->type == REIN_TYPE_WORD)
            list_words(row->words, "or", words);
        if (rein_node_get(node, name) == NULL)
            rein_problems_node(problems, node, name, "this key is missing%s%s", *words != '\0' ? ": say " : "", words);
    }
}

static void check_map(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    if (node->kind != REIN_NODE_MAP) {
        expects(problems, node, "a map");
        return;
    }
    for (struct rein_node *at = node->first; at != NULL; at = at->next) {
        const struct rein_key *key = strpbrk(at->key, ".[") == NULL ? schema_row(row, at->key) : NULL;
        if (key != NULL)
            check_node(at, key, problems);
        else
            say_unknown(at, row, problems);
    }
    check_missing(node, row, problems);
}

static void check_node(struct rein_node *node, const struct rein_key *row, struct rein_problems *problems)
{
    node->row = row;
    if (node->broken)
        return;
    if (row->instead != NULL) {
        rein_problems_node(problems, node, NULL, "%s", row->instead);
        return;
    }
    if ((row->flags & REIN_KEY_LATER) != 0) {
        rein_problems_node(problems, node, NULL, "`%s` is reserved for a later version; remove it",
                           schema_row_name(row));
        return;
    }
    switch (row->type) {
    case REIN_TYPE_TEXT:
        return check_text(node, row, problems);
    case REIN_TYPE_NAME:
        return check_name(node, problems);
    case REIN_TYPE_INT:
        return check_int(node, row, problems);
    case REIN_TYPE_NUMBER:
        return check_number(node, row, problems);
    case REIN_TYPE_BOOL:
        return check_bool(node, problems);
    case REIN_TYPE_WORD:
        return check_word(node, row, problems);
    case REIN_TYPE_TEXTS:
        return check_texts(node, row, problems);
    case REIN_TYPE_WORDS:
        return check_words(node, row, problems);
    case REIN_TYPE_LIST:
        return check_list(node, row, problems);
    case REIN_TYPE_MAP:
        return check_map(node, row, problems);
    }
}

int rein_doc_check(struct rein_doc *doc, const struct rein_schema *schema, struct rein_problems *problems)
{
    size_t before = rein_problems_said(problems);
    check_node(doc->root, schema->keys, problems);
    int rv = rein_problems_result(problems);
    bool is_sound = rein_problems_said(problems) == before && !doc->is_broken;
    return rv == REIN_EPOLICY && is_sound ? 0 : rv;
}

/* How well the document fits: the number of known keys minus that of missing ones; 0 if no key is known. */
static int fit(const struct rein_node *root, const struct rein_key *keys)
{
    int known = 0, missing = 0;
    for (const struct rein_node *at = root->first; at != NULL; at = at->next)
        known += at->key != NULL && strcmp(at->key, "version") != 0 && schema_row(keys, at->key) != NULL;
    for (const struct rein_key *row = keys + 1; row->path != NULL; row++)
        missing += (row->flags & REIN_KEY_REQUIRED) != 0 && schema_is_child(row, keys) &&
                   rein_node_get(root, row->path) == NULL;
    return known > 0 ? FIT_BASE + 2 * known - missing : 0;
}

const struct rein_schema *rein_doc_guess(const struct rein_doc *doc, const struct rein_schema *const *schemas)
{
    const struct rein_schema *best = NULL;
    int best_fit = 0;
    for (; *schemas != NULL; schemas++) {
        int this_fit = fit(doc->root, (*schemas)->keys);
        if (this_fit > best_fit) {
            best_fit = this_fit;
            best = *schemas;
        }
    }
    return best;
}
