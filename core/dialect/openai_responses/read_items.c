/* Items of an answer and their parts, and the values in them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/openai_responses/reading.h"

static const uint8_t channel_of[RESPONSES_FIELDS] = {
    [RESPONSES_OTHER] = REIN_OTHER,         [RESPONSES_TEXT] = REIN_ANSWER,       [RESPONSES_REFUSAL] = REIN_ANSWER,
    [RESPONSES_REASONING] = REIN_REASONING, [RESPONSES_SUMMARY] = REIN_REASONING, [RESPONSES_ARGUMENTS] = REIN_TOOL,
    [RESPONSES_INPUT] = REIN_TOOL,          [RESPONSES_CODE] = REIN_TOOL,         [RESPONSES_NAME] = REIN_OTHER,
    [RESPONSES_SPOKEN] = REIN_ANSWER,       [RESPONSES_JOINED] = REIN_ANSWER,
};

struct place responses_place(enum responses_field field, uint32_t outer, uint32_t inner)
{
    /* The parts of a reasoning go on one from the other, and so do those of its summary. */
    uint8_t series = field == RESPONSES_REASONING ? 1 : field == RESPONSES_SUMMARY ? 2 : 0;
    return (struct place){.text = responses_text(field, outer, inner), .channel = channel_of[field], .series = series};
}

/* ---- objects ------------------------------------------------------------------------------------------------- */

static int read_known(struct event_fill *fill, const struct read_member *members, size_t len, struct reading *r,
                      uint32_t *seen)
{
    struct range key;
    int rv = walk_key(&fill->walk, &r->list, &key);
    if (rv != 0)
        return rv;
    char room[EVENT_KEY_MAX];
    struct span name = event_key(fill, key, room);
    for (size_t i = 0; i < len; i++) {
        if (!span_is(members[i].key, name))
            continue;
        uint32_t bit = UINT32_C(1) << i;
        if (*seen & bit)
            return REIN_EFORMAT;
        *seen |= bit;
        return members[i].read(fill, r);
    }
    return event_add_member(fill, responses_place(RESPONSES_OTHER, 0, 0), key);
}

int read_members(struct event_fill *fill, const struct read_member *members, size_t len, struct reading *r)
{
    uint32_t seen = 0;
    int rv;
    if (walk_peek(&fill->walk) != '{')
        return read_any(fill, r);
    while ((rv = walk_next(&fill->walk, &r->list, '{')) > 0) {
        rv = read_known(fill, members, len, r, &seen);
        if (rv != 0)
            return rv;
    }
    return rv;
}

struct reading read_inside(const struct reading *r)
{
    struct reading inside = *r;
    inside.list = (struct json_list){0};
    return inside;
}

/* ---- values -------------------------------------------------------------------------------------------------- */

int read_any(struct event_fill *fill, struct reading *r)
{
    (void)r;
    return event_add_all(fill, responses_place(RESPONSES_OTHER, 0, 0));
}

int read_numeric(struct event_fill *fill, struct reading *r)
{
    struct place place = responses_place(RESPONSES_OTHER, 0, 0);
    (void)r;
    place.numeric = true;
    return event_add_all(fill, place);
}

int read_word(struct event_fill *fill, struct reading *r, struct range *inside)
{
    static const struct span words[] = {
        {"assistant", 9},       {"auto", 4},           {"completed", 9},    {"custom_tool_call", 16},
        {"failed", 6},          {"function_call", 13}, {"in_progress", 11}, {"incomplete", 10},
        {"message", 7},         {"output_text", 11},   {"queued", 6},       {"reasoning", 9},
        {"reasoning_text", 14}, {"refusal", 7},        {"response", 8},     {"summary_text", 12}};
    if (walk_peek(&fill->walk) != '"')
        return read_any(fill, r);
    int rv = walk_string(&fill->walk, inside);
    struct span said = event_span(fill, *inside);
    for (size_t i = 0; i < READ_COUNT(words) && rv == 0; i++)
        if (span_is(words[i], said))
            return 0;
    struct place place = responses_place(RESPONSES_OTHER, 0, 0);
    place.kind = PIECE_WHOLE;
    return rv == 0 ? event_add(fill, place, *inside) : rv;
}

int read_text_of(struct event_fill *fill, struct reading *r, enum responses_field field)
{
    struct place place = responses_place(field, r->outer, r->inner);
    if (walk_peek(&fill->walk) != '"')
        return read_any(fill, r);
    enum responses_kind kind = r->facts->kind;
    place.kind = fill->body ? PIECE_STREAM : PIECE_ECHO;
    place.ends = kind == RESPONSES_PART_DONE || kind == RESPONSES_ITEM_DONE || kind == RESPONSES_END;
    return event_add_string(fill, place);
}

/* What is removed together; two members that share the comma between them are one range. There is an upper limit,
 * because further ones could not be removed. */
static int note_spelled(struct event_fill *fill, struct reading *r)
{
    struct range range = walk_member_before(&fill->walk, &r->list);
    fill->event.spells = true;
    for (size_t i = 0; i < EVENT_SPELLED_MAX; i++)
        if (r->part->spelled[i].len == 0) {
            r->part->spelled[i] = range;
            return 0;
        }
    return REIN_EFORMAT;
}

static int read_token(struct event_fill *fill, struct reading *r)
{
    struct place place = responses_place(RESPONSES_OTHER, 0, 0);
    (void)r;
    place.numeric = place.is_spelled = true;
    return event_add_all(fill, place);
}

static const struct read_member token_members[] = {
    READ_MEMBER("token", read_token),
    READ_MEMBER("bytes", read_numeric),
    READ_MEMBER("top_logprobs", read_numeric),
    READ_MEMBER("logprob", read_numeric),
};

/* logprobs: an empty list spells nothing. */
int read_spelled(struct event_fill *fill, struct reading *r)
{
    struct json_list list = {0};
    bool spells = false;
    int rv;
    if (walk_peek(&fill->walk) != '[')
        return read_numeric(fill, r);
    while ((rv = walk_next(&fill->walk, &list, '[')) > 0) {
        struct reading token = read_inside(r);
        spells = true;
        rv = read_members(fill, token_members, READ_COUNT(token_members), &token);
        if (rv != 0)
            return rv;
    }
    return rv == 0 && spells ? note_spelled(fill, r) : rv;
}

int read_count(struct event_fill *fill, struct reading *r, int64_t *value, struct range *at)
{
    char c = walk_peek(&fill->walk);
    *value = -1;
    *at = (struct range){walk_offset(&fill->walk), 0};
    if (c != '-' && (c < '0' || c > '9'))
        return read_numeric(fill, r);
    int rv = walk_number(&fill->walk, value);
    at->len = walk_offset(&fill->walk) - at->at;
    return rv;
}

/* ---- parts --------------------------------------------------------------------------------------------------- */

static enum responses_field field_of_part(struct span type, enum responses_field field)
{
    return span_is(type, SPAN("refusal"))          ? RESPONSES_REFUSAL
           : span_is(type, SPAN("reasoning_text")) ? RESPONSES_REASONING
           : span_is(type, SPAN("summary_text"))   ? RESPONSES_SUMMARY
           : span_is(type, SPAN("output_text"))    ? RESPONSES_TEXT
                                                   : field;
}

static int read_part_type(struct event_fill *fill, struct reading *r)
{
    struct range type = {0};
    char room[EVENT_KEY_MAX];
    int rv = read_word(fill, r, &type);
    r->field = field_of_part(event_key(fill, type, room), r->field);
    return rv;
}

static int read_part_text(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, r->field);
}

static int read_part_refusal(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, RESPONSES_REFUSAL);
}

static const struct read_member part_members[] = {
    READ_MEMBER("type", read_part_type),
    READ_MEMBER("text", read_part_text),
    READ_MEMBER("refusal", read_part_refusal),
    READ_MEMBER("logprobs", read_spelled),
};

/* Whether its text is reasoning is known only at its end. */
int read_part(struct event_fill *fill, struct reading *r)
{
    struct reading part = read_inside(r);
    size_t first = fill->event.pieces_len;
    int rv = read_members(fill, part_members, READ_COUNT(part_members), &part);
    for (size_t i = first; rv == 0 && i < fill->event.pieces_len; i++) {
        struct place *place = &fill->event.pieces[i].place;
        if (place->kind == PIECE_WHOLE || responses_field_of(place->text) != r->field)
            continue;
        struct place is = responses_place(part.field, r->outer, r->inner);
        place->text = is.text;
        place->channel = is.channel;
        place->series = is.series;
    }
    r->field = part.field;
    return rv;
}

/* ---- items --------------------------------------------------------------------------------------------------- */

static int read_parts(struct event_fill *fill, struct reading *r, enum responses_field field)
{
    struct json_list list = {0};
    int rv;
    if (walk_peek(&fill->walk) != '[')
        return read_text_of(fill, r, field);
    for (uint32_t inner = 0; (rv = walk_next(&fill->walk, &list, '[')) > 0; inner++) {
        struct reading part = read_inside(r);
        part.field = field;
        part.inner = inner;
        if (inner >= RESPONSES_INNER_MAX)
            return REIN_EFORMAT;
        rv = read_part(fill, &part);
        if (rv != 0)
            return rv;
    }
    return rv;
}

static int read_content(struct event_fill *fill, struct reading *r)
{
    return read_parts(fill, r, r->item == RESPONSES_THOUGHT ? RESPONSES_REASONING : RESPONSES_TEXT);
}

static int read_summary(struct event_fill *fill, struct reading *r)
{
    return read_parts(fill, r, RESPONSES_SUMMARY);
}

static int read_arguments(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, RESPONSES_ARGUMENTS);
}

static int read_input(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, RESPONSES_INPUT);
}

static int read_code(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, RESPONSES_CODE);
}

static int read_name(struct event_fill *fill, struct reading *r)
{
    return read_text_of(fill, r, RESPONSES_NAME);
}

static int read_item_type(struct event_fill *fill, struct reading *r)
{
    struct range inside = {0};
    char room[EVENT_KEY_MAX];
    int rv = read_word(fill, r, &inside);
    struct span type = event_key(fill, inside, room);
    r->item = span_is(type, SPAN("message"))                                    ? RESPONSES_MESSAGE
              : span_is(type, SPAN("reasoning"))                                ? RESPONSES_THOUGHT
              : type.len > 5 && memmem(type.data, type.len, "_call", 5) != NULL ? RESPONSES_CALL
                                                                                : RESPONSES_SOMETHING;
    return rv;
}

static int read_plain_word(struct event_fill *fill, struct reading *r)
{
    struct range inside;
    return read_word(fill, r, &inside);
}

static int read_item_id(struct event_fill *fill, struct reading *r)
{
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    int rv = read_numeric(fill, r);
    if (rv == 0 && fill->walk.start[at] == '"')
        r->id = (struct range){at + 1, walk_offset(&fill->walk) - at - 2};
    return rv;
}

static const struct read_member item_members[] = {
    READ_MEMBER("id", read_item_id),          READ_MEMBER("type", read_item_type),
    READ_MEMBER("status", read_plain_word),   READ_MEMBER("role", read_plain_word),
    READ_MEMBER("content", read_content),     READ_MEMBER("summary", read_summary),
    READ_MEMBER("arguments", read_arguments), READ_MEMBER("input", read_input),
    READ_MEMBER("code", read_code),           READ_MEMBER("name", read_name),
};

int read_item(struct event_fill *fill, struct reading *r)
{
    struct reading item = read_inside(r);
    item.item = RESPONSES_SOMETHING;
    int rv = read_members(fill, item_members, READ_COUNT(item_members), &item);
    r->item = item.item;
    r->id = item.id;
    return rv;
}
