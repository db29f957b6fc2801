/* Checks a request for a message beyond what the table of fields says: its blocks, tools and values.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/messages/messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/request_check.h"

/* ---- names of places, made only for errors ---- */

struct block_name {
    char text[96];
};
__attribute__((format(printf, 1, 2))) static struct block_name name_block(const char *format, ...)
{
    struct block_name name;
    va_list args;
    va_start(args, format);
    request_end_text(name.text, sizeof name.text, vsnprintf(name.text, sizeof name.text, format, args));
    va_end(args);
    return name;
}

static bool begins_with(const struct rein_json_node *word, const char *beginning)
{
    size_t len = strlen(beginning);
    return rein_json_is(word, REIN_JSON_STRING) && word->len >= len && memcmp(word->text, beginning, len) == 0;
}

static bool ends_with(const struct rein_json_node *word, const char *end)
{
    size_t len = strlen(end);
    return rein_json_is(word, REIN_JSON_STRING) && word->len >= len &&
           memcmp(word->text + word->len - len, end, len) == 0;
}

/* ---- blocks ---- */

/* What runs at the upstream brings text into the conversation that goes around the guard. */
static bool is_hosted_block(const struct rein_json_node *type)
{
    static const char *const words[] = {"server_tool_use",  "mcp_tool_use", "mcp_tool_result",
                                        "container_upload", "compaction",   NULL};
    return request_is_one_of(type, words) || (ends_with(type, "_tool_result") && !rein_json_says(type, "tool_result"));
}

static int check_source(struct request *r, const struct rein_json_node *block, const char *name,
                        struct request_error *err)
{
    const struct rein_json_node *source = rein_json_get(block, "source"), *type = rein_json_get(source, "type");
    if (rein_json_says(type, "file"))
        return request_reject(err, "field_not_accepted", name,
                              "A file that the upstream keeps is not accepted: its content goes around the guard. Send "
                              "the content itself.");
    bool is_text = rein_json_says(type, "text") || rein_json_says(type, "content");
    return is_text ? 0 : request_note_unjudged(r, name, err);
}

static int check_blocks(struct request *r, const struct rein_json_node *blocks, const char *name, unsigned depth,
                        struct request_error *err);

static int check_block(struct request *r, const struct rein_json_node *block, const char *name, unsigned depth,
                       struct request_error *err)
{
    static const char *const texts[] = {"text", "thinking", NULL};
    static const char *const others[] = {"redacted_thinking", "tool_use", "search_result", NULL};
    const struct rein_json_node *type = rein_json_get(block, "type");
    if (!rein_json_is(type, REIN_JSON_STRING))
        return request_reject_type(err, name, "an object with a 'type'");
    if (is_hosted_block(type))
        return request_reject(
            err, "field_not_accepted", name,
            "A block of type '%.40s' is not accepted: what runs at the upstream goes around the guard.",
            request_key_name(type).text);
    if (request_is_one_of(type, texts)) {
        const char *member = rein_json_says(type, "text") ? "text" : "thinking";
        bool has_text = rein_json_is(rein_json_get(block, member), REIN_JSON_STRING);
        return has_text ? 0 : request_reject(err, "invalid_type", name, "A block of type '%s' needs a text.", member);
    }
    if (rein_json_says(type, "tool_result"))
        return check_blocks(r, rein_json_get(block, "content"), name, depth + 1, err);
    if (request_is_one_of(type, others))
        return 0;
    bool has_source = rein_json_says(type, "image") || rein_json_says(type, "document");
    return has_source ? check_source(r, block, name, err) : request_note_unjudged(r, name, err);
}

/* A string, blocks, or nothing. */
static int check_blocks(struct request *r, const struct rein_json_node *blocks, const char *name, unsigned depth,
                        struct request_error *err)
{
    int rv = 0;
    if (blocks == NULL || rein_json_is(blocks, REIN_JSON_STRING))
        return 0;
    if (!rein_json_is(blocks, REIN_JSON_ARRAY) || depth > 1)
        return request_reject_type(err, name, "a string or an array of blocks");
    const struct rein_json_node *block = rein_json_first(blocks);
    for (size_t i = 0; block != NULL && rv == 0; block = rein_json_next(blocks, block), i++)
        rv = check_block(r, block, name_block("%s.content[%zu]", name, i).text, depth, err);
    return rv;
}

static int check_message(struct request *r, const struct rein_json_node *message, size_t i, struct request_error *err)
{
    static const char *const roles[] = {"user", "assistant", NULL};
    struct block_name name = name_block("messages[%zu]", i);
    if (!rein_json_is(message, REIN_JSON_OBJECT))
        return request_reject_type(err, name.text, "an object");
    const struct rein_json_node *role = rein_json_get(message, "role"), *content = rein_json_get(message, "content");
    if (!rein_json_is(role, REIN_JSON_STRING) || !request_is_one_of(role, roles))
        return request_reject_type(err, name_block("%s.role", name.text).text, "user or assistant");
    if (content == NULL)
        return request_reject_type(err, name_block("%s.content", name.text).text, "a string or an array of blocks");
    return check_blocks(r, content, name.text, 0, err);
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
        err, "field_not_accepted", name_block("messages[%zu]", len - 1).text,
        "A conversation must not end with a turn of the assistant: it would put text into the model's own turn.");
}

static int check_system(const struct request *r, struct request_error *err)
{
    const struct rein_json_node *system = request_field(r, "system"), *block = rein_json_first(system);
    if (system == NULL || rein_json_is(system, REIN_JSON_STRING))
        return 0;
    if (!rein_json_is(system, REIN_JSON_ARRAY))
        return request_reject_type(err, "system", "a string or an array of text blocks");
    for (size_t i = 0; block != NULL; block = rein_json_next(system, block), i++)
        if (!rein_json_says(rein_json_get(block, "type"), "text") ||
            !rein_json_is(rein_json_get(block, "text"), REIN_JSON_STRING))
            return request_reject_type(err, name_block("system[%zu]", i).text, "a text block");
    return 0;
}

/* ---- tools and values ---- */

/* Tools that the application runs itself; the others run at the upstream. */
static bool is_own_tool(const struct rein_json_node *type)
{
    static const char *const words[] = {"bash_", "text_editor_", "computer_", "memory_"};
    bool is_own = type == NULL || rein_json_says(type, "custom") || rein_json_says(type, "function");
    for (size_t i = 0; i < sizeof words / sizeof *words && !is_own; i++)
        is_own = begins_with(type, words[i]);
    return is_own;
}

static int check_tools(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *tools = request_field(r, "tools"), *tool = rein_json_first(tools);
    size_t len = rein_json_count(tools);
    if (tools == NULL)
        return 0;
    if (!rein_json_is(tools, REIN_JSON_ARRAY))
        return request_reject_type(err, "tools", "an array");
    if (len > limit)
        return request_reject(err, "too_many", "tools", "There are %zu tools; at most %zu are accepted.", len, limit);
    for (size_t i = 0; tool != NULL; tool = rein_json_next(tools, tool), i++) {
        const struct rein_json_node *type = rein_json_get(tool, "type");
        if (!is_own_tool(type))
            return request_reject(err, "field_not_accepted", name_block("tools[%zu]", i).text,
                                  "The tool '%.40s' is not accepted: it runs at the upstream, and what it finds goes "
                                  "around the guard. Offer a tool that the application runs.",
                                  rein_json_is(type, REIN_JSON_STRING) ? request_key_name(type).text : "");
    }
    r->has_tools = len > 0;
    return 0;
}

static int check_stream(struct request *r, struct request_error *err)
{
    const struct rein_json_node *stream = request_field(r, "stream");
    bool is_true = rein_json_is(stream, REIN_JSON_TRUE);
    if (stream != NULL && !is_true && !rein_json_is(stream, REIN_JSON_FALSE))
        return request_reject_type(err, "stream", "a boolean");
    r->stream = is_true;
    r->wants_usage = true; /* it belongs to every message */
    return 0;
}

static int check_stops(const struct request *r, struct request_error *err)
{
    const struct rein_json_node *stops = request_field(r, "stop_sequences"), *stop = rein_json_first(stops);
    if (stops != NULL && !rein_json_is(stops, REIN_JSON_ARRAY))
        return request_reject_type(err, "stop_sequences", "an array of strings");
    for (; stop != NULL; stop = rein_json_next(stops, stop)) {
        if (!rein_json_is(stop, REIN_JSON_STRING))
            return request_reject_type(err, "stop_sequences", "an array of strings");
        if (request_is_delimiter(stop))
            return request_reject(err, "field_not_accepted", "stop_sequences",
                                  "A delimiter of reasoning is not accepted in 'stop_sequences'.");
    }
    return 0;
}

int messages_check(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    const struct rein_json_node *format = rein_json_get(request_field(r, "output_config"), "format");
    int rv;
    r->has_format = format != NULL || request_field(r, "output_format") != NULL;
    if ((rv = check_stream(r, err)) < 0 || (rv = check_tools(r, limits->tools, err)) < 0 ||
        (rv = check_stops(r, err)) < 0 || (rv = check_system(r, err)) < 0)
        return rv;
    return check_messages(r, limits->messages, err);
}

int messages_check_counted(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    int rv = messages_check(r, limits, err);
    if (rv == 0 && r->stream)
        return request_reject(err, "field_not_accepted", "stream", "A count is not streamed: leave 'stream' out.");
    return rv;
}
