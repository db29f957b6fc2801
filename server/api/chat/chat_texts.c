/* Which texts of a chat request are judged: all of them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A message's content is one text. If it came in parts, nobody knows how the upstream's template joins them, so it is
 * judged joined by nothing and joined by a line end: a match that straddles two parts is found either way. */
#include "api/chat/chat.h"

#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"

static int judge(struct rein_trace *trace, const char *role, const struct rein_json_node *text)
{
    return rein_trace_prompt(trace, role, text->text, text->len);
}

static bool is_number(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_INTEGER) || rein_json_is(node, REIN_JSON_REAL) ||
           rein_json_is(node, REIN_JSON_HUGE);
}

/* ---- words of the API itself ---- */

/* The place of an object: which words its "type" may have there without being text of the client, and the places below.
 * A list's elements have the place of the list. */
struct place {
    const char *const *types; /* NULL-terminated; NULL: none */
    const struct below {
        const char *key; /* NULL: every key */
        const struct place *place;
    } * below; /* `place` NULL ends it; NULL: nothing */
};

/* JSON Schema: a place of its own under a few keys; values of other keys (`default`, `enum`) are text. */
static const struct place at_schema;
static const struct place at_schemas = {NULL, (const struct below[]){{NULL, &at_schema}, {"", NULL}}};
static const struct place at_schema = {
    (const char *const[]){"string", "object", "array", "number", "integer", "boolean", "null", NULL},
    (const struct below[]){{"properties", &at_schemas},
                           {"patternProperties", &at_schemas},
                           {"$defs", &at_schemas},
                           {"definitions", &at_schemas},
                           {"items", &at_schema},
                           {"prefixItems", &at_schema},
                           {"additionalProperties", &at_schema},
                           {"anyOf", &at_schema},
                           {"oneOf", &at_schema},
                           {"allOf", &at_schema},
                           {"not", &at_schema},
                           {"if", &at_schema},
                           {"then", &at_schema},
                           {"else", &at_schema},
                           {"", NULL}}};
static const struct place at_function = {NULL, (const struct below[]){{"parameters", &at_schema}, {"", NULL}}};
static const struct place at_tool = {(const char *const[]){"function", "custom", NULL},
                                     (const struct below[]){{"function", &at_function}, {"", NULL}}};
static const struct place at_call = {(const char *const[]){"function", "custom", NULL}, NULL};
static const struct place at_choice = {(const char *const[]){"function", "custom", "allowed_tools", NULL}, NULL};
static const struct place at_format = {
    (const char *const[]){"text", "json_object", "json_schema", NULL},
    (const struct below[]){
        {"json_schema", &(const struct place){NULL, (const struct below[]){{"schema", &at_schema}, {"", NULL}}}},
        {"", NULL}}};
static const struct place at_prediction = {(const char *const[]){"content", NULL}, NULL};
static const struct place at_cache = {(const char *const[]){"ephemeral", NULL}, NULL};
static const struct place at_part = {NULL, (const struct below[]){{"cache_control", &at_cache}, {"", NULL}}};
static const struct place at_details = {
    (const char *const[]){"reasoning.text", "reasoning.summary", "reasoning.encrypted", NULL}, NULL};
static const struct place at_blocks = {(const char *const[]){"thinking", "redacted_thinking", NULL}, NULL};
static const struct place at_message = {NULL, (const struct below[]){{"tool_calls", &at_call},
                                                                     {"reasoning_details", &at_details},
                                                                     {"thinking_blocks", &at_blocks},
                                                                     {"cache_control", &at_cache},
                                                                     {"", NULL}}};
static const struct place at_root = {NULL, (const struct below[]){{"tools", &at_tool},
                                                                  {"functions", &at_function},
                                                                  {"response_format", &at_format},
                                                                  {"tool_choice", &at_choice},
                                                                  {"prediction", &at_prediction},
                                                                  {"", NULL}}};

/* A key whose only allowed word is one of the API. */
static bool is_known_word(const struct place *place, const struct rein_json_node *key)
{
    if (place == NULL || place->types == NULL || !rein_json_says(key, "type"))
        return false;
    for (const char *const *word = place->types; *word != NULL; word++)
        if (rein_json_is(rein_json_value(key), REIN_JSON_STRING) && rein_json_says(rein_json_value(key), *word))
            return true;
    return false;
}

static const struct place *place_below(const struct place *place, const struct rein_json_node *key)
{
    if (place == NULL || place->below == NULL)
        return NULL;
    for (const struct below *at = place->below; at->place != NULL; at++)
        if (at->key == NULL || rein_json_says(key, at->key))
            return at->place;
    return NULL;
}

/* ---- strings and numbers ---- */

/* As it is written, and as a program prints it. */
static int judge_number(struct rein_trace *trace, const char *role, const struct rein_json_node *number)
{
    char plain[REIN_JSON_PLAIN_MAX];
    size_t len = rein_json_plain(number, plain);
    int rv = judge(trace, role, number);
    bool is_same = len == number->len && memcmp(plain, number->text, len) == 0;
    return rv == 0 && len > 0 && !is_same ? rein_trace_prompt(trace, role, plain, len) : rv;
}

/* Every key, string and number at and below `value`. The request's depth was limited when it was read. */
static int judge_all(struct rein_trace *trace, const char *role, const struct rein_json_node *value,
                     const struct place *place)
{
    int rv = 0;
    if (is_number(value))
        return judge_number(trace, role, value);
    if (rein_json_is(value, REIN_JSON_STRING))
        return judge(trace, role, value);
    bool is_object = rein_json_is(value, REIN_JSON_OBJECT);
    const struct rein_json_node *at = rein_json_first(value);
    for (; at != NULL && rv == 0; at = rein_json_next(value, at)) {
        if (is_object && is_known_word(place, at))
            continue;
        if (is_object)
            rv = judge(trace, role, at);
        if (rv == 0)
            rv = is_object ? judge_all(trace, role, rein_json_value(at), place_below(place, at))
                           : judge_all(trace, role, at, place);
    }
    return rv;
}

/* The string of a part is the one that its type names (chat_request.c); NULL: the part has no text of its own. */
static const struct rein_json_node *part_text(const struct rein_json_node *part)
{
    const struct rein_json_node *type = rein_json_get(part, "type");
    bool is_text = rein_json_says(type, "text"), is_refusal = rein_json_says(type, "refusal");
    return is_text || is_refusal ? rein_json_get(part, is_text ? "text" : "refusal") : NULL;
}

static int judge_joined(struct rein_trace *trace, const char *role, const struct rein_json_node *parts,
                        const char *glue)
{
    const struct rein_json_node *part;
    size_t len = 0, glue_len = strlen(glue);
    for (part = rein_json_first(parts); part != NULL; part = rein_json_next(parts, part))
        len += part_text(part) != NULL ? part_text(part)->len + glue_len : 0;
    char *text = malloc(len + 1), *at = text;
    if (text == NULL)
        return REIN_ENOMEM;
    for (part = rein_json_first(parts); part != NULL; part = rein_json_next(parts, part)) {
        const struct rein_json_node *said = part_text(part);
        if (said == NULL)
            continue;
        memcpy(at, said->text, said->len);
        memcpy(at + said->len, glue, glue_len);
        at += said->len + glue_len;
    }
    int rv = rein_trace_prompt(trace, role, text, (size_t)(at - text) - glue_len);
    free(text);
    return rv;
}

/* A single text is judged once. */
static int judge_parts(struct rein_trace *trace, const char *role, const struct rein_json_node *parts)
{
    const struct rein_json_node *part, *only = NULL;
    size_t texts = 0;
    for (part = rein_json_first(parts); part != NULL; part = rein_json_next(parts, part))
        if (part_text(part) != NULL) {
            only = part_text(part);
            texts++;
        }
    if (texts < 2)
        return only != NULL ? judge(trace, role, only) : 0;
    int rv = judge_joined(trace, role, parts, "");
    return rv < 0 ? rv : judge_joined(trace, role, parts, "\n");
}

/* What a part without a text of its own holds: every string that can be read. */
static int judge_media(struct rein_trace *trace, const char *role, const struct rein_json_node *value)
{
    int rv = 0;
    if (rein_json_is(value, REIN_JSON_STRING))
        return request_is_encoded(value) ? 0 : judge(trace, role, value);
    if (is_number(value))
        return judge_number(trace, role, value);
    bool is_object = rein_json_is(value, REIN_JSON_OBJECT);
    const struct rein_json_node *at = rein_json_first(value);
    for (; at != NULL && rv == 0; at = rein_json_next(value, at)) {
        rv = is_object ? judge(trace, role, at) : 0;
        if (rv == 0)
            rv = judge_media(trace, role, is_object ? rein_json_value(at) : at);
    }
    return rv;
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
        return judge_all(trace, role, part, NULL);
    if (text == NULL)
        return judge_media(trace, role, part);
    for (; key != NULL && rv == 0; key = rein_json_next(part, key))
        if (rein_json_value(key) != text && !rein_json_says(key, "type")) /* one of two words: chat_request.c */
            rv = judge_all(trace, role, rein_json_value(key), place_below(&at_part, key));
    return rv;
}

static int judge_content(struct rein_trace *trace, const char *role, const struct rein_json_node *content)
{
    if (rein_json_is(content, REIN_JSON_STRING))
        return judge(trace, role, content);
    if (!rein_json_is(content, REIN_JSON_ARRAY))
        return 0; /* of the assistant, which called a tool: chat_request.c */
    int rv = judge_parts(trace, role, content);
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
            rv = judge_all(trace, role.text, rein_json_value(key), place_below(&at_message, key));
    return rv;
}

int chat_judge(const struct request *request, struct rein_trace *trace)
{
    const struct rein_json_node *all = rein_json_root(request->json), *messages = rein_json_get(all, "messages");
    const struct rein_json_node *at;
    int rv = 0;
    for (at = rein_json_first(messages); at != NULL && rv == 0; at = rein_json_next(messages, at))
        rv = judge_message(trace, at);
    for (at = rein_json_first(all); at != NULL && rv == 0; at = rein_json_next(all, at)) {
        const struct rein_json_node *value = rein_json_value(at);
        bool is_seen = rein_json_says(at, "messages") || rein_json_says(at, "model");
        if (!is_seen && !request_is_parameter(request, at))
            rv = judge_all(trace, "system", value, place_below(&at_root, at));
    }
    return rv;
}
