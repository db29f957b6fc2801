/* Cases in Anthropic's Messages: one block for each text. See case_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "policytest/case_wire.h"

/* A tool's input is an object here, not a text. */
static json_t *input_of(const struct case_script *script)
{
    const char *text = script->texts[CASE_TOOL];
    json_t *input = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(input))
        return input;
    json_decref(input);
    return NULL;
}

static bool messages_fit(const struct case_script *script)
{
    json_t *input = input_of(script);
    bool fits = *script->texts[CASE_TOOL] == '\0' || input != NULL;
    json_decref(input);
    return fits;
}

/* ---- what the upstream says ---- */

static const char *stop_of(const struct case_script *script)
{
    return *script->texts[CASE_TOOL] != '\0' ? "tool_use" : "end_turn";
}

static int send_named(struct case_sink *sink, json_t *event)
{
    char name[32] = "";
    const char *type = json_string_value(json_object_get(event, "type"));
    if (type != NULL && strlen(type) < sizeof name)
        memcpy(name, type, strlen(type) + 1);
    return sink->is_over ? (json_decref(event), 0) : case_send_event(sink, name, event);
}

static json_t *pack_thinking(const char *text, size_t len, int index)
{
    return json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", index, "delta", "type", "thinking_delta",
                     "thinking", text, len);
}

static json_t *pack_text(const char *text, size_t len, int index)
{
    return json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", index, "delta", "type", "text_delta",
                     "text", text, len);
}

static json_t *pack_input(const char *text, size_t len, int index)
{
    return json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", index, "delta", "type",
                     "input_json_delta", "partial_json", text, len);
}

static const case_pack packs[CASE_TEXTS] = {
    [CASE_REASONING] = pack_thinking, [CASE_ANSWER] = pack_text, [CASE_TOOL] = pack_input};

/* An empty block. */
static json_t *block_begun(enum case_text text)
{
    switch (text) {
    case CASE_REASONING:
        return json_pack("{ssssss}", "type", "thinking", "thinking", "", "signature", "");
    case CASE_ANSWER:
        return json_pack("{ssss}", "type", "text", "text", "");
    default:
        return json_pack("{sssssss{}}", "type", "tool_use", "id", "toolu_case", "name", "tool", "input");
    }
}

static int send_block(struct case_sink *sink, const struct case_script *script, enum case_text text, int index)
{
    int rv = send_named(
        sink, json_pack("{sssiso}", "type", "content_block_start", "index", index, "content_block", block_begun(text)));
    if (rv == 0)
        rv = case_send_pieces(sink, "content_block_delta", script->texts[text], packs[text], index);
    return rv == 0 ? send_named(sink, json_pack("{sssi}", "type", "content_block_stop", "index", index)) : rv;
}

/* The message's head, in events and as a body. Takes `content`; `stop` NULL: not yet. */
static json_t *message_of(json_t *content, const char *stop)
{
    return json_pack("{sssssssssosss{sisi}}", "id", "case", "type", "message", "role", "assistant", "model", "case",
                     "content", content, "stop_reason", stop, "usage", "input_tokens", 1, "output_tokens", 1);
}

static int messages_events(const struct case_script *script, struct case_sink *sink)
{
    json_t *head = json_pack("{ssssssss s[] sn s{sisi}}", "id", "case", "type", "message", "role", "assistant", "model",
                             "case", "content", "stop_reason", "usage", "input_tokens", 1, "output_tokens", 1);
    int rv = send_named(sink, json_pack("{ssso}", "type", "message_start", "message", head));
    int index = 0;
    for (int t = 0; t < CASE_TEXTS && rv == 0; t++)
        if (*script->texts[t] != '\0')
            rv = send_block(sink, script, (enum case_text)t, index++);
    if (rv == 0)
        rv = send_named(sink, json_pack("{sss{sssn}s{si}}", "type", "message_delta", "delta", "stop_reason",
                                        stop_of(script), "stop_sequence", "usage", "output_tokens", 1));
    return rv == 0 ? send_named(sink, json_pack("{ss}", "type", "message_stop")) : rv;
}

static json_t *block_whole(const struct case_script *script, enum case_text text)
{
    json_t *block = block_begun(text);
    if (text == CASE_TOOL)
        json_object_set_new(block, "input", input_of(script));
    else
        json_object_set_new(block, text == CASE_REASONING ? "thinking" : "text", json_string(script->texts[text]));
    return block;
}

static int messages_body(const struct case_script *script, struct case_sink *sink)
{
    json_t *content = json_array();
    for (int t = 0; t < CASE_TEXTS; t++)
        if (*script->texts[t] != '\0')
            json_array_append_new(content, block_whole(script, (enum case_text)t));
    return case_send_body(sink, message_of(content, stop_of(script)));
}

/* ---- what the client gets ---- */

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

const struct case_wire case_wire_messages = {
    .dialect = REIN_ANTHROPIC_MESSAGES,
    .name = "messages",
    .fits = messages_fit,
    .events = messages_events,
    .body = messages_body,
    .read = messages_read,
};
