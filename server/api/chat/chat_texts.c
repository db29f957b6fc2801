/* Which texts of a chat request are judged: all of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/chat/chat.h"

#include <string.h>

#include "api/request_texts.h"

/* ---- words of the API itself ---- */

static const struct request_place at_function = {
    NULL, (const struct request_below[]){{"parameters", &request_at_schema}, {"", NULL}}};
static const struct request_place at_tool = {(const char *const[]){"function", "custom", NULL},
                                             (const struct request_below[]){{"function", &at_function}, {"", NULL}}};
static const struct request_place at_call = {(const char *const[]){"function", "custom", NULL}, NULL};
static const struct request_place at_choice = {(const char *const[]){"function", "custom", "allowed_tools", NULL},
                                               NULL};
static const struct request_place at_format = {
    (const char *const[]){"text", "json_object", "json_schema", NULL},
    (const struct request_below[]){
        {"json_schema",
         &(const struct request_place){NULL,
                                       (const struct request_below[]){{"schema", &request_at_schema}, {"", NULL}}}},
        {"", NULL}}};
static const struct request_place at_prediction = {(const char *const[]){"content", NULL}, NULL};
static const struct request_place at_cache = {(const char *const[]){"ephemeral", NULL}, NULL};
static const struct request_place at_part = {NULL,
                                             (const struct request_below[]){{"cache_control", &at_cache}, {"", NULL}}};
static const struct request_place at_details = {
    (const char *const[]){"reasoning.text", "reasoning.summary", "reasoning.encrypted", NULL}, NULL};
static const struct request_place at_blocks = {(const char *const[]){"thinking", "redacted_thinking", NULL}, NULL};
static const struct request_place at_message = {NULL, (const struct request_below[]){{"tool_calls", &at_call},
                                                                                     {"reasoning_details", &at_details},
                                                                                     {"thinking_blocks", &at_blocks},
                                                                                     {"cache_control", &at_cache},
                                                                                     {"", NULL}}};
static const struct request_place at_root = {NULL, (const struct request_below[]){{"tools", &at_tool},
                                                                                  {"functions", &at_function},
                                                                                  {"response_format", &at_format},
                                                                                  {"tool_choice", &at_choice},
                                                                                  {"prediction", &at_prediction},
                                                                                  {"", NULL}}};

/* ---- messages ---- */

/* The string of a part is the one that its type names (chat_request.c); NULL: the part has no text of its own. */
static const struct rein_json_node *part_text(const struct rein_json_node *part)
{
    const struct rein_json_node *type = rein_json_get(part, "type");
    bool is_text = rein_json_says(type, "text"), is_refusal = rein_json_says(type, "refusal");
    return is_text || is_refusal ? rein_json_get(part, is_text ? "text" : "refusal") : NULL;
}

static bool is_reasoning(const struct rein_json_node *part)
{
    const struct rein_json_node *type = rein_json_get(part, "type");
    return rein_json_says(type, "thinking") || rein_json_says(type, "reasoning");
}

/* Other content of a part: an upstream may use it in unknown ways. */
static int judge_beside_text(struct rein_trace *trace, const char *role, const struct rein_json_node *part)
{
    const struct rein_json_node *text = part_text(part), *key = rein_json_first(part);
    int rv = 0;
    if (text == NULL && is_reasoning(part))
        return request_judge_all(trace, role, part, NULL);
    if (text == NULL)
        return request_judge_media(trace, role, part);
    for (; key != NULL && rv == 0; key = rein_json_next(part, key))
        if (rein_json_value(key) != text && !rein_json_says(key, "type")) /* one of two words: chat_request.c */
            rv = request_judge_all(trace, role, rein_json_value(key), request_place_below(&at_part, key));
    return rv;
}

static int judge_content(struct rein_trace *trace, const char *role, const struct rein_json_node *content)
{
    if (rein_json_is(content, REIN_JSON_STRING))
        return request_judge(trace, role, content);
    if (!rein_json_is(content, REIN_JSON_ARRAY))
        return 0; /* of the assistant, which called a tool: chat_request.c */
    int rv = request_judge_parts(trace, role, content, part_text);
    const struct rein_json_node *at = rein_json_first(content);
    for (; at != NULL && rv == 0; at = rein_json_next(content, at))
        rv = judge_beside_text(trace, role, at);
    return rv;
}

/* A role for the trace: one of a few short words (chat_request.c), NUL-terminated. */
struct role {
    char text[16];
};
static struct role role_of(const struct rein_json_node *message)
{
    struct role role = {""};
    const struct rein_json_node *word = rein_json_get(message, "role");
    memcpy(role.text, word->text, word->len < sizeof role.text ? word->len : sizeof role.text - 1);
    return role;
}

static int judge_message(struct rein_trace *trace, const struct rein_json_node *message)
{
    struct role role = role_of(message);
    int rv = judge_content(trace, role.text, rein_json_get(message, "content"));
    const struct rein_json_node *key = rein_json_first(message);
    for (; key != NULL && rv == 0; key = rein_json_next(message, key))
        if (!rein_json_says(key, "content") && !rein_json_says(key, "role"))
            rv = request_judge_all(trace, role.text, rein_json_value(key), request_place_below(&at_message, key));
    return rv;
}

int chat_judge(const struct request *request, struct rein_trace *trace)
{
    static const char *const seen[] = {"messages", "model", NULL};
    const struct rein_json_node *messages = rein_json_get(rein_json_root(request->json), "messages");
    const struct rein_json_node *at = rein_json_first(messages);
    int rv = 0;
    for (; at != NULL && rv == 0; at = rein_json_next(messages, at))
        rv = judge_message(trace, at);
    return rv == 0 ? request_judge_fields(request, trace, seen, &at_root) : rv;
}
