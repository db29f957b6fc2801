/* Checks a chat request beyond what all APIs have in common (request.c): which values its fields may have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/chat/chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"

/* ---- errors ---- */

/* The name of a message, or of something in it; made only for errors. */
struct message_name {
    char text[112];
};
__attribute__((format(printf, 2, 3))) static struct message_name in_message(size_t i, const char *format, ...)
{
    struct message_name name;
    int len = snprintf(name.text, sizeof name.text, "messages[%zu]", i);
    va_list args;
    va_start(args, format);
    len += vsnprintf(name.text + len, sizeof name.text - (size_t)len, format, args);
    va_end(args);
    request_end_text(name.text, sizeof name.text, len);
    return name;
}

/* ---- messages ---- */

/* Parts whose words are all judged; of the others, what they show or say is not. */
static int check_part(struct request *r, const struct rein_json_node *part, struct message_name name,
                      struct request_error *err)
{
    static const char *const readable[] = {"text", "refusal", "thinking", "reasoning", NULL};
    const struct rein_json_node *type = rein_json_get(part, "type");
    if (!rein_json_is(type, REIN_JSON_STRING))
        return request_reject_type(err, name.text, "an object with a 'type'");
    if (!request_is_one_of(type, readable))
        return request_note_unjudged(r, name.text, err);
    bool is_text = rein_json_says(type, "text");
    if (!is_text && !rein_json_says(type, "refusal"))
        return 0;
    if (!rein_json_is(rein_json_get(part, is_text ? "text" : "refusal"), REIN_JSON_STRING))
        return request_reject(err, "invalid_type", name.text, "A part of type '%s' needs a text.",
                              is_text ? "text" : "refusal");
    return 0;
}

static int check_content(struct request *r, const struct rein_json_node *content, const struct rein_json_node *role,
                         size_t i, struct request_error *err)
{
    if (rein_json_is(content, REIN_JSON_STRING))
        return 0;
    bool is_absent = content == NULL || rein_json_is(content, REIN_JSON_NULL);
    if (is_absent && rein_json_says(role, "assistant"))
        return 0;
    const struct rein_json_node *part = rein_json_first(content);
    if (!rein_json_is(content, REIN_JSON_ARRAY) || part == NULL)
        return request_reject_type(err, in_message(i, ".content").text, "a string or an array of parts");
    for (size_t k = 0; part != NULL; part = rein_json_next(content, part), k++) {
        int rv = check_part(r, part, in_message(i, ".content[%zu]", k), err);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static int check_message(struct request *r, const struct rein_json_node *message, size_t i, struct request_error *err)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function", NULL};
    if (!rein_json_is(message, REIN_JSON_OBJECT))
        return request_reject_type(err, in_message(i, "%s", "").text, "an object");
    const struct rein_json_node *role = rein_json_get(message, "role");
    if (!rein_json_is(role, REIN_JSON_STRING) || !request_is_one_of(role, roles))
        return request_reject_type(err, in_message(i, ".role").text, "one of system, developer, user, assistant, tool");
    int rv = check_content(r, rein_json_get(message, "content"), role, i, err);
    return rv == 0 && rein_json_get(message, "audio") != NULL
               ? request_note_unjudged(r, in_message(i, ".audio").text, err)
               : rv;
}

static int check_messages(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *messages = request_field(r, "messages"), *last = NULL;
    size_t len = rein_json_count(messages), i = 0;
    if (!rein_json_is(messages, REIN_JSON_ARRAY) || len == 0)
        return request_reject_type(err, "messages", "an array with at least one message");
    if (len > limit)
        return request_reject(err, "too_many", "messages", "There are %zu messages; at most %zu are accepted.", len,
                              limit);
    const struct rein_json_node *message = rein_json_first(messages);
    for (; message != NULL; message = rein_json_next(messages, message)) {
        int rv = check_message(r, message, i++, err);
        if (rv < 0)
            return rv;
        last = message;
    }
    if (!rein_json_says(rein_json_get(last, "role"), "assistant"))
        return 0;
    return request_reject(
        err, "field_not_accepted", in_message(len - 1, "%s", "").text,
        "A conversation must not end with a turn of the assistant: it would put text into the model's own turn.");
}

/* ---- the other fields that pass, but not with every value ---- */

static bool is_boolean(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_TRUE) || rein_json_is(node, REIN_JSON_FALSE);
}

static int check_options(struct request *r, const struct rein_json_node *options, struct request_error *err)
{
    const struct rein_json_node *usage = rein_json_get(options, "include_usage");
    if (usage != NULL && !is_boolean(usage))
        return request_reject_type(err, "stream_options.include_usage", "a boolean");
    r->wants_usage = rein_json_is(usage, REIN_JSON_TRUE);
    return 0;
}

static int check_stream(struct request *r, struct request_error *err)
{
    const struct rein_json_node *stream = request_field(r, "stream"), *options = request_field(r, "stream_options");
    if (stream != NULL && !is_boolean(stream))
        return request_reject_type(err, "stream", "a boolean");
    r->stream = rein_json_is(stream, REIN_JSON_TRUE);
    r->has_options = options != NULL;
    if (options == NULL)
        return 0;
    if (!rein_json_is(options, REIN_JSON_OBJECT))
        return request_reject_type(err, "stream_options", "an object");
    if (!r->stream)
        return request_reject(err, "field_not_accepted", "stream_options", "'stream_options' needs 'stream': true.");
    return check_options(r, options, err);
}

static int check_choices(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *n = request_field(r, "n");
    int64_t value = 1;
    if (n != NULL && (!rein_json_integer(n, &value) || value < 1))
        return request_reject_type(err, "n", "a positive integer");
    if ((uint64_t)value > limit)
        return request_reject(err, "too_many", "n", "At most %zu choices are accepted.", limit);
    r->choices = (unsigned)value;
    return 0;
}

static int check_tools(struct request *r, size_t limit, struct request_error *err)
{
    static const char *const names[] = {"tools", "functions"};
    for (size_t i = 0; i < 2; i++) {
        const struct rein_json_node *tools = request_field(r, names[i]);
        size_t len = rein_json_count(tools);
        if (tools == NULL)
            continue;
        if (!rein_json_is(tools, REIN_JSON_ARRAY))
            return request_reject_type(err, names[i], "an array");
        if (len > limit)
            return request_reject(err, "too_many", names[i], "There are %zu %s; at most %zu are accepted.", len,
                                  names[i], limit);
        r->has_tools = r->has_tools || len > 0;
    }
    return 0;
}

static int check_format(struct request *r, struct request_error *err)
{
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    const struct rein_json_node *format = request_field(r, "response_format"), *type = rein_json_get(format, "type");
    if (format == NULL)
        return 0;
    if (!request_is_one_of(type, types))
        return request_reject_type(err, "response_format.type", "one of text, json_object, json_schema");
    r->has_format = !rein_json_says(type, "text");
    return 0;
}

static int check_stop_text(const struct rein_json_node *text, struct request_error *err)
{
    if (!rein_json_is(text, REIN_JSON_STRING))
        return request_reject_type(err, "stop", "a string or an array of strings");
    if (request_is_delimiter(text))
        return request_reject(err, "field_not_accepted", "stop", "A delimiter of reasoning is not accepted in 'stop'.");
    return 0;
}

static int check_stop(const struct rein_json_node *stop, struct request_error *err)
{
    int rv = 0;
    if (stop == NULL || !rein_json_is(stop, REIN_JSON_ARRAY))
        return stop != NULL ? check_stop_text(stop, err) : 0;
    const struct rein_json_node *text = rein_json_first(stop);
    for (; text != NULL && rv == 0; text = rein_json_next(stop, text))
        rv = check_stop_text(text, err);
    return rv;
}

static int check_values(const struct request *r, struct request_error *err)
{
    const struct rein_json_node *modalities = request_field(r, "modalities");
    if (rein_json_is(modalities, REIN_JSON_ARRAY)) {
        const struct rein_json_node *name = rein_json_first(modalities);
        for (; name != NULL; name = rein_json_next(modalities, name))
            if (!rein_json_says(name, "text"))
                return request_reject(err, "unsupported_content", "modalities",
                                      "Only the modality 'text' can be judged.");
    }
    return check_stop(request_field(r, "stop"), err);
}

int chat_check(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    int rv;
    if ((rv = check_stream(r, err)) < 0 || (rv = check_choices(r, limits->choices, err)) < 0 ||
        (rv = check_tools(r, limits->tools, err)) < 0 || (rv = check_format(r, err)) < 0 ||
        (rv = check_values(r, err)) < 0)
        return rv;
    return check_messages(r, limits->messages, err);
}
