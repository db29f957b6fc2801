/* What clients use: connections, and bytes of request bodies, of all clients together and per address, in a table that
 * never grows. SPDX-License-Identifier: Apache-2.0
 *
 * Listeners of several threads may share one, so that limits apply to the whole process. An IPv6 client counts by its
 * /64, which is what one client usually has.
 *
 * A trusted proxy forwards the requests of many clients: its connections count towards the total, not towards its own
 * address. Instead each running request counts towards its client's address.
 *
 * Thread: any. A lock is held for a few instructions per connection, and each time a body needs memory. */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <stdbool.h>
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

enum peers_verdict {
    PEERS_WELCOME,
    PEERS_FULL,            /* as much as there may be at all */
    PEERS_TOO_MANY_OF_ONE, /* this address has as much as it may have */
};

/* 0: no limit. */
struct peers_limits {
    size_t all;    /* connections at once; what the table is made for, never 0 */
    size_t of_one; /* connections of one address, or requests of one behind a proxy */
    size_t bytes, bytes_of_one;
};

/* Returns owned. */
int peers_new(struct peers **out, const struct peers_limits *limits) REIN_MUST_USE;
/* Other limits from now on, except for `all`; what is there stays. Any thread. */
void peers_limit(struct peers *peers, const struct peers_limits *limits);
void peers_free(struct peers *peers); /* NULL is fine */

enum peers_kind {
    PEERS_CLIENT,  /* a connection */
    PEERS_PROXY,   /* a connection of many clients */
    PEERS_REQUEST, /* a request that came through one; of the client's address */
};
/* Counts it if it is welcome. */
enum peers_verdict peers_add(struct peers *peers, const struct peer_key *key, enum peers_kind kind) REIN_MUST_USE;
void peers_remove(struct peers *peers, const struct peer_key *key, enum peers_kind kind);

/* Counts bytes for an address that has a connection or request there, if they are welcome. They are given back before
 * or after that has ended. */
enum peers_verdict peers_hold(struct peers *peers, const struct peer_key *key, size_t bytes) REIN_MUST_USE;
void peers_give_back(struct peers *peers, const struct peer_key *key, size_t bytes);

#endif
