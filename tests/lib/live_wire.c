/* See live_wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "live_wire.h"

#include <jansson.h>

#include "drawn.h"

/* Takes the value. */
static void put_json(struct bytes *out, const char *before, json_t *value, const char *after)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (text == NULL)
        abort();
    drawn_put(out, "%s%s%s", before, text, after);
    free(text);
    json_decref(value);
}

/* The text's next piece, in whole characters. */
static struct span next_piece(struct live_wire *w, struct live_text *text)
{
    struct span all = bytes_span(&text->text);
    struct span piece = {all.data + text->sent, all.len - text->sent};
    size_t len = 1 + dice_below(w->dice, w->piece_max);
    while (len < piece.len && ((unsigned char)piece.data[len] & 0xC0) == 0x80)
        len++;
    piece.len = len < piece.len ? len : piece.len;
    text->sent += piece.len;
    return piece;
}

static bool has_more(const struct live_text *text)
{
    return text->sent < bytes_len(&text->text);
}

void live_wire_clear(struct live_wire *wire)
{
    while (wire->len > 0)
        bytes_fini(&wire->texts[--wire->len].text);
}

/* ---- chat ---- */

/* Of a choice the first that has something left, or any. NULL: all is sent. */
static struct live_text *next_text(struct live_wire *w)
{
    struct live_text *found[LIVE_TEXTS_MAX];
    size_t len = 0;
    for (size_t i = 0; i < w->len; i++) {
        struct live_text *text = &w->texts[i];
        bool is_behind = false;
        for (size_t k = 0; k < len; k++)
            is_behind |= found[k]->choice == text->choice && !w->is_mixed;
        if (has_more(text) && !is_behind)
            found[len++] = text;
    }
    return len > 0 ? found[dice_below(w->dice, len)] : NULL;
}

static void put_chat_delta(struct bytes *out, const struct live_text *text, json_t *delta)
{
    put_json(
        out, "data: ",
        json_pack("{sss[{sisosn}]}", "id", "u", "choices", "index", (int)text->choice, "delta", delta, "finish_reason"),
        "\n\n");
}

static json_t *chat_call(const struct live_text *text, const char *name, struct span arguments)
{
    return json_pack("{s[{sis{ss*ss%}}]}", "tool_calls", "index", (int)text->call, "function", "name", name,
                     "arguments", arguments.data, arguments.len);
}

static void put_chat_stream(struct live_wire *w, struct bytes *out)
{
    struct live_text *text;
    while ((text = next_text(w)) != NULL) {
        const char *field = text->channel == REIN_REASONING ? "reasoning_content" : "content";
        if (text->channel == REIN_TOOL && text->sent == 0)
            put_chat_delta(out, text, chat_call(text, "look", SPAN("")));
        struct span piece = next_piece(w, text);
        put_chat_delta(out, text,
                       text->channel == REIN_TOOL ? chat_call(text, NULL, piece)
                                                  : json_pack("{ss%}", field, piece.data, piece.len));
    }
    for (unsigned c = 0; c < w->choices; c++)
        put_json(out, "data: ",
                 json_pack("{sss[{sis{}ss}]}", "id", "u", "choices", "index", (int)c, "delta", "finish_reason", "stop"),
                 "\n\n");
    if (!w->breaks_off)
        drawn_put(out, "data: [DONE]\n\n");
}

static json_t *chat_message(struct live_wire *w, unsigned choice)
{
    json_t *message = json_pack("{ss}", "role", "assistant"), *calls = json_array();
    bool answer_first = dice_chance(w->dice, 50) != 0;
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < w->len; i++) {
            const struct live_text *text = &w->texts[i];
            struct span said = bytes_span(&text->text);
            if (text->choice != choice || (text->channel == REIN_ANSWER) != (answer_first == (turn == 0)))
                continue;
            if (text->channel == REIN_TOOL)
                json_array_append_new(
                    calls, json_pack("{s{ssss%}}", "function", "name", "look", "arguments", said.data, said.len));
            else
                json_object_set_new(message, text->channel == REIN_REASONING ? "reasoning_content" : "content",
                                    json_stringn(said.data, said.len));
        }
    if (json_array_size(calls) > 0)
        json_object_set(message, "tool_calls", calls);
    json_decref(calls);
    return message;
}

static json_t *chat_body(struct live_wire *w)
{
    json_t *choices = json_array();
    for (unsigned c = 0; c < w->choices; c++)
        json_array_append_new(
            choices, json_pack("{sisoss}", "index", (int)c, "message", chat_message(w, c), "finish_reason", "stop"));
    return json_pack("{ssso}", "id", "u", "choices", choices);
}

/* ---- messages ---- */

/* What a tool gets is an object; other texts are put into one. */
static json_t *input_of(struct span said)
{
    json_t *input = json_loadb(said.data, said.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(input))
        return input;
    json_decref(input);
    return json_pack("{ss%}", "said", said.data, said.len);
}

static json_t *message_block(const struct live_text *text, struct span said, bool is_whole)
{
    said.len = is_whole ? said.len : 0;
    if (text->channel == REIN_REASONING)
        return json_pack("{ssss%ss}", "type", "thinking", "thinking", said.data, said.len, "signature",
                         is_whole ? "c2ln" : "");
    if (text->channel == REIN_ANSWER)
        return json_pack("{ssss%}", "type", "text", "text", said.data, said.len);
    return json_pack("{ssssssso}", "type", "tool_use", "id", "toolu_1", "name", "look", "input",
                     is_whole ? input_of(said) : json_object());
}

static void put_message_delta(struct bytes *out, int index, const struct live_text *text, struct span piece)
{
    static const char *const types[REIN_CHANNELS][2] = {[REIN_REASONING] = {"thinking_delta", "thinking"},
                                                        [REIN_ANSWER] = {"text_delta", "text"},
                                                        [REIN_TOOL] = {"input_json_delta", "partial_json"}};
    const char *const *names = types[text->channel];
    put_json(out, "data: ",
             json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", index, "delta", "type", names[0],
                       names[1], piece.data, piece.len),
             "\n\n");
}

/* A text is one block, or two of its kind. */
static void put_messages_stream(struct live_wire *w, struct bytes *out)
{
    int index = 0;
    drawn_put(out, "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":"
                   "\"assistant\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n");
    for (size_t i = 0; i < w->len; i++) {
        struct live_text *text = &w->texts[i];
        size_t len = bytes_len(&text->text),
               part = text->channel != REIN_TOOL && dice_chance(w->dice, 20) ? dice_below(w->dice, len + 1) : len;
        while (part < len && ((unsigned char)*bytes_at(&text->text, part) & 0xC0) == 0x80)
            part++;
        for (size_t end = part;; end = len) {
            put_json(out, "data: ",
                     json_pack("{sssiso}", "type", "content_block_start", "index", index, "content_block",
                               message_block(text, SPAN(""), false)),
                     "\n\n");
            while (text->sent < end) {
                struct live_text until = *text;
                until.text.end = until.text.start + end;
                struct span piece = next_piece(w, &until);
                text->sent = until.sent;
                put_message_delta(out, index, text, piece);
            }
            if (text->channel == REIN_REASONING)
                put_json(out, "data: ",
                         json_pack("{sssis{ssss}}", "type", "content_block_delta", "index", index, "delta", "type",
                                   "signature_delta", "signature", "c2ln"),
                         "\n\n");
            put_json(out, "data: ", json_pack("{sssi}", "type", "content_block_stop", "index", index++), "\n\n");
            if (end == len)
                break;
        }
    }
    drawn_put(out, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
                   "\"usage\":{\"output_tokens\":5}}\n\n");
    if (!w->breaks_off)
        drawn_put(out, "data: {\"type\":\"message_stop\"}\n\n");
}

static json_t *messages_body(struct live_wire *w)
{
    json_t *content = json_array();
    for (size_t i = 0; i < w->len; i++)
        json_array_append_new(content, message_block(&w->texts[i], bytes_span(&w->texts[i].text), true));
    return json_pack("{sssssssosss{sisi}}", "id", "m", "type", "message", "role", "assistant", "content", content,
                     "stop_reason", "end_turn", "usage", "input_tokens", 3, "output_tokens", 5);
}

/* ---- responses ---- */

static const char *item_id(size_t i)
{
    static char id[24];
    snprintf(id, sizeof id, "it_%zu", i);
    return id;
}

static json_t *response_part(const struct live_text *text, bool is_whole)
{
    struct span said = is_whole ? bytes_span(&text->text) : SPAN("");
    return json_pack("{ssss%}", "type", text->channel == REIN_REASONING ? "reasoning_text" : "output_text", "text",
                     said.data, said.len);
}

static json_t *response_item(const struct live_text *text, size_t i, bool is_whole)
{
    struct span said = is_whole ? bytes_span(&text->text) : SPAN("");
    if (text->channel == REIN_TOOL)
        return json_pack("{ssssssssss%}", "id", item_id(i), "type", "function_call", "call_id", "c", "name", "say",
                         "arguments", said.data, said.len);
    json_t *parts = is_whole ? json_pack("[o]", response_part(text, true)) : json_array();
    if (text->channel == REIN_REASONING)
        return json_pack("{sssss[]so}", "id", item_id(i), "type", "reasoning", "summary", "content", parts);
    return json_pack("{ssssssssso}", "id", item_id(i), "type", "message", "status", "completed", "role", "assistant",
                     "content", parts);
}

static void put_response_event(struct bytes *out, const char *type, size_t i, const char *key, json_t *value)
{
    json_t *event =
        json_pack("{sssisIso}", "type", type, "sequence_number", 1, "output_index", (json_int_t)i, key, value);
    if (strncmp(type, "response.output_item", 20) != 0) {
        json_object_set_new(event, "item_id", json_string(item_id(i)));
        if (strstr(type, "arguments") == NULL)
            json_object_set_new(event, "content_index", json_integer(0));
    }
    put_json(out, "data: ", event, "\n\n");
}

static void put_response_item(struct live_wire *w, struct bytes *out, size_t i)
{
    static const char *const types[REIN_CHANNELS][2] = {
        [REIN_REASONING] = {"response.reasoning_text.delta", "response.reasoning_text.done"},
        [REIN_ANSWER] = {"response.output_text.delta", "response.output_text.done"},
        [REIN_TOOL] = {"response.function_call_arguments.delta", "response.function_call_arguments.done"}};
    struct live_text *text = &w->texts[i];
    bool is_call = text->channel == REIN_TOOL;
    put_response_event(out, "response.output_item.added", i, "item", response_item(text, i, false));
    if (!is_call)
        put_response_event(out, "response.content_part.added", i, "part", response_part(text, false));
    while (has_more(text)) {
        struct span piece = next_piece(w, text);
        put_response_event(out, types[text->channel][0], i, "delta", json_stringn(piece.data, piece.len));
    }
    struct span said = bytes_span(&text->text);
    put_response_event(out, types[text->channel][1], i, is_call ? "arguments" : "text",
                       json_stringn(said.data, said.len));
    if (!is_call)
        put_response_event(out, "response.content_part.done", i, "part", response_part(text, true));
    put_response_event(out, "response.output_item.done", i, "item", response_item(text, i, true));
}

static json_t *response_of(struct live_wire *w, bool is_whole)
{
    json_t *output = json_array();
    for (size_t i = 0; i < w->len && is_whole; i++)
        json_array_append_new(output, response_item(&w->texts[i], i, true));
    return json_pack("{ssssssssso}", "id", "r", "object", "response", "status", is_whole ? "completed" : "in_progress",
                     "model", "m", "output", output);
}

static void put_responses_stream(struct live_wire *w, struct bytes *out)
{
    put_json(out, "data: ",
             json_pack("{sssiso}", "type", "response.created", "sequence_number", 0, "response", response_of(w, false)),
             "\n\n");
    for (size_t i = 0; i < w->len; i++)
        put_response_item(w, out, i);
    if (!w->breaks_off)
        put_json(
            out, "data: ",
            json_pack("{sssiso}", "type", "response.completed", "sequence_number", 9, "response", response_of(w, true)),
            "\n\n");
}

/* ---- all ---- */

void live_wire_stream(struct live_wire *wire, struct bytes *out)
{
    if (wire->dialect == REIN_OPENAI_CHAT)
        put_chat_stream(wire, out);
    else if (wire->dialect == REIN_ANTHROPIC_MESSAGES)
        put_messages_stream(wire, out);
    else
        put_responses_stream(wire, out);
}

void live_wire_body(struct live_wire *wire, struct bytes *out)
{
    put_json(out, "",
             wire->dialect == REIN_OPENAI_CHAT          ? chat_body(wire)
             : wire->dialect == REIN_ANTHROPIC_MESSAGES ? messages_body(wire)
                                                        : response_of(wire, true),
             "");
    if (wire->breaks_off)
        out->end -= bytes_len(out) / 3;
}
