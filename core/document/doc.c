/* A document's tree: its life, its paths, and the values that are in it or their defaults.
 * SPDX-License-Identifier: Apache-2.0 */
#include "document/doc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"

/* Texts, nodes and the padding of both; the text's own ceiling is far below. */
enum { ARENA_MAX = 64 << 20 };

int rein_doc_read(struct rein_doc **out, const struct rein_source *source, struct rein_problems *problems)
{
    struct rein_doc *doc = heap_new(1, sizeof(*doc));
    if (doc == NULL)
        return REIN_ENOMEM;
    arena_init(&doc->arena, ARENA_MAX);
    doc->file = arena_copy(&doc->arena, source->name, strlen(source->name));
    int rv = doc->file != NULL ? doc_parse(doc, source, problems) : REIN_ENOMEM;
    if (rv != 0) {
        rein_doc_free(doc);
        return rein_problems_result(problems) == REIN_ENOMEM ? REIN_ENOMEM
                                                             : rv; /* unset: a failure, not a problem of the document */
    }
    *out = doc;
    return 0;
}

void rein_doc_free(struct rein_doc *doc)
{
    while (doc != NULL) {
        struct rein_doc *other = doc->others;
        arena_fini(&doc->arena);
        heap_free(doc);
        doc = other;
    }
}

const struct rein_node *rein_doc_root(const struct rein_doc *doc)
{
    return doc->root;
}

void rein_text_free(char *text)
{
    heap_free(text);
}

void doc_warn_of_escape(const struct rein_node *expression, struct rein_problems *problems)
{
    if (expression->escape != 0)
        rein_problems_warn(problems, expression, NULL,
                           "in double quotes YAML interprets `\\%c` itself, so the expression contains another "
                           "character: use single quotes",
                           expression->escape);
}

/* ---- paths ---- */

static size_t doc_append(char out[DOC_PATH_MAX], size_t at, const char *format, const char *name, size_t index)
{
    if (at >= DOC_PATH_MAX)
        return at;
    int len = name != NULL ? snprintf(out + at, DOC_PATH_MAX - at, "%s%s", format, name)
                           : snprintf(out + at, DOC_PATH_MAX - at, "[%zu]", index);
    return len > 0 ? at + (size_t)len : at;
}

static size_t write_path(const struct rein_node *node, char out[DOC_PATH_MAX])
{
    if (node->parent == NULL)
        return 0;
    size_t at = write_path(node->parent, out);
    return doc_append(out, at, at > 0 ? "." : "", node->key, node->index);
}

void doc_path(const struct rein_node *node, const char *below, char out[DOC_PATH_MAX])
{
    out[0] = '\0';
    size_t at = write_path(node, out);
    if (below != NULL)
        doc_append(out, at, at > 0 ? "." : "", below, 0);
}

static const struct rein_node *child(const struct rein_node *node, const char *key, size_t len)
{
    for (const struct rein_node *at = node->first; at != NULL; at = at->next)
        if (at->key != NULL && strlen(at->key) == len && memcmp(at->key, key, len) == 0)
            return at;
    return NULL;
}

const struct rein_node *rein_node_get(const struct rein_node *node, const char *path)
{
    while (node != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");
        node = child(node, path, len);
        path += len + (path[len] == '.');
    }
    return node;
}

/* ---- scalars ---- */

bool doc_is_nothing(const struct rein_node *node)
{
    return node->kind == REIN_NODE_TEXT && !node->quoted &&
           (node->len == 0 || strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}

bool doc_read_int(const char *text, int64_t *value)
{
    size_t sign = text[0] == '-';
    size_t digits = strspn(text + sign, "0123456789");
    if (digits == 0 || text[sign + digits] != '\0')
        return false;
    errno = 0;
    *value = strtoll(text, NULL, 10);
    return errno == 0;
}

bool doc_read_number(const char *text, double *value)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
        return false;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' && *value - *value == 0;
}

int doc_find_word(const char *const *words, const char *text, size_t len)
{
    for (int i = 0; words != NULL && words[i] != NULL; i++)
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return i;
    return -1;
}

int schema_find_word(const struct rein_key *row, const char *text, size_t len)
{
    for (const struct rein_old_word *at = row->old_words; at != NULL && at->old != NULL; at++)
        if (strlen(at->old) == len && memcmp(at->old, text, len) == 0)
            return doc_find_word(row->words, at->now, strlen(at->now));
    return doc_find_word(row->words, text, len);
}

const char *schema_first_name(const struct rein_key *row, const char *word)
{
    for (const struct rein_old_word *at = row->old_words; at != NULL && at->old != NULL; at++)
        if (strcmp(at->now, word) == 0)
            return at->old;
    return word;
}

/* ---- values ---- */

/* The value at the path and its row in the table; either may be NULL. */
struct place {
    const struct rein_node *node;
    const struct rein_key *row;
};

static struct place doc_find(const struct rein_node *node, const char *path)
{
    const struct rein_node *at = rein_node_get(node, path);
    if (at != NULL && doc_is_nothing(at))
        at = NULL;
    return (struct place){at, node->row != NULL ? schema_row(node->row, path) : NULL};
}

static const char *fallback_of(const struct place *place)
{
    return place->row != NULL ? place->row->fallback : NULL;
}

const char *rein_node_text(const struct rein_node *node, const char *path)
{
    struct place place = doc_find(node, path);
    return place.node != NULL && place.node->kind == REIN_NODE_TEXT ? place.node->text : fallback_of(&place);
}

/* Outside of its range a value was refused, and nobody shall compute with it. */
static bool is_in_range(const struct rein_key *row, double value)
{
    return row == NULL || (value >= (double)row->min && value <= (double)row->max);
}

int64_t rein_node_int(const struct rein_node *node, const char *path)
{
    struct place place = doc_find(node, path);
    const char *fallback = fallback_of(&place);
    int64_t value;
    if (place.node != NULL && doc_read_int(place.node->text, &value) && is_in_range(place.row, (double)value))
        return value;
    return fallback != NULL && doc_read_int(fallback, &value) ? value : 0;
}

double rein_node_number(const struct rein_node *node, const char *path)
{
    struct place place = doc_find(node, path);
    const char *fallback = fallback_of(&place);
    double value;
    if (place.node != NULL && doc_read_number(place.node->text, &value) && is_in_range(place.row, value))
        return value;
    return fallback != NULL && doc_read_number(fallback, &value) ? value : 0;
}

bool rein_node_bool(const struct rein_node *node, const char *path)
{
    const char *text = rein_node_text(node, path);
    return text != NULL && strcmp(text, "true") == 0;
}

int rein_node_word(const struct rein_node *node, const char *path)
{
    struct place place = doc_find(node, path);
    const char *fallback = fallback_of(&place);
    if (place.row == NULL)
        return -1;
    int word = place.node != NULL ? schema_find_word(place.row, place.node->text, place.node->len) : -1;
    return word >= 0 || fallback == NULL ? word : doc_find_word(place.row->words, fallback, strlen(fallback));
}

/* A default such as "[reasoning, answer]". */
static unsigned words_of_fallback(const struct rein_key *row)
{
    unsigned set = 0;
    for (const char *at = row->fallback; at != NULL && *at != '\0';) {
        at += strspn(at, "[], ");
        size_t len = strcspn(at, "[], ");
        int word = doc_find_word(row->words, at, len);
        if (word >= 0)
            set |= 1u << word;
        at += len;
    }
    return set;
}

unsigned rein_node_words(const struct rein_node *node, const char *path)
{
    struct place place = doc_find(node, path);
    if (place.row == NULL)
        return 0;
    unsigned set = 0;
    for (const struct rein_node *at = place.node != NULL ? place.node->first : NULL; at != NULL; at = at->next) {
        int word = schema_find_word(place.row, at->text, at->len);
        if (word >= 0)
            set |= 1u << word;
    }
    return set != 0 ? set : words_of_fallback(place.row);
}
