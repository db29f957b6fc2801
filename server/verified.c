/* See verified.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "verified.h"

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
    return hash(prefix, hash(model, hash(upstream, 0xcbf29ce484222325u))) % VERIFIED_SLOTS;
}

/* The parts of a key follow one another, each with its NUL. */
static bool is_key(const char *key, const char *upstream, const char *model, const char *prefix)
{
    if (key == NULL || strcmp(key, upstream) != 0)
        return false;
    key += strlen(key) + 1;
    return strcmp(key, model) == 0 && strcmp(key + strlen(key) + 1, prefix) == 0;
}

void verified_clear(struct verified *v)
{
    for (size_t i = 0; i < VERIFIED_SLOTS; i++)
        free(v->slots[i].key);
    *v = (struct verified){0};
}

enum verified_state verified_find(const struct verified *v, const char *upstream, const char *model, const char *prefix,
                                  uint64_t now_ms, struct verified_note *note)
{
    const struct verified_slot *slot = &v->slots[slot_of(upstream, model, prefix)];
    bool is_good = slot->until_ms > now_ms && is_key(slot->key, upstream, model, prefix);
    if (is_good)
        *note = slot->note;
    return is_good ? slot->state : VERIFIED_UNKNOWN;
}

void verified_put(struct verified *v, const char *upstream, const char *model, const char *prefix,
                  enum verified_state state, struct verified_note note, uint64_t now_ms)
{
    struct verified_slot *slot = &v->slots[slot_of(upstream, model, prefix)];
    char *key = NULL;
    if (asprintf(&key, "%s%c%s%c%s", upstream, 0, model, 0, prefix) < 0)
        key = NULL;
    free(slot->key);
    *slot = (struct verified_slot){
        key, state, note, now_ms + (state == VERIFIED_GOOD ? (uint64_t)VERIFIED_GOOD_MS : (uint64_t)VERIFIED_BAD_MS)};
}
