/* See request_texts.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/request_texts.h"

#include <stdlib.h>
#include <string.h>

#include "api/request_check.h"

int request_judge(struct rein_trace *trace, const char *role, const struct rein_json_node *text)
{
    return rein_trace_prompt_parts(trace, role, &(struct rein_prompt_part){text->text, text->len, text}, 1, "");
}

int request_judge_parts(struct rein_trace *trace, const char *role, const struct rein_json_node *list,
                        request_part_text text_of)
{
    size_t len = 0, room = rein_json_count(list);
    struct rein_prompt_part *parts = room > 0 ? malloc(room * sizeof *parts) : NULL;
    if (room > 0 && parts == NULL)
        return REIN_ENOMEM;
    for (const struct rein_json_node *at = rein_json_first(list); at != NULL; at = rein_json_next(list, at)) {
        const struct rein_json_node *text = text_of(at);
        if (text != NULL)
            parts[len++] = (struct rein_prompt_part){text->text, text->len, text};
    }
    int rv = len > 0 ? rein_trace_prompt_parts(trace, role, parts, len, "") : 0;
    if (rv == 0 && len > 1)
        rv = rein_trace_prompt_parts(trace, role, parts, len, "\n");
    free(parts);
    return rv;
}

static bool is_number(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_INTEGER) || rein_json_is(node, REIN_JSON_REAL) ||
           rein_json_is(node, REIN_JSON_HUGE);
}

/* ---- words of an API itself ---- */

/* JSON Schema: a place of its own under a few keys; values of other keys (`default`, `enum`) are text. */
static const struct request_place at_schemas = {NULL,
                                                (const struct request_below[]){{NULL, &request_at_schema}, {"", NULL}}};
const struct request_place request_at_schema = {
    (const char *const[]){"string", "object", "array", "number", "integer", "boolean", "null", NULL},
    (const struct request_below[]){{"properties", &at_schemas},
                                   {"patternProperties", &at_schemas},
                                   {"$defs", &at_schemas},
                                   {"definitions", &at_schemas},
                                   {"items", &request_at_schema},
                                   {"prefixItems", &request_at_schema},
                                   {"additionalProperties", &request_at_schema},
                                   {"anyOf", &request_at_schema},
                                   {"oneOf", &request_at_schema},
                                   {"allOf", &request_at_schema},
                                   {"not", &request_at_schema},
                                   {"if", &request_at_schema},
                                   {"then", &request_at_schema},
                                   {"else", &request_at_schema},
                                   {"", NULL}}};

/* A key whose only allowed word is one of the API. */
static bool is_known_word(const struct request_place *place, const struct rein_json_node *key)
{
    if (place == NULL || place->types == NULL || !rein_json_says(key, "type"))
        return false;
    for (const char *const *word = place->types; *word != NULL; word++)
        if (rein_json_is(rein_json_value(key), REIN_JSON_STRING) && rein_json_says(rein_json_value(key), *word))
            return true;
    return false;
}

const struct request_place *request_place_below(const struct request_place *place, const struct rein_json_node *key)
{
    if (place == NULL || place->below == NULL)
        return NULL;
    for (const struct request_below *at = place->below; at->place != NULL; at++)
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
    int rv = request_judge(trace, role, number);
    bool is_same = len == number->len && memcmp(plain, number->text, len) == 0;
    const struct rein_prompt_part part = {plain, len, number};
    return rv == 0 && len > 0 && !is_same ? rein_trace_prompt_parts(trace, role, &part, 1, "") : rv;
}

/* Whose text the value of a field is: names of people are judged, but never kept. */
static const char *role_below(const char *role, const struct rein_json_node *key)
{
    static const char *const people[] = {"user", "user_id", "safety_identifier", NULL};
    return strcmp(role, "field") == 0 && request_is_one_of(key, people) ? "user_id" : role;
}

int request_judge_all(struct rein_trace *trace, const char *role, const struct rein_json_node *value,
                      const struct request_place *place)
{
    int rv = 0;
    if (is_number(value))
        return judge_number(trace, role, value);
    if (rein_json_is(value, REIN_JSON_STRING))
        return request_judge(trace, role, value);
    bool is_object = rein_json_is(value, REIN_JSON_OBJECT);
    const struct rein_json_node *at = rein_json_first(value);
    for (; at != NULL && rv == 0; at = rein_json_next(value, at)) {
        if (is_object && is_known_word(place, at))
            continue;
        if (is_object)
            rv = request_judge(trace, role, at);
        if (rv == 0)
            rv = is_object ? request_judge_all(trace, role_below(role, at), rein_json_value(at),
                                               request_place_below(place, at))
                           : request_judge_all(trace, role, at, place);
    }
    return rv;
}

/* What a part without a text of its own holds: every string that can be read. */
int request_judge_media(struct rein_trace *trace, const char *role, const struct rein_json_node *value)
{
    int rv = 0;
    if (rein_json_is(value, REIN_JSON_STRING))
        return request_is_encoded(value) ? 0 : request_judge(trace, role, value);
    if (is_number(value))
        return judge_number(trace, role, value);
    bool is_object = rein_json_is(value, REIN_JSON_OBJECT);
    const struct rein_json_node *at = rein_json_first(value);
    for (; at != NULL && rv == 0; at = rein_json_next(value, at)) {
        rv = is_object ? request_judge(trace, role, at) : 0;
        if (rv == 0)
            rv = request_judge_media(trace, role, is_object ? rein_json_value(at) : at);
    }
    return rv;
}

int request_judge_fields(const struct request *request, struct rein_trace *trace, const char *const *except,
                         const struct request_place *place)
{
    const struct rein_json_node *all = rein_json_root(request->json), *at = rein_json_first(all);
    int rv = 0;
    for (; at != NULL && rv == 0; at = rein_json_next(all, at))
        if (!request_is_one_of(at, except) && !request_is_parameter(request, at))
            rv = request_judge_all(trace, role_below("field", at), rein_json_value(at), request_place_below(place, at));
    return rv;
}
