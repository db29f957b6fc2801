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
#ifndef SERVER_FRONT_CLIENT_LIMITS_H
#define SERVER_FRONT_CLIENT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rein/rein.h"

struct client_limits;

/* A client address as it is counted. */
struct client_key {
    uint8_t bytes[16];
};
struct client_key client_key_of(const struct sockaddr *address);

enum client_admission {
    CLIENT_ADMITTED,
    CLIENT_LIMIT_REACHED,        /* as much as there may be at all */
    CLIENT_LIMIT_OF_ONE_REACHED, /* this address has as much as it may have */
};

/* 0: no limit. */
struct client_limits_options {
    size_t all;    /* connections at once; what the table is made for, never 0 */
    size_t of_one; /* connections of one address, or requests of one behind a proxy */
    size_t bytes, bytes_of_one;
};

/* Returns owned. */
int client_limits_new(struct client_limits **out, const struct client_limits_options *limits) REIN_MUST_USE;
/* Other limits from now on, except for `all`; what is there stays. Any thread. */
void client_limits_change(struct client_limits *clients, const struct client_limits_options *limits);
void client_limits_free(struct client_limits *clients); /* NULL is fine */

enum client_kind {
    CLIENT_CONNECTION, /* a connection */
    CLIENT_PROXY,      /* a connection of many clients */
    CLIENT_REQUEST,    /* a request that came through one; of the client's address */
};
/* Counts it if it is welcome. */
enum client_admission client_limits_add(struct client_limits *clients, const struct client_key *key,
                                        enum client_kind kind) REIN_MUST_USE;
void client_limits_remove(struct client_limits *clients, const struct client_key *key, enum client_kind kind);

/* Counts bytes for an address that has a connection or request there, if they are welcome. They are given back before
 * or after that has ended. */
enum client_admission client_limits_hold(struct client_limits *clients, const struct client_key *key,
                                         size_t bytes) REIN_MUST_USE;
void client_limits_give_back(struct client_limits *clients, const struct client_key *key, size_t bytes);

#endif
