/* Cases in OpenAI's Responses: one item for each text. See case_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "policytest/case_wire.h"

static bool responses_fit(const struct case_script *script)
{
    (void)script;
    return true;
}

/* How each text is sent. */
static const struct responses_kind {
    const char *part;  /* the type of its part; NULL: the text is the item's own */
    const char *delta; /* the type of an event with a piece of it */
    const char *done;  /* and of the one with the whole of it */
    const char *key;   /* where that one has it */
    const char *item;  /* the item's id */
} kinds[CASE_TEXTS] = {
    [CASE_REASONING] = {"reasoning_text", "response.reasoning_text.delta", "response.reasoning_text.done", "text",
                        "rs_case"},
    [CASE_ANSWER] = {"output_text", "response.output_text.delta", "response.output_text.done", "text", "msg_case"},
    [CASE_TOOL] = {NULL, "response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments",
                   "fc_case"},
};

/* ---- items ---- */

static json_t *part_of(enum case_text text, const char *says)
{
    json_t *part = json_pack("{ssss}", "type", kinds[text].part, "text", says);
    if (text == CASE_ANSWER)
        json_object_set_new(part, "annotations", json_array());
    return part;
}

/* An item with what it says; `parts`: with the part, too. */
static json_t *item_of(enum case_text text, const char *says, const char *status, bool parts)
{
    json_t *content = parts ? json_pack("[o]", part_of(text, says)) : json_array();
    switch (text) {
    case CASE_REASONING:
        return json_pack("{sssss[]so}", "id", kinds[text].item, "type", "reasoning", "summary", "content", content);
    case CASE_ANSWER:
        return json_pack("{ssssssssso}", "id", kinds[text].item, "type", "message", "status", status, "role",
                         "assistant", "content", content);
    default:
        json_decref(content);
        return json_pack("{ssssssssssss}", "id", kinds[text].item, "type", "function_call", "status", status, "call_id",
                         "call_case", "name", "tool", "arguments", says);
    }
}

static json_t *response_of(const struct case_script *script, const char *status, bool is_whole)
{
    json_t *output = json_array();
    for (int t = 0; t < CASE_TEXTS && is_whole; t++)
        if (*script->texts[t] != '\0')
            json_array_append_new(output, item_of((enum case_text)t, script->texts[t], "completed", true));
    return json_pack("{sssssissssso}", "id", "resp_case", "object", "response", "created_at", 0, "status", status,
                     "model", "case", "output", output);
}

/* ---- what the upstream says ---- */

/* Takes `event`. */
static int send_typed(struct case_sink *sink, json_t *event)
{
    char name[64] = "";
    const char *type = json_string_value(json_object_get(event, "type"));
    if (type != NULL && strlen(type) < sizeof name)
        memcpy(name, type, strlen(type) + 1);
    return sink->is_over ? (json_decref(event), 0) : case_send_event(sink, name, event);
}

static json_t *event_at(const char *type, enum case_text text, int index)
{
    json_t *event = json_pack("{sssssi}", "type", type, "item_id", kinds[text].item, "output_index", index);
    if (kinds[text].part != NULL)
        json_object_set_new(event, "content_index", json_integer(0));
    return event;
}

static json_t *pack_delta(enum case_text kind, const char *text, size_t len, int index)
{
    json_t *event = event_at(kinds[kind].delta, kind, index);
    json_object_set_new(event, "delta", json_stringn(text, len));
    return event;
}

static json_t *pack_reasoning(const char *text, size_t len, int index)
{
    return pack_delta(CASE_REASONING, text, len, index);
}

static json_t *pack_answer(const char *text, size_t len, int index)
{
    return pack_delta(CASE_ANSWER, text, len, index);
}

static json_t *pack_arguments(const char *text, size_t len, int index)
{
    return pack_delta(CASE_TOOL, text, len, index);
}

static int send_part(struct case_sink *sink, const char *type, enum case_text text, const char *says, int index)
{
    json_t *event = event_at(type, text, index);
    json_object_set_new(event, "part", part_of(text, says));
    return send_typed(sink, event);
}

static int send_item(struct case_sink *sink, const struct case_script *script, enum case_text text, int index)
{
    static const case_pack packs[CASE_TEXTS] = {
        [CASE_REASONING] = pack_reasoning, [CASE_ANSWER] = pack_answer, [CASE_TOOL] = pack_arguments};
    const char *says = script->texts[text];
    bool has_part = kinds[text].part != NULL;
    int rv = send_typed(sink, json_pack("{sssiso}", "type", "response.output_item.added", "output_index", index, "item",
                                        item_of(text, "", "in_progress", false)));
    if (rv == 0 && has_part)
        rv = send_part(sink, "response.content_part.added", text, "", index);
    if (rv == 0)
        rv = case_send_pieces(sink, kinds[text].delta, says, packs[text], index);
    if (rv == 0) {
        json_t *done = event_at(kinds[text].done, text, index);
        json_object_set_new(done, kinds[text].key, json_string(says));
        rv = send_typed(sink, done);
    }
    if (rv == 0 && has_part)
        rv = send_part(sink, "response.content_part.done", text, says, index);
    return rv == 0 ? send_typed(sink, json_pack("{sssiso}", "type", "response.output_item.done", "output_index", index,
                                                "item", item_of(text, says, "completed", true)))
                   : rv;
}

static int responses_events(const struct case_script *script, struct case_sink *sink)
{
    int index = 0, rv = send_typed(sink, json_pack("{ssso}", "type", "response.created", "response",
                                                   response_of(script, "in_progress", false)));
    for (int t = 0; t < CASE_TEXTS && rv == 0; t++)
        if (*script->texts[t] != '\0')
            rv = send_item(sink, script, (enum case_text)t, index++);
    return rv == 0 ? send_typed(sink, json_pack("{ssso}", "type", "response.completed", "response",
                                                response_of(script, "completed", true)))
                   : rv;
}

static int responses_body(const struct case_script *script, struct case_sink *sink)
{
    return case_send_body(sink, response_of(script, "completed", true));
}

/* ---- what the client gets ---- */

static int read_event(const char *type, const json_t *payload, struct buffer texts[CASE_TEXTS])
{
    const json_t *delta = json_object_get(payload, "delta");
    for (int t = 0; t < CASE_TEXTS; t++)
        if (strcmp(type, kinds[t].delta) == 0)
            return case_join(&texts[t], delta);
    return strcmp(type, "response.refusal.delta") == 0 ? case_join(&texts[CASE_ANSWER], delta) : 0;
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

const struct case_wire case_wire_responses = {
    .dialect = REIN_OPENAI_RESPONSES,
    .name = "responses",
    .fits = responses_fit,
    .events = responses_events,
    .body = responses_body,
    .read = responses_read,
};
