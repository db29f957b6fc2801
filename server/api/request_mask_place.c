/* See request_mask.h. SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "api/request_check.h"
#include "api/request_mask.h"

/* Strings under these keys, alone or in a list, are text. */
static const char *const text_keys[] = {"arguments",
                                        "cited_text",
                                        "code",
                                        "content",
                                        "context",
                                        "description",
                                        "diff",
                                        "filename",
                                        "input",
                                        "instruction",
                                        "instructions",
                                        "model_identity",
                                        "output",
                                        "prompt",
                                        "prompt_cache_key",
                                        "reasoning",
                                        "reasoning_content",
                                        "reasoning_text",
                                        "refusal",
                                        "safety_identifier",
                                        "stop",
                                        "stop_sequences",
                                        "summary",
                                        "system",
                                        "task",
                                        "text",
                                        "thinking",
                                        "title",
                                        "transcript",
                                        "user",
                                        "user_id",
                                        "document_title",
                                        NULL};
/* The same in JSON Schema. */
static const char *const schema_keys[] = {"$comment", "const",    "default", "description", "enum",
                                          "example",  "examples", "title",   NULL};
/* Below an object under these, every string and number is text: what a tool was given, notes of the application. */
static const char *const free_keys[] = {"action", "arguments", "input", "metadata", "operation", NULL};
/* Objects under these are JSON Schema. */
static const char *const schemas[] = {"input_schema", "parameters", "schema", NULL};
/* An object with one of these is signed: what changes in it breaks the signature. */
static const char *const signatures[] = {"encrypted_content", "signature", "thoughtSignature", "thought_signature",
                                         NULL};

/* On the way from the root to the node. */
struct mask_way {
    const struct rein_json_node *key;    /* the last one; NULL: none yet */
    const struct rein_json_node *object; /* that has it */
    bool is_free, is_schema, is_signed;
    unsigned depth;
    size_t level; /* lists that were entered */
    size_t len;   /* of the name */
    struct mask_cursors *cursors;
};

static bool is_list(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_OBJECT) || rein_json_is(node, REIN_JSON_ARRAY);
}

static bool is_signed_object(const struct rein_json_node *object)
{
    bool is_one = false;
    for (const char *const *name = signatures; *name != NULL && !is_one; name++) {
        const struct rein_json_node *value = rein_json_get(object, *name);
        is_one = rein_json_is(value, REIN_JSON_STRING) && value->len > 0;
    }
    return is_one;
}

/* A key could itself be what is masked, so only those go into an error that look like names. */
static void add_key(struct mask_way *way, struct mask_place *place, const struct rein_json_node *key)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$";
    struct request_key_name name = request_key_name(key);
    bool is_fit = name.text[0] != '\0' && strspn(name.text, fit) == strlen(name.text);
    int more = snprintf(place->name + way->len, sizeof place->name - way->len, "%s%s", way->len > 0 ? "." : "",
                        is_fit ? name.text : "*");
    request_end_text(place->name, sizeof place->name, (int)way->len + more);
    way->len = strlen(place->name);
}

static void add_number(struct mask_way *way, struct mask_place *place, size_t i)
{
    int more = snprintf(place->name + way->len, sizeof place->name - way->len, "[%zu]", i);
    request_end_text(place->name, sizeof place->name, (int)way->len + more);
    way->len = strlen(place->name);
}

/* What the value of a key of this object is. */
static void pass_key(struct mask_way *way, const struct rein_json_node *object, const struct rein_json_node *key)
{
    bool is_object = rein_json_is(rein_json_value(key), REIN_JSON_OBJECT);
    bool is_notes = way->depth > 0 || rein_json_says(key, "metadata"); /* the top has an `input` of its own */
    way->is_signed |= is_signed_object(object);
    if (is_object && !way->is_schema && is_notes)
        way->is_free |= request_is_one_of(key, free_keys);
    if (is_object && !way->is_free)
        way->is_schema |= request_is_one_of(key, schemas);
    way->key = key;
    way->object = object;
    way->depth++;
}

/* The member that has the node; NULL: the node is one of the list's own keys. */
static const struct rein_json_node *step_down(struct mask_way *way, struct mask_place *place,
                                              const struct rein_json_node *list, const struct rein_json_node *node)
{
    bool is_object = rein_json_is(list, REIN_JSON_OBJECT);
    struct mask_cursor here = {list, rein_json_first(list), 0}, *known = NULL;
    if (way->level < MASK_CURSORS)
        known = &way->cursors->level[way->level];
    way->level++;
    if (known != NULL && known->list == list && known->at != NULL && known->at <= node)
        here = *known;
    const struct rein_json_node *at = here.at, *value = at;
    for (size_t i = here.i; at != NULL; at = rein_json_next(list, at), i++) {
        if (known != NULL)
            *known = (struct mask_cursor){list, at, i};
        value = is_object ? rein_json_value(at) : at;
        if (at == node && is_object)
            return NULL;
        if (node < value || node >= value + value->span)
            continue;
        if (is_object) {
            add_key(way, place, at);
            pass_key(way, list, at);
        } else {
            add_number(way, place, i);
        }
        return value;
    }
    return NULL;
}

static bool is_text(const struct mask_way *way)
{
    if (way->key == NULL)
        return false;
    if (way->is_schema)
        return request_is_one_of(way->key, schema_keys);
    if (rein_json_says(way->key, "data")) /* of a document */
        return rein_json_says(rein_json_get(way->object, "type"), "text");
    return request_is_one_of(way->key, text_keys);
}

void mask_place_of(const struct request *request, const struct rein_json_node *node, struct mask_cursors *cursors,
                   struct mask_place *place)
{
    struct mask_way way = {.cursors = cursors};
    const struct rein_json_node *at = rein_json_root(request->json);
    *place = (struct mask_place){.may_mask = true, .why = ""};
    while (at != NULL && at != node && is_list(at))
        at = step_down(&way, place, at, node);
    bool is_key = node->kind == REIN_JSON_KEY, is_number = !is_key && node->kind != REIN_JSON_STRING;
    if (way.is_signed)
        place->why = "it is signed";
    else if (is_key)
        place->why = "it is a key";
    else if (way.is_free && !rein_json_says(way.key, "type"))
        return;
    else if (is_number)
        place->why = "it is a number";
    else if (!is_text(&way))
        place->why = "programs read it, too";
    else
        return;
    place->may_mask = false;
}
