/* Joining: when much is waiting, events that differ only in one string wait as one event with both texts.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      {"text":"Hel"} + {"text":"lo"}  ->  {"text":"Hello"}
 *
 * A token's event is some three hundred bytes around a few bytes of text. Held reasoning of a few thousand tokens would
 * exceed any sensible ceiling; joined, it costs what its text costs. Nothing is joined while little is waiting, so a
 * stream that flows keeps its events. */
#include "trace/gate.h"

#include "json/walk.h"

#include <assert.h>

/* Can the event be joined: one streamed string, no end, nothing removed? `part`: its only one. */
static bool is_gate_join_plain(const struct gate_event *e, const struct gate_part *part)
{
    const unsigned odd = GATE_SAID | GATE_TERMINAL | GATE_DROP | GATE_CARRIES | GATE_BARE | GATE_REWRITE |
                         GATE_UNTERMINATED | GATE_AWAITS;
    return (e->flags & odd) == 0 && e->pieces == 1 && e->patches == NULL && e->raw_len == e->stored_len &&
           (e->parts == 0 || (e->parts == 1 && !part->has_end));
}

/* The only string of the new event that is part of a stream; NULL if there are several, or anything else is new. */
static const struct piece *only_piece(const struct event *event)
{
    const struct piece *only = NULL;
    for (size_t i = 0; i < event->pieces_len && !event->carries; i++) {
        const struct piece *p = &event->pieces[i];
        if (p->place.kind == PIECE_WHOLE && p->seen)
            continue;
        if (p->place.kind != PIECE_STREAM || p->place.ends || only != NULL)
            return NULL;
        only = p;
    }
    return only;
}

static void shift(struct range *range, uint32_t behind, uint32_t by)
{
    if (range->at > 0 && range->at >= behind)
        range->at += by;
}

/* Are the bytes from `a` on the same as those from `b` on, up to `end_a` and `end_b`, but for the numbers that count
 * the events? Those lie behind the text, or are not there. */
static bool is_same_but_count(struct span a, struct range count_a, struct span b, struct range count_b)
{
    if (count_a.len > 0 && count_b.len > 0 && count_a.at == count_b.at) {
        if (memcmp(a.data, b.data, count_a.at) != 0)
            return false;
        size_t past_a = count_a.at + count_a.len, past_b = count_b.at + count_b.len;
        a = (struct span){a.data + past_a, a.len - past_a};
        b = (struct span){b.data + past_b, b.len - past_b};
    }
    return span_is(a, b) || walk_closes_alike(a, b);
}

/* The event's number, counted from `behind`; len 0: it lies before. */
static struct range count_behind(const struct event_note *note, size_t payload_at, size_t behind)
{
    size_t at = payload_at + note->count.at;
    if (note->count.len == 0 || at < behind)
        return (struct range){0, 0};
    return (struct range){(uint32_t)(at - behind), note->count.len};
}

static bool has_same_frame(const struct gate_event *e, const char *stored, const struct gate_piece *p,
                           const struct frame *frame, const struct event *event, const struct piece *piece)
{
    size_t payload_at = (size_t)(frame->payload.data - frame->raw.data);
    size_t before = e->payload.at + p->raw.at, behind = before + p->raw.len;
    size_t new_before = payload_at + piece->at, new_behind = new_before + piece->len;
    if (payload_at != e->payload.at || before != new_before || memcmp(stored, frame->raw.data, before) != 0)
        return false;
    struct span rest = {stored + behind, e->raw_len - behind};
    struct span new_rest = {frame->raw.data + new_behind, frame->raw.len - new_behind};
    return is_same_but_count(rest, count_behind(&e->note, payload_at, behind), new_rest,
                             count_behind(&event->note, payload_at, new_behind));
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
    shift(&e->note.count, end, by);
    for (size_t i = 0; i < EVENT_NOTED_MAX; i++)
        shift(&e->note.at[i], end, by);
    if (part != NULL) {
        shift(&part->begins, end, by);
        shift(&part->ends, end, by);
        for (size_t i = 0; i < EVENT_SPELLED_MAX; i++)
            shift(&part->spelled[i], end, by);
    }
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
    if (gate_held(g) < g->join_from || frame->kind != FRAME_DATA || frame->unterminated)
        return 0;
    if (bytes_len(&g->events) == 0 || bytes_len(&g->pieces) == 0)
        return 0;
    struct gate_event *e = (struct gate_event *)(void *)(g->events.data + g->events.end) - 1;
    struct gate_piece *p = (struct gate_piece *)(void *)(g->pieces.data + g->pieces.end) - 1;
    struct gate_part *part = e->parts > 0 ? (struct gate_part *)(void *)(g->parts.data + g->parts.end) - 1 : NULL;
    *piece = only_piece(event);
    if (!is_gate_join_plain(e, part) || *piece == NULL || p->unseen || p->half_in != 0 || p->ends_half)
        return 0;
    if (!place_is_same_text(&p->lane->place, &(*piece)->place) || p->lane->has_stopped || p->lane->is_over ||
        !has_same_frame(e, g->raw.data + g->raw.end - e->stored_len, p, frame, event, *piece))
        return 0;
    int rv = insert(g, e, p, part, (struct span){frame->payload.data + (*piece)->at, (*piece)->len});
    if (rv != 0)
        return rv;
    g->pushed = bytes_len(&g->events) / sizeof(struct gate_event);
    *joined = p;
    assert(gate_is_sound(g, false));
    return 0;
}
