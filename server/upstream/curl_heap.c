/* See curl_heap.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/curl_heap.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = CURL_HEAP_BLOCKS / 64 };

static alignas(max_align_t) char reserve[CURL_HEAP_BLOCKS][CURL_HEAP_BLOCK];
static _Atomic uint64_t used[WORDS]; /* a bit for each block */

static void *reserve_take(size_t size)
{
    for (size_t w = 0; size <= CURL_HEAP_BLOCK && w < WORDS; w++) {
        uint64_t seen = atomic_load_explicit(&used[w], memory_order_relaxed);
        while (seen != UINT64_MAX) {
            int bit = __builtin_ctzll(~seen);
            if (atomic_compare_exchange_weak_explicit(&used[w], &seen, seen | UINT64_C(1) << bit, memory_order_acquire,
                                                      memory_order_relaxed))
                return reserve[w * 64 + (size_t)bit];
        }
    }
    return NULL;
}

/* Its number; SIZE_MAX: the block is the heap's. */
static size_t reserve_index(const void *block)
{
    uintptr_t at = (uintptr_t)block, first = (uintptr_t)reserve;
    return at >= first && at < first + sizeof reserve ? (at - first) / CURL_HEAP_BLOCK : SIZE_MAX;
}

void *curl_heap_malloc(size_t size)
{
    void *block = malloc(size);
    return block != NULL ? block : reserve_take(size);
}

void curl_heap_free(void *block)
{
    size_t index = reserve_index(block);
    if (index == SIZE_MAX)
        free(block);
    else
        atomic_fetch_and_explicit(&used[index / 64], ~(UINT64_C(1) << index % 64), memory_order_release);
}

void *curl_heap_realloc(void *block, size_t size)
{
    if (block == NULL)
        return curl_heap_malloc(size);
    if (reserve_index(block) == SIZE_MAX)
        return realloc(block, size);
    void *moved = malloc(size);
    if (moved == NULL)
        return size <= CURL_HEAP_BLOCK ? block : NULL;
    memcpy(moved, block, size < CURL_HEAP_BLOCK ? size : CURL_HEAP_BLOCK);
    curl_heap_free(block);
    return moved;
}

char *curl_heap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = curl_heap_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void *curl_heap_calloc(size_t count, size_t size)
{
    void *block = calloc(count, size);
    size_t all;
    if (block != NULL || __builtin_mul_overflow(count, size, &all))
        return block;
    block = reserve_take(all);
    return block != NULL ? memset(block, 0, all) : NULL;
}

size_t curl_heap_reserve_used(void)
{
    size_t count = 0;
    for (size_t w = 0; w < WORDS; w++)
        count += (size_t)__builtin_popcountll(atomic_load_explicit(&used[w], memory_order_relaxed));
    return count;
}
