/* Events of the upstream when they go out: what the client is told next, and in which order and number.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing is changed in the usual case: the events of one attempt, complete and numbered from its beginning. Numbers
 * change behind events that Rein said or left out; items get other numbers after a restart; what an upstream leaves out
 * (numbers, the announcement of a part, the output of a response) is added. */
#include <inttypes.h>
#include <stdio.h>

#include "dialect/openai_responses/say.h"
#include "dialect/openai_responses/write.h"

/* ---- fixes ------------------------------------------------------------------------------------------------------- */

static void add_fix(struct dialect_passing *p, struct range raw, struct span text)
{
    assert(p->fixes_len < DIALECT_FIXES_MAX);
    p->fixes[p->fixes_len++] = (struct dialect_fix){raw, text};
}

/* A part of p->room. */
struct fix_room {
    size_t used;
};

/* `before` and the number. */
static struct span put_room(struct dialect_passing *p, struct fix_room *room, const char *before, int64_t number)
{
    size_t cap = sizeof p->room - room->used;
    int len = snprintf(p->room + room->used, cap, "%s%" PRId64, before, number);
    assert(len >= 0 && (size_t)len < cap);
    struct span text = {p->room + room->used, (size_t)len};
    room->used += (size_t)len;
    return text;
}

/* The number that is written there; -1: a larger one than Rein counts. */
static int64_t number_at(const struct dialect_passing *p, struct range at)
{
    int64_t number = 0;
    if (at.len > 15)
        return -1;
    for (uint32_t i = 0; i < at.len; i++)
        number = number * 10 + (p->payload.data[at.at + i] - '0');
    return number;
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

static struct open_item *find_open(struct responses_state *s, uint32_t index)
{
    for (unsigned i = s->open_len; i > 0; i--)
        if (s->open[i - 1].index == index)
            return &s->open[i - 1];
    return NULL;
}

static void forget_open(struct responses_state *s, struct open_item *item)
{
    size_t at = (size_t)(item - s->open);
    memmove(item, item + 1, (s->open_len - at - 1) * sizeof *item);
    s->open_len--;
}

static void open_item(struct responses_state *s, const struct dialect_passing *p, uint32_t index)
{
    struct range id = p->note->at[AT_ID];
    struct open_item *known = find_open(s, index);
    if (known != NULL)
        forget_open(s, known);
    if (s->open_len == OPEN_MAX)
        forget_open(s, s->open);
    struct open_item *item = &s->open[s->open_len++];
    *item = (struct open_item){.outer = p->note->outer, .index = index, .type = p->note->part};
    if (id.len < ITEM_ID_MAX && id.len > 0 && !p->is_patched) {
        item->id_len = (uint8_t)id.len;
        memcpy(item->id, p->payload.data + id.at, id.len);
    } else { /* nothing of it may be repeated, or it is too long */
        item->id_len = (uint8_t)snprintf(item->id, sizeof item->id, "item_rein_%u", index);
    }
}

/* Parts beyond the 64th are not kept account of. */
static uint64_t bit_of(uint16_t inner)
{
    return inner < 64 ? UINT64_C(1) << inner : 0;
}

static void open_part(struct open_item *item, enum responses_field field, uint64_t bit)
{
    if (field == RESPONSES_SUMMARY) {
        item->summary |= bit;
        item->open_summary |= bit;
        return;
    }
    item->content |= bit;
    item->open_content |= bit;
    item->refusals |= field == RESPONSES_REFUSAL ? bit : 0;
}

static void close_part(struct open_item *item, enum responses_field field, uint64_t bit)
{
    *(field == RESPONSES_SUMMARY ? &item->open_summary : &item->open_content) &= ~bit;
}

/* A text goes on in a part that was not announced: clients have no place for it. */
static int announce(struct dialect_passing *p, struct responses_state *s, struct open_item *item,
                    enum responses_field field)
{
    uint64_t bit = bit_of(p->note->inner);
    uint64_t known = field == RESPONSES_SUMMARY ? item->summary : item->content;
    if (bit == 0 || (known & bit) != 0)
        return 0;
    struct writer w = writer_begin(p->before);
    say_part_added(&w, s, item, field, p->note->inner);
    open_part(item, field, bit);
    return writer_end(&w);
}

static int pass_part(struct dialect_passing *p, struct responses_state *s, uint32_t index)
{
    struct open_item *item = find_open(s, index);
    enum responses_field field = (enum responses_field)(p->note->part & ~RESPONSES_LACKS_INNER);
    uint64_t bit = bit_of(p->note->inner);
    if (item == NULL || !responses_is_part(field))
        return 0;
    if (p->note->kind == RESPONSES_PART_ADDED)
        open_part(item, field, bit);
    else if (p->note->kind == RESPONSES_PART_DONE)
        close_part(item, field, bit);
    else
        return announce(p, s, item, field);
    return 0;
}

static int pass_item(struct dialect_passing *p, struct responses_state *s, uint32_t index)
{
    s->next = index >= s->next ? index + 1 : s->next;
    if (p->note->kind == RESPONSES_ITEM_ADDED) {
        open_item(s, p, index);
        return 0;
    }
    struct open_item *item = find_open(s, index);
    if (item != NULL)
        forget_open(s, item);
    p->keep = p->note->at[AT_OBJECT];
    p->keep_as = index;
    return 0;
}

/* ---- response objects -------------------------------------------------------------------------------------------- */

/* The items of earlier attempts, before those that the upstream repeats; or all items, if it repeats none. */
static int write_missing_output(struct dialect_passing *p, struct responses_state *s)
{
    const struct event_note *note = p->note;
    struct range at = note->at[AT_OBJECT];
    bool has_output = (note->part & RESPONSES_HAS_OUTPUT) != 0, is_last = note->kind == RESPONSES_END;
    if (at.at == 0 || (has_output && (!is_last || s->first == 0)))
        return 0;
    struct dialect_memory *memory = p->memory;
    bytes_clear(&memory->room);
    struct writer w = writer_begin(&memory->room);
    struct span item;
    size_t at_entry = 0;
    uint32_t index;
    unsigned written = 0;
    write_json(&w, has_output ? "" : ",\"output\":[");
    while (is_last && memory_next(memory, &at_entry, &index, &item)) {
        if (has_output && index >= s->first)
            continue;
        write_json(&w, written++ > 0 ? "," : "");
        write_raw(&w, item);
    }
    write_json(&w, !has_output ? "]" : written > 0 && !(note->part & RESPONSES_OUTPUT_IS_EMPTY) ? "," : "");
    int rv = writer_end(&w);
    if (rv == 0 && bytes_len(&memory->room) > 0)
        add_fix(p, at, bytes_span(&memory->room));
    return rv;
}

static int pass_response(struct dialect_passing *p, struct responses_state *s)
{
    enum responses_kind kind = (enum responses_kind)p->note->kind;
    if (p->is_restarted && s->has_begun && kind != RESPONSES_END) {
        p->way = DIALECT_DROPPED; /* the client has a response already */
        return 0;
    }
    s->has_begun = true;
    struct range instructions = p->note->at[AT_SPECIAL];
    if (p->hides_request && instructions.len > 0)
        add_fix(p, instructions, SPAN("null"));
    return write_missing_output(p, s);
}

/* A body that was cut says so. */
static int pass_body(struct dialect_passing *p)
{
    struct range status = p->note->at[AT_OUTER], details = p->note->at[AT_ID], said = p->note->at[AT_SPECIAL];
    if (p->hides_request && said.len > 0)
        add_fix(p, said, SPAN("null"));
    if (!p->is_late || !responses_is_incomplete(p->reason))
        return 0;
    if (status.len > 0)
        add_fix(p, status, SPAN("\"incomplete\""));
    int len = snprintf(p->room, sizeof p->room, "{\"reason\":\"%s\"}", p->reason); /* one of the policy's words */
    if (details.len > 0)
        add_fix(p, details, (struct span){p->room, (size_t)len});
    return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* What every event says: its own number, and that of its item. What is missing goes before its last brace. */
static void put_numbers(struct dialect_passing *p, struct responses_state *s, struct fix_room *room, uint32_t index)
{
    const struct event_note *note = p->note;
    struct range outer = note->at[AT_OUTER];
    size_t tail = room->used;
    bool has_item = note->kind >= RESPONSES_ITEM_ADDED && note->kind <= RESPONSES_DONE;
    if (outer.len == 0 && has_item)
        (void)put_room(p, room, ",\"output_index\":", index);
    if (note->part & RESPONSES_LACKS_INNER && has_item)
        (void)put_room(p, room,
                       (note->part & ~RESPONSES_LACKS_INNER) == RESPONSES_SUMMARY ? ",\"summary_index\":"
                                                                                  : ",\"content_index\":",
                       note->inner);
    if (note->count.len == 0)
        (void)put_room(p, room, ",\"sequence_number\":", s->number);
    if (room->used > tail)
        add_fix(p, note->at[AT_TAIL], (struct span){p->room + tail, room->used - tail});
    if (outer.len > 0 && s->first > 0)
        add_fix(p, outer, put_room(p, room, "", index));
    if (note->count.len > 0 && number_at(p, note->count) != s->number)
        add_fix(p, note->count, put_room(p, room, "", s->number));
    s->number++;
}

int responses_pass(struct dialect_passing *p)
{
    struct responses_state *s = p->state;
    const struct event_note *note = p->note;
    struct fix_room room = {0};
    uint32_t index = s->first + note->outer;
    int rv = 0;
    assert(responses_state_is_sound(s));
    if (p->is_body)
        return pass_body(p);
    if (!s->is_numbered && note->count.len > 0 && number_at(p, note->count) >= 0)
        s->number = number_at(p, note->count);
    if (note->kind == RESPONSES_ITEM_ADDED || note->kind == RESPONSES_ITEM_DONE)
        rv = pass_item(p, s, index);
    else if (note->kind >= RESPONSES_PART_ADDED && note->kind <= RESPONSES_DONE)
        rv = pass_part(p, s, index);
    else if (note->kind == RESPONSES_BEGIN || note->kind == RESPONSES_GOING || note->kind == RESPONSES_END)
        rv = pass_response(p, s);
    if (rv != 0 || p->way == DIALECT_DROPPED)
        return rv;
    if (note->kind != RESPONSES_BEGIN && note->kind != RESPONSES_GOING && note->kind != RESPONSES_END &&
        note->at[AT_SPECIAL].len > 0) {
        add_fix(p, note->at[AT_SPECIAL],
                note->kind == RESPONSES_PART_DONE ? SPAN("response.content_part.done")
                                                  : SPAN("response.content_part.added"));
        p->is_reframed = true;
    }
    put_numbers(p, s, &room, index);
    s->is_numbered = true;
    assert(responses_state_is_sound(s));
    return 0;
}
