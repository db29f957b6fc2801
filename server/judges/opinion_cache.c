/* See opinion_cache.h: rows of four entries, chosen by the key's first bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/opinion_cache.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 4 };

struct entry {
    unsigned char key[OPINION_KEY_BYTES];
    uint64_t put_ms;
    bool is_there;
    struct judge_opinion opinion;
};

struct opinion_cache {
    uint64_t keep_ms;
    size_t rows;
    struct entry entries[];
};

int opinion_cache_new(struct opinion_cache **out, size_t entries, uint64_t keep_ms)
{
    size_t rows = (entries + WAYS - 1) / WAYS;
    struct opinion_cache *cache = calloc(1, sizeof *cache + rows * WAYS * sizeof(struct entry));
    if (cache == NULL)
        return REIN_ENOMEM;
    cache->keep_ms = keep_ms;
    cache->rows = rows;
    *out = cache;
    return 0;
}

void opinion_cache_free(struct opinion_cache *cache)
{
    free(cache);
}

static size_t row_of(const struct opinion_cache *cache, const unsigned char *key)
{
    uint64_t first;
    memcpy(&first, key, sizeof first);
    return (size_t)(first % cache->rows) * WAYS;
}

bool opinion_cache_find(const struct opinion_cache *cache, const unsigned char key[OPINION_KEY_BYTES], uint64_t now_ms,
                        struct judge_opinion *opinion)
{
    const struct entry *row = cache->rows > 0 ? &cache->entries[row_of(cache, key)] : NULL;
    for (size_t i = 0; row != NULL && i < WAYS; i++)
        if (row[i].is_there && memcmp(row[i].key, key, OPINION_KEY_BYTES) == 0) {
            *opinion = row[i].opinion;
            return now_ms - row[i].put_ms < cache->keep_ms;
        }
    return false;
}

void opinion_cache_put(struct opinion_cache *cache, const unsigned char key[OPINION_KEY_BYTES], uint64_t now_ms,
                       const struct judge_opinion *opinion)
{
    if (cache->rows == 0)
        return;
    struct entry *row = &cache->entries[row_of(cache, key)], *place = row;
    for (size_t i = 0; i < WAYS; i++) {
        if (row[i].is_there && memcmp(row[i].key, key, OPINION_KEY_BYTES) == 0) {
            place = &row[i];
            break;
        }
        if (place->is_there && (!row[i].is_there || row[i].put_ms < place->put_ms))
            place = &row[i];
    }
    memcpy(place->key, key, OPINION_KEY_BYTES);
    place->put_ms = now_ms;
    place->is_there = true;
    place->opinion = *opinion;
}
