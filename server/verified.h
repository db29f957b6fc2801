/* Results of prefill checks: for which upstream, model and prefix the rendered prompt ends as it should.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A bounded table. An entry is good for a while; then the check is repeated, because another model may have got the
 * same name. One table per worker. Thread: the worker's. */
#ifndef SERVER_VERIFIED_H
#define SERVER_VERIFIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verified_state {
    VERIFIED_UNKNOWN, /* to be checked */
    VERIFIED_GOOD,
    VERIFIED_BAD, /* the prefix does not arrive in the right place */
};

/* What else a check found. */
struct verified_note {
    unsigned memo;      /* the plan's own: which way, which delimiters */
    const char *reason; /* of VERIFIED_BAD; static */
};

enum { VERIFIED_SLOTS = 256, VERIFIED_GOOD_MS = 600000, VERIFIED_BAD_MS = 60000 };

struct verified {
    struct verified_slot {
        char *key; /* owned */
        enum verified_state state;
        struct verified_note note;
        uint64_t until_ms;
    } slots[VERIFIED_SLOTS];
};

/* Zeroed is empty. */
void verified_clear(struct verified *v);

/* *note is filled unless the state is unknown. */
enum verified_state verified_find(const struct verified *v, const char *upstream, const char *model, const char *prefix,
                                  uint64_t now_ms, struct verified_note *note);
/* May replace another entry; without memory nothing is remembered. */
void verified_put(struct verified *v, const char *upstream, const char *model, const char *prefix,
                  enum verified_state state, struct verified_note note, uint64_t now_ms);

#endif
