/* What each key uses: requests in the last minute, and open ones; of all workers together.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Requests per minute are a bucket that fills evenly: after a pause a key may send that many at once. What is counted
 * outlives a reload, since it goes by the key's name.
 *
 * Thread: any. A lock is held for a few instructions per request of a key with limits; other keys need none. */
#ifndef SERVER_SERVICE_KEY_LIMITS_H
#define SERVER_SERVICE_KEY_LIMITS_H

#include <stdint.h>

#include "config/keys.h"

struct key_limits; /* opaque */

int key_limits_new(struct key_limits **out) REIN_MUST_USE;
void key_limits_free(struct key_limits *limits); /* NULL is fine */

enum key_admission { KEY_ADMITTED, KEY_TOO_MANY_REQUESTS, KEY_TOO_MANY_OPEN };
/* Counts a request, if it is within the key's limits. *retry_s: when it would be, in seconds from now (at least 1). Out
 * of memory it is not. */
enum key_admission key_limits_enter(struct key_limits *limits, const struct key *key, uint64_t now_ms,
                                    unsigned *retry_s) REIN_MUST_USE;
/* A request that was admitted has ended. */
void key_limits_leave(struct key_limits *limits, const struct key *key);

#endif
