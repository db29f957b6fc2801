/* See prefix_cache.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/prefix_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t hash(const char *text, uint64_t h)
{
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return (h ^ 0xff) * 0x100000001b3u;
}

static size_t slot_of(const char *upstream, const char *model, const char *prefix)
{
    return hash(prefix, hash(model, hash(upstream, 0xcbf29ce484222325u))) % PREFIX_CACHE_SLOTS;
}

/* The parts of a key follow one another, each with its NUL. */
static bool is_key(const char *key, const char *upstream, const char *model, const char *prefix)
{
    if (key == NULL || strcmp(key, upstream) != 0)
        return false;
    key += strlen(key) + 1;
    return strcmp(key, model) == 0 && strcmp(key + strlen(key) + 1, prefix) == 0;
}

void prefix_cache_clear(struct prefix_cache *v)
{
    for (size_t i = 0; i < PREFIX_CACHE_SLOTS; i++)
        free(v->slots[i].key);
    *v = (struct prefix_cache){0};
}

enum prefix_cache_state prefix_cache_find(const struct prefix_cache *v, const char *upstream, const char *model,
                                          const char *prefix, uint64_t now_ms, struct prefix_cache_note *note)
{
    const struct prefix_cache_slot *slot = &v->slots[slot_of(upstream, model, prefix)];
    bool is_good = slot->until_ms > now_ms && is_key(slot->key, upstream, model, prefix);
    if (is_good)
        *note = slot->note;
    return is_good ? slot->state : PREFIX_CACHE_UNKNOWN;
}

void prefix_cache_put(struct prefix_cache *v, const char *upstream, const char *model, const char *prefix,
                      enum prefix_cache_state state, struct prefix_cache_note note, uint64_t now_ms)
{
    struct prefix_cache_slot *slot = &v->slots[slot_of(upstream, model, prefix)];
    char *key = NULL;
    if (asprintf(&key, "%s%c%s%c%s", upstream, 0, model, 0, prefix) < 0)
        key = NULL;
    free(slot->key);
    *slot = (struct prefix_cache_slot){
        key, state, note,
        now_ms + (state == PREFIX_CACHE_GOOD ? (uint64_t)PREFIX_CACHE_GOOD_MS : (uint64_t)PREFIX_CACHE_BAD_MS)};
}
