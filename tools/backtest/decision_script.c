/* See decision_script.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/decision_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_MAX = 1024 }; /* bytes of text in one event, so that little is held for an event alone */

int64_t script_number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const char *script_word(const json_t *object, const char *key)
{
    const char *word = json_string_value(json_object_get(object, key));
    return word != NULL ? word : "";
}

enum rein_channel script_channel(const json_t *text)
{
    const char *name = script_word(text, "channel");
    for (int c = REIN_PROMPT; c < REIN_OTHER; c++)
        if (strcmp(rein_channel_name((enum rein_channel)c), name) == 0)
            return (enum rein_channel)c;
    return REIN_OTHER;
}

struct rein_source script_text(const json_t *text)
{
    const json_t *said = json_object_get(text, "text");
    return (struct rein_source){.text = json_is_string(said) ? json_string_value(said) : "",
                                .len = json_is_string(said) ? json_string_length(said) : 0};
}

static int add_json(struct buffer *out, const char *before, json_t *value, const char *after)
{
    char *text = value != NULL ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = buffer_add(out, before, strlen(before), SCRIPT_MAX);
    if (rv == 0)
        rv = buffer_add(out, text, strlen(text), SCRIPT_MAX);
    if (rv == 0)
        rv = buffer_add(out, after, strlen(after), SCRIPT_MAX);
    free(text);
    return rv;
}

static json_t *pack_delta(enum rein_channel channel, unsigned call, const char *text, size_t len)
{
    if (channel == REIN_TOOL)
        return json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", (int)call, "function", "arguments", text, len);
    return json_pack("{ss%}", channel == REIN_REASONING ? "reasoning_content" : "content", text, len);
}

static int add_event(struct buffer *out, unsigned choice, json_t *delta, const char *finish)
{
    return add_json(
        out, "data: ",
        json_pack("{s[{siso*ss*}]}", "choices", "index", (int)choice, "delta", delta, "finish_reason", finish), "\n\n");
}

bool script_is_of(const json_t *text, uint32_t attempt)
{
    enum rein_channel channel = script_channel(text);
    return channel != REIN_PROMPT && channel != REIN_OTHER && script_number(text, "attempt") == attempt;
}

/* How many calls of tools the choice has before this text. */
static unsigned calls_before(const json_t *texts, size_t at)
{
    const json_t *text = json_array_get(texts, at);
    unsigned calls = 0;
    for (size_t i = 0; i < at; i++) {
        const json_t *other = json_array_get(texts, i);
        calls += script_channel(other) == REIN_TOOL &&
                 script_number(other, "attempt") == script_number(text, "attempt") &&
                 script_number(other, "choice") == script_number(text, "choice");
    }
    return calls;
}

int script_piece(struct buffer *out, const json_t *texts, size_t i, size_t at, size_t max, size_t *len)
{
    const json_t *text = json_array_get(texts, i);
    struct rein_source said = script_text(text);
    enum rein_channel channel = script_channel(text);
    unsigned call = channel == REIN_TOOL ? calls_before(texts, i) : 0;
    size_t rest = said.len - at, most = max < PIECE_MAX ? max : PIECE_MAX;
    *len = rest <= most ? rest : rein_text_whole(said.text + at, most);
    for (size_t wider = most; *len == 0;) /* within a character */
        *len = rein_text_whole(said.text + at, ++wider < rest ? wider : rest);
    return add_event(out, (unsigned)script_number(text, "choice"), pack_delta(channel, call, said.text + at, *len),
                     NULL);
}

int script_last(struct buffer *out, unsigned choice)
{
    return add_event(out, choice, json_object(), "stop");
}

int script_done(struct buffer *out)
{
    static const char done[] = "data: [DONE]\n\n";
    return buffer_add(out, done, sizeof done - 1, SCRIPT_MAX);
}

/* All texts of a channel of a choice, as one. Returns owned; NULL: no memory. *any: there is one. */
static char *join_texts(const json_t *texts, uint32_t attempt, unsigned choice, enum rein_channel channel, bool *any)
{
    struct buffer joined = {.data = NULL};
    const json_t *text;
    size_t i;
    int rv = buffer_add(&joined, "", 0, SCRIPT_MAX);
    *any = false;
    json_array_foreach(texts, i, text)
    {
        bool is_it =
            script_is_of(text, attempt) && script_channel(text) == channel && script_number(text, "choice") == choice;
        struct rein_source said = script_text(text);
        rv = rv == 0 && is_it ? buffer_add(&joined, said.text, said.len, SCRIPT_MAX) : rv;
        *any |= is_it;
    }
    char *out = rv == 0 ? strndup(joined.data != NULL ? joined.data : "", joined.len) : NULL;
    buffer_clear(&joined);
    return out;
}

static int put_joined(json_t *message, const char *key, const json_t *texts, uint32_t attempt, unsigned choice,
                      enum rein_channel channel)
{
    bool any;
    char *joined = join_texts(texts, attempt, choice, channel, &any);
    int rv = joined != NULL ? 0 : REIN_ENOMEM;
    if (rv == 0 && any && json_object_set_new(message, key, json_string(joined)) != 0)
        rv = REIN_ENOMEM;
    free(joined);
    return rv;
}

static int put_calls(json_t *message, const json_t *texts, uint32_t attempt, unsigned choice)
{
    json_t *calls = json_array();
    const json_t *text;
    size_t i;
    int rv = calls != NULL ? 0 : REIN_ENOMEM;
    json_array_foreach(texts, i, text)
    {
        struct rein_source said = script_text(text);
        bool is_it =
            script_is_of(text, attempt) && script_channel(text) == REIN_TOOL && script_number(text, "choice") == choice;
        if (rv == 0 && is_it &&
            json_array_append_new(calls, json_pack("{s{ss%}}", "function", "arguments", said.text, said.len)) != 0)
            rv = REIN_ENOMEM;
    }
    if (rv == 0 && json_array_size(calls) > 0 && json_object_set(message, "tool_calls", calls) != 0)
        rv = REIN_ENOMEM;
    json_decref(calls);
    return rv;
}

int script_body(struct buffer *out, const json_t *texts, uint32_t attempt, unsigned choices)
{
    json_t *list = json_array();
    int rv = list != NULL ? 0 : REIN_ENOMEM;
    for (unsigned i = 0; i < choices && rv == 0; i++) {
        json_t *message = json_object();
        rv = put_joined(message, "reasoning_content", texts, attempt, i, REIN_REASONING);
        if (rv == 0)
            rv = put_joined(message, "content", texts, attempt, i, REIN_ANSWER);
        if (rv == 0)
            rv = put_calls(message, texts, attempt, i);
        json_t *choice = json_pack("{sisoss}", "index", (int)i, "message", message, "finish_reason", "stop");
        if (choice == NULL || json_array_append_new(list, choice) != 0)
            rv = REIN_ENOMEM;
    }
    if (rv == 0)
        return add_json(out, "", json_pack("{so}", "choices", list), "");
    json_decref(list);
    return rv;
}
