/* Chat Completions: several texts of one kind in a choice are fields of different names. See wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

#include <string.h>

/* Where the texts of a choice stand, in the order in which they begin. A server sends few of them, and these are known
 * to all that read chat. With more, they stand in the other one of `delta` and `message`, too. */
static const char *const reasoning_keys[] = {"reasoning_content", "reasoning",         "reasoning_text",
                                             "thinking",          "reasoning_summary", "thoughts"};
static const char *const answer_keys[] = {"content", "refusal", "audio"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t count_keys(enum rein_channel channel)
{
    return channel == REIN_REASONING ? COUNT(reasoning_keys) : COUNT(answer_keys);
}

static bool chat_fits(const struct wire_script *script, bool streamed)
{
    (void)streamed;
    for (size_t i = 0; i < script->len; i++) {
        const struct wire_text *text = &script->texts[i];
        if (text->channel != REIN_TOOL && wire_number(script, i) >= 2 * count_keys(text->channel))
            return false;
    }
    return true;
}

/* What an object says: this much of the text number i. */
static json_t *say_text(json_t *object, const struct wire_script *script, size_t i, const char *text, size_t len)
{
    enum rein_channel channel = script->texts[i].channel;
    size_t number = wire_number(script, i) % count_keys(channel);
    const char *key = channel == REIN_REASONING ? reasoning_keys[number] : answer_keys[number];
    json_t *value = json_stringn(text, len);
    return wire_with(object, key, strcmp(key, "audio") == 0 ? json_pack("{so}", "transcript", value) : value);
}

static bool is_aside(const struct wire_script *script, size_t i)
{
    return wire_number(script, i) >= count_keys(script->texts[i].channel);
}

/* ---- events ---- */

/* Takes `says`. */
static int add_chunk(struct buffer *out, const struct wire_script *script, unsigned choice, bool aside, json_t *says,
                     const char *finish)
{
    return wire_add_event(out, script,
                          json_pack("{ss*sss[{siso*ss*}]}", "id", script->name, "object", "chat.completion.chunk",
                                    "choices", "index", (int)choice, aside ? "message" : "delta", says, "finish_reason",
                                    finish));
}

static int chat_begin(struct buffer *out, const struct wire_script *script)
{
    (void)out;
    (void)script;
    return 0;
}

/* Takes `function`. */
static json_t *call_of(const struct wire_script *script, json_t *function)
{
    return json_pack("{ss*ss*so*}", "id", script->name, "type", script->name != NULL ? "function" : NULL, "function",
                     function);
}

static int chat_open(struct buffer *out, const struct wire_script *script, size_t i)
{
    const struct wire_text *text = &script->texts[i];
    if (text->channel != REIN_TOOL || script->name == NULL)
        return 0;
    json_t *call = call_of(script, json_pack("{ssss}", "name", script->name, "arguments", ""));
    call = wire_with(call, "index", json_integer((json_int_t)wire_number(script, i)));
    return add_chunk(out, script, text->choice, false, json_pack("{s[o]}", "tool_calls", call), NULL);
}

static int chat_piece(struct buffer *out, const struct wire_script *script, size_t i, const char *piece, size_t len)
{
    const struct wire_text *text = &script->texts[i];
    json_t *says = text->channel == REIN_TOOL
                       ? json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", (int)wire_number(script, i), "function",
                                   "arguments", piece, len)
                       : say_text(json_object(), script, i, piece, len);
    return says == NULL
               ? REIN_ENOMEM
               : add_chunk(out, script, text->choice, text->channel != REIN_TOOL && is_aside(script, i), says, NULL);
}

static int chat_close(struct buffer *out, const struct wire_script *script, size_t i)
{
    (void)out;
    (void)script;
    (void)i;
    return 0;
}

static const char *finish_of(const struct wire_script *script, unsigned choice)
{
    return wire_has(script, REIN_TOOL, choice) ? "tool_calls" : "stop";
}

static int chat_last(struct buffer *out, const struct wire_script *script, unsigned choice)
{
    return add_chunk(out, script, choice, false, json_object(), finish_of(script, choice));
}

static int chat_done(struct buffer *out, const struct wire_script *script)
{
    (void)script;
    return wire_add(out, "data: [DONE]\n\n");
}

/* ---- a body ---- */

/* What `message` of a choice says, or what stands aside. */
static json_t *message_of(const struct wire_script *script, unsigned choice, bool aside)
{
    json_t *message = aside ? json_object() : json_pack("{ss}", "role", "assistant"), *calls = json_array();
    for (size_t i = 0; i < script->len; i++) {
        const struct wire_text *text = &script->texts[i];
        if (text->choice != choice)
            continue;
        if (text->channel != REIN_TOOL && is_aside(script, i) == aside)
            message = say_text(message, script, i, text->text, text->len);
        if (text->channel == REIN_TOOL && !aside) {
            json_t *says = json_pack("{ss*ss%}", "name", script->name, "arguments", text->text, text->len);
            if (json_array_append_new(calls, call_of(script, says)) != 0) {
                json_decref(message);
                message = NULL;
            }
        }
    }
    if (json_array_size(calls) > 0)
        return wire_with(message, "tool_calls", calls);
    json_decref(calls);
    return message;
}

static json_t *choice_of(const struct wire_script *script, unsigned index)
{
    json_t *choice = json_pack("{siss}", "index", (int)index, "finish_reason", finish_of(script, index));
    json_t *aside = message_of(script, index, true);
    choice = wire_with(choice, "message", message_of(script, index, false));
    if (aside == NULL || json_object_size(aside) > 0)
        return wire_with(choice, "delta", aside);
    json_decref(aside);
    return choice;
}

static int chat_body(struct buffer *out, const struct wire_script *script)
{
    json_t *choices = json_array();
    int rv = choices != NULL ? 0 : REIN_ENOMEM;
    for (unsigned i = 0; i < script->choices && rv == 0; i++)
        rv = json_array_append_new(choices, choice_of(script, i)) == 0 ? 0 : REIN_ENOMEM;
    if (rv == 0)
        return wire_add_json(
            out, json_pack("{ss*ssso}", "id", script->name, "object", "chat.completion", "choices", choices));
    json_decref(choices);
    return rv;
}

const struct wire wire_chat = {
    .dialect = REIN_OPENAI_CHAT,
    .name = "chat",
    .fits = chat_fits,
    .begin = chat_begin,
    .open = chat_open,
    .piece = chat_piece,
    .close = chat_close,
    .last = chat_last,
    .done = chat_done,
    .body = chat_body,
};
