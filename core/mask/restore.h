/* Finds the placeholders of a request in a text that arrives in pieces. The result does not depend on the pieces.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      It is [card-number:K7QX2M9A].       found: [6, 28)
 *      It is [card-nu                      held from 6 on: it may still become one
 *      See https://h/[card-number:...      none: it is inside a URL (link.h)
 *
 * Held is exactly a suffix that is the beginning of a placeholder of this request: at most MASK_NAME_MAX bytes.
 *
 * Thread: the trace's. Allocates nothing. */
#ifndef CORE_MASK_RESTORE_H
#define CORE_MASK_RESTORE_H

#include "mask/link.h"
#include "mask/mask_set.h"

struct restore {
    const struct mask_set *set; /* borrowed; does not change any more */
    bool is_off;                /* nothing of the present text is put back */
    uint64_t at;                /* bytes read */
    uint64_t open;              /* where a placeholder may have begun; UINT64_MAX: nowhere */
    size_t low, high;           /* the values whose names begin so */
    struct link link, before;   /* the latter: at `open` */
};

/* A placeholder [start, end) and the number of its value in the set; end 0: none. */
struct restored {
    uint64_t start, end;
    uint32_t value;
};

/* Always true between two calls. */
static inline bool restore_is_sound(const struct restore *r)
{
    bool is_open = r->open != UINT64_MAX;
    return !is_open || (!r->is_off && r->open < r->at && r->at - r->open < MASK_NAME_MAX && r->low < r->high &&
                        r->high <= r->set->len);
}

void restore_init(struct restore *r, const struct mask_set *set);
/* A value of JSON begins, whose offsets go on from those of the last one. `is_off`: nothing of it is put back. */
void restore_begin(struct restore *r, bool is_off);
/* Reads bytes, and stops behind the first placeholder. Returns how many were read. */
size_t restore_feed(struct restore *r, struct span bytes, struct restored *found) REIN_MUST_USE;

/* The first offset that may belong to a placeholder; the number of bytes read if there is none. Never falls. */
static inline uint64_t restore_hold(const struct restore *r)
{
    return r->open < r->at ? r->open : r->at;
}

#endif
