/* The dialect of OpenAI's chat completions, as its many servers speak it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each kind of object has a table of the members that mean something; all others are read for their strings alone.
 * Members may come in any order, so what depends on `index` or `type` is settled at the object's end. */
#include <stdio.h>
#include <string.h>

#include "dialect/dialect.h"
#include "dialect/openai_chat/say.h"
#include "dialect/openai_chat/scope.h"
#include "dialect/sse.h"

static int read_object_name(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    static const struct span words[] = {WORD("chat.completion.chunk"), WORD("chat.completion")};
    struct range value;
    (void)arg;
    int rv = scope_read_word(fill, scope, words, COUNT(words), &value);
    fill->event.has_inner_error |= span_is(event_span(fill, value), SPAN("error"));
    return rv;
}

static int read_role(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    static const struct span words[] = {WORD("assistant"), WORD("tool"), WORD("user"), WORD("system"),
                                        WORD("developer")};
    struct range value;
    (void)arg;
    int rv = scope_read_word(fill, scope, words, COUNT(words), &value);
    if (rv == 0 && value.at > 0 && scope->part->begins.len == 0)
        scope->part->begins = walk_member(&fill->walk, &scope->list);
    return rv;
}

static int read_finish(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    static const struct span words[] = {WORD("stop"), WORD("length"), WORD("tool_calls"), WORD("content_filter"),
                                        WORD("function_call")};
    struct range value;
    (void)arg;
    int rv = scope_read_word(fill, scope, words, COUNT(words), &value);
    scope->part->has_end = value.len > 0;
    fill->event.has_inner_error |= span_is(event_span(fill, value), SPAN("error"));
    if (value.at > 0)
        scope->part->ends = (struct range){value.at - 1, value.len + 2};
    return rv;
}

/* ---- texts in parts -------------------------------------------------------------------------------------- */

static int read_texts(struct event_fill *fill, struct scope *scope, uint8_t source);

static bool begins_with(struct span text, struct span word)
{
    return text.len >= word.len && memcmp(text.data, word.data, word.len) == 0;
}

/* Names that servers give to reasoning begin like this: reasoning.text, thinking_delta, summary_text, thoughts, ... */
static bool is_reasoning_name(struct span name)
{
    return begins_with(name, SPAN("reasoning")) || begins_with(name, SPAN("think")) ||
           begins_with(name, SPAN("thought"));
}

static int read_part_text(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return read_texts(fill, scope, scope->source);
}

static int read_part_type(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    static const struct span words[] = {
        WORD("thinking"),     WORD("reasoning"), WORD("text"),           WORD("output_text"),    WORD("refusal"),
        WORD("summary_text"), WORD("summary"),   WORD("reasoning_text"), WORD("reasoning.text"), WORD("thinking_text")};
    struct range value;
    (void)arg;
    int rv = scope_read_word(fill, scope, words, COUNT(words), &value);
    char room[EVENT_KEY_MAX];
    struct span type = event_key(fill, value, room);
    scope->thinking |= is_reasoning_name(type) || begins_with(type, SPAN("summary"));
    return rv;
}

/* A text, or (Gemini) whether the part is a thought. */
static int read_part_thought(struct event_fill *fill, struct scope *scope, uint8_t source)
{
    char c = walk_peek(&fill->walk);
    scope->thinking |= c == 't';
    return c == '"' || c == '{' || c == '[' ? read_texts(fill, scope, source) : scope_read_other(fill, scope, 0);
}

static const struct member part_members[] = {
    MEMBER("type", read_part_type, 0),
    MEMBER("text", read_part_text, 0),
    MEMBER("content", read_part_text, 0),
    MEMBER("summary", read_part_text, 0),
    MEMBER("thinking", read_texts, CHAT_THINKING_PART),
    MEMBER("reasoning", read_texts, CHAT_THINKING_PART),
    MEMBER("thought", read_part_thought, CHAT_THINKING_PART),
    MEMBER("refusal", scope_read_text, CHAT_REFUSAL),
};

/* One part, {"type":...,"text":...}. Whether its text is reasoning is known only at its end. */
static int read_part(struct event_fill *fill, const struct scope *scope, uint8_t source)
{
    struct scope part = scope_inner(scope);
    part.source = source;
    size_t first = fill->event.pieces_len;
    int rv = scope_read(fill, part_members, COUNT(part_members), &part);
    if (rv != 0 || !part.thinking)
        return rv;
    struct place place = scope_place(scope, CHAT_THINKING_PART);
    for (size_t i = first; i < fill->event.pieces_len; i++)
        if (chat_field_of(fill->event.pieces[i].place.text) == CHAT_CONTENT) {
            struct place *at = &fill->event.pieces[i].place;
            at->text = chat_text_in(at->text, CHAT_THINKING_PART);
            at->channel = place.channel;
        }
    return 0;
}

/* A text as a string, as a part, or as an array of both. */
static int read_texts(struct event_fill *fill, struct scope *scope, uint8_t source)
{
    char c = walk_peek(&fill->walk);
    if (c == '{')
        return read_part(fill, scope, source);
    if (c != '[')
        return scope_read_text(fill, scope, source);
    struct json_list list = {0};
    int rv;
    while ((rv = walk_next(&fill->walk, &list, '[')) > 0) {
        c = walk_peek(&fill->walk);
        rv = c == '{' ? read_part(fill, scope, source) : scope_read_text(fill, scope, source);
        if (rv != 0)
            return rv;
    }
    return rv;
}

static const struct member detail_members[] = {
    MEMBER("text", read_texts, CHAT_DETAILS_TEXT),
    MEMBER("content", read_texts, CHAT_DETAILS_TEXT),
    MEMBER("summary", read_texts, CHAT_DETAILS_SUMMARY),
};

static int read_detail(struct event_fill *fill, struct scope *scope, int64_t nth)
{
    (void)nth;
    return scope_read_inner(fill, scope, detail_members, COUNT(detail_members));
}

static int read_details(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_elements(fill, scope, read_detail);
}

static const struct member audio_members[] = {MEMBER("transcript", scope_read_text, CHAT_TRANSCRIPT)};

static int read_audio(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_inner(fill, scope, audio_members, COUNT(audio_members));
}

/* ---- tools ----------------------------------------------------------------------------------------------- */

static const struct member function_members[] = {
    MEMBER("name", scope_read_text, CHAT_TOOL_NAME),
    MEMBER("arguments", scope_read_text, CHAT_ARGUMENTS),
};
static const struct member custom_members[] = {
    MEMBER("name", scope_read_text, CHAT_TOOL_NAME),
    MEMBER("input", scope_read_text, CHAT_TOOL_INPUT),
};
static const struct member function_call_members[] = {
    MEMBER("name", scope_read_text, CHAT_TOOL_NAME),
    MEMBER("arguments", scope_read_text, CHAT_FUNCTION_CALL),
};

static int read_called(struct event_fill *fill, struct scope *scope, uint8_t source)
{
    return source == CHAT_TOOL_INPUT ? scope_read_inner(fill, scope, custom_members, COUNT(custom_members))
                                     : scope_read_inner(fill, scope, function_members, COUNT(function_members));
}

static int read_tool_type(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    static const struct span words[] = {WORD("function"), WORD("custom")};
    struct range value;
    (void)arg;
    return scope_read_word(fill, scope, words, COUNT(words), &value);
}

static const struct member tool_members[] = {
    MEMBER("index", scope_read_index, 0),
    MEMBER("type", read_tool_type, 0),
    MEMBER("function", read_called, CHAT_ARGUMENTS),
    MEMBER("custom", read_called, CHAT_TOOL_INPUT),
};

/* One tool call, the array's nth. */
static int read_tool(struct event_fill *fill, struct scope *scope, int64_t nth)
{
    struct scope tool = scope_inner(scope);
    scope->part->has_tool_calls = true;
    size_t first = fill->event.pieces_len;
    int rv = scope_read(fill, tool_members, COUNT(tool_members), &tool);
    int64_t index = tool.index >= 0 ? tool.index : nth;
    if (rv == 0 && index >= CHAT_TOOLS_MAX)
        rv = REIN_EFORMAT;
    for (size_t i = first; rv == 0 && i < fill->event.pieces_len; i++)
        fill->event.pieces[i].place.text |= (uint32_t)index << CHAT_TOOL_BIT;
    return rv;
}

static int read_tools(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_elements(fill, scope, read_tool);
}

static int read_function_call(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    scope->part->has_tool_calls |= walk_peek(&fill->walk) == '{';
    return scope_read_inner(fill, scope, function_call_members, COUNT(function_call_members));
}

/* ---- choices --------------------------------------------------------------------------------------------- */

/* Notes a member that spells the text. All of them are removed together; if two share the comma between them, as the
 * first two of an object, the first one's range covers both. There is an upper limit, because further ones could not be
 * removed. */
static int note_spelled(struct event_fill *fill, const struct scope *scope)
{
    struct range range = walk_member_before(&fill->walk, &scope->list);
    fill->event.spells = true;
    for (size_t i = 0; i < EVENT_SPELLED_MAX; i++) {
        struct range *slot = &scope->part->spelled[i];
        if (slot->len == 0) {
            *slot = range;
            return 0;
        }
        if (slot->at < range.at && range.at < slot->at + slot->len) {
            struct range behind = walk_member(&fill->walk, &scope->list);
            slot->len = behind.at + behind.len - slot->at;
            return 0;
        }
    }
    return REIN_EFORMAT;
}

static const struct member token_members[] = {MEMBER("token", scope_read_whole, CHAT_SPELLED)};

static int read_token(struct event_fill *fill, struct scope *scope, int64_t nth)
{
    (void)nth;
    return scope_read_inner(fill, scope, token_members, COUNT(token_members));
}

static int read_tokens(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_elements(fill, scope, read_token);
}

static const struct member logprobs_members[] = {
    MEMBER("content", read_tokens, 0),
    MEMBER("refusal", read_tokens, 0),
    MEMBER("reasoning", read_tokens, 0),
    MEMBER("reasoning_content", read_tokens, 0),
    MEMBER("tokens", scope_read_whole, CHAT_SPELLED),
};

static int read_logprobs(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    struct scope numbers = *scope;
    bool is_null = walk_peek(&fill->walk) == 'n';
    (void)arg;
    numbers.place.numeric = true;
    int rv = scope_read_inner(fill, &numbers, logprobs_members, COUNT(logprobs_members));
    return rv == 0 && !is_null ? note_spelled(fill, scope) : rv;
}

/* token_ids, token_id. */
static int read_ids(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    struct event_part *part = scope->part;
    char first = walk_peek(&fill->walk);
    struct json_list list = {0};
    uint32_t len = first != 'n';
    int rv = 0;
    if (first != '[') {
        rv = scope_read_numeric(fill, scope, arg);
    } else {
        for (len = 0; rv == 0 && (rv = walk_next(&fill->walk, &list, '[')) > 0; len++)
            rv = scope_read_numeric(fill, scope, arg);
    }
    part->ids_len = len > part->ids_len ? len : part->ids_len;
    return rv == 0 && first != 'n' ? note_spelled(fill, scope) : rv;
}

/* Fields with reasoning that no other table has; not those that say how much there was, or sign it. */
static bool read_unknown_reasoning(struct event_fill *fill, struct scope *scope, struct range key, int *rv)
{
    static const char *const others[] = {"token",     "effort", "budget", "signature",
                                         "encrypted", "format", "type",   "_id"};
    char room[EVENT_KEY_MAX];
    struct span name = event_key(fill, key, room);
    bool is_text = is_reasoning_name(name);
    for (size_t i = 0; i < COUNT(others) && is_text; i++)
        is_text = memmem(name.data, name.len, others[i], strlen(others[i])) == NULL;
    if (is_text)
        *rv = event_add_key(fill, scope->place, key);
    if (is_text && *rv == 0)
        *rv = read_texts(fill, scope, CHAT_THOUGHT);
    return is_text;
}

static int read_provider_fields(struct event_fill *fill, struct scope *scope, uint8_t arg);

static const struct member delta_members[] = {
    MEMBER("content", read_texts, CHAT_CONTENT),
    MEMBER("reasoning_content", read_texts, CHAT_REASONING_CONTENT),
    MEMBER("role", read_role, 0),
    MEMBER("reasoning", read_texts, CHAT_REASONING),
    MEMBER("tool_calls", read_tools, 0),
    MEMBER("refusal", scope_read_text, CHAT_REFUSAL),
    MEMBER("function_call", read_function_call, 0),
    MEMBER("reasoning_details", read_details, 0),
    MEMBER("reasoning_text", read_texts, CHAT_REASONING_TEXT),
    MEMBER("reasoning_summary", read_texts, CHAT_REASONING_SUMMARY),
    MEMBER("thinking", read_texts, CHAT_THINKING),
    MEMBER("provider_specific_fields", read_provider_fields, 0),
    MEMBER("thinking_blocks", read_texts, CHAT_THINKING_PART),
    MEMBER("audio", read_audio, 0),
    MEMBER("token_ids", read_ids, 0),
    MEMBER("token_id", read_ids, 0),
    MEMBER("logprobs", read_logprobs, 0),
    MEMBER("obfuscation", scope_read_whole, CHAT_NOISE),
};

/* LiteLLM repeats reasoning in here: it is a text of its own. */
static const struct member provider_members[] = {
    MEMBER("reasoning_content", read_texts, CHAT_REASONING_CONTENT),
    MEMBER("reasoning", read_texts, CHAT_REASONING),
    MEMBER("reasoning_details", read_details, 0),
    MEMBER("reasoning_text", read_texts, CHAT_REASONING_TEXT),
    MEMBER("reasoning_summary", read_texts, CHAT_REASONING_SUMMARY),
    MEMBER("thinking", read_texts, CHAT_THINKING),
    MEMBER("thinking_blocks", read_texts, CHAT_THINKING_PART),
};

static int read_provider_fields(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    struct scope inner = scope_inner(scope);
    (void)arg;
    if (walk_peek(&fill->walk) != '{')
        return scope_read_other(fill, scope, 0);
    inner.place.text |= CHAT_ASIDE;
    inner.read_unknown = read_unknown_reasoning;
    return scope_read(fill, provider_members, COUNT(provider_members), &inner);
}

/* `delta`, or `message` in a body. A sender that also sends the other of the two repeats the text in it, or uses
 * another format: its texts are separate texts. */
static int read_delta(struct event_fill *fill, struct scope *scope, uint8_t is_message)
{
    struct scope delta = scope_inner(scope);
    if (walk_peek(&fill->walk) != '{')
        return scope_read_other(fill, scope, 0);
    if (fill->body != (is_message != 0))
        delta.place.text |= CHAT_ASIDE;
    delta.read_unknown = read_unknown_reasoning;
    return scope_read(fill, delta_members, COUNT(delta_members), &delta);
}

static int read_error(struct event_fill *fill, struct scope *scope, uint8_t in_choice)
{
    *(in_choice ? &fill->event.has_inner_error : &fill->event.has_error) |= walk_peek(&fill->walk) != 'n';
    int rv = scope_read_other(fill, scope, 0);
    if (rv == 0 && !in_choice)
        fill->event.error = walk_member(&fill->walk, &scope->list);
    return rv;
}

static const struct member choice_members[] = {
    MEMBER("index", scope_read_index, 0), MEMBER("delta", read_delta, false),
    MEMBER("message", read_delta, true),  MEMBER("finish_reason", read_finish, 0),
    MEMBER("logprobs", read_logprobs, 0), MEMBER("text", scope_read_text, CHAT_TEXT),
    MEMBER("token_ids", read_ids, 0),     MEMBER("obfuscation", scope_read_whole, CHAT_NOISE),
    MEMBER("error", read_error, true),    MEMBER("provider_specific_fields", read_provider_fields, 0),
};

/* One choice, the array's nth. */
static int read_choice(struct event_fill *fill, struct scope *scope, int64_t nth)
{
    struct event *event = &fill->event;
    struct scope choice = scope_inner(scope);
    int rv;
    choice.part = event_add_part(fill, &rv);
    if (choice.part == NULL)
        return rv;
    size_t first = event->pieces_len;
    walk_peek(&fill->walk);
    uint32_t at = walk_offset(&fill->walk);
    rv = scope_read(fill, choice_members, COUNT(choice_members), &choice);
    int64_t index = choice.index >= 0 ? choice.index : nth;
    if (rv == 0 && index >= REIN_CHOICES_MAX)
        rv = REIN_EFORMAT;
    if (rv != 0)
        return rv;
    choice.part->choice = (uint16_t)index;
    if (fill->body)
        choice.part->object = (struct range){at, walk_offset(&fill->walk) - at};
    for (size_t i = first; i < event->pieces_len; i++) {
        event->pieces[i].place.choice = choice.part->choice;
        event->pieces[i].place.text |= (uint32_t)index << CHAT_CHOICE_BIT;
    }
    return event_sort(fill, first);
}

static int read_choices(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    fill->event.has_parts = true;
    return scope_read_elements(fill, scope, read_choice);
}

/* ---- the event ------------------------------------------------------------------------------------------- */

enum { PROMPT_TOKENS, COMPLETION_TOKENS, REASONING_TOKENS };

static int read_count(struct event_fill *fill, struct scope *scope, uint8_t which)
{
    struct event *event = &fill->event;
    int64_t *count = which == PROMPT_TOKENS       ? &event->prompt_tokens
                     : which == COMPLETION_TOKENS ? &event->completion_tokens
                                                  : &event->reasoning_tokens;
    return scope_read_number(fill, scope, count);
}

static const struct member completion_members[] = {MEMBER("reasoning_tokens", read_count, REASONING_TOKENS)};

static int read_completion_details(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_inner(fill, scope, completion_members, COUNT(completion_members));
}

static const struct member usage_members[] = {
    MEMBER("prompt_tokens", read_count, PROMPT_TOKENS),
    MEMBER("completion_tokens", read_count, COMPLETION_TOKENS),
    MEMBER("reasoning_tokens", read_count, REASONING_TOKENS),
    MEMBER("completion_tokens_details", read_completion_details, 0),
};

static int read_usage(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    struct scope counts = *scope;
    (void)arg;
    counts.place.numeric = true;
    return scope_read_inner(fill, &counts, usage_members, COUNT(usage_members));
}

static int read_top_usage(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    bool is_null = walk_peek(&fill->walk) == 'n';
    int rv = read_usage(fill, scope, arg);
    if (rv == 0 && !is_null)
        fill->event.usage = walk_member(&fill->walk, &scope->list);
    return rv;
}

static const struct member groq_members[] = {MEMBER("usage", read_usage, 0)};

static int read_groq(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    (void)arg;
    return scope_read_inner(fill, scope, groq_members, COUNT(groq_members));
}

static int read_id(struct event_fill *fill, struct scope *scope, uint8_t arg)
{
    uint32_t at = walk_peek(&fill->walk) == '"' ? walk_offset(&fill->walk) : UINT32_MAX;
    int rv = scope_read_numeric(fill, scope, arg);
    if (rv == 0 && at != UINT32_MAX)
        fill->event.id = (struct range){at, walk_offset(&fill->walk) - at};
    return rv;
}

/* One member of the event itself that spells text out: the prompt's, or (`of_answer`) the answer's. */
static int read_spelled_aside(struct event_fill *fill, struct scope *scope, uint8_t of_answer)
{
    struct event *event = &fill->event;
    bool is_null = walk_peek(&fill->walk) == 'n';
    int rv = scope_read_numeric(fill, scope, 0);
    if (rv != 0 || is_null)
        return rv;
    if (event->spelled_aside.len > 0)
        return REIN_EFORMAT; /* further ones could not be removed */
    event->spelled_aside = walk_member(&fill->walk, &scope->list);
    event->spells_aside = of_answer != 0;
    return 0;
}

static const struct member event_members[] = {
    MEMBER("id", read_id, 0),
    MEMBER("choices", read_choices, 0),
    MEMBER("object", read_object_name, 0),
    MEMBER("created", scope_read_numeric, 0),
    MEMBER("model", scope_read_other, 0),
    MEMBER("system_fingerprint", scope_read_other, 0),
    MEMBER("service_tier", scope_read_other, 0),
    MEMBER("usage", read_top_usage, 0),
    MEMBER("error", read_error, false),
    MEMBER("x_groq", read_groq, 0),
    MEMBER("prompt_logprobs", read_spelled_aside, false),
    MEMBER("token_ids", read_spelled_aside, true),
    MEMBER("completion_probabilities", read_spelled_aside, true),
    MEMBER("obfuscation", scope_read_whole, CHAT_NOISE),
};

static int read_event(struct event_fill *fill)
{
    struct scope scope = {.place = {.text = CHAT_OTHER, .channel = REIN_OTHER}, .index = -1};
    struct event *event = &fill->event;
    int rv = scope_read(fill, event_members, COUNT(event_members), &scope);
    event->is_usage_alone = event->has_parts && event->parts_len == 0 && event->usage.len > 0;
    return rv;
}

static bool is_done(struct span payload)
{
    static const struct span done = {"[DONE]", 6};
    if (payload.len < done.len || memcmp(payload.data, done.data, done.len) != 0)
        return false;
    while (payload.len > done.len && memchr(" \t\r\n", payload.data[payload.len - 1], 4) != NULL)
        payload.len--;
    return payload.len == done.len;
}

const struct dialect dialect_openai_chat = {
    .name = "openai-chat",
    .framing = &framing_sse,
    .is_terminal = is_done,
    .fallback_id = "chatcmpl-rein",
    .field = openai_field,
    .read = read_event,
    .rewrite = openai_rewrite,
    .say_text = openai_say_text,
    .say_finish = openai_say_finish,
    .say_usage = openai_say_usage,
    .say_end = openai_say_end,
    .say_error = openai_say_error,
    .say_body = openai_say_body,
    .say_part = openai_say_part,
    .say_error_body = openai_say_error_body,
};
