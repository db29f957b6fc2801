/* Compares our JSON documents with jansson: the same texts are accepted, with the same values.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What may differ: a number that no double or 64-bit integer holds passes, where jansson refuses it; a text with a NUL
 * byte is always refused, where jansson overlooks one behind a number or a word; of two faults the other may be told;
 * and nesting has a limit of its own. */
#ifndef TESTS_LIB_JSONKIT_H
#define TESTS_LIB_JSONKIT_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rein/json.h"

enum { JSONKIT_DEPTH = 200 };

static inline bool json_differs(const char *what, const struct rein_json_node *node)
{
    fprintf(stderr, "%s: '%.*s' of kind %u\n", what, (int)node->len, node->text, (unsigned)node->kind);
    return true;
}

/* Prints what differs. */
static inline bool json_scalar_differs(const struct rein_json_node *node, const json_t *tree)
{
    static const json_type types[] = {JSON_NULL, JSON_FALSE,  JSON_TRUE,  JSON_INTEGER, JSON_REAL,
                                      JSON_NULL, JSON_STRING, JSON_ARRAY, JSON_OBJECT};
    int64_t value;
    if (node->kind >= sizeof types / sizeof *types || types[node->kind] != json_typeof(tree))
        return json_differs("another type", node);
    if (json_is_string(tree) &&
        (json_string_length(tree) != node->len || memcmp(json_string_value(tree), node->text, node->len) != 0))
        return json_differs(json_string_value(tree), node);
    if (rein_json_integer(node, &value) != json_is_integer(tree))
        return json_differs("an integer or none", node);
    if (json_is_integer(tree) && json_integer_value(tree) != value)
        return json_differs("another integer", node);
    return false;
}

static inline bool json_node_differs(const struct rein_json_node *node, const json_t *tree);

static inline bool json_array_differs(const struct rein_json_node *node, const json_t *tree)
{
    const struct rein_json_node *at = rein_json_first(node);
    size_t i;
    json_t *item;
    json_array_foreach(tree, i, item)
    {
        if (at == NULL)
            return json_differs("too few items", node);
        if (json_node_differs(at, item))
            return true;
        at = rein_json_next(node, at);
    }
    return at != NULL && json_differs("too many items", node);
}

/* jansson keeps the order of keys. */
static inline bool json_object_differs(const struct rein_json_node *node, const json_t *tree)
{
    const struct rein_json_node *at = rein_json_first(node);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)tree, key, value)
    {
        if (at == NULL || !rein_json_says(at, key))
            return json_differs(key, at != NULL ? at : node);
        if (rein_json_get(node, key) != rein_json_value(at))
            return json_differs("another member of this key", at);
        if (json_node_differs(rein_json_value(at), value))
            return true;
        at = rein_json_next(node, at);
    }
    return at != NULL && json_differs("too many keys", node);
}

static inline bool json_node_differs(const struct rein_json_node *node, const json_t *tree)
{
    if (json_scalar_differs(node, tree))
        return true;
    if (json_is_array(tree))
        return json_array_differs(node, tree);
    return json_is_object(tree) && json_object_differs(node, tree);
}

/* A number that jansson can not hold? */
static inline bool json_has_huge(const struct rein_json_node *node)
{
    const struct rein_json_node *at = rein_json_first(node);
    for (; at != NULL; at = rein_json_next(node, at))
        if (json_has_huge(rein_json_is(at, REIN_JSON_KEY) ? rein_json_value(at) : at))
            return true;
    return rein_json_is(node, REIN_JSON_HUGE);
}

/* Reads the text both ways. Prints and returns true if they disagree; *accepted (may be NULL): the verdict. */
static inline bool json_text_differs(const char *text, size_t len, bool *accepted)
{
    struct rein_json *json = NULL;
    struct rein_json_problem problem = {0};
    json_error_t where;
    int rv = rein_json_read(&json, text, len, JSONKIT_DEPTH, &problem);
    json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    bool differs = rv == 0 && tree != NULL && json_node_differs(rein_json_root(json), tree);
    bool is_deep = rv == REIN_EFORMAT && problem.fault == REIN_JSON_TOO_DEEP;
    bool has_nul = len > 0 && memchr(text, '\0', len) != NULL;
    bool is_huge = rv == 0 && json_has_huge(rein_json_root(json));
    if ((rv == 0 && !is_huge) != (tree != NULL && !has_nul) && !is_deep) {
        fprintf(stderr, "%s at line %u, column %u; jansson: %s\n", rv == 0 ? "accepted" : "refused", problem.line,
                problem.column, tree != NULL ? "accepted" : where.text);
        differs = true;
    }
    if (accepted != NULL)
        *accepted = rv == 0;
    json_decref(tree);
    rein_json_free(json);
    return differs;
}

#endif
