/* Which texts of a request are judged: all of them (request.h, request_judge).
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message's content is one text. If it came in parts, nobody knows how the upstream's template joins them, so it is
 * judged joined by nothing and joined by a line end: a match that straddles two parts is found either way. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

static int judge(struct rein_trace *trace, const char *role, const struct rein_json_node *text)
{
    return rein_trace_prompt(trace, role, text->text, text->len);
}

/* Words of the API itself, which no client chooses freely. */
static bool is_structural(const struct rein_json_node *key)
{
    return rein_json_says(key, "role") || rein_json_says(key, "type");
}

/* Every key and string at and below `value`. The request's depth was limited when it was read. */
static int judge_strings(struct rein_trace *trace, const char *role, const struct rein_json_node *value)
{
    int rv = 0;
    if (rein_json_is(value, REIN_JSON_STRING))
        return judge(trace, role, value);
    bool is_object = rein_json_is(value, REIN_JSON_OBJECT);
    const struct rein_json_node *at = rein_json_first(value);
    for (; at != NULL && rv == 0; at = rein_json_next(value, at)) {
        const struct rein_json_node *inner = is_object ? rein_json_value(at) : at;
        if (is_object && is_structural(at) && rein_json_is(inner, REIN_JSON_STRING))
            continue;
        if (is_object)
            rv = judge(trace, role, at);
        if (rv == 0)
            rv = judge_strings(trace, role, inner);
    }
    return rv;
}

/* A part says the one string that its type names (request.c). */
static const struct rein_json_node *part_text(const struct rein_json_node *part)
{
    return rein_json_get(part, rein_json_says(rein_json_get(part, "type"), "text") ? "text" : "refusal");
}

static int judge_joined(struct rein_trace *trace, const char *role, const struct rein_json_node *parts,
                        const char *glue)
{
    const struct rein_json_node *part;
    size_t len = 0, glue_len = strlen(glue);
    for (part = rein_json_first(parts); part != NULL; part = rein_json_next(parts, part))
        len += part_text(part)->len + glue_len;
    char *text = malloc(len + 1), *at = text;
    if (text == NULL)
        return REIN_ENOMEM;
    for (part = rein_json_first(parts); part != NULL; part = rein_json_next(parts, part)) {
        const struct rein_json_node *said = part_text(part);
        memcpy(at, said->text, said->len);
        memcpy(at + said->len, glue, glue_len);
        at += said->len + glue_len;
    }
    int rv = rein_trace_prompt(trace, role, text, (size_t)(at - text) - glue_len);
    free(text);
    return rv;
}

static int judge_parts(struct rein_trace *trace, const char *role, const struct rein_json_node *parts)
{
    const struct rein_json_node *first = rein_json_first(parts);
    if (rein_json_next(parts, first) == NULL)
        return judge(trace, role, part_text(first));
    int rv = judge_joined(trace, role, parts, "");
    return rv < 0 ? rv : judge_joined(trace, role, parts, "\n");
}

/* What else a part holds: nobody knows what an upstream makes of it. */
static int judge_beside_text(struct rein_trace *trace, const char *role, const struct rein_json_node *part)
{
    const struct rein_json_node *text = part_text(part), *key = rein_json_first(part);
    int rv = 0;
    for (; key != NULL && rv == 0; key = rein_json_next(part, key))
        if (rein_json_value(key) != text && !is_structural(key))
            rv = judge_strings(trace, role, rein_json_value(key));
    return rv;
}

static int judge_content(struct rein_trace *trace, const char *role, const struct rein_json_node *content)
{
    if (content == NULL || rein_json_is(content, REIN_JSON_STRING))
        return content == NULL ? 0 : judge(trace, role, content);
    int rv = judge_parts(trace, role, content);
    const struct rein_json_node *part = rein_json_first(content);
    for (; part != NULL && rv == 0; part = rein_json_next(content, part))
        rv = judge_beside_text(trace, role, part);
    return rv;
}

/* A role as the trace wants it: one of few short words (request.c), with a NUL at its end. */
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
        if (!rein_json_says(key, "content") && !is_structural(key))
            rv = judge_strings(trace, role.text, rein_json_value(key));
    return rv;
}

int request_judge(const struct request *request, struct rein_trace *trace)
{
    const struct rein_json_node *root = rein_json_root(request->json), *messages = rein_json_get(root, "messages");
    const struct rein_json_node *at;
    int rv = 0;
    for (at = rein_json_first(messages); at != NULL && rv == 0; at = rein_json_next(messages, at))
        rv = judge_message(trace, at);
    for (at = rein_json_first(root); at != NULL && rv == 0; at = rein_json_next(root, at))
        if (!rein_json_says(at, "messages") && !rein_json_says(at, "model"))
            rv = judge_strings(trace, "system", rein_json_value(at));
    return rv;
}
