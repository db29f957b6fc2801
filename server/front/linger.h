/* Lingering: connections that were answered before their request was complete, kept until the answer has arrived.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Closing a socket with unread bytes in it resets the connection, and the client then loses the answer. So what still
 * arrives is read and dropped: at most LINGER_BYTES, for at most LINGER_MS, LINGER_IDLE_MS of them in silence,
 * of at most LINGER_MAX connections at once. One more closes the oldest.
 *
 * Thread: the loop's. */
#ifndef SERVER_FRONT_LINGER_H
#define SERVER_FRONT_LINGER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "rein/rein.h"

enum { LINGER_BYTES = 16 * 1024 * 1024, LINGER_MS = 30000, LINGER_IDLE_MS = 2000, LINGER_MAX = 256 };

struct lingers;

/* Returns owned. Borrows the loop. */
int lingers_new(struct lingers **out, struct loop *loop) REIN_MUST_USE;
/* Takes a non-blocking descriptor whose answer was written; shuts its sending side. Closes it at once if memory is
 * short. */
void lingers_take(struct lingers *lingers, int fd);
/* Closes those whose time is over; to be called about every second. */
void lingers_tick(struct lingers *lingers);
size_t lingers_count(const struct lingers *lingers);
/* Closes all at once and frees; NULL is fine. libuv frees the rest itself. */
void lingers_free(struct lingers *lingers);

#endif
