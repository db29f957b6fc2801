/* A heap for the library under torture: one allocation fails, and the blocks that are alive are counted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIB_FAILING_HEAP_H
#define TESTS_LIB_FAILING_HEAP_H

#include <stdlib.h>

#include "rein/rein.h"

struct failing_heap {
    size_t calls, fails_at; /* counted from 1; 0: none fails */
    long blocks;
};

static inline void *failing_heap_realloc(void *ctx, void *block, size_t size)
{
    struct failing_heap *f = ctx;
    if (++f->calls == f->fails_at)
        return NULL;
    f->blocks += block == NULL;
    return realloc(block, size);
}

static inline void failing_heap_free(void *ctx, void *block)
{
    ((struct failing_heap *)ctx)->blocks--;
    free(block);
}

/* Until rein_heap_set(NULL). */
static inline void failing_heap_use(struct failing_heap *f)
{
    const struct rein_heap heap = {f, failing_heap_realloc, failing_heap_free};
    rein_heap_set(&heap);
}

#endif
