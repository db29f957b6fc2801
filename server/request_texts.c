/* Which texts of a request are judged: all of them (request.h, request_judge).
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message's content is one text. If it came in parts, nobody knows how the upstream's template joins them, so it is
 * judged joined by nothing and joined by a line end: a match that straddles two parts is found either way. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

static int judge(struct rein_trace *trace, const char *role, const json_t *text)
{
    return rein_trace_prompt(trace, role, json_string_value(text), json_string_length(text));
}

/* Words of the API itself, which no client chooses freely. */
static bool is_structural(const char *key)
{
    return strcmp(key, "role") == 0 || strcmp(key, "type") == 0;
}

static int judge_strings(struct rein_trace *trace, const char *role, const json_t *value);

static int judge_object(struct rein_trace *trace, const char *role, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_structural(key) && json_is_string(value))
            continue;
        int rv = rein_trace_prompt(trace, role, key, strlen(key));
        if (rv == 0)
            rv = judge_strings(trace, role, value);
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* Every key and string below `value`. The request's depth was limited when it was read. */
static int judge_strings(struct rein_trace *trace, const char *role, const json_t *value)
{
    if (json_is_string(value))
        return judge(trace, role, value);
    if (json_is_object(value))
        return judge_object(trace, role, value);
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        int rv = judge_strings(trace, role, item);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static json_t *part_text(const json_t *part)
{
    json_t *text = json_object_get(part, "text");
    return text != NULL ? text : json_object_get(part, "refusal");
}

static int judge_joined(struct rein_trace *trace, const char *role, const json_t *parts, const char *glue)
{
    size_t i, len = 0, glue_len = strlen(glue);
    json_t *part;
    json_array_foreach(parts, i, part) len += json_string_length(part_text(part)) + glue_len;
    char *text = malloc(len + 1), *at = text;
    if (text == NULL)
        return REIN_ENOMEM;
    json_array_foreach(parts, i, part)
    {
        size_t n = json_string_length(part_text(part));
        memcpy(at, json_string_value(part_text(part)), n);
        memcpy(at + n, glue, glue_len);
        at += n + glue_len;
    }
    int rv = rein_trace_prompt(trace, role, text, (size_t)(at - text) - glue_len);
    free(text);
    return rv;
}

static int judge_content(struct rein_trace *trace, const char *role, const json_t *content)
{
    if (content == NULL || json_is_string(content))
        return content == NULL ? 0 : judge(trace, role, content);
    if (json_array_size(content) == 1)
        return judge(trace, role, part_text(json_array_get(content, 0)));
    int rv = judge_joined(trace, role, content, "");
    return rv < 0 ? rv : judge_joined(trace, role, content, "\n");
}

static int judge_message(struct rein_trace *trace, const json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    int rv = judge_content(trace, role, json_object_get(message, "content"));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)message, key, value)
    {
        if (rv < 0)
            return rv;
        if (strcmp(key, "content") != 0 && !is_structural(key))
            rv = judge_strings(trace, role, value);
    }
    return rv;
}

int request_judge(const struct request *request, struct rein_trace *trace)
{
    const char *key;
    json_t *value, *message;
    size_t i;
    int rv = 0;
    json_array_foreach(json_object_get(request->body, "messages"), i, message)
    {
        if ((rv = judge_message(trace, message)) < 0)
            return rv;
    }
    json_object_foreach(request->body, key, value)
    {
        if (strcmp(key, "messages") == 0 || strcmp(key, "model") == 0)
            continue;
        if ((rv = judge_strings(trace, "system", value)) < 0)
            return rv;
    }
    return 0;
}
