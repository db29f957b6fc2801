/* Reads payloads: walks them with the dialect's help and collects the pieces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/event.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"
#include "dialect/dialect.h"
#include "dialect/event_fill.h"
#include "dialect/event_template.h"
#include "dialect/vocabulary.h"

struct delta_reader {
    const struct dialect *dialect;
    struct delta_fill fill;
    struct event_templates stencils;
};

int delta_reader_new(struct delta_reader **out, const struct dialect *dialect)
{
    struct delta_reader *r = heap_new(1, sizeof(*r));
    if (r == NULL)
        return REIN_ENOMEM;
    r->dialect = dialect;
    r->fill.delta.pieces = r->fill.first_pieces;
    r->fill.delta.pieces_cap = DELTA_FIRST_PIECES;
    r->fill.delta.choices = r->fill.first_choices;
    r->fill.delta.choices_cap = DELTA_FIRST_CHOICES;
    *out = r;
    return 0;
}

void delta_reader_free(struct delta_reader *r)
{
    if (r == NULL)
        return;
    heap_free_outgrown(r->fill.delta.pieces, r->fill.first_pieces);
    heap_free_outgrown(r->fill.delta.choices, r->fill.first_choices);
    heap_free(r->fill.spare);
    event_templates_fini(&r->stencils);
    heap_free(r);
}

/* Makes room for twice as many pieces. */
static int more_pieces(struct delta_fill *fill)
{
    struct delta *d = &fill->delta;
    size_t cap = d->pieces_cap * 2;
    struct piece *more =
        heap_outgrow(d->pieces, fill->first_pieces, d->pieces_len * sizeof(*more), cap * sizeof(*more));
    if (more == NULL)
        return REIN_ENOMEM;
    d->pieces = more;
    d->pieces_cap = cap;
    return 0;
}

int delta_add(struct delta_fill *fill, struct place place, struct range inside)
{
    struct delta *d = &fill->delta;
    if (d->pieces_len == fill->pieces_max)
        return REIN_EFORMAT;
    int rv = d->pieces_len == d->pieces_cap ? more_pieces(fill) : 0;
    if (rv == 0)
        d->pieces[d->pieces_len++] = (struct piece){.place = place, .at = inside.at, .len = inside.len};
    return rv;
}

struct delta_choice *delta_add_choice(struct delta_fill *fill, int *rv)
{
    struct delta *d = &fill->delta;
    *rv = REIN_EFORMAT;
    if (d->choices_len == DELTA_CHOICES_MAX)
        return NULL;
    if (d->choices_len == d->choices_cap) {
        size_t cap = d->choices_cap * 2;
        struct delta_choice *more =
            heap_outgrow(d->choices, fill->first_choices, d->choices_len * sizeof(*more), cap * sizeof(*more));
        *rv = REIN_ENOMEM;
        if (more == NULL)
            return NULL;
        d->choices = more;
        d->choices_cap = cap;
    }
    *rv = 0;
    struct delta_choice *choice = &d->choices[d->choices_len++];
    *choice = (struct delta_choice){0};
    return choice;
}

int delta_add_string(struct delta_fill *fill, struct place place)
{
    struct range inside;
    int rv = walk_string(&fill->walk, &inside);
    return rv == 0 ? delta_add(fill, place, inside) : rv;
}

struct span delta_key(const struct delta_fill *fill, struct range key, char room[DELTA_KEY_MAX])
{
    struct span raw = delta_span(fill, key);
    if (raw.len + 3 > DELTA_KEY_MAX || memchr(raw.data, '\\', raw.len) == NULL)
        return raw;
    uint16_t half = 0;
    return (struct span){room, json_unescape(raw, &half, room)};
}

int delta_add_member(struct delta_fill *fill, struct place place, struct range key)
{
    char room[DELTA_KEY_MAX];
    enum vocabulary_kind kind = vocabulary_look(delta_key(fill, key, room));
    struct place of_key = place;
    of_key.whole = of_key.is_key = true;
    int rv = kind == VOCABULARY_NONE ? delta_add(fill, of_key, key) : 0;
    place.numeric |= kind == VOCABULARY_NUMERIC && place.channel != REIN_TOOL;
    return rv == 0 ? delta_add_all(fill, place) : rv;
}

static int add_members(struct delta_fill *fill, struct place place)
{
    struct json_list list = {0};
    int rv;
    while ((rv = walk_next(&fill->walk, &list, '{')) > 0) {
        struct range key;
        rv = walk_key(&fill->walk, &list, &key);
        if (rv == 0)
            rv = delta_add_member(fill, place, key);
        if (rv != 0)
            return rv;
    }
    return rv;
}

/* What is neither string nor list. Only numbers say something. */
static int add_scalar(struct delta_fill *fill, struct place place)
{
    char c = walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    int rv = walk_scalar(&fill->walk);
    if (rv != 0 || place.numeric || (c != '-' && (c < '0' || c > '9')))
        return rv;
    place.is_number = true;
    return delta_add(fill, place, (struct range){at, walk_offset(&fill->walk) - at});
}

/* Recursion ends at the walk's greatest depth. */
int delta_add_all(struct delta_fill *fill, struct place place)
{
    place.whole = true;
    switch (walk_peek(&fill->walk)) {
    case '"':
        return delta_add_string(fill, place);
    case '{':
        return add_members(fill, place);
    case '[':
        break;
    default:
        return add_scalar(fill, place);
    }
    struct json_list list = {0};
    int rv;
    while ((rv = walk_next(&fill->walk, &list, '[')) > 0) {
        rv = delta_add_all(fill, place);
        if (rv != 0)
            return rv;
    }
    return rv;
}

static bool is_sorted(const struct piece *pieces, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (pieces[i].place.channel < pieces[i - 1].place.channel)
            return false;
    return true;
}

int delta_sort(struct delta_fill *fill, size_t first)
{
    size_t len = fill->delta.pieces_len - first;
    struct piece *pieces = len > 0 ? fill->delta.pieces + first : NULL;
    if (is_sorted(pieces, len))
        return 0;
    if (len > fill->spare_cap) {
        struct piece *spare = heap_resize(fill->spare, fill->delta.pieces_cap * sizeof(*spare));
        if (spare == NULL)
            return REIN_ENOMEM;
        fill->spare = spare;
        fill->spare_cap = fill->delta.pieces_cap;
    }
    size_t filled = 0;
    for (unsigned channel = 0; channel < REIN_CHANNELS; channel++)
        for (size_t i = 0; i < len; i++)
            if (pieces[i].place.channel == channel)
                fill->spare[filled++] = pieces[i];
    assert(filled == len);
    memcpy(pieces, fill->spare, len * sizeof(*pieces));
    return 0;
}

/* Empties the delta, but keeps its memory. */
static void clear(struct delta *d)
{
    *d = (struct delta){.pieces = d->pieces,
                        .pieces_cap = d->pieces_cap,
                        .choices = d->choices,
                        .choices_cap = d->choices_cap,
                        .prompt_tokens = -1,
                        .completion_tokens = -1,
                        .reasoning_tokens = -1};
}

/* Reads a payload from its first byte to its last. */
static int walk_payload(struct delta_reader *r, struct span payload, bool body)
{
    struct delta_fill *fill = &r->fill;
    clear(&fill->delta);
    fill->body = body;
    fill->pieces_max = body ? DELTA_BODY_PIECES_MAX : DELTA_PIECES_MAX;
    walk_init(&fill->walk, payload, DELTA_DEPTH_MAX);
    int rv = r->dialect->read(fill);
    return rv == 0 ? walk_finish(&fill->walk) : rv;
}

int delta_read(struct delta_reader *r, struct span payload, bool body, const struct delta **out)
{
    if (payload.len > UINT32_MAX)
        return REIN_EFORMAT;
    const struct delta *known = body ? NULL : event_templates_find(&r->stencils, payload);
    int rv = 0;
    if (known == NULL) {
        rv = walk_payload(r, payload, body);
        if (rv == 0 && !body)
            event_templates_learn(&r->stencils, payload, &r->fill.delta);
        known = &r->fill.delta;
    }
    if (rv == 0)
        *out = known;
    return rv;
}
