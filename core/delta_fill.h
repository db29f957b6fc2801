/* What a dialect uses to fill a delta while it walks a payload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DELTA_FILL_H
#define CORE_DELTA_FILL_H

#include "delta.h"

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

/* Passes over any value; each string in it, and each key that is not known, becomes a whole piece of `place` (its
 * `whole` and `is_key` are set here). */
int delta_add_all(struct delta_fill *fill, struct place place) REIN_MUST_USE;

/* Adds a key as a piece, unless it belongs to the vocabulary of the known formats. */
int delta_add_key(struct delta_fill *fill, struct place place, struct range key) REIN_MUST_USE;

/* Brings the pieces from `first` on into the order of their channels, each channel's own order kept. */
int delta_sort(struct delta_fill *fill, size_t first) REIN_MUST_USE;

/* The bytes of a range. */
static inline struct span delta_span(const struct delta_fill *fill, struct range range)
{
    return (struct span){fill->walk.start + range.at, range.len};
}

enum { DELTA_KEY_MAX = 64 };

/* The key as its reader will understand it: escapes undone in `room`. A key longer than the room stays as it is. */
struct span delta_key(const struct delta_fill *fill, struct range key, char room[DELTA_KEY_MAX]);

#endif
