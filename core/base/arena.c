/* See arena.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/heap.h"

enum { BLOCK_SIZE = 4000 };

struct arena_block {
    struct arena_block *next;
    size_t len, cap;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

void arena_fini(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;
        heap_free(a->blocks);
        a->blocks = next;
    }
    a->used = 0;
}

static struct arena_block *add_block(struct arena *a, size_t room)
{
    size_t cap = room > BLOCK_SIZE ? room : BLOCK_SIZE;
    struct arena_block *block = heap_new(1, sizeof(*block) + cap);
    if (block == NULL)
        return NULL;
    block->cap = cap;
    block->next = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_new(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size)
        return NULL;
    size_t align = alignof(max_align_t);
    size_t total = (count * size + align - 1) / align * align;
    if (total > a->limit || a->used > a->limit - total)
        return NULL;
    struct arena_block *block = a->blocks;
    if (block == NULL || block->cap - block->len < total)
        block = add_block(a, total);
    if (block == NULL)
        return NULL;
    void *place = block->data + block->len;
    block->len += total;
    a->used += total;
    return place;
}

char *arena_copy(struct arena *a, const char *text, size_t len)
{
    char *copy = arena_new(a, len + 1, 1);
    if (copy != NULL && len > 0)
        memcpy(copy, text, len);
    return copy;
}

char *arena_format(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *text = len >= 0 ? arena_new(a, (size_t)len + 1, 1) : NULL;
    if (text != NULL)
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}
