/* OpenAI's Responses: one item for each text. See wire.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire/wire.h"

static bool responses_fit(const struct wire_script *script, bool streamed)
{
    (void)streamed;
    for (size_t i = 0; i < script->len; i++)
        if (script->texts[i].choice > 0)
            return false;
    return true;
}

/* How texts of a kind are sent. */
struct responses_form {
    const char *part;              /* the type of its part; NULL: the text is the item's own */
    const char *index;             /* what says which part it is */
    const char *added, *done_part; /* the types of the events that announce the part, and close it */
    const char *delta;             /* the type of an event with a piece of it */
    const char *done;              /* and of the one with the whole of it */
    const char *key;               /* where that one has it */
};

static bool has_series(const struct wire_script *script, unsigned series)
{
    for (size_t i = 0; i < script->len; i++)
        if (script->texts[i].channel == REIN_REASONING && script->texts[i].series == series)
            return true;
    return false;
}

/* What stands alone stands with what is not there. */
static bool is_summary(const struct wire_script *script, size_t i)
{
    enum { REASONING = 1, SUMMARY }; /* series */
    unsigned series = script->texts[i].series;
    bool is_other = series == 0 && has_series(script, REASONING) && !has_series(script, SUMMARY);
    return script->texts[i].channel == REIN_REASONING && (series == SUMMARY || is_other);
}

static const struct responses_form *form_of_text(const struct wire_script *script, size_t i)
{
    static const struct responses_form summary = {"summary_text",
                                                  "summary_index",
                                                  "response.reasoning_summary_part.added",
                                                  "response.reasoning_summary_part.done",
                                                  "response.reasoning_summary_text.delta",
                                                  "response.reasoning_summary_text.done",
                                                  "text"};
    static const struct responses_form forms[] = {
        [REIN_REASONING] = {"reasoning_text", "content_index", "response.content_part.added",
                            "response.content_part.done", "response.reasoning_text.delta",
                            "response.reasoning_text.done", "text"},
        [REIN_ANSWER] = {"output_text", "content_index", "response.content_part.added", "response.content_part.done",
                         "response.output_text.delta", "response.output_text.done", "text"},
        [REIN_TOOL] = {.delta = "response.function_call_arguments.delta",
                       .done = "response.function_call_arguments.done",
                       .key = "arguments"},
    };
    return is_summary(script, i) ? &summary : &forms[script->texts[i].channel];
}

/* ---- items ---- */

static json_t *part_of(const struct wire_script *script, size_t i, const char *text, size_t len)
{
    json_t *part = json_pack("{ssss%}", "type", form_of_text(script, i)->part, "text", text, len);
    return script->texts[i].channel == REIN_ANSWER ? wire_with(part, "annotations", json_array()) : part;
}

static json_t *parts_of(const struct wire_script *script, size_t i, bool has_text)
{
    const struct wire_text *text = &script->texts[i];
    return has_text ? json_pack("[o]", part_of(script, i, text->text, text->len)) : json_array();
}

/* An item, whole or as it begins. */
static json_t *item_of(const struct wire_script *script, size_t i, bool is_whole)
{
    const struct wire_text *text = &script->texts[i];
    const char *status = is_whole ? "completed" : "in_progress";
    bool sums = is_summary(script, i);
    switch (text->channel) {
    case REIN_REASONING:
        return json_pack("{ss*sssoso}", "id", script->name, "type", "reasoning", "summary",
                         parts_of(script, i, is_whole && sums), "content", parts_of(script, i, is_whole && !sums));
    case REIN_ANSWER:
        return json_pack("{ss*ssssssso}", "id", script->name, "type", "message", "status", status, "role", "assistant",
                         "content", parts_of(script, i, is_whole));
    default:
        return json_pack("{ss*ssssss*ss*ss%}", "id", script->name, "type", "function_call", "status", status, "call_id",
                         script->name, "name", script->name, "arguments", text->text, is_whole ? text->len : 0);
    }
}

static json_t *response_of(const struct wire_script *script, bool is_whole)
{
    json_t *output = json_array();
    for (size_t i = 0; i < script->len && is_whole; i++)
        if (json_array_append_new(output, item_of(script, i, true)) != 0) {
            json_decref(output);
            return NULL;
        }
    return json_pack("{ss*sssissss*so}", "id", script->name, "object", "response", "created_at", 0, "status",
                     is_whole ? "completed" : "in_progress", "model", script->name, "output", output);
}

/* ---- events ---- */

/* Takes `value`. */
static int add_at(struct buffer *out, const struct wire_script *script, const char *type, size_t i, const char *key,
                  json_t *value)
{
    json_t *event = json_pack("{ssss*si}", "type", type, "item_id", script->name, "output_index", (int)i);
    if (form_of_text(script, i)->part != NULL)
        event = wire_with(event, form_of_text(script, i)->index, json_integer(0));
    return wire_add_event(out, script, wire_with(event, key, value));
}

static int add_item(struct buffer *out, const struct wire_script *script, size_t i, bool is_whole)
{
    const char *type = is_whole ? "response.output_item.done" : "response.output_item.added";
    return wire_add_event(
        out, script, json_pack("{sssiso}", "type", type, "output_index", (int)i, "item", item_of(script, i, is_whole)));
}

static int responses_begin(struct buffer *out, const struct wire_script *script)
{
    return wire_add_event(out, script,
                          json_pack("{ssso}", "type", "response.created", "response", response_of(script, false)));
}

static int responses_open(struct buffer *out, const struct wire_script *script, size_t i)
{
    const struct responses_form *form = form_of_text(script, i);
    int rv = add_item(out, script, i, false);
    return rv == 0 && form->part != NULL ? add_at(out, script, form->added, i, "part", part_of(script, i, "", 0)) : rv;
}

static int responses_piece(struct buffer *out, const struct wire_script *script, size_t i, const char *piece,
                           size_t len)
{
    return add_at(out, script, form_of_text(script, i)->delta, i, "delta", json_stringn(piece, len));
}

static int responses_close(struct buffer *out, const struct wire_script *script, size_t i)
{
    const struct wire_text *text = &script->texts[i];
    const struct responses_form *form = form_of_text(script, i);
    int rv = add_at(out, script, form->done, i, form->key, json_stringn(text->text, text->len));
    if (rv == 0 && form->part != NULL)
        rv = add_at(out, script, form->done_part, i, "part", part_of(script, i, text->text, text->len));
    return rv == 0 ? add_item(out, script, i, true) : rv;
}

/* The choice ends with the response. */
static int responses_last(struct buffer *out, const struct wire_script *script, unsigned choice)
{
    (void)out;
    (void)script;
    (void)choice;
    return 0;
}

static int responses_done(struct buffer *out, const struct wire_script *script)
{
    return wire_add_event(out, script,
                          json_pack("{ssso}", "type", "response.completed", "response", response_of(script, true)));
}

static int responses_body(struct buffer *out, const struct wire_script *script)
{
    return wire_add_json(out, response_of(script, true));
}

const struct wire wire_responses = {
    .dialect = REIN_OPENAI_RESPONSES,
    .name = "responses",
    .fits = responses_fit,
    .begin = responses_begin,
    .open = responses_open,
    .piece = responses_piece,
    .close = responses_close,
    .last = responses_last,
    .done = responses_done,
    .body = responses_body,
};
