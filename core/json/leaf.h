/* Reads JSON in text that arrives in pieces: says of each byte what it is, and what the leaves mean. A leaf is what a
 * reader of the JSON gets: a string, a key, a number.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      {"mail":"a\u0040b.c","n":12}
 *      oo----ooo-eeeeee---ooo-ooss o      o outside, - in a string, e an escape, s a scalar
 *
 * It forgives what lenient readers forgive (commas, control characters, unknown escapes, NaN, several values in a row).
 * Where a byte cannot be JSON, the text is none from there on; if that byte follows a scalar, the scalar is none
 * either. What it says depends on the text alone, not on the pieces. Thread: any, one reader each; allocates nothing.
 */
#ifndef CORE_JSON_LEAF_H
#define CORE_JSON_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum leaf_part {
    LEAF_OUTSIDE, /* braces, commas, quotes, white space */
    LEAF_STRING,  /* inside a string: means what it is */
    LEAF_ESCAPE,  /* inside a string: an escape, or the two of a surrogate pair */
    LEAF_SCALAR,  /* a number, true, false, null */
    LEAF_NONE,    /* no JSON, to the end */
};

enum {
    LEAF_DEPTH_MAX = 1024, /* deeper than this, no string counts as a key */
    LEAF_UNIT_MAX = 12,    /* bytes of an escape, or of a pair of them */
};

struct leaf_reader {
    uint8_t state, scalar;
    bool wants_key;   /* a string that begins here is a key */
    uint8_t unit_len; /* an escape that is not complete, or the first of a pair */
    char unit[LEAF_UNIT_MAX];
    const char *word; /* what completes the present word */
    uint32_t depth;
    uint8_t is_object[LEAF_DEPTH_MAX / 8];
};

/* What comes next. */
struct leaf_step {
    enum leaf_part part;
    size_t len;     /* bytes taken; may be 0 for an escape, and at the end of a scalar */
    bool begins;    /* a leaf begins: before a scalar, behind the quote of a string */
    bool ends;      /* the leaf ended before these bytes, and before blanks that follow a scalar */
    bool is_key;    /* of a leaf that begins */
    bool is_number; /* of a leaf that ends */
    /* LEAF_ESCAPE: the bytes of the escape that is complete now, 0: none is. Some of them, and of the next escape, were
     * taken by earlier steps. */
    size_t unit;
    bool is_late;             /* only what follows it shows that it is complete */
    char text[LEAF_UNIT_MAX]; /* and its meaning, as UTF-8 */
    size_t text_len;
};

/* Zero the reader before the first step. Takes what the text, which is not empty, begins with. */
void leaf_next(struct leaf_reader *r, struct span text, struct leaf_step *step);
/* The text ended: what was incomplete. False: nothing is (any more). */
bool leaf_end(struct leaf_reader *r, struct leaf_step *step);

/* Can a text that begins with this byte be JSON that has leaves? */
static inline bool leaf_begins(char c)
{
    return c == '{' || c == '[' || c == '"';
}

#endif
