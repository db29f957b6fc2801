/* See gate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/gate.h"

#include <assert.h>

#include "base/heap.h"
#include "trace/render.h"

/* The limit of one event after redactions: a short match may have a long replacement. */
enum { GATE_EDITED_MAX = 64 * 1024 * 1024 };

void gate_init(struct gate *g, const struct dialect *dialect, void *dialect_state, const struct rein_policy *policy,
               struct rein_flow *flow, size_t limit)
{
    struct gate_room *room = &g->room;
    memset(g, 0, offsetof(struct gate, room));
    g->dialect = dialect;
    g->dialect_state = dialect_state;
    g->policy = policy;
    g->flow = flow;
    g->cut_behind = g->hold_behind = UINT64_MAX;
    g->join_from = limit / 8;
    bytes_init(&g->raw, limit);
    bytes_init(&g->body, limit);
    bytes_init(&g->waiting, limit);
    bytes_init_in(&g->events, &room->event, sizeof room->event, limit);
    bytes_init_in(&g->pieces, room->pieces, sizeof room->pieces, limit);
    bytes_init_in(&g->parts, &room->part, sizeof room->part, limit);
    bytes_init_in(&g->id, room->id, sizeof room->id, limit);
    bytes_init(&g->scratch, limit > GATE_EDITED_MAX / 4 ? 4 * limit : GATE_EDITED_MAX);
    bytes_init(&g->splices, limit);
    bytes_init(&g->shown, limit);
    bytes_init(&g->memory.kept, limit);
    bytes_init(&g->memory.room, SIZE_MAX / 2); /* bounded by what is kept */
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

bool gate_events_are_sound(const struct gate *g)
{
    size_t pieces = 0, parts = 0, raw = 0;
    if (bytes_len(&g->events) % sizeof(struct gate_event) != 0)
        return false;
    for (size_t i = 0; i < event_count(g); i++) {
        const struct gate_event *e = event_at(g, i);
        uint64_t room = e->flags & GATE_BARE ? bytes_len(&g->body) : e->stored_len;
        if ((uint64_t)e->payload.at + e->payload.len > room || e->raw_len > room)
            return false;
        pieces += e->pieces;
        parts += e->parts;
        raw += e->stored_len;
    }
    return pieces * sizeof(struct gate_piece) == bytes_len(&g->pieces) &&
           parts * sizeof(struct gate_part) == bytes_len(&g->parts) && raw == bytes_len(&g->raw);
}

void gate_reset(struct gate *g)
{
    for (size_t i = 0; i < event_count(g); i++)
        free_patches(event_at(g, i));
    bytes_clear(&g->raw);
    bytes_clear(&g->body); /* its bytes stay for code that is reading them */
    bytes_clear(&g->waiting);
    bytes_clear(&g->events);
    bytes_clear(&g->pieces);
    bytes_clear(&g->parts);
    memset(g->awaiting, 0, sizeof g->awaiting);
    g->pushed = 0;
    g->recorded = NULL;
}

void gate_fini(struct gate *g)
{
    gate_reset(g);
    bytes_fini(&g->raw);
    bytes_fini(&g->body);
    bytes_fini(&g->waiting);
    bytes_fini(&g->events);
    bytes_fini(&g->pieces);
    bytes_fini(&g->parts);
    bytes_fini(&g->scratch);
    bytes_fini(&g->splices);
    bytes_fini(&g->shown);
    bytes_fini(&g->memory.kept);
    bytes_fini(&g->memory.room);
    bytes_fini(&g->id);
}

void gate_leave(struct gate *g)
{
    g->pushed = 0;
}

/* Appends to room that was reserved. */
static inline void gate_put(struct bytes *to, const void *data, size_t len)
{
    if (len > 0)
        memcpy(to->data + to->end, data, len);
    to->end += len;
    assert(to->end <= to->cap);
}

/* The same, for the caller to fill. */
static inline void *gate_add(struct bytes *to, size_t len)
{
    char *at = to->data + to->end;
    to->end += len;
    assert(to->end <= to->cap);
    return at;
}

uint64_t gate_event_number(const struct gate *g)
{
    return g->popped + event_count(g);
}

struct gate_event *gate_last(struct gate *g)
{
    return g->pushed > 0 ? event_at(g, g->pushed - 1) : NULL;
}

/* Room for them was reserved. */
static void push_parts(struct gate *g, const struct event *event)
{
    for (size_t i = 0; i < event->parts_len; i++) {
        const struct event_part *c = &event->parts[i];
        struct gate_part *part = gate_add(&g->parts, sizeof *part);
        part->choice = c->choice;
        part->has_end = c->has_end;
        part->is_signed = c->is_signed;
        part->is_late = g->choice[c->choice].closed;
        part->spells_more = part->awaits = false;
        part->next = NULL;
        part->next_at = 0;
        part->begins = c->begins;
        part->ends = c->ends;
        part->object = c->object;
        memcpy(part->spelled, c->spelled, sizeof part->spelled);
    }
}

static inline int gate_reserve(struct bytes *to, size_t len)
{
    return len > to->cap - to->end ? bytes_reserve(to, len) : 0;
}

/* Reserves room for a whole event, so that a failing push changes nothing. */
static inline int reserve_event(struct gate *g, size_t stored_len, size_t parts, size_t id_len)
{
    int rv = gate_reserve(&g->raw, stored_len);
    if (rv == 0)
        rv = gate_reserve(&g->parts, parts * sizeof(struct gate_part));
    if (rv == 0)
        rv = gate_reserve(&g->events, sizeof(struct gate_event));
    return rv == 0 ? gate_reserve(&g->id, id_len) : rv;
}

/* The payload inside the stored event: a joined one is stored after the raw bytes. */
static struct range payload_range(const struct frame *frame, unsigned flags)
{
    uint32_t len = (uint32_t)frame->payload.len;
    if (flags & GATE_BARE)
        return (struct range){0, len};
    if (frame->kind == FRAME_MULTI)
        return (struct range){(uint32_t)frame->raw.len, len};
    return (struct range){frame->kind == FRAME_DATA ? (uint32_t)(frame->payload.data - frame->raw.data) : 0, len};
}

/* The response's id is that of its first event, and known from then on: Rein's own events may overtake the rendering.
 */
static struct span new_id(const struct gate *g, const struct frame *frame, const struct event *event)
{
    if (bytes_len(&g->id) > 0 || event == NULL)
        return SPAN("");
    return (struct span){frame->payload.data + event->id.at, event->id.len};
}

void gate_take_body(struct gate *g, struct bytes *body)
{
    bytes_clear(&g->body);
    bytes_swap(&g->body, body);
}

struct gate_event *gate_push(struct gate *g, const struct frame *frame, const struct event *event, unsigned flags,
                             int *rv)
{
    assert(gate_is_sound(g, false));
    struct span joined = frame->kind == FRAME_MULTI ? frame->payload : SPAN("");
    struct span raw = flags & GATE_BARE ? SPAN("") : frame->raw;
    struct span id = new_id(g, frame, event);
    *rv = reserve_event(g, raw.len + joined.len, event != NULL ? event->parts_len : 0, id.len);
    if (*rv != 0)
        return NULL;
    struct gate_event *e = gate_add(&g->events, sizeof *e);
    *e = (struct gate_event){.raw_len = (uint32_t)frame->raw.len,
                             .stored_len = (uint32_t)(raw.len + joined.len),
                             .payload = payload_range(frame, flags),
                             .flags = flags};
    if (event != NULL) {
        e->parts = (uint32_t)event->parts_len;
        e->id = event->id;
        e->spelled_aside = event->spelled_aside;
        if (g->dialect->pass != NULL)
            e->note = event->note;
        if (event->usage.len > 0 || event->has_error || event->carries)
            e->flags |= GATE_CARRIES;
        push_parts(g, event);
    }
    gate_put(&g->id, id.data, id.len);
    gate_put(&g->raw, raw.data, raw.len);
    gate_put(&g->raw, joined.data, joined.len);
    g->pushed = event_count(g);
    return e;
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

static int patch_event(struct gate_event *e, struct range raw, struct span text, bool quoted)
{
    struct gate_patch *patch = heap_new(1, sizeof *patch + text.len + 2);
    if (patch == NULL)
        return REIN_ENOMEM;
    patch->raw = raw;
    patch->len = text.len + (quoted ? 2 : 0);
    if (quoted)
        patch->text[0] = patch->text[patch->len - 1] = '"';
    if (text.len > 0)
        memcpy(patch->text + quoted, text.data, text.len);
    patch->next = e->patches;
    e->patches = patch;
    return 0;
}

int gate_add_patch(struct gate *g, struct range raw, struct span text, bool quoted)
{
    struct gate_event *e = gate_last(g);
    return e != NULL ? patch_event(e, raw, text, quoted) : 0;
}

struct gate_part *gate_last_parts(struct gate *g)
{
    const struct gate_event *e = gate_last(g);
    assert(e != NULL && g->pushed == event_count(g));
    return (struct gate_part *)(void *)(g->parts.data + g->parts.end) - e->parts;
}

bool gate_replace_choice(struct gate *g, uint16_t choice, struct span object, int *rv)
{
    struct gate_event *e = event_count(g) > 0 ? event_at(g, 0) : NULL;
    const struct gate_part *part = (const struct gate_part *)(const void *)bytes_span(&g->parts).data;
    *rv = 0;
    bool is_there = false, has_others = false;
    for (uint32_t i = 0; e != NULL && i < e->parts; i++)
        has_others |= part[i].choice != choice;
    if (e == NULL || !(e->flags & GATE_BARE) || !has_others)
        return false;
    for (uint32_t i = 0; i < e->parts && *rv == 0; i++) {
        if (part[i].choice != choice)
            continue;
        *rv = patch_event(e, part[i].object, object, false);
        is_there = true;
    }
    return is_there;
}

/* What the waiting events will still send for a choice. */
static void look_ahead(const struct gate *g, uint16_t choice, bool *begins, bool *ends)
{
    const struct gate_part *part = (const struct gate_part *)(const void *)bytes_span(&g->parts).data;
    for (size_t i = 0; i < event_count(g); i++) {
        const struct gate_event *e = event_at(g, i);
        for (uint32_t k = 0; k < e->parts; k++, part++) {
            if (part->choice != choice || (e->flags & GATE_DROP))
                continue;
            *begins |= part->begins.len > 0;
            *ends |= part->has_end && !part->is_late;
        }
    }
}

bool gate_has_begun(const struct gate *g, uint16_t choice)
{
    bool begins = g->choice[choice].begun, ends = false;
    look_ahead(g, choice, &begins, &ends);
    return begins;
}

bool gate_has_ended(const struct gate *g, uint16_t choice)
{
    bool begins = false, ends = g->choice[choice].ended;
    look_ahead(g, choice, &begins, &ends);
    return ends;
}

int gate_say(struct gate *g, struct span bytes, unsigned flags)
{
    assert(gate_is_sound(g, false));
    struct gate_event e = {.raw_len = (uint32_t)bytes.len, .stored_len = (uint32_t)bytes.len};
    e.flags = GATE_SAID | flags;
    int rv = reserve_event(g, e.stored_len, 0, 0);
    if (rv != 0)
        return rv;
    gate_put(&g->raw, bytes.data, bytes.len);
    gate_put(&g->events, &e, sizeof e);
    assert(gate_is_sound(g, false));
    return 0;
}

/* Do members that spell text still wait for that text? */
static bool is_awaiting(const struct gate_event *e, const struct gate_part *parts)
{
    bool waits = false;
    for (uint32_t i = 0; i < e->parts && !waits; i++)
        if (parts[i].awaits)
            waits = parts[i].next == NULL || lane_passable(parts[i].next) <= parts[i].next_at;
    return waits;
}

static bool is_passable(const struct gate *g, const struct gate_event *e, const struct gate_piece *pieces,
                        const struct gate_part *parts)
{
    if (e->flags & GATE_DROP)
        return true;
    if (((e->flags & GATE_TERMINAL) && !g->may_end) || ((e->flags & GATE_AWAITS) && is_awaiting(e, parts)))
        return false;
    for (uint32_t i = 0; i < e->pieces; i++) {
        const struct gate_piece *p = &pieces[i];
        if (p->unseen)
            continue;
        uint64_t passable = lane_passable(p->lane);
        /* Half a character belongs to the piece that completes it, if there is one. */
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

static struct gate_part *first_part(const struct gate *g)
{
    return (struct gate_part *)(void *)bytes_span(&g->parts).data;
}

void gate_await(struct gate *g, struct gate_part *part)
{
    part->awaits = true;
    gate_last(g)->flags |= GATE_AWAITS;
    g->awaiting[part->choice]++;
}

void gate_go_on(struct gate *g, uint16_t choice, struct lane *lane, uint64_t start)
{
    if (g->awaiting[choice] == 0)
        return;
    struct gate_part *part = first_part(g) + bytes_len(&g->parts) / sizeof *part;
    while (g->awaiting[choice] > 0) {
        part--; /* those that wait are the latest */
        if (part->choice != choice || !part->awaits || part->next != NULL)
            continue;
        part->next = lane;
        part->next_at = start;
        g->awaiting[choice]--;
    }
}

/* Parts that await a text of the choice stop waiting; `hides`: without the members that spell it. */
static void stop_waiting(struct gate *g, uint16_t choice, bool hides)
{
    struct gate_part *part = first_part(g) + bytes_len(&g->parts) / sizeof *part;
    while (g->awaiting[choice] > 0) {
        part--;
        if (part->choice != choice || !part->awaits || part->next != NULL)
            continue;
        part->awaits = false;
        part->spells_more |= hides;
        g->awaiting[choice]--;
    }
}

void gate_stop_waiting(struct gate *g)
{
    assert(gate_is_sound(g, true));
    for (uint16_t c = 0; c < REIN_CHOICES_MAX; c++)
        stop_waiting(g, c, false);
}

void gate_cut(struct gate *g)
{
    assert(gate_is_sound(g, true));
    const struct gate_piece *pieces = first_piece(g);
    const struct gate_part *parts = first_part(g);
    bool is_behind = false;
    for (size_t i = 0; i < event_count(g); i++) {
        struct gate_event *e = event_at(g, i);
        bool is_their_end = (e->flags & (GATE_TERMINAL | GATE_BARE | GATE_SAID)) == GATE_TERMINAL;
        is_behind |= g->popped + i + 1 > g->cut_behind;
        if (is_behind || is_their_end)
            e->flags |= GATE_DROP;
        else
            is_behind = !is_passable(g, e, pieces, parts);
        pieces += e->pieces;
        parts += e->parts;
    }
    for (uint16_t c = 0; c < REIN_CHOICES_MAX; c++)
        stop_waiting(g, c, true);
    assert(gate_is_sound(g, true));
}

void gate_close(struct gate *g, uint16_t choice)
{
    assert(gate_is_sound(g, true));
    const struct gate_piece *pieces = first_piece(g);
    struct gate_part *part = first_part(g);
    bool waits = false;
    for (size_t i = 0; i < event_count(g); i++) {
        struct gate_event *e = event_at(g, i);
        waits |= i + 1 == g->pushed || g->popped + i + 1 > g->cut_behind || !is_passable(g, e, pieces, part);
        for (uint32_t k = 0; k < e->parts; k++, part++)
            part->is_late |= waits && part->choice == choice;
        pieces += e->pieces;
    }
    stop_waiting(g, choice, true);
    g->choice[choice].closed = true;
    assert(gate_is_sound(g, true));
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
    g->popped++;
    assert(gate_is_sound(g, false));
}

int gate_release(struct gate *g, struct bytes *out)
{
    while (bytes_len(&g->events) > 0) {
        struct gate_event *e = event_at(g, 0);
        if (g->popped >= g->hold_behind || !is_passable(g, e, first_piece(g), first_part(g)))
            return 0;
        int rv = (e->flags & GATE_DROP) ? 0 : render_event(g, e, first_piece(g), out);
        if (rv != 0)
            return rv;
        pop(g);
    }
    return 0;
}
