/* What a dialect uses to fill an event while it walks a payload.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_EVENT_FILL_H
#define CORE_DIALECT_EVENT_FILL_H

#include "dialect/event.h"

enum { EVENT_FIRST_PIECES = 8, EVENT_FIRST_PARTS = 2 };

/* Stays where it was made. */
struct event_fill {
    struct json_walk walk;
    struct event event; /* its arrays begin in the room below */
    void *state;        /* of the dialect, for this response */
    bool body;
    struct piece *spare; /* room to sort in, as large as event.pieces; NULL until it is needed */
    size_t spare_cap;
    struct piece first_pieces[EVENT_FIRST_PIECES];
    struct event_part first_parts[EVENT_FIRST_PARTS];
};

/* Adds a piece. REIN_EFORMAT when there are too many, REIN_ENOMEM. */
int event_add(struct event_fill *fill, struct place place, struct range inside) REIN_MUST_USE;

/* Adds a part, zeroed; good until the next one is added. NULL with *rv: REIN_EFORMAT when there are too many,
 * REIN_ENOMEM. */
struct event_part *event_add_part(struct event_fill *fill, int *rv);

/* Reads a string and adds it. */
int event_add_string(struct event_fill *fill, struct place place) REIN_MUST_USE;

/* Skips any value; each string in it, each number unless place.numeric, and each key that is not known becomes a
 * whole piece of `place` (its `whole`, `is_key` and `is_number` are set here). */
int event_add_all(struct event_fill *fill, struct place place) REIN_MUST_USE;

/* Reads an object and adds it as it stands, as one piece of a text; an empty one is no text. */
int event_add_object(struct event_fill *fill, struct place place) REIN_MUST_USE;

/* Adds the key of a member that the dialect does not know by its whole name: it is text, unless it is a usual word. */
int event_add_key(struct event_fill *fill, struct place place, struct range key) REIN_MUST_USE;

/* A member that the dialect does not know: adds its key as a piece, unless it belongs to the vocabulary of the known
 * formats, then skips its value as event_add_all does. Numbers under a numeric key of the vocabulary are not text;
 * in a tool's arguments, every number is. */
int event_add_member(struct event_fill *fill, struct place place, struct range key) REIN_MUST_USE;

/* An index, as lenient clients read it: a whole number from 0 on, also as a string ("0") or with a fraction of zeros
 * (0.0). *index stays as it is where none is said: null, negative or anything else, which is read as a value of
 * `place`.
 */
int event_add_index(struct event_fill *fill, struct place place, int64_t *index) REIN_MUST_USE;

/* Brings the pieces from `first` on into the order of their channels, each channel's own order kept. */
int event_sort(struct event_fill *fill, size_t first) REIN_MUST_USE;

/* The bytes of a range. */
static inline struct span event_span(const struct event_fill *fill, struct range range)
{
    return (struct span){fill->walk.start + range.at, range.len};
}

/* Room for any known key, each of its letters written as \uXXXX. */
enum { EVENT_KEY_MAX = 6 * 48 + 3 };

/* The key (or word) as its reader will understand it: escapes undone in `room`. One longer than any that is known stays
 * as it is. */
struct span event_key(const struct event_fill *fill, struct range key, char room[EVENT_KEY_MAX]);

#endif
