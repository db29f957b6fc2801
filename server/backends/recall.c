/* Recall, see steps.h: lets the model continue from a prefix that only it can have read, and looks where its
 * words come out. SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backends/steps.h"

#define CODE "QUARTZ-5271"
#define FIRST_WORDS "My notes say"
#define QUESTION "Which code stands in your notes? Answer with the code alone."

json_t *recall_messages(void)
{
    return json_pack("[{ssss}]", "role", "user", "content", QUESTION);
}

json_t *recall_body(const struct prefix_plan *plan, json_t *assistant, json_t *more)
{
    json_t *messages = recall_messages(), *body = NULL;
    if (json_array_append_new(messages, assistant) == 0)
        body = json_pack("{sssOsisb}", "model", plan->request->model, "messages", messages, "max_tokens", RECALL_TOKENS,
                         "stream", 0);
    if (json_object_update(body, more) < 0) {
        json_decref(body);
        body = NULL;
    }
    json_decref(messages);
    json_decref(more);
    return body;
}

static bool has(const json_t *text, const char *part)
{
    return json_string_length(text) > 0 && strstr(json_string_value(text), part) != NULL;
}

/* Mistral's answer is a list of parts; this is what its parts of one type say. */
static bool part_has(const json_t *content, const char *type, const char *part)
{
    size_t i, k;
    json_t *one, *inner;
    json_array_foreach(content, i, one)
    {
        const char *its = json_string_value(json_object_get(one, "type"));
        if (its == NULL || strcmp(its, type) != 0)
            continue;
        if (has(json_object_get(one, "text"), part))
            return true;
        json_array_foreach(json_object_get(one, "thinking"), k,
                           inner) if (has(json_object_get(inner, "text"), part)) return true;
    }
    return false;
}

static bool reasoning_has(const json_t *message, const char *part)
{
    return has(json_object_get(message, "reasoning_content"), part) ||
           has(json_object_get(message, "reasoning"), part) ||
           part_has(json_object_get(message, "content"), "thinking", part);
}

enum recall recall_read(const json_t *body, bool rendered)
{
    const char *code = rendered ? "" : CODE;
    const json_t *message = json_object_get(json_array_get(json_object_get(body, "choices"), 0), "message");
    const json_t *content = json_object_get(message, "content");
    if (reasoning_has(message, FIRST_WORDS) || has(content, FIRST_WORDS) || part_has(content, "text", FIRST_WORDS))
        return RECALL_ECHO;
    if (reasoning_has(message, code))
        return RECALL_SPLIT;
    return has(content, code) || part_has(content, "text", code) ? RECALL_INLINE : RECALL_LOST;
}

enum recall recall_read_text(const char *text)
{
    if (text == NULL || strstr(text, CODE) == NULL)
        return RECALL_LOST;
    return strstr(text, FIRST_WORDS) != NULL ? RECALL_ECHO : RECALL_INLINE;
}

bool recall_is_split(const struct backend_reply *reply)
{
    return reply->status == 200 && recall_read(reply->body, true) == RECALL_SPLIT;
}
