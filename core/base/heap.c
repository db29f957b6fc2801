/* See heap.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *default_realloc(void *ctx, void *block, size_t size)
{
    (void)ctx;
    return realloc(block, size);
}

static void default_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static const struct rein_heap default_heap = {NULL, default_realloc, default_free};
static struct rein_heap heap = {NULL, default_realloc, default_free};

void rein_heap_set(const struct rein_heap *hook)
{
    heap = hook != NULL ? *hook : default_heap;
}

void *heap_new(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    size_t total = count * size;
    void *block = heap.realloc(heap.ctx, NULL, total > 0 ? total : 1);
    if (block != NULL)
        memset(block, 0, total);
    return block;
}

void *heap_resize(void *block, size_t size)
{
    return heap.realloc(heap.ctx, block, size > 0 ? size : 1);
}

void *heap_outgrow(void *block, void *room, size_t used, size_t size)
{
    if (block != room)
        return heap_resize(block, size);
    block = heap_resize(NULL, size);
    if (block != NULL && used > 0)
        memcpy(block, room, used);
    return block;
}

void *heap_one_more(void *array, size_t len, size_t *cap, size_t first, size_t size)
{
    if (len < *cap)
        return array;
    size_t more = *cap > 0 ? *cap * 2 : first;
    void *grown = more <= SIZE_MAX / size ? heap_resize(array, more * size) : NULL;
    if (grown != NULL)
        *cap = more;
    return grown;
}

char *heap_copy(const char *text, size_t len)
{
    char *copy = heap_new(len + 1, 1);
    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}

void heap_free(void *block)
{
    if (block != NULL)
        heap.free(heap.ctx, block);
}

void heap_free_outgrown(void *block, const void *room)
{
    if (block != room)
        heap_free(block);
}
