/* Cases in Chat Completions. See case_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policytest/case_wire.h"

static bool chat_fits(const struct case_script *script)
{
    (void)script;
    return true;
}

/* ---- what the upstream says ---- */

/* Takes `delta`. */
static json_t *chat_chunk(json_t *delta, const char *finish)
{
    return json_pack("{sssss[{siso*ss*}]}", "id", "case", "object", "chat.completion.chunk", "choices", "index", 0,
                     "delta", delta, "finish_reason", finish);
}

static json_t *pack_reasoning(const char *text, size_t len, int index)
{
    (void)index;
    return chat_chunk(json_pack("{ss%}", "reasoning_content", text, len), NULL);
}

static json_t *pack_answer(const char *text, size_t len, int index)
{
    (void)index;
    return chat_chunk(json_pack("{ss%}", "content", text, len), NULL);
}

static json_t *pack_arguments(const char *text, size_t len, int index)
{
    return chat_chunk(json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", index, "function", "arguments", text, len),
                      NULL);
}

static json_t *pack_call(void)
{
    return chat_chunk(json_pack("{s[{sisssss{ssss}}]}", "tool_calls", "index", 0, "id", "call_case", "type", "function",
                                "function", "name", "tool", "arguments", ""),
                      NULL);
}

static int chat_events(const struct case_script *script, struct case_sink *sink)
{
    static const char done[] = "data: [DONE]\n\n";
    bool calls = *script->texts[CASE_TOOL] != '\0';
    int rv = case_send_pieces(sink, NULL, script->texts[CASE_REASONING], pack_reasoning, 0);
    if (rv == 0)
        rv = case_send_pieces(sink, NULL, script->texts[CASE_ANSWER], pack_answer, 0);
    if (rv == 0 && calls && !sink->is_over)
        rv = case_send_event(sink, NULL, pack_call());
    if (rv == 0)
        rv = case_send_pieces(sink, NULL, script->texts[CASE_TOOL], pack_arguments, 0);
    if (rv == 0 && !sink->is_over)
        rv = case_send_event(sink, NULL, chat_chunk(json_object(), calls ? "tool_calls" : "stop"));
    return rv == 0 && !sink->is_over ? sink->feed(sink, done, sizeof done - 1) : rv;
}

static int chat_body(const struct case_script *script, struct case_sink *sink)
{
    const char *const *texts = script->texts;
    bool calls = *texts[CASE_TOOL] != '\0';
    json_t *message = json_pack("{ssssss}", "role", "assistant", "content", texts[CASE_ANSWER], "reasoning_content",
                                texts[CASE_REASONING]);
    if (calls)
        json_object_set_new(message, "tool_calls",
                            json_pack("[{sssss{ssss}}]", "id", "call_case", "type", "function", "function", "name",
                                      "tool", "arguments", texts[CASE_TOOL]));
    return case_send_body(sink,
                          json_pack("{sssss[{sisoss}]}", "id", "case", "object", "chat.completion", "choices", "index",
                                    0, "message", message, "finish_reason", calls ? "tool_calls" : "stop"));
}

/* ---- what the client gets ---- */

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

const struct case_wire case_wire_chat = {
    .dialect = REIN_OPENAI_CHAT,
    .name = "chat",
    .fits = chat_fits,
    .events = chat_events,
    .body = chat_body,
    .read = chat_read,
};
