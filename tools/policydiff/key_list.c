/* See key_list.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policydiff/key_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

enum { VALUE_MAX = 4 * REIN_DOC_BYTES_MAX };

/* Takes key and value. NULL keys are lost memory. */
static int add_row(struct key_list *list, char *key, char *value, bool is_default)
{
    if (key != NULL && list->len == list->cap) {
        size_t cap = list->cap > 0 ? 2 * list->cap : 64;
        struct key_list_row *rows = realloc(list->rows, cap * sizeof *rows);
        if (rows != NULL) {
            list->rows = rows;
            list->cap = cap;
        }
    }
    if (key == NULL || list->len == list->cap) {
        free(key);
        free(value);
        return REIN_ENOMEM;
    }
    list->rows[list->len++] = (struct key_list_row){key, value, is_default};
    return 0;
}

/* ---- the table ---- */

/* The last part of a row's path if it is a key of the map `of`; otherwise NULL. */
static const char *name_within(const struct rein_key *row, const struct rein_key *of)
{
    size_t len = strlen(of->path);
    if (strncmp(row->path, of->path, len) != 0 || row->path[len] == '\0' || (len > 0 && row->path[len] != '.'))
        return NULL;
    const char *name = row->path + len + (len > 0);
    return strpbrk(name, ".[") == NULL ? name : NULL;
}

static const struct rein_key *row_of_items(const struct rein_key *list)
{
    size_t len = strlen(list->path);
    for (const struct rein_key *row = list + 1; row->path != NULL; row++)
        if (strncmp(row->path, list->path, len) == 0 && strcmp(row->path + len, "[]") == 0)
            return row;
    return NULL;
}

/* ---- values in words ---- */

static int put_item(struct buffer *out, const char *text, bool quoted)
{
    int rv = out->len > 1 ? buffer_add(out, ", ", 2, VALUE_MAX) : 0;
    if (rv == 0 && quoted)
        rv = buffer_add(out, "\"", 1, VALUE_MAX);
    if (rv == 0)
        rv = buffer_add(out, text, strlen(text), VALUE_MAX);
    return rv == 0 && quoted ? buffer_add(out, "\"", 1, VALUE_MAX) : rv;
}

/* NULL: no memory. */
static char *list_end(struct buffer *out, int rv)
{
    if (rv == 0)
        rv = buffer_add(out, "]", 1, VALUE_MAX);
    if (rv != 0)
        buffer_clear(out);
    return out->data;
}

static char *value_of_texts(const struct rein_node *node)
{
    struct buffer out = {0};
    int rv = buffer_add(&out, "[", 1, VALUE_MAX);
    if (rv == 0 && node->kind == REIN_NODE_TEXT)
        rv = put_item(&out, node->text, true);
    for (const struct rein_node *at = node->first; at != NULL && rv == 0; at = at->next)
        rv = put_item(&out, at->text, true);
    return list_end(&out, rv);
}

static char *value_of_words(const struct rein_key *row, unsigned set)
{
    struct buffer out = {0};
    int rv = buffer_add(&out, "[", 1, VALUE_MAX);
    for (unsigned i = 0; row->words[i] != NULL && rv == 0; i++)
        if ((set >> i & 1) != 0)
            rv = put_item(&out, row->words[i], false);
    return list_end(&out, rv);
}

static char *value_of_number(double number)
{
    char *text;
    return asprintf(&text, "%.15g", number) >= 0 ? text : NULL;
}

/* What the document says in `map` at `name`; the row's type says how. */
static char *value_said(const struct rein_node *map, const char *name, const struct rein_key *row)
{
    char *text;
    switch (row->type) {
    case REIN_TYPE_TEXTS:
        return value_of_texts(rein_node_get(map, name));
    case REIN_TYPE_WORDS:
        return value_of_words(row, rein_node_words(map, name));
    case REIN_TYPE_INT:
    case REIN_TYPE_NUMBER:
        return value_of_number(rein_node_number(map, name));
    case REIN_TYPE_WORD:
        return strdup(row->words[rein_node_word(map, name)]);
    case REIN_TYPE_TEXT:
        return asprintf(&text, "\"%s\"", rein_node_text(map, name)) >= 0 ? text : NULL;
    default:
        return strdup(rein_node_text(map, name));
    }
}

/* A default such as "[english]". */
static char *texts_by_default(const char *fallback)
{
    struct buffer out = {0};
    char item[REIN_DOC_KEYS_MAX];
    int rv = buffer_add(&out, "[", 1, VALUE_MAX);
    for (const char *at = fallback + strspn(fallback, "[], "); *at != '\0' && rv == 0; at += strspn(at, "[], ")) {
        size_t len = strcspn(at, "[], ");
        snprintf(item, sizeof item, "%.*s", (int)len, at);
        rv = put_item(&out, item, true);
        at += len;
    }
    return list_end(&out, rv);
}

static char *value_by_default(const struct rein_key *row)
{
    char *text;
    if (row->type == REIN_TYPE_TEXTS)
        return texts_by_default(row->fallback);
    if (row->type == REIN_TYPE_INT || row->type == REIN_TYPE_NUMBER)
        return value_of_number(strtod(row->fallback, NULL));
    if (row->type == REIN_TYPE_TEXT)
        return asprintf(&text, "\"%s\"", row->fallback) >= 0 ? text : NULL;
    return strdup(row->fallback);
}

/* ---- the tree ---- */

static int list_map(struct key_list *list, const struct rein_node *map, const struct rein_key *row, const char *at);

static int list_value(struct key_list *list, const struct rein_node *map, const char *name, const struct rein_key *row,
                      const char *at)
{
    const struct rein_node *node = map != NULL ? rein_node_get(map, name) : NULL;
    bool said = node != NULL;
    bool has_value = said || row->fallback != NULL;
    char *value = said ? value_said(map, name, row) : has_value ? value_by_default(row) : NULL;
    if (has_value && value == NULL)
        return REIN_ENOMEM;
    return add_row(list, strdup(at), value, !said);
}

static const char *id_of(const struct rein_node *item)
{
    const char *id = item->kind == REIN_NODE_MAP ? rein_node_text(item, "id") : NULL;
    return id != NULL || item->kind != REIN_NODE_MAP ? id : rein_node_text(item, "name");
}

/* What an entry goes by: its id if no entry before it has the same. Owned; NULL: no memory. */
static char *label_of(const struct rein_node *item)
{
    const char *id = id_of(item), *other;
    char *label;
    for (const struct rein_node *at = item->parent->first; id != NULL && at != item; at = at->next)
        if ((other = id_of(at)) != NULL && strcmp(id, other) == 0)
            id = NULL;
    if (id != NULL)
        return strdup(id);
    return asprintf(&label, "%zu", item->index) >= 0 ? label : NULL;
}

static int list_item(struct key_list *list, const struct rein_node *item, const struct rein_key *row, const char *at,
                     struct buffer *labels)
{
    char *label = label_of(item), *key = NULL;
    size_t first = list->len;
    int rv = label != NULL ? put_item(labels, label, false) : REIN_ENOMEM;
    if (rv == 0)
        rv = asprintf(&key, "%s[%s]", at, label) >= 0 ? list_map(list, item, row, key) : REIN_ENOMEM;
    size_t len = key != NULL ? strlen(key) : 0;
    for (size_t i = first; i < list->len && len > 0; i++) /* the keys of an entry say its id already */
        list->rows[i].is_default = list->rows[i].is_default || strcmp(list->rows[i].key + len, ".id") == 0;
    free(key);
    free(label);
    return rv;
}

/* The list itself is a row too: which entries there are, in their order. */
static int list_items(struct key_list *list, const struct rein_node *items, const struct rein_key *row, const char *at)
{
    const struct rein_key *of_items = row_of_items(row);
    struct buffer labels = {0};
    size_t own = list->len;
    int rv = add_row(list, strdup(at), NULL, items == NULL);
    if (rv == 0)
        rv = buffer_add(&labels, "[", 1, VALUE_MAX);
    for (const struct rein_node *item = items != NULL ? items->first : NULL; item != NULL && rv == 0; item = item->next)
        rv = list_item(list, item, of_items, at, &labels);
    char *value = list_end(&labels, rv);
    if (value == NULL)
        return REIN_ENOMEM;
    list->rows[own].value = value;
    return 0;
}

static int list_key(struct key_list *list, const struct rein_node *map, const char *name, const struct rein_key *row,
                    const char *at)
{
    const struct rein_node *node = map != NULL ? rein_node_get(map, name) : NULL;
    if (row->type == REIN_TYPE_MAP)
        return list_map(list, node != NULL && node->kind == REIN_NODE_MAP ? node : NULL, row, at);
    if (row->type == REIN_TYPE_LIST)
        return list_items(list, node, row, at);
    return list_value(list, map, name, row, at);
}

/* `map` is NULL if the document leaves it out: its keys have their defaults. */
static int list_map(struct key_list *list, const struct rein_node *map, const struct rein_key *row, const char *at)
{
    int rv = 0;
    for (const struct rein_key *key = row + 1; key->path != NULL && rv == 0; key++) {
        const char *name = name_within(key, row);
        char *path = NULL;
        if (name == NULL)
            continue;
        if (asprintf(&path, "%s%s%s", at, *at != '\0' ? "." : "", name) < 0)
            return REIN_ENOMEM;
        rv = list_key(list, map, name, key, path);
        free(path);
    }
    return rv;
}

int key_list_make(struct key_list *list, const struct rein_doc *doc, const struct rein_schema *schema)
{
    return list_map(list, rein_doc_root(doc), schema->keys, "");
}

void key_list_fini(struct key_list *list)
{
    for (size_t i = 0; i < list->len; i++) {
        free(list->rows[i].key);
        free(list->rows[i].value);
    }
    free(list->rows);
    *list = (struct key_list){0};
}

const struct key_list_row *key_list_find(const struct key_list *list, const char *key, size_t hint)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct key_list_row *row = &list->rows[(hint + i) % list->len];
        if (strcmp(row->key, key) == 0)
            return row;
    }
    return NULL;
}
