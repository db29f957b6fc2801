/* Anthropic's Messages: one block for each text. See wire.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Blocks are no texts: all thinking is one, and so is all of the answer. Other servers have reasoning under another
 * name, which is a text of its own; so there are at most two of reasoning and one of the answer, and one for each tool.
 */
#include "wire/wire.h"

#include <string.h>

static const char *const reasoning_keys[] = {"thinking", "reasoning"};

/* In a body, a tool's input is an object as a rule. */
static bool is_input(const struct wire_text *text)
{
    json_t *input = json_loadb(text->text, text->len, JSON_REJECT_DUPLICATES, NULL);
    bool is_object = json_is_object(input);
    json_decref(input);
    return is_object;
}

static bool messages_fit(const struct wire_script *script, bool streamed)
{
    (void)streamed;
    for (size_t i = 0; i < script->len; i++) {
        const struct wire_text *text = &script->texts[i];
        size_t number = wire_number(script, i);
        bool fits = text->channel == REIN_TOOL || number < (text->channel == REIN_REASONING ? 2 : 1);
        if (!fits || text->choice > 0)
            return false;
    }
    return true;
}

static const char *key_of(const struct wire_script *script, size_t i)
{
    return script->texts[i].channel == REIN_REASONING ? reasoning_keys[wire_number(script, i)] : "text";
}

/* ---- events ---- */

static int messages_begin(struct buffer *out, const struct wire_script *script)
{
    json_t *head =
        json_pack("{ss*ssssss*s[]sns{sisi}}", "id", script->name, "type", "message", "role", "assistant", "model",
                  script->name, "content", "stop_reason", "usage", "input_tokens", 1, "output_tokens", 1);
    return wire_add_event(out, script, json_pack("{ssso}", "type", "message_start", "message", head));
}

/* A block with this much of its text; of a tool: without its input. */
static json_t *block_of(const struct wire_script *script, size_t i, const char *text, size_t len)
{
    enum rein_channel channel = script->texts[i].channel;
    if (channel == REIN_TOOL)
        return json_pack("{ssss*ss*}", "type", "tool_use", "id", script->name, "name", script->name);
    return json_pack("{ssss%}", "type", channel == REIN_REASONING ? "thinking" : "text", key_of(script, i), text, len);
}

static int messages_open(struct buffer *out, const struct wire_script *script, size_t i)
{
    json_t *block = block_of(script, i, "", 0);
    if (script->texts[i].channel == REIN_TOOL)
        block = wire_with(block, "input", json_object());
    return wire_add_event(
        out, script, json_pack("{sssiso}", "type", "content_block_start", "index", (int)i, "content_block", block));
}

static int messages_piece(struct buffer *out, const struct wire_script *script, size_t i, const char *piece, size_t len)
{
    enum rein_channel channel = script->texts[i].channel;
    const char *type = channel == REIN_TOOL        ? "input_json_delta"
                       : channel == REIN_REASONING ? "thinking_delta"
                                                   : "text_delta";
    const char *key = channel == REIN_TOOL ? "partial_json" : key_of(script, i);
    return wire_add_event(out, script,
                          json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", (int)i, "delta", "type",
                                    type, key, piece, len));
}

static int messages_close(struct buffer *out, const struct wire_script *script, size_t i)
{
    return wire_add_event(out, script, json_pack("{sssi}", "type", "content_block_stop", "index", (int)i));
}

static const char *stop_of(const struct wire_script *script)
{
    return wire_has(script, REIN_TOOL, 0) ? "tool_use" : "end_turn";
}

static int messages_last(struct buffer *out, const struct wire_script *script, unsigned choice)
{
    (void)choice;
    return wire_add_event(out, script,
                          json_pack("{sss{sssn}s{si}}", "type", "message_delta", "delta", "stop_reason",
                                    stop_of(script), "stop_sequence", "usage", "output_tokens", 1));
}

static int messages_done(struct buffer *out, const struct wire_script *script)
{
    return wire_add_event(out, script, json_pack("{ss}", "type", "message_stop"));
}

/* ---- a body ---- */

/* Opens the object that was added last, for one more member. */
static int reopen(struct buffer *out, const char *key)
{
    out->len--;
    int rv = wire_add(out, ",\"");
    if (rv == 0)
        rv = wire_add(out, key);
    return rv == 0 ? wire_add(out, "\":") : rv;
}

/* A tool's input is written as it is, byte by byte: that is the text which is judged. What is no object is the same
 * text in a string. */
static int add_block(struct buffer *out, const struct wire_script *script, const struct wire_part *part)
{
    const struct wire_text *text = &script->texts[part->text];
    int rv = wire_add_json(out, block_of(script, part->text, text->text + part->from, part->len));
    if (rv != 0 || text->channel != REIN_TOOL)
        return rv;
    rv = reopen(out, "input");
    if (rv == 0 && is_input(text))
        rv = buffer_add(out, text->text, text->len, WIRE_MAX);
    else if (rv == 0)
        rv = wire_add_json(out, json_stringn(text->text, text->len));
    return rv == 0 ? wire_add(out, "}") : rv;
}

static struct wire_part part_at(const struct wire_script *script, size_t i)
{
    return script->parts != NULL ? script->parts[i] : (struct wire_part){i, 0, script->texts[i].len};
}

/* A tool has one block, as it began. */
static bool is_said(const struct wire_script *script, const struct wire_part *part)
{
    return part->from == 0 || script->texts[part->text].channel != REIN_TOOL;
}

static int add_blocks(struct buffer *out, const struct wire_script *script)
{
    size_t len = script->parts != NULL ? script->parts_len : script->len;
    int rv = 0;
    for (size_t i = 0; i < len && rv == 0; i++) {
        const struct wire_part part = part_at(script, i);
        if (!is_said(script, &part))
            continue;
        rv = i > 0 ? wire_add(out, ",") : 0;
        if (rv == 0)
            rv = add_block(out, script, &part);
    }
    return rv;
}

static int messages_body(struct buffer *out, const struct wire_script *script)
{
    int rv = wire_add_json(out, json_pack("{ss*ssssss*sss{sisi}}", "id", script->name, "type", "message", "role",
                                          "assistant", "model", script->name, "stop_reason", stop_of(script), "usage",
                                          "input_tokens", 1, "output_tokens", 1));
    if (rv == 0)
        rv = reopen(out, "content");
    if (rv == 0)
        rv = wire_add(out, "[");
    if (rv == 0)
        rv = add_blocks(out, script);
    return rv == 0 ? wire_add(out, "]}") : rv;
}

const struct wire wire_messages = {
    .dialect = REIN_ANTHROPIC_MESSAGES,
    .name = "messages",
    .fits = messages_fit,
    .begin = messages_begin,
    .open = messages_open,
    .piece = messages_piece,
    .close = messages_close,
    .last = messages_last,
    .done = messages_done,
    .body = messages_body,
};
