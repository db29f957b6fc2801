/* How many connections each client address has, in a table that never grows.
 * SPDX-License-Identifier: Apache-2.0
 *
 * An IPv6 client counts by its /64, which is what one client is usually given.
 *
 * Thread: the owner's. */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rein/rein.h"

struct peers;

/* A client address as it is counted. */
struct peer_key {
    uint8_t bytes[16];
};
struct peer_key peer_key_of(const struct sockaddr *address);

/* Room for `limit` addresses at once. Returns owned. */
int peers_new(struct peers **out, size_t limit) REIN_MUST_USE;
void peers_free(struct peers *peers);
/* Counts a connection of this address, unless it has `max` already (0: no limit) or the table is full: REIN_ELIMIT. */
int peers_add(struct peers *peers, const struct peer_key *key, size_t max) REIN_MUST_USE;
void peers_remove(struct peers *peers, const struct peer_key *key);
size_t peers_count(const struct peers *peers, const struct peer_key *key);

#endif
