/* See scope.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/openai_chat/scope.h"

static const uint8_t channel_of[CHAT_FIELDS] = {
    [CHAT_CONTENT] = REIN_ANSWER,
    [CHAT_REFUSAL] = REIN_ANSWER,
    [CHAT_TEXT] = REIN_ANSWER,
    [CHAT_TRANSCRIPT] = REIN_ANSWER,
    [CHAT_REASONING_CONTENT] = REIN_REASONING,
    [CHAT_REASONING] = REIN_REASONING,
    [CHAT_REASONING_TEXT] = REIN_REASONING,
    [CHAT_THINKING] = REIN_REASONING,
    [CHAT_THINKING_PART] = REIN_REASONING,
    [CHAT_DETAILS_TEXT] = REIN_REASONING,
    [CHAT_DETAILS_SUMMARY] = REIN_REASONING,
    [CHAT_REASONING_SUMMARY] = REIN_REASONING,
    [CHAT_THOUGHT] = REIN_REASONING,
    [CHAT_ARGUMENTS] = REIN_TOOL,
    [CHAT_TOOL_INPUT] = REIN_TOOL,
    [CHAT_FUNCTION_CALL] = REIN_TOOL,
    [CHAT_TOOL_NAME] = REIN_OTHER,
    [CHAT_NOISE] = REIN_OTHER,
    [CHAT_SPELLED] = REIN_OTHER,
    [CHAT_OTHER] = REIN_OTHER,
};

/* ---- objects --------------------------------------------------------------------------------------------- */

static const struct member *find_member(const struct member *members, size_t len, struct span key)
{
    for (size_t i = 0; i < len; i++)
        if (span_is(members[i].key, key))
            return &members[i];
    return NULL;
}

/* Reads a member's value. `*read` has a bit for each known key that was read: none may be repeated. */
static int read_member(struct event_fill *fill, const struct member *members, size_t len, struct scope *scope,
                       uint32_t *read)
{
    struct range key;
    int rv = walk_key(&fill->walk, &scope->list, &key);
    if (rv != 0)
        return rv;
    char room[EVENT_KEY_MAX];
    const struct member *member = find_member(members, len, event_key(fill, key, room));
    if (member == NULL && scope->read_unknown != NULL && scope->read_unknown(fill, scope, key, &rv))
        return rv;
    if (member == NULL)
        return event_add_member(fill, scope->place, key);
    uint32_t bit = UINT32_C(1) << (member - members);
    if (*read & bit)
        return REIN_EFORMAT;
    *read |= bit;
    return member->read(fill, scope, member->arg);
}

int scope_read(struct event_fill *fill, const struct member *members, size_t len, struct scope *scope)
{
    uint32_t read = 0;
    int rv;
    while ((rv = walk_next(&fill->walk, &scope->list, '{')) > 0) {
        rv = read_member(fill, members, len, scope, &read);
        if (rv != 0)
            return rv;
    }
    return rv;
}

struct scope scope_inner(const struct scope *scope)
{
    return (struct scope){.place = scope->place, .part = scope->part, .index = -1, .source = scope->source};
}

struct place scope_place(const struct scope *scope, uint8_t source)
{
    struct place place = scope->place;
    place.text = chat_text_in(place.text, (enum chat_field)source);
    place.channel = channel_of[source];
    place.is_noise = source == CHAT_NOISE;
    place.is_spelled = source == CHAT_SPELLED;
    return place;
}

int scope_read_other(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return event_add_all(fill, scope->place);
}

/* The same, where numbers count, measure or identify. */
int scope_read_numeric(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    struct place place = scope->place;
    (void)arg;
    place.numeric = true;
    return event_add_all(fill, place);
}

/* An object, if it is one. */
int scope_read_inner(struct event_fill *fill, struct scope *scope, const struct member *members, size_t len)
{
    struct scope object = scope_inner(scope);
    if (walk_peek(&fill->walk) != '{')
        return scope_read_other(fill, scope, 0);
    return scope_read(fill, members, len, &object);
}

/* The elements of an array, if it is one: objects by `read`, with their number; others as whole pieces. */
int scope_read_elements(struct event_fill *fill, struct scope *scope,
                        int (*read)(struct event_fill *fill, struct scope *scope, int64_t nth))
{
    if (walk_peek(&fill->walk) != '[')
        return scope_read_other(fill, scope, 0);
    struct json_list list = {0};
    int rv;
    for (int64_t nth = 0; (rv = walk_next(&fill->walk, &list, '[')) > 0; nth++) {
        rv = walk_peek(&fill->walk) == '{' ? read(fill, scope, nth) : scope_read_other(fill, scope, 0);
        if (rv != 0)
            return rv;
    }
    return rv;
}

/* ---- single values --------------------------------------------------------------------------------------- */

int scope_read_text(struct event_fill *fill, struct scope *scope, uint8_t source)
{
    struct place place = scope_place(scope, source);
    return walk_peek(&fill->walk) == '"' ? event_add_string(fill, place) : event_add_all(fill, place);
}

int scope_read_whole(struct event_fill *fill, struct scope *scope, uint8_t source)
{
    return event_add_all(fill, scope_place(scope, source));
}

/* A string that is not text if it is one of the words that belong there. *value is its inside; at 0 if it is not a
 * string.
 */
int scope_read_word(struct event_fill *fill, struct scope *scope, const struct span *words, size_t len,
                    struct range *value)
{
    *value = (struct range){0};
    if (walk_peek(&fill->walk) != '"')
        return scope_read_other(fill, scope, 0);
    int rv = walk_string(&fill->walk, value);
    if (rv != 0)
        return rv;
    char room[EVENT_KEY_MAX];
    struct span said = event_key(fill, *value, room);
    for (size_t i = 0; i < len; i++)
        if (span_is(words[i], said))
            return 0;
    struct place place = scope->place;
    place.kind = PIECE_WHOLE;
    return event_add(fill, place, *value);
}

int scope_read_number(struct event_fill *fill, struct scope *scope, int64_t *value)
{
    char c = walk_peek(&fill->walk);
    if (c == '-' || (c >= '0' && c <= '9'))
        return walk_number(&fill->walk, value);
    return scope_read_other(fill, scope, 0);
}

int scope_read_index(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return event_add_index(fill, scope->place, &scope->index);
}
