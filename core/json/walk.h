/* A strict JSON cursor (RFC 8259) over bytes that lie in memory: no tree, no copies, no allocation.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The reader asks for what it expects and skips the rest; everything that is skipped is checked too:
 *
 *     struct json_list list = {0};
 *     while ((rv = walk_next(walk, &list, '{')) > 0) {
 *         rv = walk_key(walk, &list, &key);    then exactly one value: walk_string, json_skip, ...
 *     }
 *     if (rv < 0) ...
 *
 * Functions return 0 (walk_next: 1 while there is another) or REIN_EFORMAT. Strings are ranges of raw JSON between the
 * quotes; any byte but control characters may be in them, valid UTF-8 or not. Thread: any, one walk each. */
#ifndef CORE_JSON_WALK_H
#define CORE_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes of the walked text, from its start. */
struct range {
    uint32_t at, len;
};

struct json_walk {
    const char *start, *at, *end;
    unsigned depth, depth_max;
};

/* Where an object or an array is being read. Zero it before the first walk_next. */
struct json_list {
    bool begun;
    bool has_comma;  /* a comma is before the present element */
    uint32_t comma;  /* where */
    uint32_t member; /* where the present member's key begins, quote included */
};

/* Borrows the text, of at most UINT32_MAX bytes. */
void walk_init(struct json_walk *walk, struct span text, unsigned depth_max);

void walk_skip_space(struct json_walk *walk);

/* Skips space and returns the first byte of what follows: one of  { [ " - 0..9 t f n  if it is a value; 0 at the end.
 */
static inline char walk_peek(struct json_walk *walk)
{
    if (walk->at < walk->end && (unsigned char)*walk->at > ' ')
        return *walk->at;
    walk_skip_space(walk);
    return walk->at < walk->end ? *walk->at : '\0';
}

/* 1: an element follows (`open` is '{' or '['; the first call steps inside); 0: the list has ended and was stepped out
 * of. */
int walk_next(struct json_walk *walk, struct json_list *list, char open) REIN_MUST_USE;

/* Inside an object, after walk_next: the key, and the colon is passed. */
int walk_key(struct json_walk *walk, struct json_list *list, struct range *key) REIN_MUST_USE;

/* After the member's value: key, colon, value and one adjacent comma, so that the object is valid without them. The
 * comma is the one behind; if there is none, the one before. walk_member_before prefers the one before. */
struct range walk_member(struct json_walk *walk, const struct json_list *list);
struct range walk_member_before(struct json_walk *walk, const struct json_list *list);

int walk_string(struct json_walk *walk, struct range *inside) REIN_MUST_USE;
/* The same; *plain: it is ASCII and has no escape, so its text is what is there. */
int walk_text(struct json_walk *walk, struct range *inside, bool *plain) REIN_MUST_USE;

/* A number; *value is -1 unless it is a whole number from 0 to 10^15. */
int walk_number(struct json_walk *walk, int64_t *value) REIN_MUST_USE;

/* true, false or null. */
int walk_word(struct json_walk *walk) REIN_MUST_USE;

/* Any value that is not a string, object or array; also NaN, Infinity and -Infinity, which Python writes and reads. */
int walk_scalar(struct json_walk *walk) REIN_MUST_USE;

/* The end of the text except for space. */
int walk_finish(struct json_walk *walk) REIN_MUST_USE;

static inline uint32_t walk_offset(const struct json_walk *walk)
{
    return (uint32_t)(walk->at - walk->start);
}

/* Do both texts close a string and the same lists around it, and differ at most in their blanks? Senders pad events so
 * that their lengths say nothing. False for texts with anything else in them. */
bool walk_closes_alike(struct span a, struct span b);

/* Checks the inside of a string from `at` on: returns where its closing quote stands, NULL if it is malformed. */
const char *walk_string_end(const char *at, const char *end);

#endif
