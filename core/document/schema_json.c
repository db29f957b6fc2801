/* A table as a JSON Schema (draft 2020-12), for editors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "document/doc.h"

enum { VALUE_MAX = 2000 };

static json_t *schema_of(const struct rein_key *row);

/* A failed allocation anywhere makes the whole NULL. */
static void set(json_t **object, const char *key, json_t *value)
{
    if (*object == NULL || json_object_set_new(*object, key, value) != 0) {
        if (*object == NULL)
            json_decref(value);
        json_decref(*object);
        *object = NULL;
    }
}

static json_t *array_of_words(const struct rein_key *row)
{
    json_t *array = json_array();
    int rv = 0;
    for (const char *const *word = row->words; word != NULL && *word != NULL; word++)
        rv |= json_array_append_new(array, json_string(*word));
    for (const struct rein_old_word *at = row->old_words; at != NULL && at->old != NULL; at++)
        rv |= json_array_append_new(array, json_string(at->old));
    if (rv != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *list_of(json_t *items, const struct rein_key *row)
{
    json_t *schema = json_object();
    set(&schema, "type", json_string("array"));
    set(&schema, "items", items);
    if (row->min > 0)
        set(&schema, "minItems", json_integer(row->min));
    if (row->max > 0)
        set(&schema, "maxItems", json_integer(row->max));
    return schema;
}

static json_t *json_schema_text_of(int64_t min, int64_t max)
{
    json_t *schema = json_object();
    set(&schema, "type", json_string("string"));
    if (min > 0)
        set(&schema, "minLength", json_integer(min));
    if (max > 0)
        set(&schema, "maxLength", json_integer(max));
    return schema;
}

static json_t *name_of(void)
{
    json_t *schema = json_object();
    set(&schema, "type", json_string("string"));
    set(&schema, "pattern", json_string("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"));
    return schema;
}

static json_t *number_of(const char *type, const struct rein_key *row)
{
    json_t *schema = json_object();
    set(&schema, "type", json_string(type));
    set(&schema, "minimum", json_integer(row->min));
    set(&schema, "maximum", json_integer(row->max));
    return schema;
}

static json_t *word_of(const struct rein_key *row)
{
    json_t *schema = json_object();
    set(&schema, "enum", array_of_words(row));
    return schema;
}

static json_t *map_of(const struct rein_key *row);

static json_t *texts_of(const struct rein_key *row)
{
    json_t *list = list_of(json_schema_text_of(1, 0), row);
    if ((row->flags & REIN_KEY_ONE_OR_MANY) == 0)
        return list;
    json_t *schema = json_object(), *both = json_array();
    bool or_map = (row->flags & REIN_KEY_OR_MAP) != 0;
    if (json_array_append_new(both, json_schema_text_of(1, 0)) != 0 || json_array_append_new(both, list) != 0 ||
        (or_map && json_array_append_new(both, map_of(row)) != 0)) {
        json_decref(both);
        both = NULL;
    }
    set(&schema, "anyOf", both);
    return schema;
}

static json_t *map_of(const struct rein_key *row)
{
    json_t *schema = json_object(), *keys = json_object(), *required = json_array();
    for (const struct rein_key *at = row + 1; at->path != NULL; at++) {
        if (!schema_is_child(at, row) || at->instead != NULL || (at->flags & REIN_KEY_LATER) != 0)
            continue;
        set(&keys, schema_row_name(at), schema_of(at));
        if ((at->flags & REIN_KEY_REQUIRED) != 0 &&
            json_array_append_new(required, json_string(schema_row_name(at))) != 0) {
            json_decref(required);
            required = NULL;
        }
    }
    set(&schema, "type", json_string("object"));
    set(&schema, "properties", keys);
    set(&schema, "required", required);
    set(&schema, "additionalProperties", json_false());
    return schema;
}

static json_t *value_of(const struct rein_key *row)
{
    switch (row->type) {
    case REIN_TYPE_TEXT:
        return json_schema_text_of(row->min, row->max);
    case REIN_TYPE_NAME:
        return name_of();
    case REIN_TYPE_INT:
        return number_of("integer", row);
    case REIN_TYPE_NUMBER:
        return number_of("number", row);
    case REIN_TYPE_BOOL:
        return json_pack("{ss}", "type", "boolean");
    case REIN_TYPE_WORD:
        return word_of(row);
    case REIN_TYPE_TEXTS:
        return texts_of(row);
    case REIN_TYPE_WORDS:
        return list_of(word_of(row), row);
    case REIN_TYPE_LIST:
        return list_of(schema_of(schema_item(row)), row);
    case REIN_TYPE_MAP:
        return map_of(row);
    }
    return NULL;
}

static json_t *texts_in(const struct rein_node *node)
{
    json_t *list = json_array();
    for (const struct rein_node *at = node->first; at != NULL; at = at->next)
        if (json_array_append_new(list, json_stringn(at->text, at->len)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A node as a value of the row's type. */
static json_t *node_as(const struct rein_key *row, const struct rein_node *node)
{
    int64_t whole;
    double number;
    if (node->kind == REIN_NODE_LIST)
        return texts_in(node);
    if (row->type == REIN_TYPE_INT && doc_read_int(node->text, &whole))
        return json_integer(whole);
    if (row->type == REIN_TYPE_NUMBER && doc_read_number(node->text, &number))
        return json_real(number);
    if (row->type == REIN_TYPE_BOOL)
        return json_boolean(strcmp(node->text, "true") == 0);
    return json_stringn(node->text, node->len);
}

/* A value as it would stand in the file. */
static json_t *value_in(const struct rein_key *row, const char *yaml)
{
    char text[VALUE_MAX];
    struct rein_problems *problems = NULL;
    struct rein_doc *doc = NULL;
    int len = snprintf(text, sizeof(text), "value: %s\n", yaml);
    struct rein_source source = {.name = row->path, .text = text, .len = (size_t)len};
    json_t *value = NULL;
    if (len < VALUE_MAX && rein_problems_new(&problems) == 0 && rein_doc_read(&doc, &source, problems) == 0)
        value = node_as(row, rein_node_get(rein_doc_root(doc), "value"));
    rein_doc_free(doc);
    rein_problems_free(problems);
    return value;
}

/* The table has the default of a text without the quotes that it would need in a file. */
static json_t *default_of(const struct rein_key *row)
{
    return row->type == REIN_TYPE_TEXT ? json_string(row->fallback) : value_in(row, row->fallback);
}

static json_t *schema_of(const struct rein_key *row)
{
    json_t *schema = value_of(row);
    set(&schema, "description", json_string(row->about));
    if (row->fallback != NULL)
        set(&schema, "default", default_of(row));
    if (row->example != NULL)
        set(&schema, "examples", json_pack("[o]", value_in(row, row->example)));
    if ((row->flags & REIN_KEY_RESTART) != 0)
        set(&schema, "x-restart", json_true());
    return schema;
}

int rein_schema_json(const struct rein_schema *schema, char **out)
{
    json_t *root = json_object(), *body = schema_of(schema->keys);
    set(&root, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    set(&root, "title", json_string(schema->title));
    if (root != NULL && (body == NULL || json_object_update(root, body) != 0)) {
        json_decref(root);
        root = NULL;
    }
    json_decref(body);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (text == NULL)
        return REIN_ENOMEM;
    *out = heap_copy(text, strlen(text));
    void (*release)(void *);
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return *out != NULL ? 0 : REIN_ENOMEM;
}
