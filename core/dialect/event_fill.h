/* What a dialect uses to fill a delta while it walks a payload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_EVENT_FILL_H
#define CORE_DIALECT_EVENT_FILL_H

#include "dialect/event.h"

enum { DELTA_FIRST_PIECES = 8, DELTA_FIRST_CHOICES = 2 };

/* Stays where it was made. */
struct delta_fill {
    struct json_walk walk;
    struct delta delta; /* its arrays begin in the room below */
    bool body;
    size_t pieces_max;
    struct piece *spare; /* room to sort in, as large as delta.pieces; NULL until it is needed */
    size_t spare_cap;
    struct piece first_pieces[DELTA_FIRST_PIECES];
    struct delta_choice first_choices[DELTA_FIRST_CHOICES];
};

/* Adds a piece. REIN_EFORMAT when there are too many, REIN_ENOMEM. */
int delta_add(struct delta_fill *fill, struct place place, struct range inside) REIN_MUST_USE;

/* Adds a choice, zeroed; good until the next one is added. NULL with *rv: REIN_EFORMAT when there are too many,
 * REIN_ENOMEM. */
struct delta_choice *delta_add_choice(struct delta_fill *fill, int *rv);

/* Reads a string and adds it. */
int delta_add_string(struct delta_fill *fill, struct place place) REIN_MUST_USE;

/* Skips any value; each string in it, each number unless place.numeric, and each key that is not known becomes a
 * whole piece of `place` (its `whole`, `is_key` and `is_number` are set here). */
int delta_add_all(struct delta_fill *fill, struct place place) REIN_MUST_USE;

/* A member that the dialect does not know: adds its key as a piece, unless it belongs to the vocabulary of the known
 * formats, then skips its value as delta_add_all does. Numbers under a numeric key of the vocabulary are not text;
 * in a tool's arguments, every number is. */
int delta_add_member(struct delta_fill *fill, struct place place, struct range key) REIN_MUST_USE;

/* Brings the pieces from `first` on into the order of their channels, each channel's own order kept. */
int delta_sort(struct delta_fill *fill, size_t first) REIN_MUST_USE;

/* The bytes of a range. */
static inline struct span delta_span(const struct delta_fill *fill, struct range range)
{
    return (struct span){fill->walk.start + range.at, range.len};
}

/* Room for any known key, each of its letters written as \uXXXX. */
enum { DELTA_KEY_MAX = 6 * 48 + 3 };

/* The key (or word) as its reader will understand it: escapes undone in `room`. One longer than any that is known stays
 * as it is. */
struct span delta_key(const struct delta_fill *fill, struct range key, char room[DELTA_KEY_MAX]);

#endif
