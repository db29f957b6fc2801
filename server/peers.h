/* Who is connected: how many connections there are and how many of each client address, in a table that never grows.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One of these may be shared by listeners of several threads, so that limits hold for the process. An IPv6 client
 * counts by its /64, which is what one client is usually given.
 *
 * Thread: any. A lock is held for a few instructions a connection. */
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

enum peers_verdict {
    PEERS_WELCOME,
    PEERS_FULL,            /* as many connections as there may be at all */
    PEERS_TOO_MANY_OF_ONE, /* this address has as many as it may have */
};

/* `all`: connections at once; `of_one`: of one address, 0: no limit of its own. Returns owned. */
int peers_new(struct peers **out, size_t all, size_t of_one) REIN_MUST_USE;
/* Another limit of one address from now on; connections that are there stay. Any thread. */
void peers_limit(struct peers *peers, size_t of_one);
void peers_free(struct peers *peers); /* NULL is fine */
/* Counts the connection if it is welcome. */
enum peers_verdict peers_add(struct peers *peers, const struct peer_key *key) REIN_MUST_USE;
void peers_remove(struct peers *peers, const struct peer_key *key);

#endif
