/* The canonical form of a document: what it means, not how it is written.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Keys are in the table's order, defaults are filled in, comments and layout are gone; every text is preceded by its
 * length, so that no two documents share a form. A policy's version is a digest of this. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "document/doc.h"

static int canon_put(struct bytes *out, char mark, const char *text, size_t len)
{
    char head[32];
    int head_len = snprintf(head, sizeof(head), "%c%zu:", mark, len);
    int rv = bytes_append(out, head, (size_t)head_len);
    return rv == 0 ? bytes_append(out, text, len) : rv;
}

static int put_text(struct bytes *out, char mark, const char *text)
{
    return canon_put(out, mark, text, strlen(text));
}

/* 0.50 and 5e-1 are one number. */
static int put_number(struct bytes *out, const char *text)
{
    double value = 0;
    char form[40];
    doc_read_number(text, &value);
    snprintf(form, sizeof(form), "%.17g", value);
    return put_text(out, '=', form);
}

static int put_word(struct bytes *out, const struct rein_key *row, const char *word)
{
    return put_text(out, '=', schema_first_name(row, word));
}

static int put_value(const struct rein_node *node, struct bytes *out)
{
    if (node->row != NULL && node->row->type == REIN_TYPE_TEXTS) { /* one text is a list of one */
        int rv = put_text(out, '[', "1");
        return rv == 0 ? canon_put(out, '=', node->text, node->len) : rv;
    }
    if (node->row != NULL && (node->row->type == REIN_TYPE_NUMBER || node->row->type == REIN_TYPE_INT))
        return put_number(out, node->text);
    if (node->row != NULL && node->row->type == REIN_TYPE_WORD)
        return put_word(out, node->row, node->text);
    return canon_put(out, '=', node->text, node->len);
}

static int put_items(const struct rein_node *node, struct bytes *out)
{
    char count[24];
    snprintf(count, sizeof(count), "%zu", node->count);
    int rv = put_text(out, '[', count);
    for (const struct rein_node *at = node->first; at != NULL && rv == 0; at = at->next)
        rv = at->kind == REIN_NODE_MAP ? doc_canon(at, out) : canon_put(out, '=', at->text, at->len);
    return rv;
}

static int put_map(const struct rein_node *node, const struct rein_key *row, struct bytes *out);

/* A missing key has its default value: a map of defaults, an empty list. */
static int put_absent(const struct rein_key *row, struct bytes *out)
{
    if (row->type == REIN_TYPE_MAP)
        return put_map(NULL, row, out);
    if (row->type == REIN_TYPE_LIST)
        return put_text(out, '[', "0");
    if (row->fallback == NULL)
        return canon_put(out, '-', "", 0);
    bool is_number = row->type == REIN_TYPE_NUMBER || row->type == REIN_TYPE_INT;
    return is_number ? put_number(out, row->fallback) : put_word(out, row, row->fallback);
}

/* Whether a key counts as missing: it is newer than the documents, and says what they mean without it. */
static bool canon_omits(const struct rein_key *row, const struct rein_node *at)
{
    if ((row->flags & REIN_KEY_ADDED) == 0)
        return false;
    return at == NULL || (at->kind == REIN_NODE_TEXT && row->fallback != NULL && strcmp(at->text, row->fallback) == 0);
}

static int put_key(const struct rein_node *map, const struct rein_key *row, struct bytes *out)
{
    const struct rein_node *at = map != NULL ? rein_node_get(map, schema_row_name(row)) : NULL;
    if (canon_omits(row, at))
        return 0;
    int rv = put_text(out, '.', schema_row_name(row));
    if (rv != 0)
        return rv;
    return at != NULL ? doc_canon(at, out) : put_absent(row, out);
}

/* `node` is NULL for a map that is left out. */
static int put_map(const struct rein_node *node, const struct rein_key *row, struct bytes *out)
{
    int rv = canon_put(out, '{', "", 0);
    for (const struct rein_key *key = row + 1; key->path != NULL && rv == 0; key++)
        if (schema_is_child(key, row))
            rv = put_key(node, key, out);
    return rv == 0 ? canon_put(out, '}', "", 0) : rv;
}

int doc_canon(const struct rein_node *node, struct bytes *out)
{
    switch (node->kind) {
    case REIN_NODE_TEXT:
        return put_value(node, out);
    case REIN_NODE_LIST:
        return put_items(node, out);
    default:
        return node->row != NULL ? put_map(node, node->row, out) : 0;
    }
}
