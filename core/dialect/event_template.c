/* See event_template.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/event_template.h"

#include "base/heap.h"

enum {
    TEXT_MAX = 1024, /* longer events are walked */
    PIECES_MAX = 20,
    HOLES_MAX = 4,
    CHOICES_MAX = 2,
    STEP = 256, /* what sizes are rounded up to, so that the next event fits as well */
};

/* An offset of the delta that moves with the holes before it. */
struct anchor {
    uint32_t *at;
    uint32_t base;
    uint32_t holes_before;
};

/* One block: what the pointers point to lies after the struct, and is as large as the event needs. */
struct event_template {
    size_t size;      /* of the block */
    uint32_t len;     /* 0: fits nothing */
    const char *text; /* the event */
    struct delta delta;
    struct piece *pieces;                /* the delta's */
    struct piece *holes[HOLES_MAX];      /* in the order of the payload */
    struct range hole_ranges[HOLES_MAX]; /* as in `text` */
    size_t holes_len;
    struct anchor *anchors;
    size_t anchors_len;
};

void event_templates_fini(struct event_templates *s)
{
    for (size_t i = 0; i < EVENT_TEMPLATES_MAX; i++)
        heap_free(s->all[i]);
    *s = (struct event_templates){0};
}

/* ---- meeting ------------------------------------------------------------------------------------------------------
 */

/* Finds the holes in the payload. False if it is another event. */
static bool fits(const struct event_template *s, struct span payload, struct range found[HOLES_MAX])
{
    const char *at = payload.data, *end = payload.data + payload.len;
    uint32_t from = 0;
    for (size_t i = 0; i < s->holes_len; i++) {
        size_t literal = s->hole_ranges[i].at - from;
        if ((size_t)(end - at) <= literal || memcmp(at, s->text + from, literal) != 0)
            return false;
        at += literal;
        const char *quote = walk_string_end(at, end);
        if (quote == NULL)
            return false;
        found[i] = (struct range){(uint32_t)(at - payload.data), (uint32_t)(quote - at)};
        at = quote;
        from = s->hole_ranges[i].at + s->hole_ranges[i].len;
    }
    size_t literal = s->len - from;
    return (size_t)(end - at) == literal && memcmp(at, s->text + from, literal) == 0;
}

static void move(struct event_template *s, const struct range found[HOLES_MAX])
{
    uint32_t shift[HOLES_MAX + 1] = {0}; /* modulo 2^32: it may be backwards */
    for (size_t i = 0; i < s->holes_len; i++) {
        s->holes[i]->len = found[i].len;
        shift[i + 1] = shift[i] + found[i].len - s->hole_ranges[i].len;
    }
    for (size_t i = 0; i < s->anchors_len; i++)
        *s->anchors[i].at = s->anchors[i].base + shift[s->anchors[i].holes_before];
}

const struct delta *event_templates_find(struct event_templates *s, struct span payload)
{
    struct range found[HOLES_MAX];
    for (unsigned i = 0; i < EVENT_TEMPLATES_MAX; i++) {
        unsigned which = (s->latest + i) % EVENT_TEMPLATES_MAX;
        struct event_template *stencil = s->all[which];
        if (stencil == NULL || stencil->len == 0 || !fits(stencil, payload, found))
            continue;
        s->latest = which;
        move(stencil, found);
        return &stencil->delta;
    }
    return NULL;
}

/* ---- learning -----------------------------------------------------------------------------------------------------
 */

/* Whether a key is text depends on what it says, so keys stay as they are. */
static bool is_hole(const struct piece *piece)
{
    return !piece->place.is_key && (!piece->place.whole || piece->place.source == DELTA_NOISE);
}

/* Collects the holes in the order of the payload. */
static bool find_holes(struct event_template *s)
{
    s->holes_len = 0;
    for (size_t i = 0; i < s->delta.pieces_len; i++) {
        if (!is_hole(&s->pieces[i]))
            continue;
        if (s->holes_len == HOLES_MAX)
            return false;
        size_t to = s->holes_len++;
        for (; to > 0 && s->holes[to - 1]->at > s->pieces[i].at; to--)
            s->holes[to] = s->holes[to - 1];
        s->holes[to] = &s->pieces[i];
    }
    for (size_t i = 0; i < s->holes_len; i++)
        s->hole_ranges[i] = (struct range){s->holes[i]->at, s->holes[i]->len};
    return true;
}

static void add_anchor(struct event_template *s, uint32_t *at)
{
    uint32_t before = 0;
    while (before < s->holes_len && s->hole_ranges[before].at < *at)
        before++;
    s->anchors[s->anchors_len++] = (struct anchor){at, *at, before};
}

/* False if a hole lies inside: the range's length would move too. */
static bool add_range(struct event_template *s, struct range *range)
{
    for (size_t i = 0; i < s->holes_len; i++)
        if (s->hole_ranges[i].at > range->at && s->hole_ranges[i].at < range->at + range->len)
            return false;
    if (range->len > 0)
        add_anchor(s, &range->at);
    return true;
}

static bool find_anchors(struct event_template *s)
{
    struct delta *d = &s->delta;
    s->anchors_len = 0;
    for (size_t i = 0; i < d->pieces_len; i++)
        add_anchor(s, &s->pieces[i].at);
    bool rv =
        add_range(s, &d->id) && add_range(s, &d->error) && add_range(s, &d->usage) && add_range(s, &d->prompt_logprobs);
    for (size_t i = 0; i < d->choices_len && rv; i++) {
        struct delta_choice *choice = &d->choices[i];
        rv = add_range(s, &choice->finish) && add_range(s, &choice->role);
        for (size_t k = 0; k < DELTA_SPELLED_MAX && rv; k++)
            rv = add_range(s, &choice->spelled[k]);
    }
    return rv;
}

/* How many anchors an event needs at most. */
static size_t count_anchors(const struct delta *d)
{
    size_t n = d->pieces_len + (d->id.len > 0) + (d->error.len > 0) + (d->usage.len > 0) + (d->prompt_logprobs.len > 0);
    for (size_t i = 0; i < d->choices_len; i++) {
        const struct delta_choice *c = &d->choices[i];
        n += (c->finish.len > 0) + (c->role.len > 0);
        for (size_t k = 0; k < DELTA_SPELLED_MAX; k++)
            n += c->spelled[k].len > 0;
    }
    return n;
}

/* The parts after the struct, those that want most alignment first. */
struct parts {
    size_t anchors, pieces, choices, text, end;
};

static struct parts lay_out(struct span payload, const struct delta *d)
{
    struct parts at = {.anchors = sizeof(struct event_template)};
    at.pieces = at.anchors + count_anchors(d) * sizeof(struct anchor);
    at.choices = at.pieces + d->pieces_len * sizeof(struct piece);
    at.text = at.choices + d->choices_len * sizeof(struct delta_choice);
    at.end = at.text + payload.len;
    return at;
}

static void copy(char *to, const void *from, size_t len)
{
    if (len > 0)
        memcpy(to, from, len);
}

/* Copies the event into the block. */
static void fill(struct event_template *s, struct parts at, struct span payload, const struct delta *d)
{
    char *block = (char *)s;
    s->anchors = (struct anchor *)(void *)(block + at.anchors);
    s->pieces = (struct piece *)(void *)(block + at.pieces);
    s->text = block + at.text;
    s->delta = *d;
    s->delta.pieces = s->pieces;
    s->delta.choices = (struct delta_choice *)(void *)(block + at.choices);
    copy(block + at.pieces, d->pieces, d->pieces_len * sizeof(*d->pieces));
    copy(block + at.choices, d->choices, d->choices_len * sizeof(*d->choices));
    copy(block + at.text, payload.data, payload.len);
}

/* Makes the stencil of an event; it fits nothing (len 0) if that cannot be. */
static void make(struct event_template *s, struct parts at, struct span payload, const struct delta *d)
{
    fill(s, at, payload, d);
    s->len = find_holes(s) && find_anchors(s) ? (uint32_t)payload.len : 0;
    for (size_t i = 0; i < d->pieces_len; i++)
        s->pieces[i].seen = !is_hole(&s->pieces[i]);
}

static bool is_same_place(struct place a, struct place b)
{
    return delta_is_same_text(&a, &b) && a.whole == b.whole && a.is_key == b.is_key;
}

/* Marks what the latest event had too. Its pieces' offsets have moved; those of its text are the anchors' bases. */
static void mark_seen(const struct event_templates *s, struct span payload, struct delta *d)
{
    const struct event_template *last = s->all[s->latest];
    if (last == NULL || last->len == 0)
        return;
    for (size_t i = 0; i < d->pieces_len && i < last->delta.pieces_len; i++) {
        struct piece *piece = &d->pieces[i];
        const struct piece *other = &last->pieces[i];
        if (!is_hole(piece) && !is_hole(other) && piece->len == other->len && is_same_place(piece->place, other->place))
            piece->seen = memcmp(payload.data + piece->at, last->text + last->anchors[i].base, piece->len) == 0;
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

void event_templates_learn(struct event_templates *s, struct span payload, struct delta *d)
{
    mark_seen(s, payload, d);
    if (payload.len > TEXT_MAX || d->pieces_len > PIECES_MAX || d->choices_len > CHOICES_MAX)
        return;
    struct parts at = lay_out(payload, d);
    struct event_template *stencil = room(&s->all[s->oldest], at.end);
    if (stencil == NULL)
        return;
    make(stencil, at, payload, d);
    s->latest = s->oldest;
    s->oldest = (s->oldest + 1) % EVENT_TEMPLATES_MAX;
}
