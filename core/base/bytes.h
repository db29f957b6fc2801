/* Spans and growing buffers of bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      data            start        end              cap
 *       |  consumed     |  content   |  room           |        <= limit
 *
 * A buffer never grows past the limit it was given. Content is consumed at the front and appended at the end; the
 * consumed part is reclaimed when room is wanted, so pointers into a buffer are good until the next append. It may
 * begin in room that somebody else has for it, and then takes a block of its own only for more than fits there. */
#ifndef CORE_BASE_BYTES_H
#define CORE_BASE_BYTES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "rein/rein.h"

struct span {
    const char *data;
    size_t len;
};

#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})

static inline bool span_is(struct span s, struct span other)
{
    return s.len == other.len && memcmp(s.data, other.data, s.len) == 0;
}

struct bytes {
    char *data;
    size_t start, end, cap, limit;
    char *room; /* where it began, NULL: nowhere; borrowed */
};

/* Allocates nothing yet. */
void bytes_init(struct bytes *b, size_t limit);
/* Begins in `room` of `len` bytes, which is borrowed as long as the buffer and must not move. */
void bytes_init_in(struct bytes *b, void *room, size_t len, size_t limit);
void bytes_fini(struct bytes *b);

static inline size_t bytes_len(const struct bytes *b)
{
    return b->end - b->start;
}
static inline char *bytes_at(const struct bytes *b, size_t i)
{
    return b->data + b->start + i;
}
static inline struct span bytes_span(const struct bytes *b)
{
    return (struct span){b->data != NULL ? b->data + b->start : "", b->end - b->start};
}

/* Makes room for len more bytes. REIN_ELIMIT (past the limit) or REIN_ENOMEM leave the buffer as it was. */
int bytes_reserve(struct bytes *b, size_t len) REIN_MUST_USE;
/* Inline, because most of what is appended is one struct of a known size and finds room. */
REIN_MUST_USE static inline int bytes_append(struct bytes *b, const char *data, size_t len)
{
    int rv = len > b->cap - b->end ? bytes_reserve(b, len) : 0;
    if (rv != 0 || len == 0)
        return rv;
    memcpy(b->data + b->end, data, len);
    b->end += len;
    return 0;
}
static inline int bytes_append_span(struct bytes *b, struct span s)
{
    return bytes_append(b, s.data, s.len);
}
/* Drops len bytes at the front; len <= bytes_len. */
static inline void bytes_consume(struct bytes *b, size_t len)
{
    assert(len <= bytes_len(b));
    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}
static inline void bytes_clear(struct bytes *b)
{
    b->start = b->end = 0;
}
/* Exchanges the contents; limits stay. Neither may use borrowed room. */
void bytes_swap(struct bytes *a, struct bytes *b);

#endif
