/* Checks a Responses request beyond its table of fields: which values its fields may have.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/responses/responses.h"

#include <stdio.h>
#include <string.h>

#include "api/request_check.h"

static bool is_yes_or_no(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_TRUE) || rein_json_is(node, REIN_JSON_FALSE);
}

/* "input[3]" or "input[3].content[1]", for errors. */
struct item_name {
    char text[64];
};
static struct item_name name_item(const char *list, size_t i)
{
    struct item_name name;
    snprintf(name.text, sizeof name.text, "%s[%zu]", list, i);
    return name;
}

/* ---- the input ---- */

/* Parts whose words are all judged; of the others, what they show or say is not. */
static int check_item_part(struct request *r, const struct rein_json_node *part, size_t item, size_t i,
                           struct request_error *err)
{
    static const char *const readable[] = {"input_text", "output_text",    "refusal", "summary_text",
                                           "text",       "reasoning_text", NULL};
    const struct rein_json_node *type = rein_json_get(part, "type");
    char name[96];
    snprintf(name, sizeof name, "input[%zu].content[%zu]", item, i);
    if (!rein_json_is(type, REIN_JSON_STRING))
        return request_reject_type(err, name, "an object with a 'type'");
    if (!request_is_one_of(type, readable))
        return request_note_unjudged(r, name, err);
    const char *member = rein_json_says(type, "refusal") ? "refusal" : "text";
    if (!rein_json_is(rein_json_get(part, member), REIN_JSON_STRING))
        return request_reject(err, "invalid_type", name, "This part needs a string in '%s'.", member);
    return 0;
}

/* A string, or a list of parts. */
static int check_parts(struct request *r, const struct rein_json_node *parts, size_t item, struct request_error *err)
{
    size_t i = 0;
    int rv = 0;
    const struct rein_json_node *part = rein_json_first(parts);
    for (; rein_json_is(parts, REIN_JSON_ARRAY) && part != NULL && rv == 0; part = rein_json_next(parts, part))
        rv = check_item_part(r, part, item, i++, err);
    return rv;
}

static bool is_message(const struct rein_json_node *item)
{
    const struct rein_json_node *type = rein_json_get(item, "type");
    return type == NULL || rein_json_says(type, "message");
}

static int check_message_item(struct request *r, const struct rein_json_node *item, size_t i, struct request_error *err)
{
    static const char *const roles[] = {"user", "assistant", "system", "developer", NULL};
    const struct rein_json_node *content = rein_json_get(item, "content");
    const struct rein_json_node *role = rein_json_get(item, "role");
    if (!rein_json_is(role, REIN_JSON_STRING) || !request_is_one_of(role, roles))
        return request_reject(err, "invalid_type", name_item("input", i).text,
                              "A message needs a 'role': user, assistant, system or developer.");
    if (!rein_json_is(content, REIN_JSON_STRING) && !rein_json_is(content, REIN_JSON_ARRAY))
        return request_reject(err, "invalid_type", name_item("input", i).text,
                              "A message needs a 'content': a string or a list of parts.");
    return check_parts(r, content, i, err);
}

static int check_item(struct request *r, const struct rein_json_node *item, size_t i, struct request_error *err)
{
    static const char *const kept[] = {"item_reference", "compaction", "compaction_trigger", NULL};
    const struct rein_json_node *type = rein_json_get(item, "type");
    if (!rein_json_is(item, REIN_JSON_OBJECT) || (type != NULL && !rein_json_is(type, REIN_JSON_STRING)))
        return request_reject_type(err, name_item("input", i).text, "an object with a 'type'");
    if (type != NULL && request_is_one_of(type, kept))
        return request_reject(
            err, "field_not_accepted", name_item("input", i).text,
            "An item of type '%.*s' is not accepted: it stands for text that the upstream has kept. Set "
            "'store' to false and send the whole item.",
            (int)(type->len < 40 ? type->len : 40), type->text);
    if (is_message(item))
        return check_message_item(r, item, i, err);
    int rv = check_parts(r, rein_json_get(item, "output"), i, err);
    return rv == 0 ? check_parts(r, rein_json_get(item, "content"), i, err) : rv;
}

/* The model would go on from what stands in its own turn. */
static bool opens_turn(const struct rein_json_node *item)
{
    static const char *const open[] = {"in_progress", "incomplete", NULL};
    const struct rein_json_node *status = rein_json_get(item, "status");
    bool is_open = rein_json_is(status, REIN_JSON_STRING) && request_is_one_of(status, open);
    return is_open || rein_json_says(rein_json_get(item, "type"), "reasoning") ||
           (is_message(item) && rein_json_says(rein_json_get(item, "role"), "assistant"));
}

static int check_input(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *input = request_field(r, "input"), *last = NULL;
    size_t len = rein_json_count(input), i = 0;
    if (rein_json_is(input, REIN_JSON_STRING))
        return 0;
    if (!rein_json_is(input, REIN_JSON_ARRAY) || len == 0)
        return request_reject_type(err, "input", "a string, or an array with at least one item");
    if (len > limit)
        return request_reject(err, "too_many", "input", "There are %zu items; at most %zu are accepted.", len, limit);
    const struct rein_json_node *item = rein_json_first(input);
    for (; item != NULL; item = rein_json_next(input, item)) {
        int rv = check_item(r, item, i++, err);
        if (rv < 0)
            return rv;
        last = item;
    }
    if (!opens_turn(last))
        return 0;
    return request_reject(
        err, "field_not_accepted", name_item("input", len - 1).text,
        "A conversation must not end with a turn of the assistant: it would put text into the model's own turn.");
}

/* ---- tools ---- */

/* Tools that the client runs itself. What the upstream runs is neither judged nor seen. */
static const char *const own_tools[] = {"function", "custom", "local_shell", "apply_patch", NULL};

static int reject_tool(struct request_error *err, const char *param, const struct rein_json_node *type)
{
    return request_reject(
        err, "tool_not_accepted", param,
        "The tool '%.*s' is not accepted: it runs at the upstream, where what it reads and does is not "
        "judged. Use a tool of type 'function' or 'custom' that your application runs.",
        (int)(type->len < 40 ? type->len : 40), type->text);
}

static int check_tool_list(const struct rein_json_node *tools, const char *name, struct request_error *err)
{
    size_t i = 0;
    const struct rein_json_node *tool = rein_json_first(tools);
    for (; tool != NULL; tool = rein_json_next(tools, tool), i++) {
        const struct rein_json_node *type = rein_json_get(tool, "type");
        if (!rein_json_is(type, REIN_JSON_STRING))
            return request_reject_type(err, name_item(name, i).text, "an object with a 'type'");
        if (!request_is_one_of(type, own_tools))
            return reject_tool(err, name_item(name, i).text, type);
    }
    return 0;
}

static int check_own_tools(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *tools = request_field(r, "tools"), *choice = request_field(r, "tool_choice");
    const struct rein_json_node *type = rein_json_get(choice, "type");
    size_t len = rein_json_count(tools);
    if (tools != NULL && !rein_json_is(tools, REIN_JSON_ARRAY))
        return request_reject_type(err, "tools", "an array");
    if (len > limit)
        return request_reject(err, "too_many", "tools", "There are %zu tools; at most %zu are accepted.", len, limit);
    r->has_tools = len > 0;
    int rv = check_tool_list(tools, "tools", err);
    if (rv != 0 || !rein_json_is(choice, REIN_JSON_OBJECT))
        return rv;
    if (!rein_json_is(type, REIN_JSON_STRING))
        return request_reject_type(err, "tool_choice", "a word, or an object with a 'type'");
    if (rein_json_says(type, "allowed_tools"))
        return check_tool_list(rein_json_get(choice, "tools"), "tool_choice.tools", err);
    return request_is_one_of(type, own_tools) ? 0 : reject_tool(err, "tool_choice", type);
}

/* ---- the other fields that pass, but not with every value ---- */

static int check_text_format(struct request *r, struct request_error *err)
{
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    const struct rein_json_node *format = rein_json_get(request_field(r, "text"), "format");
    const struct rein_json_node *type = rein_json_get(format, "type");
    if (format == NULL)
        return 0;
    if (!rein_json_is(type, REIN_JSON_STRING) || !request_is_one_of(type, types))
        return request_reject_type(err, "text.format.type", "one of text, json_object, json_schema");
    r->has_format = !rein_json_says(type, "text");
    return 0;
}

static int check_include(const struct request *r, struct request_error *err)
{
    static const char *const known[] = {"reasoning.encrypted_content", "message.input_image.image_url",
                                        "computer_call_output.output.image_url", NULL};
    const struct rein_json_node *include = request_field(r, "include"), *name = rein_json_first(include);
    if (include != NULL && !rein_json_is(include, REIN_JSON_ARRAY))
        return request_reject_type(err, "include", "an array of strings");
    for (; name != NULL; name = rein_json_next(include, name)) {
        if (!rein_json_is(name, REIN_JSON_STRING))
            return request_reject_type(err, "include", "an array of strings");
        if (!request_is_one_of(name, known))
            return request_reject(err, "field_not_accepted", "include",
                                  "'%.*s' is not accepted in 'include': what it returns is not judged.",
                                  (int)(name->len < 80 ? name->len : 80), name->text);
    }
    return 0;
}

static int check_flags(struct request *r, struct request_error *err)
{
    const struct rein_json_node *stream = request_field(r, "stream"), *store = request_field(r, "store");
    const struct rein_json_node *words = request_field(r, "instructions");
    if (stream != NULL && !is_yes_or_no(stream))
        return request_reject_type(err, "stream", "a boolean");
    if (store != NULL && !rein_json_is(store, REIN_JSON_FALSE)) /* a policy's `allow` cannot let it pass */
        return request_reject_type(err, "store", "false, because the upstream may not keep the answer");
    if (words != NULL && !rein_json_is(words, REIN_JSON_STRING))
        return request_reject_type(err, "instructions", "a string");
    r->stream = rein_json_is(stream, REIN_JSON_TRUE);
    r->wants_usage = true; /* it is part of the last event */
    r->has_options = store != NULL;
    return 0;
}

int responses_check(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    int rv;
    if ((rv = check_flags(r, err)) < 0 || (rv = check_own_tools(r, limits->tools, err)) < 0 ||
        (rv = check_text_format(r, err)) < 0 || (rv = check_include(r, err)) < 0)
        return rv;
    return check_input(r, limits->messages, err);
}
