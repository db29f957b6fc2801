/* See case_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_wire.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the upstream says ---- */

/* `texts`: CASE_TEXTS of them, borrowed. */
static struct wire_script script_of(const struct case_script *script, struct wire_text *texts)
{
    static const enum rein_channel channels[CASE_TEXTS] = {
        [CASE_REASONING] = REIN_REASONING, [CASE_ANSWER] = REIN_ANSWER, [CASE_TOOL] = REIN_TOOL};
    struct wire_script out = {.texts = texts, .choices = 1, .name = "case"};
    for (int t = 0; t < CASE_TEXTS; t++)
        if (*script->texts[t] != '\0')
            texts[out.len++] =
                (struct wire_text){.channel = channels[t], .text = script->texts[t], .len = strlen(script->texts[t])};
    return out;
}

bool case_wire_fits(const struct wire *wire, const struct case_script *script)
{
    struct wire_text texts[CASE_TEXTS];
    struct wire_script said = script_of(script, texts);
    return wire->fits(&said, true) && wire->fits(&said, false);
}

/* What was written goes, unless nothing more is wanted. */
static int pass_on(struct case_sink *sink, struct buffer *bytes, int rv)
{
    if (rv == 0 && bytes->len > 0 && !sink->is_over)
        rv = sink->feed(sink, bytes->data, bytes->len);
    bytes->len = 0;
    return rv;
}

static int send_text(const struct wire *wire, const struct wire_script *script, size_t i, struct case_sink *sink,
                     struct buffer *bytes)
{
    const struct wire_text *text = &script->texts[i];
    int rv = pass_on(sink, bytes, wire->open(bytes, script, i));
    for (size_t at = 0, len; at < text->len && rv == 0 && !sink->is_over; at += len) {
        size_t rest = text->len - at;
        len = rest <= CASE_PIECE_BYTES ? rest : rein_text_whole(text->text + at, CASE_PIECE_BYTES);
        rv = pass_on(sink, bytes, wire->piece(bytes, script, i, text->text + at, len));
    }
    return rv == 0 ? pass_on(sink, bytes, wire->close(bytes, script, i)) : rv;
}

static int send_events(const struct wire *wire, const struct wire_script *script, struct case_sink *sink,
                       struct buffer *bytes)
{
    int rv = pass_on(sink, bytes, wire->begin(bytes, script));
    for (size_t i = 0; i < script->len && rv == 0; i++)
        rv = send_text(wire, script, i, sink, bytes);
    if (rv == 0)
        rv = pass_on(sink, bytes, wire->last(bytes, script, 0));
    return rv == 0 ? pass_on(sink, bytes, wire->done(bytes, script)) : rv;
}

int case_wire_send(const struct wire *wire, const struct case_script *script, bool streamed, struct case_sink *sink)
{
    struct wire_text texts[CASE_TEXTS];
    struct wire_script said = script_of(script, texts);
    struct buffer bytes = {.data = NULL};
    int rv = streamed ? send_events(wire, &said, sink, &bytes) : pass_on(sink, &bytes, wire->body(&bytes, &said));
    buffer_clear(&bytes);
    return rv;
}

/* ---- what the client gets ---- */

/* Adds a string, if it is one. */
static int case_join(struct buffer *out, const json_t *string)
{
    const char *text = json_string_value(string);
    return text != NULL ? buffer_add(out, text, json_string_length(string), CASE_OUT_MAX) : 0;
}

static int chat_read(const json_t *payload, struct buffer texts[CASE_TEXTS])
{
    const json_t *choice = json_array_get(json_object_get(payload, "choices"), 0);
    const json_t *says = json_object_get(choice, "delta"), *call;
    size_t i;
    if (says == NULL)
        says = json_object_get(choice, "message");
    int rv = case_join(&texts[CASE_REASONING], json_object_get(says, "reasoning_content"));
    if (rv == 0)
        rv = case_join(&texts[CASE_ANSWER], json_object_get(says, "content"));
    json_array_foreach(json_object_get(says, "tool_calls"), i, call)
    {
        if (rv == 0)
            rv = case_join(&texts[CASE_TOOL], json_object_get(json_object_get(call, "function"), "arguments"));
    }
    return rv;
}

static int read_block(const json_t *block, bool is_whole, struct buffer texts[CASE_TEXTS])
{
    int rv = case_join(&texts[CASE_REASONING], json_object_get(block, "thinking"));
    if (rv == 0)
        rv = case_join(&texts[CASE_ANSWER], json_object_get(block, "text"));
    const json_t *input = json_object_get(block, "input");
    if (rv != 0 || !is_whole || input == NULL)
        return rv;
    char *text = json_dumps(input, JSON_COMPACT);
    rv = text != NULL ? buffer_add(&texts[CASE_TOOL], text, strlen(text), CASE_OUT_MAX) : REIN_ENOMEM;
    free(text);
    return rv;
}

static int messages_read(const json_t *payload, struct buffer texts[CASE_TEXTS])
{
    const json_t *delta = json_object_get(payload, "delta"), *block;
    size_t i;
    int rv = read_block(json_object_get(payload, "content_block"), false, texts);
    if (rv == 0)
        rv = read_block(delta, false, texts);
    if (rv == 0)
        rv = case_join(&texts[CASE_TOOL], json_object_get(delta, "partial_json"));
    json_array_foreach(json_object_get(payload, "content"), i, block)
    {
        if (rv == 0)
            rv = read_block(block, true, texts);
    }
    return rv;
}

static int read_event(const char *type, const json_t *payload, struct buffer texts[CASE_TEXTS])
{
    static const struct {
        const char *type;
        enum case_text text;
    } deltas[] = {{"response.reasoning_text.delta", CASE_REASONING},
                  {"response.output_text.delta", CASE_ANSWER},
                  {"response.refusal.delta", CASE_ANSWER},
                  {"response.function_call_arguments.delta", CASE_TOOL}};
    const json_t *delta = json_object_get(payload, "delta");
    for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++)
        if (strcmp(type, deltas[i].type) == 0)
            return case_join(&texts[deltas[i].text], delta);
    return 0;
}

static int read_parts(const json_t *item, struct buffer texts[CASE_TEXTS])
{
    const char *type = json_string_value(json_object_get(item, "type"));
    struct buffer *out = &texts[type != NULL && strcmp(type, "reasoning") == 0 ? CASE_REASONING : CASE_ANSWER];
    const json_t *part;
    size_t i;
    int rv = case_join(&texts[CASE_TOOL], json_object_get(item, "arguments"));
    json_array_foreach(json_object_get(item, "content"), i, part)
    {
        if (rv == 0)
            rv = case_join(out, json_object_get(part, "text"));
        if (rv == 0)
            rv = case_join(out, json_object_get(part, "refusal"));
    }
    return rv;
}

static int responses_read(const json_t *payload, struct buffer texts[CASE_TEXTS])
{
    const char *type = json_string_value(json_object_get(payload, "type"));
    if (type != NULL)
        return read_event(type, payload, texts);
    const json_t *item;
    size_t i;
    int rv = 0;
    json_array_foreach(json_object_get(payload, "output"), i, item)
    {
        if (rv == 0)
            rv = read_parts(item, texts);
    }
    return rv;
}

const struct case_wire case_wires[CASE_WIRES] = {
    {&wire_chat, chat_read},
    {&wire_messages, messages_read},
    {&wire_responses, responses_read},
};
