/* A growing run of bytes with a ceiling: a request's body, an unstreamed answer, an upstream's error, a part of a line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_BASE_BUFFER_H
#define SERVER_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

/* Zeroed is empty. Owners may take bytes from its end, and may take over `data`, to be freed with free(). */
struct buffer {
    char *data; /* NULL or NUL-terminated; good until the next add or reserve */
    size_t len, cap;
};

/* For what is bounded by other means. */
#define BUFFER_NO_LIMIT (SIZE_MAX / 4)

/* Nothing and no room, or room for what there is and the NUL behind it. */
bool buffer_is_sound(const struct buffer *b);

/* On REIN_ELIMIT (more than `limit` in all) and REIN_ENOMEM nothing is changed. */
int buffer_add(struct buffer *b, const char *data, size_t len, size_t limit) REIN_MUST_USE;
/* Makes room for `room` bytes in all, and no more; for owners who count what they hold. REIN_ENOMEM: nothing is
 * changed. */
int buffer_reserve(struct buffer *b, size_t room) REIN_MUST_USE;
/* How many bytes fit without more memory, those that are there included. */
static inline size_t buffer_room(const struct buffer *b)
{
    return b->cap > 0 ? b->cap - 1 : 0;
}
void buffer_clear(struct buffer *b);

#endif
