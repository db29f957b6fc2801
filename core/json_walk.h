/* A strict JSON cursor (RFC 8259) over bytes that lie in memory: no tree, no copies, no allocation.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The reader asks for what it expects and skips the rest; everything that is passed over is checked too:
 *
 *     struct json_list list = {0};
 *     while ((rv = json_next(walk, &list, '{')) > 0) {
 *         rv = json_key(walk, &list, &key);    then exactly one value: json_text, json_skip, ...
 *     }
 *     if (rv < 0) ...
 *
 * Functions return 0 (json_next: 1 while there is another) or REIN_EFORMAT. Strings are ranges of raw JSON between the
 * quotes; any byte but control characters may stand in them, valid UTF-8 or not. Thread: any, one walk each. */
#ifndef CORE_JSON_WALK_H
#define CORE_JSON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

/* Bytes of the walked text, from its start. */
struct range {
    uint32_t at, len;
};

struct json_walk {
    const char *start, *at, *end;
    unsigned depth, depth_max;
};

/* Where an object or an array is being read. Zero it before the first json_next. */
struct json_list {
    bool begun;
    bool has_comma;  /* a comma stands before the present element */
    uint32_t comma;  /* where */
    uint32_t member; /* where the present member's key begins, quote included */
};

/* Borrows the text, of at most UINT32_MAX bytes. */
void json_walk_init(struct json_walk *walk, struct span text, unsigned depth_max);

/* Skips space and returns the first byte of what follows: one of  { [ " - 0..9 t f n  if it is a value; 0 at the end.
 */
char json_peek(struct json_walk *walk);

/* 1: an element follows (`open` is '{' or '['; the first call steps inside); 0: the list is over and was stepped out
 * of. */
int json_next(struct json_walk *walk, struct json_list *list, char open) REIN_MUST_USE;

/* Inside an object, after json_next: the key, and the colon is passed. */
int json_key(struct json_walk *walk, struct json_list *list, struct range *key) REIN_MUST_USE;

/* After the member's value: key, colon, value and one adjacent comma (the one behind, or if there is none the one
 * before), so that the object is valid without them. */
struct range json_member(struct json_walk *walk, const struct json_list *list);

int json_text(struct json_walk *walk, struct range *inside) REIN_MUST_USE;

/* A number; *value is -1 unless it is a whole number from 0 to 10^15. */
int json_number(struct json_walk *walk, int64_t *value) REIN_MUST_USE;

/* true, false or null. */
int json_word(struct json_walk *walk) REIN_MUST_USE;

/* Any value that is no string, object or array. */
int json_scalar(struct json_walk *walk) REIN_MUST_USE;

/* The end of the text but for space. */
int json_finish(struct json_walk *walk) REIN_MUST_USE;

static inline uint32_t json_offset(const struct json_walk *walk)
{
    return (uint32_t)(walk->at - walk->start);
}

/* Checks the inside of a string from `at` on: returns where its closing quote stands, NULL if it is malformed. */
const char *json_string_end(const char *at, const char *end);

#endif
