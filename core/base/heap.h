/* The one heap hook of the library: every allocation passes here, so that a test can fail each in turn.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; the hook itself is set once, before threads start. */
#ifndef CORE_BASE_HEAP_H
#define CORE_BASE_HEAP_H

#include <stddef.h>

#include "rein/rein.h"

/* Zeroed; returns owned, NULL when out of memory or when count * size overflows. */
void *heap_new(size_t count, size_t size) REIN_MUST_USE;
/* Like realloc; the old block stays valid on NULL. */
void *heap_resize(void *block, size_t size) REIN_MUST_USE;
/* Like heap_resize for what may still lie in `room`, which is not the heap's: then its `used` bytes are copied. */
void *heap_outgrow(void *block, void *room, size_t used, size_t size) REIN_MUST_USE;
/* Room for one more in an array of `*cap` members of `size` bytes, `len` of them used: `first` members, then twice as
 * many each time. Returns the array, which may have moved; NULL: out of memory, and nothing has changed. */
void *heap_one_more(void *array, size_t len, size_t *cap, size_t first, size_t size) REIN_MUST_USE;
/* A NUL-terminated copy of len bytes; returns owned. */
char *heap_copy(const char *text, size_t len) REIN_MUST_USE;
void heap_free(void *block);
/* Unless it still lies in `room`. */
void heap_free_outgrown(void *block, const void *room);

#endif
