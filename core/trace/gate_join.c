/* Joining: when much is waiting, events that differ only in one string wait as one event with both texts.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      {"text":"Hel"} + {"text":"lo"}  ->  {"text":"Hello"}
 *
 * A token's event is some three hundred bytes around a few bytes of text. Held reasoning of a few thousand tokens would
 * exceed any sensible ceiling; joined, it costs what its text costs. Nothing is joined while little is waiting, so a
 * stream that flows keeps its events. */
#include "trace/gate.h"

#include <assert.h>

/* Can the event be joined: one streamed string, no end, nothing removed? */
static bool is_gate_join_plain(const struct gate_event *e, const struct gate_part *part)
{
    const unsigned odd = GATE_SAID | GATE_TERMINAL | GATE_DROP | GATE_CARRIES | GATE_BARE | GATE_REWRITE |
                         GATE_UNTERMINATED | GATE_AWAITS;
    return (e->flags & odd) == 0 && e->pieces == 1 && e->parts == 1 && e->patches == NULL && !part->has_end &&
           e->raw_len == e->stored_len;
}

/* The only string of the new event that is part of a stream; NULL if there are several, or anything else is new. */
static const struct piece *only_piece(const struct event *event)
{
    const struct piece *only = NULL;
    for (size_t i = 0; i < event->pieces_len; i++) {
        const struct piece *p = &event->pieces[i];
        if (p->place.kind == PIECE_WHOLE && p->seen)
            continue;
        if (p->place.kind == PIECE_WHOLE || only != NULL)
            return NULL;
        only = p;
    }
    return only;
}

static void shift(struct range *range, uint32_t behind, uint32_t by)
{
    if (range->len > 0 && range->at >= behind)
        range->at += by;
}

static bool has_same_frame(const struct gate_event *e, const char *stored, const struct gate_piece *p,
                           const struct frame *frame, const struct piece *piece)
{
    size_t payload_at = (size_t)(frame->payload.data - frame->raw.data);
    size_t before = e->payload.at + p->raw.at, behind = before + p->raw.len;
    size_t new_before = payload_at + piece->at, new_behind = new_before + piece->len;
    return payload_at == e->payload.at && before == new_before && e->raw_len - behind == frame->raw.len - new_behind &&
           memcmp(stored, frame->raw.data, before) == 0 &&
           memcmp(stored + behind, frame->raw.data + new_behind, e->raw_len - behind) == 0;
}

/* Appends the raw string to the existing one. */
static int insert(struct gate *g, struct gate_event *e, struct gate_piece *p, struct gate_part *part, struct span raw)
{
    int rv = bytes_reserve(&g->raw, raw.len);
    if (rv != 0)
        return rv;
    uint32_t end = p->raw.at + p->raw.len, by = (uint32_t)raw.len;
    size_t behind = e->raw_len - (e->payload.at + end);
    char *at = g->raw.data + g->raw.end - behind;
    memmove(at + raw.len, at, behind);
    memcpy(at, raw.data, raw.len);
    g->raw.end += raw.len;
    shift(&e->id, end, by);
    shift(&e->spelled_aside, end, by);
    shift(&part->begins, end, by);
    shift(&part->ends, end, by);
    for (size_t i = 0; i < EVENT_SPELLED_MAX; i++)
        shift(&part->spelled[i], end, by);
    p->raw.len += by;
    e->payload.len += by;
    e->raw_len += by;
    e->stored_len += by;
    return 0;
}

int gate_join(struct gate *g, const struct frame *frame, const struct event *event, struct gate_piece **joined,
              const struct piece **piece)
{
    *joined = NULL;
    if (gate_held(g) < g->join_from || frame->kind != FRAME_DATA || frame->has_extras || frame->unterminated)
        return 0;
    if (bytes_len(&g->events) == 0 || bytes_len(&g->pieces) == 0 || bytes_len(&g->parts) == 0)
        return 0;
    struct gate_event *e = (struct gate_event *)(void *)(g->events.data + g->events.end) - 1;
    struct gate_piece *p = (struct gate_piece *)(void *)(g->pieces.data + g->pieces.end) - 1;
    struct gate_part *part = (struct gate_part *)(void *)(g->parts.data + g->parts.end) - 1;
    *piece = only_piece(event);
    if (!is_gate_join_plain(e, part) || *piece == NULL || p->unseen || p->half_in != 0 || p->ends_half)
        return 0;
    if (!place_is_same_text(&p->lane->place, &(*piece)->place) || p->lane->has_stopped ||
        !has_same_frame(e, g->raw.data + g->raw.end - e->stored_len, p, frame, *piece))
        return 0;
    int rv = insert(g, e, p, part, (struct span){frame->payload.data + (*piece)->at, (*piece)->len});
    if (rv != 0)
        return rv;
    g->pushed = bytes_len(&g->events) / sizeof(struct gate_event);
    *joined = p;
    assert(gate_is_sound(g, false));
    return 0;
}
