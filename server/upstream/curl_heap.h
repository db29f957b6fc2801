/* libcurl's memory: small blocks come from a reserve when the heap has none.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libcurl 7.88 ends the process when one of two small allocations of its table of sockets fails: it frees the parts of
 * the entry, keeps the entry, and divides by the table's size, now 0, in the same call. All other failures it handles.
 * So blocks of at most CURL_HEAP_BLOCK bytes have a reserve; libcurl frees most of them within a dial.
 *
 * Thread: any. */
#ifndef SERVER_UPSTREAM_CURL_HEAP_H
#define SERVER_UPSTREAM_CURL_HEAP_H

#include <stddef.h>

enum { CURL_HEAP_BLOCK = 512, CURL_HEAP_BLOCKS = 1024 };

/* For curl_global_init_mem: as malloc, free, realloc, strdup and calloc. */
void *curl_heap_malloc(size_t size);
void curl_heap_free(void *block);
void *curl_heap_realloc(void *block, size_t size);
char *curl_heap_strdup(const char *text);
void *curl_heap_calloc(size_t count, size_t size);
/* Blocks of the reserve that are in use. */
size_t curl_heap_reserve_used(void);

#endif
