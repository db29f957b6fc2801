/* Results of prefill checks: for which upstream, model and prefix the rendered prompt ends as it should.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A bounded table. An entry is good for a while; then the check is repeated, because another model may have got the
 * same name. One table per worker. Thread: the worker's. */
#ifndef SERVER_BACKENDS_PREFIX_CACHE_H
#define SERVER_BACKENDS_PREFIX_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum prefix_cache_state {
    PREFIX_CACHE_UNKNOWN, /* to be checked */
    PREFIX_CACHE_GOOD,
    PREFIX_CACHE_BAD, /* the prefix does not arrive in the right place */
};

/* What else a check found. */
struct prefix_cache_note {
    unsigned memo;      /* the plan's own: which way, which delimiters */
    const char *reason; /* of PREFIX_CACHE_BAD; static */
};

enum { PREFIX_CACHE_SLOTS = 256, PREFIX_CACHE_GOOD_MS = 600000, PREFIX_CACHE_BAD_MS = 60000 };

struct prefix_cache {
    struct prefix_cache_slot {
        char *key; /* owned */
        enum prefix_cache_state state;
        struct prefix_cache_note note;
        uint64_t until_ms;
    } slots[PREFIX_CACHE_SLOTS];
};

/* Zeroed is empty. */
void prefix_cache_clear(struct prefix_cache *v);

/* *note is filled unless the state is unknown. */
enum prefix_cache_state prefix_cache_find(const struct prefix_cache *v, const char *upstream, const char *model,
                                          const char *prefix, uint64_t now_ms, struct prefix_cache_note *note);
/* May replace another entry; without memory nothing is remembered. */
void prefix_cache_put(struct prefix_cache *v, const char *upstream, const char *model, const char *prefix,
                      enum prefix_cache_state state, struct prefix_cache_note note, uint64_t now_ms);

#endif
