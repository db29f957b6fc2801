/* See client_limits.h: open addressing with linear probing; removal moves later entries back, so there are no
 * tombstones. SPDX-License-Identifier: Apache-2.0 */
#include "front/client_limits.h"

#include <assert.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    struct client_key key;
    size_t count, bytes; /* both 0: free */
    size_t limited;      /* of `count`, what the limit of one address holds for */
};

struct client_limits {
    pthread_mutex_t lock; /* guards what follows */
    size_t total, bytes, used;
    struct peers_limits limits;
    size_t mask;
    struct slot slots[];
};

static bool is_free(const struct slot *slot)
{
    return slot->count == 0 && slot->bytes == 0;
}

/* Half of the table stays free, so that probing ends soon, and ends at all. */
static bool peers_are_sound(const struct client_limits *peers)
{
    return peers->total <= peers->limits.all && peers->used <= peers->mask - peers->mask / 4 &&
           (peers->used > 0 || (peers->total == 0 && peers->bytes == 0));
}

static bool slot_is_sound(const struct client_limits *peers, const struct slot *slot)
{
    return slot->limited <= slot->count && slot->bytes <= peers->bytes && (!is_free(slot) || slot->limited == 0);
}

struct client_key client_key_of(const struct sockaddr *address)
{
    struct client_key key = {{0}};
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

int client_limits_new(struct client_limits **out, const struct peers_limits *limits)
{
    size_t size = 16;
    while (size < limits->all * 4) /* a connection, and a request of another address on it */
        size *= 2;
    struct client_limits *peers = calloc(1, sizeof *peers + size * sizeof peers->slots[0]);
    if (!peers)
        return REIN_ENOMEM;
    pthread_mutex_init(&peers->lock, NULL);
    peers->mask = size - 1;
    peers->limits = *limits;
    *out = peers;
    return 0;
}

void client_limits_free(struct client_limits *peers)
{
    if (!peers)
        return;
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

void peers_limit(struct client_limits *peers, const struct peers_limits *limits)
{
    pthread_mutex_lock(&peers->lock);
    size_t all = peers->limits.all;
    peers->limits = *limits;
    peers->limits.all = all;
    pthread_mutex_unlock(&peers->lock);
}

static size_t home_of(const struct client_limits *peers, const struct client_key *key)
{
    uint64_t a, b;
    memcpy(&a, key->bytes, 8);
    memcpy(&b, key->bytes + 8, 8);
    uint64_t hash = (a ^ (b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
    return (size_t)(hash >> 32) & peers->mask;
}

/* The key's slot, or the free one where it would go. */
static struct slot *limits_find(struct client_limits *peers, const struct client_key *key)
{
    size_t i = home_of(peers, key);
    while (!is_free(&peers->slots[i]) && memcmp(&peers->slots[i].key, key, sizeof *key) != 0)
        i = (i + 1) & peers->mask;
    assert(slot_is_sound(peers, &peers->slots[i]));
    return &peers->slots[i];
}

static void use(struct client_limits *peers, struct slot *slot, const struct client_key *key)
{
    peers->used += is_free(slot);
    slot->key = *key;
}

static enum client_admission limits_add(struct client_limits *peers, const struct client_key *key, enum peers_kind kind)
{
    struct slot *slot = limits_find(peers, key);
    size_t of_one = peers->limits.of_one;
    if (kind != PEERS_REQUEST && peers->total >= peers->limits.all)
        return CLIENT_LIMIT_REACHED;
    if (kind != PEERS_PROXY && of_one > 0 && slot->limited >= of_one)
        return CLIENT_LIMIT_OF_ONE_REACHED;
    use(peers, slot, key);
    slot->count++;
    slot->limited += kind != PEERS_PROXY;
    peers->total += kind != PEERS_REQUEST;
    return CLIENT_ADMITTED;
}

enum client_admission client_limits_add(struct client_limits *peers, const struct client_key *key, enum peers_kind kind)
{
    pthread_mutex_lock(&peers->lock);
    assert(peers_are_sound(peers));
    enum client_admission admission = limits_add(peers, key, kind);
    assert(peers_are_sound(peers));
    pthread_mutex_unlock(&peers->lock);
    return admission;
}

/* Moves back what stood after a slot that became free, so that probing still finds it. */
static void close_gap(struct client_limits *peers, size_t gap)
{
    for (size_t i = (gap + 1) & peers->mask; !is_free(&peers->slots[i]); i = (i + 1) & peers->mask) {
        size_t home = home_of(peers, &peers->slots[i].key);
        if (((i - home) & peers->mask) < ((i - gap) & peers->mask))
            continue; /* its home lies after the gap */
        peers->slots[gap] = peers->slots[i];
        peers->slots[i] = (struct slot){0};
        gap = i;
    }
}

static void free_if_unused(struct client_limits *peers, struct slot *slot)
{
    assert(slot_is_sound(peers, slot));
    if (!is_free(slot))
        return;
    peers->used--;
    close_gap(peers, (size_t)(slot - peers->slots));
}

void client_limits_remove(struct client_limits *peers, const struct client_key *key, enum peers_kind kind)
{
    pthread_mutex_lock(&peers->lock);
    struct slot *slot = limits_find(peers, key);
    assert(peers_are_sound(peers) && slot->count > 0);
    slot->count--;
    slot->limited -= kind != PEERS_PROXY;
    peers->total -= kind != PEERS_REQUEST;
    free_if_unused(peers, slot);
    assert(peers_are_sound(peers));
    pthread_mutex_unlock(&peers->lock);
}

/* ---- bytes ---- */

static bool is_over(size_t held, size_t more, size_t limit)
{
    return limit > 0 && (more > limit || held > limit - more);
}

static enum client_admission hold(struct client_limits *peers, const struct client_key *key, size_t bytes)
{
    struct slot *slot = limits_find(peers, key);
    if (is_over(slot->bytes, bytes, peers->limits.bytes_of_one))
        return CLIENT_LIMIT_OF_ONE_REACHED;
    if (is_over(peers->bytes, bytes, peers->limits.bytes))
        return CLIENT_LIMIT_REACHED;
    use(peers, slot, key);
    slot->bytes += bytes;
    peers->bytes += bytes;
    return CLIENT_ADMITTED;
}

enum client_admission peers_hold(struct client_limits *peers, const struct client_key *key, size_t bytes)
{
    if (bytes == 0)
        return CLIENT_ADMITTED;
    pthread_mutex_lock(&peers->lock);
    enum client_admission admission = hold(peers, key, bytes);
    assert(peers_are_sound(peers));
    pthread_mutex_unlock(&peers->lock);
    return admission;
}

void peers_give_back(struct client_limits *peers, const struct client_key *key, size_t bytes)
{
    if (bytes == 0)
        return;
    pthread_mutex_lock(&peers->lock);
    struct slot *slot = limits_find(peers, key);
    assert(slot->bytes >= bytes && peers->bytes >= bytes);
    slot->bytes -= bytes;
    peers->bytes -= bytes;
    free_if_unused(peers, slot);
    assert(peers_are_sound(peers));
    pthread_mutex_unlock(&peers->lock);
}
