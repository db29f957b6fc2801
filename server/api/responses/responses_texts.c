/* Which texts of a Responses request are judged: all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/responses/responses.h"

#include <string.h>

#include "api/request_check.h"
#include "api/request_texts.h"

/* ---- words of the API itself ---- */

static const struct request_place at_tool = {
    (const char *const[]){"function", "custom", "local_shell", "apply_patch", NULL},
    (const struct request_below[]){{"parameters", &request_at_schema}, {"", NULL}}};
static const struct request_place at_choice = {
    (const char *const[]){"function", "custom", "local_shell", "apply_patch", "allowed_tools", NULL},
    (const struct request_below[]){{"tools", &at_tool}, {"", NULL}}};
static const struct request_place at_format = {
    (const char *const[]){"text", "json_object", "json_schema", NULL},
    (const struct request_below[]){{"schema", &request_at_schema}, {"", NULL}}};
static const struct request_place at_text = {NULL, (const struct request_below[]){{"format", &at_format}, {"", NULL}}};
static const struct request_place at_item_part = {(const char *const[]){"input_text", "output_text", "refusal",
                                                                        "summary_text", "reasoning_text", "input_image",
                                                                        "input_file", "text", NULL},
                                                  NULL};
static const struct request_place at_item = {
    (const char *const[]){"message", "function_call", "function_call_output", "custom_tool_call",
                          "custom_tool_call_output", "local_shell_call", "local_shell_call_output", "apply_patch_call",
                          "apply_patch_call_output", "reasoning", NULL},
    (const struct request_below[]){
        {"content", &at_item_part}, {"output", &at_item_part}, {"summary", &at_item_part}, {"", NULL}}};
static const struct request_place at_request = {
    NULL,
    (const struct request_below[]){{"tools", &at_tool}, {"tool_choice", &at_choice}, {"text", &at_text}, {"", NULL}}};

/* ---- items ---- */

/* NULL: the part has no text of its own. */
static const struct rein_json_node *own_text(const struct rein_json_node *part)
{
    static const char *const types[] = {"input_text",   "output_text",    "refusal", "text",
                                        "summary_text", "reasoning_text", NULL};
    const struct rein_json_node *type = rein_json_get(part, "type");
    if (!rein_json_is(type, REIN_JSON_STRING) || !request_is_one_of(type, types))
        return NULL;
    const struct rein_json_node *text = rein_json_get(part, rein_json_says(type, "refusal") ? "refusal" : "text");
    return rein_json_is(text, REIN_JSON_STRING) ? text : NULL;
}

/* A part's members next to its text, or all that a part without one holds. */
static int judge_rest_of_part(struct rein_trace *trace, const char *role, const struct rein_json_node *part)
{
    const struct rein_json_node *text = own_text(part), *key = rein_json_first(part);
    int rv = 0;
    if (text == NULL)
        return request_judge_media(trace, role, part);
    for (; key != NULL && rv == 0; key = rein_json_next(part, key))
        if (rein_json_value(key) != text && !rein_json_says(key, "type")) /* a known one: responses_request.c */
            rv = request_judge_all(trace, role, rein_json_value(key), NULL);
    return rv;
}

static int judge_item_parts(struct rein_trace *trace, const char *role, const struct rein_json_node *parts)
{
    int rv = request_judge_parts(trace, role, parts, own_text);
    const struct rein_json_node *part;
    for (part = rein_json_first(parts); part != NULL && rv == 0; part = rein_json_next(parts, part))
        rv = judge_rest_of_part(trace, role, part);
    return rv;
}

/* Whose words an item has. */
static const char *speaker_of(const struct rein_json_node *item)
{
    static const char *const roles[] = {"user", "assistant", "system", "developer"};
    const struct rein_json_node *role = rein_json_get(item, "role"), *type = rein_json_get(item, "type");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (rein_json_says(role, roles[i]))
            return roles[i];
    bool is_result =
        rein_json_is(type, REIN_JSON_STRING) && type->len > 7 && memcmp(type->text + type->len - 7, "_output", 7) == 0;
    return is_result ? "tool" : "assistant";
}

static int judge_item(struct rein_trace *trace, const struct rein_json_node *item)
{
    const char *role = speaker_of(item);
    const struct rein_json_node *key = rein_json_first(item);
    int rv = 0;
    for (; key != NULL && rv == 0; key = rein_json_next(item, key)) {
        const struct rein_json_node *value = rein_json_value(key);
        bool has_parts = rein_json_says(key, "content") || rein_json_says(key, "output");
        if (rein_json_says(key, "role") && rein_json_says(value, role))
            continue;
        if (rein_json_says(key, "type") && request_is_one_of(value, at_item.types))
            continue;
        rv = has_parts && rein_json_is(value, REIN_JSON_ARRAY)
                 ? judge_item_parts(trace, role, value)
                 : request_judge_all(trace, role, value, request_place_below(&at_item, key));
    }
    return rv;
}

int responses_judge(const struct request *request, struct rein_trace *trace)
{
    static const char *const seen[] = {"input", "model", NULL};
    const struct rein_json_node *input = rein_json_get(rein_json_root(request->json), "input");
    int rv = 0;
    if (rein_json_is(input, REIN_JSON_STRING))
        rv = request_judge(trace, "user", input);
    const struct rein_json_node *at = rein_json_is(input, REIN_JSON_ARRAY) ? rein_json_first(input) : NULL;
    for (; at != NULL && rv == 0; at = rein_json_next(input, at))
        rv = judge_item(trace, at);
    return rv == 0 ? request_judge_fields(request, trace, seen, &at_request) : rv;
}
