/* An arena: many small blocks that are freed together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "rein/rein.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used, limit;         /* bytes handed out, and their ceiling */
};

/* Allocates nothing yet. */
void arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);

/* Zeroed and aligned for anything; good until arena_fini. NULL: out of memory, or past the limit. */
void *arena_new(struct arena *a, size_t count, size_t size) REIN_MUST_USE;
/* A NUL-terminated copy of len bytes. */
char *arena_copy(struct arena *a, const char *text, size_t len) REIN_MUST_USE;
char *arena_format(struct arena *a, const char *format, ...) REIN_MUST_USE __attribute__((format(printf, 2, 3)));

#endif
