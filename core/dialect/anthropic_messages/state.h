/* What is remembered of a response: which blocks the client knows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_ANTHROPIC_MESSAGES_STATE_H
#define CORE_DIALECT_ANTHROPIC_MESSAGES_STATE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "dialect/anthropic_messages/field.h"
#include "dialect/dialect.h"

enum { MESSAGES_OPEN_MAX = 8 }; /* blocks that are open at a time; of more, the first is not closed by Rein */

struct messages_block {
    uint32_t theirs, ours; /* its number as the upstream counts, and as the client does */
    bool waits;            /* its beginning waits for its content */
    bool is_changed;       /* something was removed from it */
};

struct messages_state {
    bool has_begun; /* the client has got message_start */
    uint32_t next;  /* the client's number of the next block */
    int32_t shift;  /* from an upstream's number to the client's, for blocks that begin now */
    struct messages_block open[MESSAGES_OPEN_MAX]; /* in the order of their beginnings */
    unsigned open_len;
    int64_t input_tokens, output_tokens; /* as the upstream has said last; 0: not yet */
    /* For what Rein says; borrowed, and good as long as the trace. */
    const char *model;
    char id[128];
};

static inline bool messages_state_is_sound(const struct messages_state *s)
{
    bool is_sound = s->open_len <= MESSAGES_OPEN_MAX;
    for (unsigned i = 0; i < s->open_len && is_sound; i++)
        is_sound = s->open[i].ours < s->next && (!s->open[i].waits || i + 1 == s->open_len);
    return is_sound;
}

/* ---- blocks.c ---- */
/* dialect.pass, dialect.leave */
int messages_pass(struct dialect_passing *event);
int messages_leave(void *state, struct dialect_memory *memory, struct bytes *out);
/* Appends what closes all blocks that the client knows. */
int messages_close_blocks(struct messages_state *s, struct bytes *out) REIN_MUST_USE;

#endif
