/* Writes a checked document as JSON, with the defaults that its keys have: what it says, for people and for Rein, which
 * reads it back as the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "document/doc.h"
#include "json/text.h"

static int put(struct bytes *out, const char *text)
{
    return bytes_append(out, text, strlen(text));
}

static int put_string(struct bytes *out, const char *text, size_t len)
{
    int rv = put(out, "\"");
    if (rv == 0)
        rv = json_escape(out, (struct span){text, len});
    return rv == 0 ? put(out, "\"") : rv;
}

static int write_line(struct bytes *out, unsigned depth, bool is_first)
{
    int rv = put(out, is_first ? "\n" : ",\n");
    for (unsigned i = 0; i < depth && rv == 0; i++)
        rv = put(out, "  ");
    return rv;
}

static int write_scalar(struct bytes *out, const struct rein_key *row, const char *text, size_t len)
{
    int64_t whole;
    double number;
    char form[40];
    if (row != NULL && row->type == REIN_TYPE_INT && doc_read_int(text, &whole))
        snprintf(form, sizeof form, "%" PRId64, whole);
    else if (row != NULL && row->type == REIN_TYPE_NUMBER && doc_read_number(text, &number))
        snprintf(form, sizeof form, "%.17g", number);
    else if (row != NULL && row->type == REIN_TYPE_BOOL)
        snprintf(form, sizeof form, "%s", text);
    else
        return put_string(out, text, len);
    return put(out, form);
}

static int write_node(const struct rein_node *node, unsigned depth, struct bytes *out);

/* Names choose documents: a default one counts only where the document says so otherwise. */
static bool is_plain_value(enum rein_type type)
{
    return type != REIN_TYPE_NAME && type != REIN_TYPE_MAP && type != REIN_TYPE_LIST && type != REIN_TYPE_TEXTS &&
           type != REIN_TYPE_WORDS;
}

/* Whether a map that is left out means one of defaults: it has only keys that have one, or need none. */
static bool is_all_defaults(const struct rein_key *map)
{
    bool has_default = false;
    for (const struct rein_key *key = map + 1; key->path != NULL; key++) {
        if (!schema_is_child(key, map))
            continue;
        if ((key->flags & REIN_KEY_REQUIRED) != 0 || !is_plain_value(key->type))
            return false;
        has_default = has_default || key->fallback != NULL;
    }
    return has_default;
}

/* A key that the document does not have is written if it has a default that counts. In the items of a list a key may be
 * wrong beside others, even with its default. */
static bool is_written(const struct rein_node *map, const struct rein_key *key)
{
    if (map != NULL && rein_node_get(map, schema_row_name(key)) != NULL)
        return true;
    if ((key->flags & (REIN_KEY_ADDED | REIN_KEY_LATER)) != 0 || key->instead != NULL || strchr(key->path, '[') != NULL)
        return false;
    return key->type == REIN_TYPE_MAP ? is_all_defaults(key) : key->fallback != NULL && is_plain_value(key->type);
}

/* `node` is NULL for a map that is left out. */
static int write_map(const struct rein_node *node, const struct rein_key *map, unsigned depth, struct bytes *out)
{
    bool is_first = true;
    int rv = put(out, "{");
    for (const struct rein_key *key = map + 1; key->path != NULL && rv == 0; key++) {
        if (!schema_is_child(key, map) || !is_written(node, key))
            continue;
        const char *name = schema_row_name(key);
        const struct rein_node *at = node != NULL ? rein_node_get(node, name) : NULL;
        rv = write_line(out, depth + 1, is_first);
        is_first = false;
        if (rv == 0)
            rv = put_string(out, name, strlen(name));
        if (rv == 0)
            rv = put(out, ": ");
        if (rv == 0 && at != NULL)
            rv = write_node(at, depth + 1, out);
        else if (rv == 0 && key->type == REIN_TYPE_MAP)
            rv = write_map(NULL, key, depth + 1, out);
        else if (rv == 0)
            rv = write_scalar(out, key, key->fallback, strlen(key->fallback));
    }
    if (rv == 0 && !is_first)
        rv = write_line(out, depth, true);
    return rv == 0 ? put(out, "}") : rv;
}

/* Texts in one line, maps each on its own. */
static int write_list(const struct rein_node *node, unsigned depth, struct bytes *out)
{
    int rv = put(out, "[");
    for (const struct rein_node *at = node->first; at != NULL && rv == 0; at = at->next) {
        if (at->kind == REIN_NODE_TEXT && at != node->first)
            rv = put(out, ", ");
        else if (at->kind != REIN_NODE_TEXT)
            rv = write_line(out, depth + 1, at == node->first);
        if (rv == 0)
            rv = write_node(at, depth + 1, out);
    }
    if (rv == 0 && node->first != NULL && node->first->kind != REIN_NODE_TEXT)
        rv = write_line(out, depth, true);
    return rv == 0 ? put(out, "]") : rv;
}

static int write_node(const struct rein_node *node, unsigned depth, struct bytes *out)
{
    switch (node->kind) {
    case REIN_NODE_TEXT:
        return write_scalar(out, node->row, node->text, node->len);
    case REIN_NODE_LIST:
        return write_list(node, depth, out);
    default:
        return node->row != NULL ? write_map(node, node->row, depth, out) : put(out, "{}");
    }
}

int doc_write(const struct rein_node *node, struct bytes *out)
{
    int rv = write_node(node, 0, out);
    return rv == 0 ? put(out, "\n") : rv;
}
