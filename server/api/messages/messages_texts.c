/* Which texts of a request for a message are judged: all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/messages/messages.h"

#include <string.h>

#include "api/request_check.h"
#include "api/request_texts.h"

static const struct request_place at_cache = {(const char *const[]){"ephemeral", NULL}, NULL};
static const struct request_place at_tool = {
    (const char *const[]){"custom", NULL},
    (const struct request_below[]){{"input_schema", &request_at_schema}, {"cache_control", &at_cache}, {"", NULL}}};
static const struct request_place at_format = {
    (const char *const[]){"json_schema", NULL},
    (const struct request_below[]){{"schema", &request_at_schema}, {"", NULL}}};
static const struct request_place at_output = {NULL,
                                               (const struct request_below[]){{"format", &at_format}, {"", NULL}}};
static const struct request_place at_choice = {(const char *const[]){"auto", "any", "tool", "none", NULL}, NULL};
static const struct request_place at_thinking = {(const char *const[]){"enabled", "adaptive", NULL}, NULL};
static const struct request_place at_block = {NULL,
                                              (const struct request_below[]){{"cache_control", &at_cache}, {"", NULL}}};
static const struct request_place at_request = {NULL, (const struct request_below[]){{"tools", &at_tool},
                                                                                     {"output_config", &at_output},
                                                                                     {"output_format", &at_format},
                                                                                     {"tool_choice", &at_choice},
                                                                                     {"thinking", &at_thinking},
                                                                                     {"cache_control", &at_cache},
                                                                                     {"", NULL}}};

/* The text of a text block; NULL: it is another one. */
static const struct rein_json_node *block_text(const struct rein_json_node *block)
{
    return rein_json_says(rein_json_get(block, "type"), "text") ? rein_json_get(block, "text") : NULL;
}

static int judge_blocks(struct rein_trace *trace, const char *role, const struct rein_json_node *content);

/* Is its source data that is counted as unjudged, not text? */
static bool is_media(const struct rein_json_node *block)
{
    const struct rein_json_node *type = rein_json_get(rein_json_get(block, "source"), "type");
    bool is_text = rein_json_says(type, "text") || rein_json_says(type, "content");
    return type != NULL && !is_text && !rein_json_says(rein_json_get(block, "type"), "search_result");
}

/* What is in a block besides its text: an upstream may use all of it. */
static int judge_block(struct rein_trace *trace, const char *role, const struct rein_json_node *block)
{
    const struct rein_json_node *type = rein_json_get(block, "type"), *text = block_text(block);
    bool is_result = rein_json_says(type, "tool_result"), is_call = rein_json_says(type, "tool_use");
    bool has_media = is_media(block);
    static const char *const types[] = {
        "text", "image", "document", "search_result", "thinking", "tool_result", "tool_use", "redacted_thinking", NULL};
    int rv = 0;
    const struct rein_json_node *key = rein_json_first(block);
    for (; key != NULL && rv == 0; key = rein_json_next(block, key)) {
        const struct rein_json_node *value = rein_json_value(key);
        bool is_word = rein_json_says(key, "type") && request_is_one_of(value, types);
        if (value == text || is_word)
            continue;
        if (rein_json_says(key, "content") && (is_result || rein_json_says(type, "search_result")))
            rv = judge_blocks(trace, is_result ? "tool" : role, value);
        else if (rein_json_says(key, "source") && has_media)
            rv = request_judge_media(trace, role, value);
        else
            rv = request_judge_all(trace, is_call ? "assistant" : role, value, request_place_below(&at_block, key));
    }
    return rv;
}

static int judge_blocks(struct rein_trace *trace, const char *role, const struct rein_json_node *content)
{
    if (!rein_json_is(content, REIN_JSON_ARRAY))
        return request_judge_all(trace, role, content, NULL);
    int rv = request_judge_parts(trace, role, content, block_text);
    const struct rein_json_node *block = rein_json_first(content);
    for (; block != NULL && rv == 0; block = rein_json_next(content, block))
        rv = rein_json_is(block, REIN_JSON_OBJECT) ? judge_block(trace, role, block)
                                                   : request_judge_all(trace, role, block, NULL);
    return rv;
}

int messages_judge(const struct request *request, struct rein_trace *trace)
{
    static const char *const seen[] = {"messages", "model", "system", NULL};
    const struct rein_json_node *root = rein_json_root(request->json), *system = rein_json_get(root, "system");
    const struct rein_json_node *messages = rein_json_get(root, "messages"), *at = rein_json_first(messages);
    int rv = system != NULL ? judge_blocks(trace, "system", system) : 0;
    for (; at != NULL && rv == 0; at = rein_json_next(messages, at)) {
        bool is_users = rein_json_says(rein_json_get(at, "role"), "user");
        const char *role = is_users ? "user" : "assistant";
        const struct rein_json_node *key = rein_json_first(at);
        for (; key != NULL && rv == 0; key = rein_json_next(at, key))
            if (!rein_json_says(key, "role"))
                rv = judge_blocks(trace, role, rein_json_value(key));
    }
    return rv == 0 ? request_judge_fields(request, trace, seen, &at_request) : rv;
}
