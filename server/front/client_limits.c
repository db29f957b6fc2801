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
    struct client_limits_options limits;
    size_t mask;
    struct slot slots[];
};

static bool is_free(const struct slot *slot)
{
    return slot->count == 0 && slot->bytes == 0;
}

/* Half of the table stays free, so that probing ends soon, and ends at all. */
static bool client_limits_are_sound(const struct client_limits *clients)
{
    return clients->total <= clients->limits.all && clients->used <= clients->mask - clients->mask / 4 &&
           (clients->used > 0 || (clients->total == 0 && clients->bytes == 0));
}

static bool slot_is_sound(const struct client_limits *clients, const struct slot *slot)
{
    return slot->limited <= slot->count && slot->bytes <= clients->bytes && (!is_free(slot) || slot->limited == 0);
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

int client_limits_new(struct client_limits **out, const struct client_limits_options *limits)
{
    size_t size = 16;
    while (size < limits->all * 4) /* a connection, and a request of another address on it */
        size *= 2;
    struct client_limits *clients = calloc(1, sizeof *clients + size * sizeof clients->slots[0]);
    if (!clients)
        return REIN_ENOMEM;
    pthread_mutex_init(&clients->lock, NULL);
    clients->mask = size - 1;
    clients->limits = *limits;
    *out = clients;
    return 0;
}

void client_limits_free(struct client_limits *clients)
{
    if (!clients)
        return;
    pthread_mutex_destroy(&clients->lock);
    free(clients);
}

void client_limits_change(struct client_limits *clients, const struct client_limits_options *limits)
{
    pthread_mutex_lock(&clients->lock);
    size_t all = clients->limits.all;
    clients->limits = *limits;
    clients->limits.all = all;
    pthread_mutex_unlock(&clients->lock);
}

static size_t home_of(const struct client_limits *clients, const struct client_key *key)
{
    uint64_t a, b;
    memcpy(&a, key->bytes, 8);
    memcpy(&b, key->bytes + 8, 8);
    uint64_t hash = (a ^ (b * 0x9e3779b97f4a7c15u)) * 0xff51afd7ed558ccdu;
    return (size_t)(hash >> 32) & clients->mask;
}

/* The key's slot, or the free one where it would go. */
static struct slot *limits_find(struct client_limits *clients, const struct client_key *key)
{
    size_t i = home_of(clients, key);
    while (!is_free(&clients->slots[i]) && memcmp(&clients->slots[i].key, key, sizeof *key) != 0)
        i = (i + 1) & clients->mask;
    assert(slot_is_sound(clients, &clients->slots[i]));
    return &clients->slots[i];
}

static void use(struct client_limits *clients, struct slot *slot, const struct client_key *key)
{
    clients->used += is_free(slot);
    slot->key = *key;
}

static enum client_admission limits_add(struct client_limits *clients, const struct client_key *key,
                                        enum client_kind kind)
{
    struct slot *slot = limits_find(clients, key);
    size_t of_one = clients->limits.of_one;
    if (kind != CLIENT_REQUEST && clients->total >= clients->limits.all)
        return CLIENT_LIMIT_REACHED;
    if (kind != CLIENT_PROXY && of_one > 0 && slot->limited >= of_one)
        return CLIENT_LIMIT_OF_ONE_REACHED;
    use(clients, slot, key);
    slot->count++;
    slot->limited += kind != CLIENT_PROXY;
    clients->total += kind != CLIENT_REQUEST;
    return CLIENT_ADMITTED;
}

enum client_admission client_limits_add(struct client_limits *clients, const struct client_key *key,
                                        enum client_kind kind)
{
    pthread_mutex_lock(&clients->lock);
    assert(client_limits_are_sound(clients));
    enum client_admission admission = limits_add(clients, key, kind);
    assert(client_limits_are_sound(clients));
    pthread_mutex_unlock(&clients->lock);
    return admission;
}

/* Moves back what stood after a slot that became free, so that probing still finds it. */
static void close_gap(struct client_limits *clients, size_t gap)
{
    for (size_t i = (gap + 1) & clients->mask; !is_free(&clients->slots[i]); i = (i + 1) & clients->mask) {
        size_t home = home_of(clients, &clients->slots[i].key);
        if (((i - home) & clients->mask) < ((i - gap) & clients->mask))
            continue; /* its home lies after the gap */
        clients->slots[gap] = clients->slots[i];
        clients->slots[i] = (struct slot){0};
        gap = i;
    }
}

static void free_if_unused(struct client_limits *clients, struct slot *slot)
{
    assert(slot_is_sound(clients, slot));
    if (!is_free(slot))
        return;
    clients->used--;
    close_gap(clients, (size_t)(slot - clients->slots));
}

void client_limits_remove(struct client_limits *clients, const struct client_key *key, enum client_kind kind)
{
    pthread_mutex_lock(&clients->lock);
    struct slot *slot = limits_find(clients, key);
    assert(client_limits_are_sound(clients) && slot->count > 0);
    slot->count--;
    slot->limited -= kind != CLIENT_PROXY;
    clients->total -= kind != CLIENT_REQUEST;
    free_if_unused(clients, slot);
    assert(client_limits_are_sound(clients));
    pthread_mutex_unlock(&clients->lock);
}

/* ---- bytes ---- */

static bool is_over(size_t held, size_t more, size_t limit)
{
    return limit > 0 && (more > limit || held > limit - more);
}

static enum client_admission hold(struct client_limits *clients, const struct client_key *key, size_t bytes)
{
    struct slot *slot = limits_find(clients, key);
    if (is_over(slot->bytes, bytes, clients->limits.bytes_of_one))
        return CLIENT_LIMIT_OF_ONE_REACHED;
    if (is_over(clients->bytes, bytes, clients->limits.bytes))
        return CLIENT_LIMIT_REACHED;
    use(clients, slot, key);
    slot->bytes += bytes;
    clients->bytes += bytes;
    return CLIENT_ADMITTED;
}

enum client_admission client_limits_hold(struct client_limits *clients, const struct client_key *key, size_t bytes)
{
    if (bytes == 0)
        return CLIENT_ADMITTED;
    pthread_mutex_lock(&clients->lock);
    enum client_admission admission = hold(clients, key, bytes);
    assert(client_limits_are_sound(clients));
    pthread_mutex_unlock(&clients->lock);
    return admission;
}

void client_limits_give_back(struct client_limits *clients, const struct client_key *key, size_t bytes)
{
    if (bytes == 0)
        return;
    pthread_mutex_lock(&clients->lock);
    struct slot *slot = limits_find(clients, key);
    assert(slot->bytes >= bytes && clients->bytes >= bytes);
    slot->bytes -= bytes;
    clients->bytes -= bytes;
    free_if_unused(clients, slot);
    assert(client_limits_are_sound(clients));
    pthread_mutex_unlock(&clients->lock);
}
