/* See json_heap.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/json_heap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static void *json_heap_alloc(size_t size)
{
    void *block = malloc(size);
    if (block == NULL) {
        fputs("rein: out of memory: no room for a JSON document\n", stderr);
        abort();
    }
    return block;
}

void json_heap_use(void)
{
    json_set_alloc_funcs(json_heap_alloc, free);
}
