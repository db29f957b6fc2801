/* See peers.h: open addressing with linear probing; removal moves later entries back, so there are no tombstones.
 * SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct peer_key key;
    size_t count; /* 0: free */
};

struct peers {
    pthread_mutex_t lock; /* guards what follows */
    size_t total, all, of_one;
    size_t mask;
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

int peers_new(struct peers **out, size_t all, size_t of_one)
{
    size_t size = 16;
    while (size < all * 2)
        size *= 2;
    struct peers *peers = calloc(1, sizeof *peers + size * sizeof peers->slots[0]);
    if (!peers)
        return REIN_ENOMEM;
    pthread_mutex_init(&peers->lock, NULL);
    peers->mask = size - 1;
    peers->all = all;
    peers->of_one = of_one;
    *out = peers;
    return 0;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

void peers_limit(struct peers *peers, size_t of_one)
{
    pthread_mutex_lock(&peers->lock);
    peers->of_one = of_one;
    pthread_mutex_unlock(&peers->lock);
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

static enum peers_verdict add(struct peers *peers, const struct peer_key *key)
{
    struct slot *slot = &peers->slots[find(peers, key)];
    if (peers->total >= peers->all)
        return PEERS_FULL;
    if (peers->of_one > 0 && slot->count >= peers->of_one)
        return PEERS_TOO_MANY_OF_ONE;
    slot->key = *key;
    slot->count++;
    peers->total++;
    return PEERS_WELCOME;
}

enum peers_verdict peers_add(struct peers *peers, const struct peer_key *key)
{
    pthread_mutex_lock(&peers->lock);
    enum peers_verdict verdict = add(peers, key);
    pthread_mutex_unlock(&peers->lock);
    return verdict;
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
    pthread_mutex_lock(&peers->lock);
    size_t i = find(peers, key);
    assert(peers->slots[i].count > 0 && peers->total > 0);
    peers->total--;
    if (--peers->slots[i].count == 0)
        close_gap(peers, i);
    pthread_mutex_unlock(&peers->lock);
}
