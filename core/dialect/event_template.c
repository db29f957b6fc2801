/* See event_template.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/event_template.h"

#include "base/heap.h"

enum {
    TEXT_MAX = 1024, /* longer events are walked */
    PIECES_MAX = 20,
    HOLES_MAX = 5,
    PARTS_MAX = 2,
    STEP = 256, /* what sizes are rounded up to, so that the next event fits as well */
};

/* An offset of the event that moves with the holes before it. */
struct anchor {
    uint32_t *at;
    uint32_t base;
    uint32_t holes_before;
};

/* What differs from one event to the next. */
struct hole {
    uint32_t *len;      /* of the piece, or of the count */
    struct range range; /* in the stencil's text */
    bool is_number;
};

/* One block: what the pointers point to lies after the struct, and is as large as the event needs. */
struct event_template {
    size_t size;      /* of the block */
    uint32_t len;     /* 0: fits nothing */
    const char *text; /* the event */
    struct event event;
    struct piece *pieces;         /* the event's */
    struct hole holes[HOLES_MAX]; /* in the order of the payload */
    size_t holes_len;
    struct anchor *anchors;
    size_t anchors_len;
    bool may_be_padded; /* nothing has a place behind the last hole, so blanks there may differ */
};

void event_templates_fini(struct event_templates *s)
{
    for (size_t i = 0; i < EVENT_TEMPLATES_MAX; i++)
        heap_free(s->all[i]);
    *s = (struct event_templates){0};
}

/* ---- meeting ------------------------------------------------------------------------------------------------------
 */

/* The end of a whole number at `at`; NULL: there is none, or one that JSON does not know. */
static const char *number_end(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > start && (*start != '0' || at == start + 1) ? at : NULL;
}

/* Finds the holes in the payload. False if it is another event. */
static bool fits(const struct event_template *s, struct span payload, struct range found[HOLES_MAX])
{
    const char *at = payload.data, *end = payload.data + payload.len;
    uint32_t from = 0;
    for (size_t i = 0; i < s->holes_len; i++) {
        const struct hole *hole = &s->holes[i];
        size_t literal = hole->range.at - from;
        if ((size_t)(end - at) <= literal || memcmp(at, s->text + from, literal) != 0)
            return false;
        at += literal;
        const char *behind = hole->is_number ? number_end(at, end) : walk_string_end(at, end);
        if (behind == NULL)
            return false;
        found[i] = (struct range){(uint32_t)(at - payload.data), (uint32_t)(behind - at)};
        at = behind;
        from = hole->range.at + hole->range.len;
    }
    struct span rest = {at, (size_t)(end - at)}, literal = {s->text + from, s->len - from};
    return span_is(rest, literal) || (s->may_be_padded && walk_closes_alike(rest, literal));
}

static void move(struct event_template *s, const struct range found[HOLES_MAX])
{
    uint32_t shift[HOLES_MAX + 1] = {0}; /* modulo 2^32: it may be backwards */
    for (size_t i = 0; i < s->holes_len; i++) {
        *s->holes[i].len = found[i].len;
        shift[i + 1] = shift[i] + found[i].len - s->holes[i].range.len;
    }
    const struct anchor *anchor = s->anchors;
    for (size_t left = s->anchors_len; left > 0; left--, anchor++)
        *anchor->at = anchor->base + shift[anchor->holes_before];
}

const struct event *event_templates_find(struct event_templates *s, struct span payload)
{
    struct range found[HOLES_MAX];
    for (unsigned i = 0; i < EVENT_TEMPLATES_MAX; i++) {
        unsigned which = (s->latest + i) % EVENT_TEMPLATES_MAX;
        struct event_template *stencil = s->all[which];
        if (stencil == NULL || stencil->len == 0 || !fits(stencil, payload, found))
            continue;
        s->latest = which;
        move(stencil, found);
        return &stencil->event;
    }
    return NULL;
}

/* ---- learning -----------------------------------------------------------------------------------------------------
 */

/* Whether a key is text depends on what it says, so keys stay as they are. */
static bool is_hole(const struct piece *piece)
{
    return !piece->place.is_key && (piece->place.kind != PIECE_WHOLE || piece->place.is_noise);
}

/* Adds a hole in the order of the payload. */
static bool add_hole(struct event_template *s, struct hole hole)
{
    if (s->holes_len == HOLES_MAX)
        return false;
    size_t to = s->holes_len++;
    for (; to > 0 && s->holes[to - 1].range.at > hole.range.at; to--)
        s->holes[to] = s->holes[to - 1];
    s->holes[to] = hole;
    return true;
}

static bool find_holes(struct event_template *s)
{
    struct range *count = &s->event.note.count;
    s->holes_len = 0;
    bool fit = count->len == 0 || add_hole(s, (struct hole){&count->len, *count, true});
    for (size_t i = 0; i < s->event.pieces_len && fit; i++) {
        struct piece *piece = &s->pieces[i];
        if (is_hole(piece))
            fit = add_hole(s, (struct hole){&piece->len, {piece->at, piece->len}, false});
    }
    return fit;
}

/* What lies before the first hole never moves. */
static void add_anchor(struct event_template *s, uint32_t *at)
{
    uint32_t before = 0;
    while (before < s->holes_len && s->holes[before].range.at < *at)
        before++;
    if (before > 0)
        s->anchors[s->anchors_len++] = (struct anchor){at, *at, before};
}

/* False if a hole lies inside: the range's length would move too. */
static bool add_range(struct event_template *s, struct range *range)
{
    for (size_t i = 0; i < s->holes_len; i++)
        if (s->holes[i].range.at > range->at && s->holes[i].range.at < range->at + range->len)
            return false;
    if (range->at > 0)
        add_anchor(s, &range->at);
    return true;
}

/* Bytes that the dialect noted. */
static bool add_note(struct event_template *s, struct event_note *note)
{
    bool fit = add_range(s, &note->count);
    for (size_t i = 0; i < EVENT_NOTED_MAX && fit; i++)
        fit = add_range(s, &note->at[i]);
    return fit;
}

static bool find_anchors(struct event_template *s)
{
    struct event *event = &s->event;
    s->anchors_len = 0;
    for (size_t i = 0; i < event->pieces_len; i++)
        add_anchor(s, &s->pieces[i].at);
    bool rv = add_range(s, &event->id) && add_range(s, &event->error) && add_range(s, &event->usage) &&
              add_range(s, &event->spelled_aside) && add_note(s, &event->note);
    for (size_t i = 0; i < event->parts_len && rv; i++) {
        struct event_part *part = &event->parts[i];
        rv = add_range(s, &part->begins) && add_range(s, &part->ends);
        for (size_t k = 0; k < EVENT_SPELLED_MAX && rv; k++)
            rv = add_range(s, &part->spelled[k]);
    }
    return rv;
}

/* How many anchors an event needs at most. */
static size_t count_anchors(const struct event *event)
{
    size_t n = event->pieces_len + (event->id.at > 0) + (event->error.at > 0) + (event->usage.at > 0) +
               (event->spelled_aside.at > 0) + (event->note.count.at > 0);
    for (size_t i = 0; i < EVENT_NOTED_MAX; i++)
        n += event->note.at[i].at > 0;
    for (size_t i = 0; i < event->parts_len; i++) {
        const struct event_part *c = &event->parts[i];
        n += (c->begins.at > 0) + (c->ends.at > 0);
        for (size_t k = 0; k < EVENT_SPELLED_MAX; k++)
            n += c->spelled[k].at > 0;
    }
    return n;
}

/* The parts after the struct, those that want most alignment first. */
struct layout {
    size_t anchors, pieces, parts, text, end;
};

static struct layout lay_out(struct span payload, const struct event *event)
{
    struct layout at = {.anchors = sizeof(struct event_template)};
    at.pieces = at.anchors + count_anchors(event) * sizeof(struct anchor);
    at.parts = at.pieces + event->pieces_len * sizeof(struct piece);
    at.text = at.parts + event->parts_len * sizeof(struct event_part);
    at.end = at.text + payload.len;
    return at;
}

static void copy(char *to, const void *from, size_t len)
{
    if (len > 0)
        memcpy(to, from, len);
}

/* Copies the event into the block. */
static void fill(struct event_template *s, struct layout at, struct span payload, const struct event *event)
{
    char *block = (char *)s;
    s->anchors = (struct anchor *)(void *)(block + at.anchors);
    s->pieces = (struct piece *)(void *)(block + at.pieces);
    s->text = block + at.text;
    s->event = *event;
    s->event.pieces = s->pieces;
    s->event.parts = (struct event_part *)(void *)(block + at.parts);
    copy(block + at.pieces, event->pieces, event->pieces_len * sizeof(*event->pieces));
    copy(block + at.parts, event->parts, event->parts_len * sizeof(*event->parts));
    copy(block + at.text, payload.data, payload.len);
}

/* Makes the stencil of an event; it fits nothing (len 0) if that cannot be. */
static void make(struct event_template *s, struct layout at, struct span payload, const struct event *event)
{
    fill(s, at, payload, event);
    s->len = find_holes(s) && find_anchors(s) ? (uint32_t)payload.len : 0;
    s->may_be_padded = s->len > 0 && s->holes_len > 0;
    for (size_t i = 0; i < s->anchors_len; i++)
        s->may_be_padded &= s->anchors[i].holes_before < s->holes_len;
    s->event.wholes_seen = true;
    for (size_t i = 0; i < event->pieces_len; i++) {
        struct piece *piece = &s->pieces[i];
        piece->seen = !is_hole(piece);
        s->event.wholes_seen &= piece->seen || piece->place.kind != PIECE_WHOLE;
    }
}

static bool is_same_place(struct place a, struct place b)
{
    return place_is_same_text(&a, &b) && a.kind == b.kind && a.is_key == b.is_key;
}

/* Where the piece lies in the stencil's text: its own offset may have moved. */
static uint32_t base_of(const struct event_template *s, const struct piece *piece)
{
    for (size_t i = 0; i < s->anchors_len; i++)
        if (s->anchors[i].at == &piece->at)
            return s->anchors[i].base;
    return piece->at;
}

/* Marks what the latest event had too. */
static void mark_seen(const struct event_templates *s, struct span payload, struct event *event)
{
    const struct event_template *last = s->all[s->latest];
    if (last == NULL || last->len == 0)
        return;
    for (size_t i = 0; i < event->pieces_len && i < last->event.pieces_len; i++) {
        struct piece *piece = &event->pieces[i];
        const struct piece *other = &last->pieces[i];
        if (!is_hole(piece) && !is_hole(other) && piece->len == other->len && is_same_place(piece->place, other->place))
            piece->seen = memcmp(payload.data + piece->at, last->text + base_of(last, other), piece->len) == 0;
    }
}

/* The block of a slot, if need be a larger one. NULL: out of memory, the slot is empty. */
static struct event_template *room(struct event_template **slot, size_t size)
{
    if (*slot != NULL && (*slot)->size >= size)
        return *slot;
    heap_free(*slot);
    size = (size + STEP - 1) / STEP * STEP;
    *slot = heap_new(1, size);
    if (*slot != NULL)
        (*slot)->size = size;
    return *slot;
}

void event_templates_learn(struct event_templates *s, struct span payload, struct event *event)
{
    mark_seen(s, payload, event);
    if (event->is_unique || payload.len > TEXT_MAX || event->pieces_len > PIECES_MAX || event->parts_len > PARTS_MAX)
        return;
    struct layout at = lay_out(payload, event);
    struct event_template *stencil = room(&s->all[s->oldest], at.end);
    if (stencil == NULL)
        return;
    make(stencil, at, payload, event);
    s->latest = s->oldest;
    s->oldest = (s->oldest + 1) % EVENT_TEMPLATES_MAX;
}
