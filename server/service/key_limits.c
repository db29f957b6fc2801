/* See key_limits.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/key_limits.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, ENTRIES_MAX = 2 * KEYS_MAX, MINUTE_MS = 60000 };

struct entry {
    struct entry *next;
    char name[KEY_NAME_MAX + 1];
    double left; /* requests that may come now, at most those of a minute */
    uint64_t at_ms;
    size_t open;
};

struct key_limits {
    pthread_mutex_t lock; /* guards all below */
    struct entry *buckets[BUCKETS];
    size_t len;
};

int key_limits_new(struct key_limits **out)
{
    struct key_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL)
        return REIN_ENOMEM;
    pthread_mutex_init(&limits->lock, NULL);
    *out = limits;
    return 0;
}

void key_limits_free(struct key_limits *limits)
{
    if (limits == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *entry = limits->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->next;
            free(entry);
        }
    pthread_mutex_destroy(&limits->lock);
    free(limits);
}

static struct entry **entry_at(struct key_limits *limits, const char *name)
{
    size_t hash = 5381;
    for (const char *c = name; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    struct entry **at = &limits->buckets[hash % BUCKETS];
    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

/* Names that are gone from the file leave their entries behind; those that mean nothing any more make room. */
static void entries_drop_idle(struct key_limits *limits, uint64_t now_ms)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry **at = &limits->buckets[i]; *at != NULL;) {
            struct entry *entry = *at;
            if (entry->open > 0 || now_ms - entry->at_ms < MINUTE_MS) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            limits->len--;
        }
}

static struct entry *entry_of(struct key_limits *limits, const struct key *key, uint64_t now_ms)
{
    struct entry **at = entry_at(limits, key->name);
    if (*at != NULL)
        return *at;
    if (limits->len == ENTRIES_MAX) {
        entries_drop_idle(limits, now_ms);
        at = entry_at(limits, key->name);
    }
    struct entry *entry = limits->len < ENTRIES_MAX ? calloc(1, sizeof *entry) : NULL;
    if (entry == NULL)
        return NULL;
    memcpy(entry->name, key->name, sizeof entry->name);
    entry->left = key->requests_per_minute;
    entry->at_ms = now_ms;
    limits->len++;
    return *at = entry;
}

static void entry_refill(struct entry *entry, const struct key *key, uint64_t now_ms)
{
    double per_ms = (double)key->requests_per_minute / MINUTE_MS;
    entry->left += now_ms > entry->at_ms ? (double)(now_ms - entry->at_ms) * per_ms : 0;
    if (entry->left > key->requests_per_minute)
        entry->left = key->requests_per_minute;
    entry->at_ms = now_ms > entry->at_ms ? now_ms : entry->at_ms;
}

static enum key_admission entry_admit(struct entry *entry, const struct key *key, unsigned *retry_s)
{
    if (key->open_streams > 0 && entry->open >= key->open_streams)
        return KEY_TOO_MANY_OPEN;
    if (key->requests_per_minute > 0) {
        if (entry->left < 1) {
            *retry_s = 1 + (unsigned)((1 - entry->left) * 60 / key->requests_per_minute);
            return KEY_TOO_MANY_REQUESTS;
        }
        entry->left -= 1;
    }
    entry->open++;
    return KEY_ADMITTED;
}

static bool has_limits(const struct key *key)
{
    return key->requests_per_minute > 0 || key->open_streams > 0;
}

enum key_admission key_limits_enter(struct key_limits *limits, const struct key *key, uint64_t now_ms,
                                    unsigned *retry_s)
{
    *retry_s = 1;
    if (!has_limits(key))
        return KEY_ADMITTED;
    pthread_mutex_lock(&limits->lock);
    struct entry *entry = entry_of(limits, key, now_ms);
    if (entry != NULL)
        entry_refill(entry, key, now_ms);
    enum key_admission admission = entry != NULL ? entry_admit(entry, key, retry_s) : KEY_TOO_MANY_OPEN;
    pthread_mutex_unlock(&limits->lock);
    return admission;
}

void key_limits_leave(struct key_limits *limits, const struct key *key)
{
    if (!has_limits(key))
        return;
    pthread_mutex_lock(&limits->lock);
    struct entry *entry = *entry_at(limits, key->name);
    assert(entry != NULL && entry->open > 0);
    entry->open--;
    pthread_mutex_unlock(&limits->lock);
}
