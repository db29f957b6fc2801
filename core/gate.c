/* See gate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <assert.h>

#include "heap.h"
#include "render.h"

void gate_init(struct gate *g, const struct rein_policy *policy, struct rein_flow *flow, size_t limit)
{
    struct gate_room *room = &g->room;
    memset(g, 0, offsetof(struct gate, room));
    g->policy = policy;
    g->flow = flow;
    g->join_from = limit / 8;
    bytes_init(&g->raw, limit);
    bytes_init(&g->body, limit);
    bytes_init_in(&g->events, &room->event, sizeof room->event, limit);
    bytes_init_in(&g->pieces, room->pieces, sizeof room->pieces, limit);
    bytes_init_in(&g->parts, &room->part, sizeof room->part, limit);
    bytes_init_in(&g->id, room->id, sizeof room->id, limit);
    bytes_init(&g->scratch, 4 * limit);
    bytes_init(&g->splices, limit);
    bytes_init(&g->shown, limit);
}

static struct gate_event *event_at(const struct gate *g, size_t i)
{
    return (struct gate_event *)(void *)bytes_at(&g->events, i * sizeof(struct gate_event));
}

static size_t event_count(const struct gate *g)
{
    return bytes_len(&g->events) / sizeof(struct gate_event);
}

static void free_patches(struct gate_event *e)
{
    while (e->patches != NULL) {
        struct gate_patch *next = e->patches->next;
        heap_free(e->patches);
        e->patches = next;
    }
}

void gate_reset(struct gate *g)
{
    for (size_t i = 0; i < event_count(g); i++)
        free_patches(event_at(g, i));
    bytes_clear(&g->raw);
    bytes_clear(&g->body); /* its bytes are still there for who is reading them */
    bytes_clear(&g->events);
    bytes_clear(&g->pieces);
    bytes_clear(&g->parts);
    g->pushed = 0;
    g->recorded = NULL;
}

void gate_fini(struct gate *g)
{
    gate_reset(g);
    bytes_fini(&g->raw);
    bytes_fini(&g->body);
    bytes_fini(&g->events);
    bytes_fini(&g->pieces);
    bytes_fini(&g->parts);
    bytes_fini(&g->scratch);
    bytes_fini(&g->splices);
    bytes_fini(&g->shown);
    bytes_fini(&g->id);
}

void gate_leave(struct gate *g)
{
    g->pushed = 0;
}

struct gate_event *gate_last(struct gate *g)
{
    return g->pushed > 0 ? event_at(g, g->pushed - 1) : NULL;
}

static int push_parts(struct gate *g, const struct delta *d)
{
    for (size_t i = 0; i < d->choices_len; i++) {
        const struct delta_choice *c = &d->choices[i];
        struct gate_part part = {.choice = c->index,
                                 .has_finish = c->has_finish,
                                 .is_late = g->choices[c->index].closed,
                                 .finish = c->finish,
                                 .role = c->role,
                                 .logprobs = c->logprobs,
                                 .token_ids = c->token_ids,
                                 .more_spelled = c->more_spelled};
        int rv = bytes_append(&g->parts, (const char *)&part, sizeof part);
        if (rv != 0)
            return rv;
    }
    return 0;
}

/* The payload inside the stored event: a joined one is stored behind the raw bytes. */
static struct range payload_range(const struct frame *frame, unsigned flags)
{
    uint32_t len = (uint32_t)frame->payload.len;
    if (flags & GATE_BARE)
        return (struct range){0, len};
    if (frame->kind == FRAME_MULTI)
        return (struct range){(uint32_t)frame->raw.len, len};
    return (struct range){frame->kind == FRAME_DATA ? (uint32_t)(frame->payload.data - frame->raw.data) : 0, len};
}

/* The response's id is that of its first event, known from then on: what Rein says itself may overtake the rendering.
 */
static int keep_id(struct gate *g, const struct frame *frame, const struct delta *d)
{
    if (bytes_len(&g->id) > 0 || d == NULL)
        return 0;
    return bytes_append(&g->id, frame->payload.data + d->id.at, d->id.len);
}

void gate_take_body(struct gate *g, struct bytes *body)
{
    bytes_clear(&g->body);
    bytes_swap(&g->body, body);
}

struct gate_event *gate_push(struct gate *g, const struct frame *frame, const struct delta *d, unsigned flags, int *rv)
{
    struct gate_event e = {.raw_len = (uint32_t)frame->raw.len, .flags = flags};
    struct span joined = frame->kind == FRAME_MULTI ? frame->payload : SPAN("");
    struct span raw = flags & GATE_BARE ? SPAN("") : frame->raw;
    e.stored_len = (uint32_t)(raw.len + joined.len);
    e.payload = payload_range(frame, flags);
    if (d != NULL) {
        e.parts = (uint32_t)d->choices_len;
        e.id = d->id;
        e.prompt_logprobs = d->prompt_logprobs;
        if (d->usage.len > 0 || d->has_error)
            e.flags |= GATE_USAGE;
    }
    *rv = bytes_reserve(&g->raw, e.stored_len);
    if (*rv == 0 && d != NULL)
        *rv = push_parts(g, d);
    if (*rv == 0)
        *rv = keep_id(g, frame, d);
    if (*rv == 0)
        *rv = bytes_append(&g->events, (const char *)&e, sizeof e);
    if (*rv == 0)
        *rv = bytes_append_span(&g->raw, raw);
    if (*rv == 0)
        *rv = bytes_append_span(&g->raw, joined);
    if (*rv != 0)
        return NULL;
    g->pushed = event_count(g);
    return gate_last(g);
}

int gate_add_piece(struct gate *g, const struct gate_piece *piece)
{
    struct gate_event *e = gate_last(g);
    if (e == NULL)
        return 0;
    int rv = bytes_append(&g->pieces, (const char *)piece, sizeof *piece);
    if (rv == 0)
        e->pieces++;
    return rv;
}

int gate_add_patch(struct gate *g, struct range raw, struct span text)
{
    struct gate_event *e = gate_last(g);
    if (e == NULL)
        return 0;
    struct gate_patch *patch = heap_new(1, sizeof *patch + text.len);
    if (patch == NULL)
        return REIN_ENOMEM;
    patch->raw = raw;
    patch->len = text.len;
    if (text.len > 0)
        memcpy(patch->text, text.data, text.len);
    patch->next = e->patches;
    e->patches = patch;
    return 0;
}

/* What the waiting events still bring to a choice. */
static void look_ahead(const struct gate *g, uint16_t choice, bool *role, bool *finish)
{
    const struct gate_part *part = (const struct gate_part *)(const void *)bytes_span(&g->parts).data;
    for (size_t i = 0; i < event_count(g); i++) {
        const struct gate_event *e = event_at(g, i);
        for (uint32_t k = 0; k < e->parts; k++, part++) {
            if (part->choice != choice || (e->flags & GATE_DROP))
                continue;
            *role |= part->role.len > 0;
            *finish |= part->has_finish && !part->is_late;
        }
    }
}

bool gate_has_role(const struct gate *g, uint16_t choice)
{
    bool role = g->choices[choice].role_sent, finish = false;
    look_ahead(g, choice, &role, &finish);
    return role;
}

bool gate_has_finish(const struct gate *g, uint16_t choice)
{
    bool role = false, finish = g->choices[choice].finished;
    look_ahead(g, choice, &role, &finish);
    return finish;
}

int gate_say(struct gate *g, struct span bytes, unsigned flags)
{
    struct gate_event e = {.raw_len = (uint32_t)bytes.len, .stored_len = (uint32_t)bytes.len};
    e.flags = GATE_SAID | flags;
    int rv = bytes_reserve(&g->raw, bytes.len);
    if (rv == 0)
        rv = bytes_append(&g->events, (const char *)&e, sizeof e);
    return rv == 0 ? bytes_append_span(&g->raw, bytes) : rv;
}

static bool is_passable(const struct gate *g, const struct gate_event *e, const struct gate_piece *pieces)
{
    if (e->flags & GATE_DROP)
        return true;
    if ((e->flags & GATE_TERMINAL) && !g->may_end)
        return false;
    for (uint32_t i = 0; i < e->pieces; i++) {
        const struct gate_piece *p = &pieces[i];
        if (p->unseen)
            continue;
        uint64_t passable = lane_passable(p->lane);
        /* Half a character belongs to the piece that completes it, if one will. */
        bool may_complete = p->ends_half && !p->lane->has_stopped && !p->lane->is_over;
        if (passable < p->end || (may_complete && passable <= p->end))
            return false;
    }
    return true;
}

static const struct gate_piece *first_piece(const struct gate *g)
{
    return (const struct gate_piece *)(const void *)bytes_span(&g->pieces).data;
}

void gate_cut(struct gate *g)
{
    const struct gate_piece *pieces = first_piece(g);
    bool is_behind = false;
    for (size_t i = 0; i < event_count(g); i++) {
        struct gate_event *e = event_at(g, i);
        if (is_behind)
            e->flags |= GATE_DROP;
        else
            is_behind = !is_passable(g, e, pieces);
        pieces += e->pieces;
    }
}

void gate_close(struct gate *g, uint16_t choice)
{
    const struct gate_piece *pieces = first_piece(g);
    struct gate_part *part = (struct gate_part *)(void *)bytes_span(&g->parts).data;
    bool waits = false;
    for (size_t i = 0; i < event_count(g); i++) {
        struct gate_event *e = event_at(g, i);
        waits |= i + 1 == g->pushed || !is_passable(g, e, pieces);
        for (uint32_t k = 0; k < e->parts; k++, part++)
            part->is_late |= waits && part->choice == choice;
        pieces += e->pieces;
    }
    g->choices[choice].closed = true;
}

/* Forgets the first event. */
static void pop(struct gate *g)
{
    struct gate_event *e = event_at(g, 0);
    const struct gate_piece *pieces = first_piece(g);
    for (uint32_t i = 0; i < e->pieces; i++)
        lane_released(pieces[i].lane, pieces[i].end);
    free_patches(e);
    if (e->flags & GATE_BARE)
        bytes_clear(&g->body);
    bytes_consume(&g->pieces, e->pieces * sizeof(struct gate_piece));
    bytes_consume(&g->parts, e->parts * sizeof(struct gate_part));
    bytes_consume(&g->raw, e->stored_len);
    bytes_consume(&g->events, sizeof *e);
    g->pushed -= g->pushed > 0;
}

int gate_release(struct gate *g, struct bytes *out)
{
    while (event_count(g) > 0) {
        struct gate_event *e = event_at(g, 0);
        if (!is_passable(g, e, first_piece(g)))
            return 0;
        int rv = (e->flags & GATE_DROP) ? 0 : render_event(g, e, first_piece(g), out);
        if (rv != 0)
            return rv;
        pop(g);
    }
    return 0;
}
