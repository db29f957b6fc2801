/* Events of OpenAI's Responses, and the response objects in them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The type of an event says what its text is. Most of what an event says is read without a state, so that known shapes
 * of events need no reading; only an upstream that does not number its items needs one. */
#include "dialect/openai_responses/read.h"

#include "dialect/openai_responses/reading.h"
#include "dialect/openai_responses/state.h"

/* ---- what types mean --------------------------------------------------------------------------------------------- */

struct event_type {
    struct span name; /* behind "response." */
    enum responses_kind kind;
    enum responses_field field;
    bool is_odd; /* clients do not know it: it goes out as content_part */
};

/* clang-format off */
#define TYPE(name, kind, field) {{(name), sizeof(name) - 1}, RESPONSES_##kind, RESPONSES_##field, false}
static const struct event_type types[] = {
    TYPE("output_text.delta", DELTA, TEXT),
    TYPE("reasoning_text.delta", DELTA, REASONING),
    TYPE("reasoning_summary_text.delta", DELTA, SUMMARY),
    TYPE("function_call_arguments.delta", DELTA, ARGUMENTS),
    TYPE("refusal.delta", DELTA, REFUSAL),
    TYPE("custom_tool_call_input.delta", DELTA, INPUT),
    TYPE("mcp_call_arguments.delta", DELTA, ARGUMENTS),
    TYPE("code_interpreter_call_code.delta", DELTA, CODE),
    TYPE("apply_patch_call_operation_diff.delta", DELTA, CODE),
    TYPE("audio.transcript.delta", DELTA, SPOKEN),
    TYPE("output_text.done", DONE, TEXT),
    TYPE("reasoning_text.done", DONE, REASONING),
    TYPE("reasoning_summary_text.done", DONE, SUMMARY),
    TYPE("function_call_arguments.done", DONE, ARGUMENTS),
    TYPE("refusal.done", DONE, REFUSAL),
    TYPE("custom_tool_call_input.done", DONE, INPUT),
    TYPE("mcp_call_arguments.done", DONE, ARGUMENTS),
    TYPE("code_interpreter_call_code.done", DONE, CODE),
    TYPE("apply_patch_call_operation_diff.done", DONE, CODE),
    TYPE("audio.transcript.done", DONE, SPOKEN),
    TYPE("output_item.added", ITEM_ADDED, OTHER),
    TYPE("output_item.done", ITEM_DONE, OTHER),
    TYPE("content_part.added", PART_ADDED, TEXT),
    TYPE("content_part.done", PART_DONE, TEXT),
    {{"reasoning_part.added", 20}, RESPONSES_PART_ADDED, RESPONSES_REASONING, true},
    {{"reasoning_part.done", 19}, RESPONSES_PART_DONE, RESPONSES_REASONING, true},
    TYPE("reasoning_summary_part.added", PART_ADDED, SUMMARY),
    TYPE("reasoning_summary_part.done", PART_DONE, SUMMARY),
    TYPE("created", BEGIN, OTHER),
    TYPE("queued", GOING, OTHER),
    TYPE("in_progress", GOING, OTHER),
    TYPE("completed", END, OTHER),
    TYPE("incomplete", END, OTHER),
    TYPE("failed", END, OTHER),
    TYPE("output_text.annotation.added", ANY, OTHER),
};
#undef TYPE
/* clang-format on */

static bool span_has(struct span s, struct span part)
{
    return s.len >= part.len && memmem(s.data, s.len, part.data, part.len) != NULL;
}

/* A type that is not known: what it says is text of the answer, unless its name says something else. */
static void take_unknown_type(struct event_facts *facts, struct span type)
{
    struct span delta = SPAN(".delta");
    bool is_delta = type.len > delta.len && memcmp(type.data + type.len - delta.len, delta.data, delta.len) == 0;
    facts->kind = is_delta ? RESPONSES_DELTA : RESPONSES_ANY;
    facts->field = span_has(type, SPAN("reasoning")) ? RESPONSES_REASONING
                   : span_has(type, SPAN("_call"))   ? RESPONSES_CODE
                                                     : RESPONSES_SPOKEN;
}

static int read_type(struct event_fill *fill, struct reading *r)
{
    struct event_facts *facts = r->facts;
    struct span prefix = SPAN("response.");
    char room[EVENT_KEY_MAX];
    if (walk_peek(&fill->walk) != '"')
        return read_any(fill, r);
    int rv = walk_string(&fill->walk, &facts->type);
    struct span type = event_key(fill, facts->type, room);
    if (rv != 0 || span_is(type, SPAN("error"))) {
        facts->kind = RESPONSES_ERROR;
        return rv;
    }
    bool is_plain = type.len > prefix.len && memcmp(type.data, prefix.data, prefix.len) == 0;
    struct span name = {type.data + prefix.len, is_plain ? type.len - prefix.len : 0};
    for (size_t i = 0; i < READ_COUNT(types) && is_plain; i++) {
        if (!span_is(types[i].name, name))
            continue;
        facts->kind = types[i].kind;
        facts->field = types[i].field;
        facts->is_odd_part = types[i].is_odd;
        facts->has_error |= span_is(name, SPAN("failed"));
        return 0;
    }
    take_unknown_type(facts, type);
    struct place place = responses_place(RESPONSES_OTHER, 0, 0);
    place.kind = PIECE_WHOLE;
    return event_add(fill, place, facts->type);
}

/* ---- response objects -------------------------------------------------------------------------------------------- */

enum { INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS };

static int read_tokens(struct event_fill *fill, struct reading *r, int64_t *count)
{
    int64_t value;
    struct range at;
    int rv = read_count(fill, r, &value, &at);
    if (rv == 0 && value >= 0)
        *count = value;
    return rv;
}

static int read_input_tokens(struct event_fill *fill, struct reading *r)
{
    return read_tokens(fill, r, &fill->event.prompt_tokens);
}

static int read_output_tokens(struct event_fill *fill, struct reading *r)
{
    return read_tokens(fill, r, &fill->event.completion_tokens);
}

static int read_reasoning_tokens(struct event_fill *fill, struct reading *r)
{
    return read_tokens(fill, r, &fill->event.reasoning_tokens);
}

static const struct read_member details_members[] = {READ_MEMBER("reasoning_tokens", read_reasoning_tokens)};

static int read_details(struct event_fill *fill, struct reading *r)
{
    struct reading inside = read_inside(r);
    return read_members(fill, details_members, READ_COUNT(details_members), &inside);
}

static const struct read_member usage_members[] = {
    READ_MEMBER("input_tokens", read_input_tokens),
    READ_MEMBER("output_tokens", read_output_tokens),
    READ_MEMBER("total_tokens", read_numeric),
    READ_MEMBER("output_tokens_details", read_details),
};

static int read_usage(struct event_fill *fill, struct reading *r)
{
    struct reading inside = read_inside(r);
    if (walk_peek(&fill->walk) != '{')
        return read_numeric(fill, r);
    return read_members(fill, usage_members, READ_COUNT(usage_members), &inside);
}

static int read_output(struct event_fill *fill, struct reading *r)
{
    struct json_list list = {0};
    int rv;
    if (walk_peek(&fill->walk) != '[')
        return read_any(fill, r);
    struct event_note *note = &fill->event.note;
    note->at[AT_OBJECT] = (struct range){walk_offset(&fill->walk) + 1, 0};
    note->part = RESPONSES_HAS_OUTPUT | RESPONSES_OUTPUT_IS_EMPTY;
    for (uint32_t outer = 0; (rv = walk_next(&fill->walk, &list, '[')) > 0; outer++) {
        struct reading item = read_inside(r);
        item.outer = outer;
        note->part = RESPONSES_HAS_OUTPUT;
        if (outer >= RESPONSES_OUTER_MAX)
            return REIN_EFORMAT;
        rv = read_item(fill, &item);
        if (rv != 0)
            return rv;
    }
    return rv;
}

static int read_response_id(struct event_fill *fill, struct reading *r)
{
    uint32_t at = walk_peek(&fill->walk) == '"' ? walk_offset(&fill->walk) : UINT32_MAX;
    int rv = read_numeric(fill, r);
    if (rv == 0 && at != UINT32_MAX)
        fill->event.id = (struct range){at, walk_offset(&fill->walk) - at};
    return rv;
}

static int read_error(struct event_fill *fill, struct reading *r)
{
    r->facts->has_error |= walk_peek(&fill->walk) != 'n';
    return read_any(fill, r);
}

/* Values that may be changed when the answer is cut, or because they repeat what Rein added to the request. */
static int read_noted(struct event_fill *fill, struct reading *r, int which)
{
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    struct range inside = {0};
    int rv = which == AT_OUTER ? read_word(fill, r, &inside) : read_any(fill, r);
    fill->event.note.at[which] = (struct range){at, walk_offset(&fill->walk) - at};
    return rv;
}

static int read_status(struct event_fill *fill, struct reading *r)
{
    struct range inside;
    return fill->body ? read_noted(fill, r, AT_OUTER) : read_word(fill, r, &inside);
}

static int read_incomplete(struct event_fill *fill, struct reading *r)
{
    return fill->body ? read_noted(fill, r, AT_ID) : read_any(fill, r);
}

static int read_instructions(struct event_fill *fill, struct reading *r)
{
    return read_noted(fill, r, AT_SPECIAL);
}

static int read_joined(struct event_fill *fill, struct reading *r)
{
    struct reading joined = read_inside(r);
    joined.outer = joined.inner = 0;
    return read_text_of(fill, &joined, RESPONSES_JOINED);
}

static int read_object_word(struct event_fill *fill, struct reading *r)
{
    struct range inside;
    return read_word(fill, r, &inside);
}

static const struct read_member response_members[] = {
    READ_MEMBER("id", read_response_id),
    READ_MEMBER("object", read_object_word),
    READ_MEMBER("status", read_status),
    READ_MEMBER("output", read_output),
    READ_MEMBER("usage", read_usage),
    READ_MEMBER("error", read_error),
    READ_MEMBER("incomplete_details", read_incomplete),
    READ_MEMBER("instructions", read_instructions),
    READ_MEMBER("output_text", read_joined),
    READ_MEMBER("created_at", read_numeric),
    READ_MEMBER("completed_at", read_numeric),
    READ_MEMBER("temperature", read_numeric),
    READ_MEMBER("top_p", read_numeric),
};

/* It repeats the request, whose tools may have many strings. */
static int read_response(struct event_fill *fill, struct reading *r)
{
    struct reading inside = read_inside(r);
    struct event_note *note = &fill->event.note;
    int rv = read_members(fill, response_members, READ_COUNT(response_members), &inside);
    if (rv == 0 && !(note->part & RESPONSES_HAS_OUTPUT) && fill->walk.at[-1] == '}')
        note->at[AT_OBJECT] = (struct range){walk_offset(&fill->walk) - 1, 0};
    return rv;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* A string that is the event's own text, if its type is one that has it there. */
static int read_own(struct event_fill *fill, struct reading *r, enum own_member member)
{
    bool is_text = walk_peek(&fill->walk) == '"';
    int rv = read_any(fill, r);
    if (is_text)
        r->facts->own[member] = fill->event.pieces_len;
    return rv;
}

static int read_delta(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_DELTA);
}

static int read_own_text(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_TEXT);
}

static int read_own_refusal(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_REFUSAL);
}

static int read_own_arguments(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_ARGUMENTS);
}

static int read_own_input(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_INPUT);
}

static int read_own_code(struct event_fill *fill, struct reading *r)
{
    return read_own(fill, r, OWN_CODE);
}

static int read_nested(struct event_fill *fill, struct reading *r, bool is_item)
{
    struct event_facts *facts = r->facts;
    struct reading inside = read_inside(r);
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    inside.field = facts->field;
    facts->nested_from = fill->event.pieces_len;
    int rv = is_item ? read_item(fill, &inside) : read_part(fill, &inside);
    facts->nested_to = fill->event.pieces_len;
    fill->event.note.at[AT_OBJECT] = (struct range){at, walk_offset(&fill->walk) - at};
    fill->event.note.part = is_item ? inside.item : (uint8_t)inside.field;
    if (is_item && inside.id.len > 0)
        facts->id = inside.id;
    return rv;
}

static int read_event_item(struct event_fill *fill, struct reading *r)
{
    return read_nested(fill, r, true);
}

static int read_event_part(struct event_fill *fill, struct reading *r)
{
    return read_nested(fill, r, false);
}

static int read_outer(struct event_fill *fill, struct reading *r)
{
    int rv = read_count(fill, r, &r->facts->outer, &fill->event.note.at[AT_OUTER]);
    return rv == 0 && r->facts->outer >= RESPONSES_OUTER_MAX ? REIN_EFORMAT : rv;
}

static int read_inner(struct event_fill *fill, struct reading *r)
{
    int64_t value;
    struct range at;
    int rv = read_count(fill, r, &value, &at);
    if (rv != 0 || value >= RESPONSES_INNER_MAX)
        return rv != 0 ? rv : REIN_EFORMAT;
    r->facts->inner = value >= 0 ? value : r->facts->inner;
    return 0;
}

static int read_event_number(struct event_fill *fill, struct reading *r)
{
    int64_t value;
    struct range at;
    int rv = read_count(fill, r, &value, &at);
    for (uint32_t i = 0; i < at.len && rv == 0; i++)
        if (fill->walk.start[at.at + i] < '0' || fill->walk.start[at.at + i] > '9')
            return 0; /* it cannot be counted on */
    fill->event.note.count = at;
    return rv;
}

static int read_event_id(struct event_fill *fill, struct reading *r)
{
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    int rv = read_numeric(fill, r);
    if (rv == 0 && fill->walk.start[at] == '"')
        r->facts->id = (struct range){at + 1, walk_offset(&fill->walk) - at - 2};
    return rv;
}

static int read_noise(struct event_fill *fill, struct reading *r)
{
    struct place place = responses_place(RESPONSES_OTHER, 0, 0);
    (void)r;
    place.is_noise = true;
    return event_add_all(fill, place);
}

static const struct read_member event_members[] = {
    READ_MEMBER("type", read_type),
    READ_MEMBER("sequence_number", read_event_number),
    READ_MEMBER("output_index", read_outer),
    READ_MEMBER("content_index", read_inner),
    READ_MEMBER("summary_index", read_inner),
    READ_MEMBER("item_id", read_event_id),
    READ_MEMBER("delta", read_delta),
    READ_MEMBER("text", read_own_text),
    READ_MEMBER("arguments", read_own_arguments),
    READ_MEMBER("input", read_own_input),
    READ_MEMBER("refusal", read_own_refusal),
    READ_MEMBER("code", read_own_code),
    READ_MEMBER("diff", read_own_code),
    READ_MEMBER("transcript", read_own_text),
    READ_MEMBER("item", read_event_item),
    READ_MEMBER("part", read_event_part),
    READ_MEMBER("response", read_response),
    READ_MEMBER("error", read_error),
    READ_MEMBER("logprobs", read_spelled),
    READ_MEMBER("obfuscation", read_noise),
};

/* FNV-1a */
static uint32_t digest(struct span s)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.data[i]) * 16777619u;
    return hash;
}

/* The number of an item, for an upstream that tells items apart by their ids alone. */
static int64_t number_of_item(struct responses_state *s, struct span id, bool is_new)
{
    uint32_t hash = digest(id);
    for (unsigned i = 0; i < s->named_len; i++)
        if (s->named[i] == hash)
            return i;
    if (is_new && s->named_len < NAMED_MAX)
        s->named[s->named_len++] = hash;
    return s->named_len > 0 ? s->named_len - 1 : 0;
}

/* Gives the event's texts their numbers. */
static void settle_texts(struct event_fill *fill, const struct event_facts *facts)
{
    struct event *event = &fill->event;
    bool is_part = facts->kind == RESPONSES_PART_ADDED || facts->kind == RESPONSES_PART_DONE;
    uint32_t outer = facts->outer > 0 ? (uint32_t)facts->outer : 0,
             inner = facts->inner > 0 ? (uint32_t)facts->inner : 0;
    for (size_t i = facts->nested_from; i < facts->nested_to; i++)
        if (event->pieces[i].place.kind != PIECE_WHOLE)
            event->pieces[i].place.text |= responses_text(RESPONSES_OTHER, outer, is_part ? inner : 0);
    static const uint8_t members[RESPONSES_FIELDS] = {
        [RESPONSES_TEXT] = OWN_TEXT,           [RESPONSES_REFUSAL] = OWN_REFUSAL, [RESPONSES_REASONING] = OWN_TEXT,
        [RESPONSES_SUMMARY] = OWN_TEXT,        [RESPONSES_INPUT] = OWN_INPUT,     [RESPONSES_CODE] = OWN_CODE,
        [RESPONSES_ARGUMENTS] = OWN_ARGUMENTS, [RESPONSES_SPOKEN] = OWN_TEXT};
    size_t own = facts->kind == RESPONSES_DELTA  ? facts->own[OWN_DELTA]
                 : facts->kind == RESPONSES_DONE ? facts->own[members[facts->field]]
                                                 : 0;
    if (own == 0)
        return;
    struct place *place = &event->pieces[own - 1].place;
    *place = responses_place(facts->field, outer, inner);
    place->kind = facts->kind == RESPONSES_DELTA ? PIECE_STREAM : PIECE_ECHO;
    place->ends = facts->kind == RESPONSES_DONE;
}

/* What the event needs when it goes out. */
static void settle_note(struct event_fill *fill, const struct event_facts *facts)
{
    struct event_note *note = &fill->event.note;
    enum responses_kind kind = facts->kind;
    note->kind = kind;
    note->outer = facts->outer > 0 ? (uint16_t)facts->outer : 0;
    note->inner = facts->inner > 0 ? (uint16_t)facts->inner : 0;
    if (kind == RESPONSES_DELTA || kind == RESPONSES_DONE)
        note->part = (uint8_t)facts->field;
    bool has_parts = kind >= RESPONSES_PART_ADDED && kind <= RESPONSES_DONE;
    if (has_parts && facts->inner < 0 && responses_is_part((enum responses_field)note->part))
        note->part |= RESPONSES_LACKS_INNER;
    note->at[AT_ID] = facts->id;
    if (facts->is_odd_part)
        note->at[AT_SPECIAL] = facts->type;
    note->at[AT_TAIL] = (struct range){walk_offset(&fill->walk) - 1, 0};
}

static int read_body(struct event_fill *fill, struct reading *r)
{
    r->facts->kind = RESPONSES_BODY;
    int rv = read_members(fill, response_members, READ_COUNT(response_members), r);
    fill->event.note.kind = RESPONSES_BODY;
    fill->event.has_error = r->facts->has_error;
    r->part->has_end = true;
    return rv;
}

int responses_read(struct event_fill *fill)
{
    int rv;
    struct event *event = &fill->event;
    struct event_facts facts = {.outer = -1, .inner = -1, .field = RESPONSES_SPOKEN};
    struct reading r = {.part = event_add_part(fill, &rv), .facts = &facts};
    if (r.part == NULL)
        return rv;
    if (walk_peek(&fill->walk) != '{')
        return REIN_EFORMAT;
    event->has_parts = true;
    if (fill->body)
        return read_body(fill, &r);
    rv = read_members(fill, event_members, READ_COUNT(event_members), &r);
    if (rv != 0)
        return rv;
    bool is_nested = facts.kind == RESPONSES_ITEM_ADDED || facts.kind == RESPONSES_ITEM_DONE;
    bool is_numbered = facts.outer >= 0 || (facts.id.len == 0 && !is_nested);
    if (!is_numbered)
        facts.outer = number_of_item(fill->state, event_span(fill, facts.id), facts.kind == RESPONSES_ITEM_ADDED);
    settle_texts(fill, &facts);
    settle_note(fill, &facts);
    event->is_unique = !is_numbered && is_nested;
    event->is_last = facts.kind == RESPONSES_END || facts.kind == RESPONSES_ERROR;
    event->carries = facts.kind != RESPONSES_DELTA;
    event->repeats_all = facts.kind >= RESPONSES_BEGIN && facts.kind != RESPONSES_DELTA;
    event->has_error = facts.has_error || facts.kind == RESPONSES_ERROR;
    r.part->has_end = event->is_last;
    if (event->is_last && event->has_error)
        r.part->has_end = false;
    return 0;
}
