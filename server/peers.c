/* See peers.h: open addressing with linear probing; removal moves later entries back, so there are no tombstones.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct peer_key key;
    size_t count; /* 0: free */
};

struct peers {
    size_t mask, used, limit;
    struct slot slots[];
};

struct peer_key peer_key_of(const struct sockaddr *address)
{
    struct peer_key key = {{0}};
    if (address->sa_family == AF_INET) {
        memcpy(key.bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        key.bytes[15] = 4; /* never equal to a /64, whose second half is zero */
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *ip = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(ip)) {
            memcpy(key.bytes, ip->s6_addr + 12, 4);
            key.bytes[15] = 4;
        } else {
            memcpy(key.bytes, ip->s6_addr, 8);
        }
    }
    return key;
}

int peers_new(struct peers **out, size_t limit)
{
    size_t size = 16;
    while (size < limit * 2)
        size *= 2;
    struct peers *peers = calloc(1, sizeof *peers + size * sizeof peers->slots[0]);
    if (!peers)
        return REIN_ENOMEM;
    peers->mask = size - 1;
    peers->limit = limit;
    *out = peers;
    return 0;
}

void peers_free(struct peers *peers)
{
    free(peers);
}

static size_t home_of(const struct peers *peers, const struct peer_key *key)
{
    uint64_t a, b;
    memcpy(&a, key->bytes, 8);
    memcpy(&b, key->bytes + 8, 8);
    uint64_t hash = (a ^ (b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
    return (size_t)(hash >> 32) & peers->mask;
}

/* The key's slot, or the free one where it would go. */
static size_t find(const struct peers *peers, const struct peer_key *key)
{
    size_t i = home_of(peers, key);
    while (peers->slots[i].count > 0 && memcmp(&peers->slots[i].key, key, sizeof *key) != 0)
        i = (i + 1) & peers->mask;
    return i;
}

int peers_add(struct peers *peers, const struct peer_key *key, size_t max)
{
    struct slot *slot = &peers->slots[find(peers, key)];
    if (max > 0 && slot->count >= max)
        return REIN_ELIMIT;
    if (slot->count == 0) {
        if (peers->used == peers->limit)
            return REIN_ELIMIT;
        peers->used++;
        slot->key = *key;
    }
    slot->count++;
    return 0;
}

/* Moves back what stood behind a slot that became free, so that probing still finds it. */
static void close_gap(struct peers *peers, size_t gap)
{
    for (size_t i = (gap + 1) & peers->mask; peers->slots[i].count > 0; i = (i + 1) & peers->mask) {
        size_t home = home_of(peers, &peers->slots[i].key);
        if (((i - home) & peers->mask) < ((i - gap) & peers->mask))
            continue; /* its home lies after the gap */
        peers->slots[gap] = peers->slots[i];
        peers->slots[i].count = 0;
        gap = i;
    }
}

void peers_remove(struct peers *peers, const struct peer_key *key)
{
    size_t i = find(peers, key);
    assert(peers->slots[i].count > 0);
    if (--peers->slots[i].count > 0)
        return;
    peers->used--;
    close_gap(peers, i);
}

size_t peers_count(const struct peers *peers, const struct peer_key *key)
{
    return peers->slots[find(peers, key)].count;
}
