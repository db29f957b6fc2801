/* Blocks on their way out: numbered as the client counts them, announced with their content, closed.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      upstream    [0 thinking .... ] [1 text ...  <- steered: the attempt is left
 *                                                     [0 thinking ...] [1 text ...]
 *      client      [0 thinking .... ] [1 text ..]     [2 thinking ...] [3 text ...]
 *
 * Servers open a block before they have closed the one before, so several may be open. The beginning of a block of
 * thinking or text waits for the first content that goes out; a block all of whose content was removed is left out, and
 * those behind it move up. */
#include <stdio.h>
#include <string.h>

#include "dialect/anthropic_messages/say.h"
#include "dialect/anthropic_messages/state.h"

static struct messages_block *find_block(struct messages_state *s, uint32_t theirs)
{
    for (unsigned i = s->open_len; i > 0; i--)
        if (s->open[i - 1].theirs == theirs)
            return &s->open[i - 1];
    return NULL;
}

static void forget_block(struct messages_state *s, const struct messages_block *block)
{
    size_t i = (size_t)(block - s->open);
    s->open_len--;
    memmove(&s->open[i], &s->open[i + 1], (s->open_len - i) * sizeof *block);
}

/* What waits goes out now. */
static void let_waiting_go(struct messages_state *s)
{
    if (s->open_len > 0)
        s->open[s->open_len - 1].waits = false;
}

/* What waits does not go out: its number is free again, if the blocks are counted up. */
static void drop_waiting(struct messages_state *s)
{
    if (s->open_len == 0 || !s->open[s->open_len - 1].waits)
        return;
    uint32_t ours = s->open[--s->open_len].ours;
    bool is_last = ours + 1 == s->next;
    for (unsigned i = 0; i < s->open_len; i++)
        is_last &= s->open[i].ours < ours;
    s->next -= is_last;
    s->shift -= is_last;
}

static uint32_t number_of(const struct messages_state *s, uint32_t theirs, const struct messages_block *block)
{
    int64_t ours = block != NULL ? block->ours : (int64_t)theirs + s->shift;
    return ours > 0 ? (uint32_t)ours : 0;
}

static void renumber(struct dialect_passing *event, uint32_t ours)
{
    if (ours == event->note->outer)
        return;
    int len = snprintf(event->room, sizeof event->room, "%u", ours);
    event->fixes[event->fixes_len++] =
        (struct dialect_fix){event->note->at[MESSAGES_AT_INDEX], {event->room, (size_t)len}};
}

static void begin_block(struct messages_state *s, struct dialect_passing *event)
{
    let_waiting_go(s);
    if (s->open_len == MESSAGES_OPEN_MAX)
        forget_block(s, &s->open[0]);
    struct messages_block *block = &s->open[s->open_len++];
    *block = (struct messages_block){.theirs = event->note->outer, .ours = number_of(s, event->note->outer, NULL)};
    block->waits = event->note->part == 0 && !event->has_text;
    block->is_changed = event->is_changed;
    s->next = block->ours >= s->next ? block->ours + 1 : s->next;
    event->way = block->waits ? DIALECT_WAITS : DIALECT_GOES;
    renumber(event, block->ours);
}

/* A delta. One that is empty says nothing, so a block does not begin with it. */
static void go_on(struct messages_state *s, struct dialect_passing *event)
{
    struct messages_block *block = find_block(s, event->note->outer);
    bool waits = block != NULL && block->waits, is_signature = event->note->kind == MESSAGES_SIGNATURE;
    if (block != NULL)
        block->is_changed |= event->is_changed;
    if (event->is_emptied || (is_signature && block != NULL && block->is_changed)) {
        event->way = DIALECT_DROPPED;
        return;
    }
    renumber(event, number_of(s, event->note->outer, block));
    if (waits && !is_signature && !event->has_text && event->note->part == 0)
        event->way = DIALECT_JOINS;
    else
        let_waiting_go(s);
}

static void end_block(struct messages_state *s, struct dialect_passing *event)
{
    struct messages_block *block = find_block(s, event->note->outer);
    renumber(event, number_of(s, event->note->outer, block));
    if (block != NULL && block->waits && block->is_changed) {
        drop_waiting(s);
        event->way = DIALECT_CANCELS;
        return;
    }
    let_waiting_go(s);
    if (block != NULL)
        forget_block(s, block);
}

int messages_pass(struct dialect_passing *event)
{
    struct messages_state *s = event->state;
    assert(messages_state_is_sound(s));
    if (event->is_body)
        return 0;
    switch ((enum messages_kind)event->note->kind) {
    case MESSAGES_ANY:
        event->way = DIALECT_FOLLOWS;
        break;
    case MESSAGES_START:
        event->way = s->has_begun ? DIALECT_DROPPED : DIALECT_GOES;
        s->has_begun = true;
        break;
    case MESSAGES_BLOCK_START:
        begin_block(s, event);
        break;
    case MESSAGES_DELTA:
    case MESSAGES_SIGNATURE:
        go_on(s, event);
        break;
    case MESSAGES_BLOCK_STOP:
        end_block(s, event);
        break;
    case MESSAGES_END:
        let_waiting_go(s);
        break;
    }
    assert(messages_state_is_sound(s));
    return 0;
}

int messages_close_blocks(struct messages_state *s, struct bytes *out)
{
    int rv = 0;
    drop_waiting(s);
    for (unsigned i = 0; i < s->open_len && rv == 0; i++)
        rv = messages_say_stop(out, s->open[i].ours);
    s->open_len = 0;
    return rv;
}

int messages_leave(void *state, struct dialect_memory *memory, struct bytes *out)
{
    struct messages_state *s = state;
    (void)memory;
    int rv = messages_close_blocks(s, out);
    s->shift = (int32_t)s->next;
    assert(messages_state_is_sound(s));
    return rv;
}
