/* Trusted proxies: networks whose connections carry the requests of others, and whose headers name the clients.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each proxy of a chain adds the address of its caller to Forwarded (RFC 7239) or X-Forwarded-For, at the end. The
 * chain is read from its end: the first address that is not a trusted proxy's is the client. Everything before that was
 * written by the client itself and is ignored. If the chain is malformed before that point, or two headers name
 * different clients, the connection's own address is the client.
 *
 * Thread: any; immutable once made. */
#ifndef SERVER_FRONT_PROXIES_H
#define SERVER_FRONT_PROXIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rein/rein.h"

/* An address of either family; IPv4 as IPv6 writes it (::ffff:a.b.c.d), also where a client came by such a one. */
struct proxies_address {
    uint8_t bytes[16];
};

struct proxies_network {
    struct proxies_address address;
    unsigned bits; /* of all 128 */
};

struct proxies {
    size_t len;
    struct proxies_network networks[];
};

/* "10.0.0.0/8", "fd00::/8", or an address alone. False: it is none, or has bits after its prefix. */
bool proxies_read_network(const char *text, struct proxies_network *out);
/* Returns owned (free). */
int proxies_new(struct proxies **out, const struct proxies_network *networks, size_t len) REIN_MUST_USE;

struct proxies_address proxies_address_of(const struct sockaddr *address);
/* NULL trusts nobody. */
bool proxies_trust(const struct proxies *proxies, const struct proxies_address *address);

/* One value of a header, as often unchanged; NULL at the end. */
struct proxies_header {
    const char *value;
    bool is_forwarded; /* else it is X-Forwarded-For */
};
/* The client of a request that came from `peer`. `headers` end with a NULL value. */
struct proxies_address proxies_client(const struct proxies *proxies, const struct proxies_address *peer,
                                      const struct proxies_header *headers);

/* For client_key_of and for people. */
void proxies_to_sockaddr(const struct proxies_address *address, struct sockaddr_storage *out);

#endif
