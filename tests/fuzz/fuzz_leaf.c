/* Fuzz target: the reader of leaves says the same of a text whatever its pieces, covers it to the last byte, and reads
 * the leaves that jansson reads where that accepts the text.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that was read: of each byte its part, and the leaves, each behind a mark. */
struct reading {
    char *parts, *leaves;
    size_t parts_len, leaves_len, unit_at;
    bool is_json;
};

static void put(struct reading *r, const char *text, size_t len)
{
    memcpy(r->leaves + r->leaves_len, text, len);
    r->leaves_len += len;
}

static void take(struct reading *r, const struct leaf_step *step, const char *text)
{
    static const char letters[] = "ose#n";
    bool is_bytes = step->part == LEAF_STRING || step->part == LEAF_SCALAR;
    for (size_t i = 0; i < step->len; i++)
        r->parts[r->parts_len++] = letters[step->part];
    if (step->begins)
        put(r, step->is_key ? "\x01k" : "\x01v", 2);
    if (is_bytes)
        put(r, text, step->len);
    if (step->unit > 0)
        put(r, step->text, step->text_len);
    if (step->ends)
        put(r, step->is_number ? "\x01#" : "\x01.", 2);
    r->is_json &= step->part != LEAF_NONE;
}

static struct reading read_leaves(const char *text, size_t size, size_t piece)
{
    struct reading r = {malloc(size + 1), malloc(16 * size + 64), 0, 0, 0, true};
    struct leaf_reader *reader = calloc(1, sizeof *reader);
    struct leaf_step step;
    if (r.parts == NULL || r.leaves == NULL || reader == NULL)
        abort();
    for (size_t at = 0; at < size; at += step.len) {
        size_t len = piece - at % piece;
        leaf_next(reader, (struct span){text + at, at + len < size ? len : size - at}, &step);
        take(&r, &step, text + at);
    }
    while (leaf_end(reader, &step))
        take(&r, &step, "");
    if (r.parts_len != size)
        abort();
    free(reader);
    return r;
}

static void free_reading(struct reading *r)
{
    free(r->parts);
    free(r->leaves);
}

/* The next leaf of the reading must be this one. */
static size_t expect(const struct reading *r, size_t at, char kind, const char *text, size_t len)
{
    if (at + len + 4 > r->leaves_len || r->leaves[at] != '\x01' || r->leaves[at + 1] != kind ||
        memcmp(r->leaves + at + 2, text, len) != 0 || r->leaves[at + 2 + len] != '\x01')
        abort();
    return at + len + 4;
}

/* Scalars are skipped: jansson does not say how they were written. */
static size_t skip_leaf(const struct reading *r, size_t at)
{
    for (at += 2; at < r->leaves_len && r->leaves[at] != '\x01'; at++) {
    }
    if (at + 2 > r->leaves_len)
        abort();
    return at + 2;
}

static size_t compare(const struct reading *r, size_t at, const json_t *value)
{
    const char *key;
    size_t i, len;
    json_t *member;
    if (json_is_object(value)) {
        json_object_keylen_foreach((json_t *)value, key, len, member)
        {
            at = expect(r, at, 'k', key, len);
            at = compare(r, at, member);
        }
    } else if (json_is_array(value)) {
        json_array_foreach(value, i, member) at = compare(r, at, member);
    } else if (json_is_string(value)) {
        at = expect(r, at, 'v', json_string_value(value), json_string_length(value));
    } else {
        at = skip_leaf(r, at);
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (size == 0 || size > 4096)
        return 0;
    struct reading whole = read_leaves(text, size, size + 1), cut = read_leaves(text, size, 1);
    struct reading three = read_leaves(text, size, 3);
    if (whole.leaves_len != cut.leaves_len || memcmp(whole.leaves, cut.leaves, whole.leaves_len) != 0 ||
        whole.leaves_len != three.leaves_len || memcmp(whole.leaves, three.leaves, whole.leaves_len) != 0 ||
        memcmp(whole.parts, cut.parts, size) != 0 || memcmp(whole.parts, three.parts, size) != 0)
        abort();
    bool has_nul = memchr(text, '\0', size) != NULL;                                      /* which jansson skips */
    json_t *root = has_nul ? NULL : json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL); /* an object or an array */
    if (root != NULL && (!whole.is_json || compare(&whole, 0, root) != whole.leaves_len))
        abort();
    json_decref(root);
    free_reading(&whole);
    free_reading(&cut);
    free_reading(&three);
    return 0;
}
