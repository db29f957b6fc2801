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
#include "json/number.h"

struct event_reader {
    const struct dialect *dialect;
    struct event_fill fill;
    struct event_templates stencils;
};

int event_reader_new(struct event_reader **out, const struct dialect *dialect, void *state)
{
    struct event_reader *r = heap_new(1, sizeof(*r));
    if (r == NULL)
        return REIN_ENOMEM;
    r->dialect = dialect;
    r->fill.state = state;
    r->fill.event.pieces = r->fill.first_pieces;
    r->fill.event.pieces_cap = EVENT_FIRST_PIECES;
    r->fill.event.parts = r->fill.first_parts;
    r->fill.event.parts_cap = EVENT_FIRST_PARTS;
    *out = r;
    return 0;
}

void event_reader_free(struct event_reader *r)
{
    if (r == NULL)
        return;
    heap_free_outgrown(r->fill.event.pieces, r->fill.first_pieces);
    heap_free_outgrown(r->fill.event.parts, r->fill.first_parts);
    heap_free(r->fill.spare);
    event_templates_fini(&r->stencils);
    heap_free(r);
}

/* Makes room for twice as many pieces. */
static int more_pieces(struct event_fill *fill)
{
    struct event *event = &fill->event;
    size_t cap = event->pieces_cap * 2;
    struct piece *more =
        heap_outgrow(event->pieces, fill->first_pieces, event->pieces_len * sizeof(*more), cap * sizeof(*more));
    if (more == NULL)
        return REIN_ENOMEM;
    event->pieces = more;
    event->pieces_cap = cap;
    return 0;
}

int event_add(struct event_fill *fill, struct place place, struct range inside)
{
    struct event *event = &fill->event;
    if (event->pieces_len == EVENT_PIECES_MAX)
        return REIN_EFORMAT;
    int rv = event->pieces_len == event->pieces_cap ? more_pieces(fill) : 0;
    if (rv == 0)
        event->pieces[event->pieces_len++] = (struct piece){.place = place, .at = inside.at, .len = inside.len};
    return rv;
}

struct event_part *event_add_part(struct event_fill *fill, int *rv)
{
    struct event *event = &fill->event;
    *rv = REIN_EFORMAT;
    if (event->parts_len == EVENT_PARTS_MAX)
        return NULL;
    if (event->parts_len == event->parts_cap) {
        size_t cap = event->parts_cap * 2;
        struct event_part *more =
            heap_outgrow(event->parts, fill->first_parts, event->parts_len * sizeof(*more), cap * sizeof(*more));
        *rv = REIN_ENOMEM;
        if (more == NULL)
            return NULL;
        event->parts = more;
        event->parts_cap = cap;
    }
    *rv = 0;
    struct event_part *part = &event->parts[event->parts_len++];
    *part = (struct event_part){0};
    return part;
}

int event_add_string(struct event_fill *fill, struct place place)
{
    struct range inside;
    int rv = walk_string(&fill->walk, &inside);
    return rv == 0 ? event_add(fill, place, inside) : rv;
}

struct span event_key(const struct event_fill *fill, struct range key, char room[EVENT_KEY_MAX])
{
    struct span raw = event_span(fill, key);
    if (raw.len + 3 > EVENT_KEY_MAX || memchr(raw.data, '\\', raw.len) == NULL)
        return raw;
    uint16_t half = 0;
    return (struct span){room, json_unescape(raw, &half, room)};
}

static int add_key(struct event_fill *fill, struct place place, struct range key, enum vocabulary_kind *kind)
{
    char room[EVENT_KEY_MAX];
    *kind = vocabulary_look(event_key(fill, key, room));
    place.kind = PIECE_WHOLE;
    place.is_key = true;
    return *kind == VOCABULARY_NONE ? event_add(fill, place, key) : 0;
}

int event_add_key(struct event_fill *fill, struct place place, struct range key)
{
    enum vocabulary_kind kind;
    return add_key(fill, place, key, &kind);
}

int event_add_member(struct event_fill *fill, struct place place, struct range key)
{
    enum vocabulary_kind kind;
    int rv = add_key(fill, place, key, &kind);
    place.numeric |= kind == VOCABULARY_NUMERIC && place.channel != REIN_TOOL;
    return rv == 0 ? event_add_all(fill, place) : rv;
}

static int add_members(struct event_fill *fill, struct place place)
{
    struct json_list list = {0};
    int rv;
    while ((rv = walk_next(&fill->walk, &list, '{')) > 0) {
        struct range key;
        rv = walk_key(&fill->walk, &list, &key);
        if (rv == 0)
            rv = event_add_member(fill, place, key);
        if (rv != 0)
            return rv;
    }
    return rv;
}

/* What is neither string nor list. Only numbers say something. */
static int add_scalar(struct event_fill *fill, struct place place)
{
    char c = walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    int rv = walk_scalar(&fill->walk);
    if (rv != 0 || place.numeric || (c != '-' && (c < '0' || c > '9')))
        return rv;
    place.is_number = true;
    return event_add(fill, place, (struct range){at, walk_offset(&fill->walk) - at});
}

/* The whole number that the text spells; -1: none, or a very large one. */
static int64_t index_in(struct span text, bool is_number)
{
    char plain[NUMBER_PLAIN_MAX];
    int64_t value = 0;
    if (is_number && number_is_real(text))
        text = (struct span){plain, number_plain(text, plain)};
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || value > INT32_MAX)
            return -1;
        value = value * 10 + (text.data[i] - '0');
    }
    return value;
}

int event_add_index(struct event_fill *fill, struct place place, int64_t *index)
{
    char c = walk_peek(&fill->walk);
    bool is_string = c == '"', is_number = c == '-' || (c >= '0' && c <= '9');
    struct range at = {walk_offset(&fill->walk), 0};
    place.kind = PIECE_WHOLE;
    place.numeric = true;
    if (!is_string && !is_number)
        return event_add_all(fill, place);
    int rv = is_string ? walk_string(&fill->walk, &at) : walk_scalar(&fill->walk);
    if (rv != 0)
        return rv;
    if (!is_string)
        at.len = walk_offset(&fill->walk) - at.at;
    int64_t value = index_in(event_span(fill, at), is_number);
    if (value >= 0 && at.len > 0)
        *index = value;
    return is_string && (value < 0 || at.len == 0) ? event_add(fill, place, at) : 0;
}

/* Recursion ends at the walk's greatest depth. */
int event_add_all(struct event_fill *fill, struct place place)
{
    place.kind = PIECE_WHOLE;
    switch (walk_peek(&fill->walk)) {
    case '"':
        return event_add_string(fill, place);
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
        rv = event_add_all(fill, place);
        if (rv != 0)
            return rv;
    }
    return rv;
}

int event_add_object(struct event_fill *fill, struct place place)
{
    size_t before = fill->event.pieces_len;
    uint32_t at = (walk_skip_space(&fill->walk), walk_offset(&fill->walk));
    int rv = event_add_all(fill, place); /* reads it; its strings and numbers are parts of the text */
    if (rv != 0 || fill->event.pieces_len == before)
        return rv;
    fill->event.pieces_len = before;
    place.is_bare = place.ends = true;
    return event_add(fill, place, (struct range){at, walk_offset(&fill->walk) - at});
}

static bool is_sorted(const struct piece *pieces, size_t len)
{
    for (size_t i = 1; i < len; i++)
        if (pieces[i].place.channel < pieces[i - 1].place.channel)
            return false;
    return true;
}

int event_sort(struct event_fill *fill, size_t first)
{
    size_t len = fill->event.pieces_len - first;
    struct piece *pieces = len > 0 ? fill->event.pieces + first : NULL;
    if (is_sorted(pieces, len))
        return 0;
    if (len > fill->spare_cap) {
        struct piece *spare = heap_resize(fill->spare, fill->event.pieces_cap * sizeof(*spare));
        if (spare == NULL)
            return REIN_ENOMEM;
        fill->spare = spare;
        fill->spare_cap = fill->event.pieces_cap;
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

/* Empties the event, but keeps its memory. */
static void clear(struct event *event)
{
    *event = (struct event){.pieces = event->pieces,
                            .pieces_cap = event->pieces_cap,
                            .parts = event->parts,
                            .parts_cap = event->parts_cap,
                            .prompt_tokens = -1,
                            .completion_tokens = -1,
                            .reasoning_tokens = -1};
}

/* Reads a payload from its first byte to its last. */
static int walk_payload(struct event_reader *r, struct span payload, bool body)
{
    struct event_fill *fill = &r->fill;
    clear(&fill->event);
    fill->body = body;
    walk_init(&fill->walk, payload, EVENT_DEPTH_MAX);
    int rv = r->dialect->read(fill);
    return rv == 0 ? walk_finish(&fill->walk) : rv;
}

int event_read(struct event_reader *r, struct span payload, bool body, const struct event **out)
{
    if (payload.len > UINT32_MAX)
        return REIN_EFORMAT;
    const struct event *known = body ? NULL : event_templates_find(&r->stencils, payload);
    int rv = 0;
    if (known == NULL) {
        rv = walk_payload(r, payload, body);
        if (rv == 0 && !body)
            event_templates_learn(&r->stencils, payload, &r->fill.event);
        known = &r->fill.event;
    }
    if (rv == 0)
        *out = known;
    return rv;
}
