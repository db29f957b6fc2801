/* See request.h and request_check.h: reading, and the checks that all APIs share.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/request_check.h"

#define MODEL_NAME_MAX 256

/* ---- errors ---- */

/* A text that was cut to fit must not end inside a character. */
void request_end_text(char *text, size_t cap, int len)
{
    if (len >= (int)cap)
        text[rein_text_whole(text, cap - 1)] = '\0';
}

int request_reject(struct request_error *err, const char *code, const char *param, const char *format, ...)
{
    va_list args;
    err->code = code;
    request_end_text(err->param, sizeof err->param, snprintf(err->param, sizeof err->param, "%s", param));
    va_start(args, format);
    request_end_text(err->message, sizeof err->message, vsnprintf(err->message, sizeof err->message, format, args));
    va_end(args);
    return REIN_EFORMAT;
}

int request_reject_type(struct request_error *err, const char *param, const char *wanted)
{
    return request_reject(err, "invalid_type", param, "'%s' must be %s.", param, wanted);
}

int request_reject_field(struct request_error *err, const char *param, const struct field *field)
{
    if (field == NULL)
        return request_reject(err, "unknown_field", param, "The field '%s' is unknown and is not accepted.", param);
    return request_reject(err, "field_not_accepted", param, "The field '%s' is not accepted: it %s.", param,
                          field->why);
}

struct request_key_name request_key_name(const struct rein_json_node *key)
{
    struct request_key_name name;
    request_end_text(name.text, sizeof name.text,
                     snprintf(name.text, sizeof name.text, "%.*s", (int)key->len, key->text));
    return name;
}

/* ---- JSON as a whole ---- */

/* A string that programs cannot represent, or represent in different ways. */
static int reject_string(struct request_error *err, const struct rein_json_problem *problem, const char *what)
{
    const char *place = problem->place;
    return request_reject(err, "invalid_json", place, "%s%s%s %s, which is not accepted (line %u, column %u).",
                          *place != '\0' ? "'" : "", *place != '\0' ? place : "The body",
                          *place != '\0' ? "' holds" : " holds", what, problem->line, problem->column);
}

static int reject_json(struct request_error *err, const struct rein_json_problem *problem, size_t depth)
{
    switch (problem->fault) {
    case REIN_JSON_TOO_DEEP:
        return request_reject(err, "too_deep", "", "The body is nested deeper than %zu levels.", depth);
    case REIN_JSON_KEY_TWICE:
        return request_reject(err, "duplicate_key", "",
                              "The body has a duplicate key in an object (line %u, column %u).", problem->line,
                              problem->column);
    case REIN_JSON_NO_UTF8:
        return reject_string(err, problem, "bytes that are not UTF-8");
    case REIN_JSON_NUL:
        return reject_string(err, problem, "the character U+0000");
    case REIN_JSON_HALF_PAIR:
        return reject_string(err, problem, "half of a surrogate pair");
    default:
        return request_reject(err, "invalid_json", "", "The body is not valid JSON (line %u, column %u).",
                              problem->line, problem->column);
    }
}

static int read_object(struct rein_json **out, struct rein_source body, size_t depth, struct request_error *err)
{
    struct rein_json_problem problem;
    int rv = rein_json_read(out, body.text, body.len, (unsigned)depth, &problem);
    if (rv == REIN_EFORMAT)
        return reject_json(err, &problem, depth);
    if (rv < 0 || rein_json_is(rein_json_root(*out), REIN_JSON_OBJECT))
        return rv;
    rein_json_free(*out);
    return request_reject(err, "invalid_json", "", "The body must be a JSON object.");
}

const struct rein_json_node *request_field(const struct request *r, const char *name)
{
    return rein_json_get(rein_json_root(r->json), name);
}

bool request_is_one_of(const struct rein_json_node *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rein_json_says(text, *words))
            return true;
    return false;
}

int request_take_out(struct request *r, const struct rein_json_node *key)
{
    bool is_full = (r->cuts_len & (r->cuts_len - 1)) == 0; /* its room is a power of two */
    size_t cap = r->cuts_len > 0 ? r->cuts_len * 2 : 1;
    struct rein_json_place *cuts = is_full ? realloc(r->cuts, cap * sizeof *cuts) : r->cuts;
    if (cuts == NULL)
        return REIN_ENOMEM;
    r->cuts = cuts;
    r->cuts[r->cuts_len++] = rein_json_drop(r->json, key);
    return 0;
}

int request_reject_model(struct request_error *err)
{
    return request_reject_type(err, "model", "a non-empty string");
}

/* Without a model (NULL), it depends on the upstream: see request_check. */
static int check_model(const struct rein_json_node *model, struct request_error *err)
{
    if (model == NULL || rein_json_is(model, REIN_JSON_NULL))
        return 0;
    if (!rein_json_is(model, REIN_JSON_STRING) || model->len == 0)
        return request_reject_model(err);
    if (model->len > MODEL_NAME_MAX)
        return request_reject(err, "too_long", "model", "'model' is longer than %d bytes.", MODEL_NAME_MAX);
    return 0;
}

/* ---- numbers that only pass unchanged ---- */

/* Finds the first one at or below `node`; its name is put after the `len` bytes that `name` has already. */
static bool find_huge(const struct rein_json_node *node, char name[96], size_t len)
{
    bool is_object = rein_json_is(node, REIN_JSON_OBJECT);
    size_t i = 0;
    const struct rein_json_node *at = rein_json_first(node);
    for (; at != NULL; at = rein_json_next(node, at), i++) {
        const struct rein_json_node *value = is_object ? rein_json_value(at) : at;
        int more = is_object ? snprintf(name + len, 96 - len, "%s%.*s", len > 0 ? "." : "", (int)at->len, at->text)
                             : snprintf(name + len, 96 - len, "[%zu]", i);
        request_end_text(name, 96, (int)len + more);
        size_t end = strlen(name);
        if (rein_json_is(value, REIN_JSON_HUGE) || find_huge(value, name, end))
            return true;
        name[len] = '\0';
    }
    return false;
}

int request_explain(const struct request *request, struct request_error *err)
{
    char name[96] = "";
    if (request->json == NULL || !find_huge(rein_json_root(request->json), name, 0))
        return REIN_EINVAL;
    return request_reject(
        err, "number_too_large", name,
        "'%s' is a number beyond 64 bits, which cannot be passed in this request. Use a smaller number.", name);
}

/* Without regard to case. */
static bool text_holds(const struct rein_json_node *text, const char *mark)
{
    size_t len = strlen(mark);
    for (size_t i = 0; i + len <= text->len; i++)
        if ((text->text[i] | 0x20) == (*mark | 0x20) && strncasecmp(text->text + i, mark, len) == 0)
            return true;
    return false;
}

bool request_is_delimiter(const struct rein_json_node *text)
{
    static const char *const marks[] = {"<think", "</think", "think>", "THINK]", "<|", "|>", "thought>", "\u25b7"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (text_holds(text, marks[i]))
            return true;
    return false;
}

/* ---- the whole ---- */

/* Takes the document if there is no error. */
static int request_new(struct request **out, const struct api *api, struct rein_source body, struct rein_json *json,
                       struct request_error *err)
{
    const struct rein_json_node *model = rein_json_get(rein_json_root(json), "model");
    int rv = check_model(model, err);
    if (rv < 0)
        return rv;
    size_t len = rein_json_is(model, REIN_JSON_STRING) ? model->len : 0;
    struct request *r = calloc(1, sizeof *r + len + 1);
    if (r == NULL)
        return REIN_ENOMEM;
    memcpy(r->model, len > 0 ? model->text : "", len);
    r->api = api;
    r->choices = 1;
    r->sent = body;
    r->json = json;
    *out = r;
    return 0;
}

int request_parse(struct request **out, const struct api *api, struct rein_source body,
                  const struct config_limits *limits, struct request_error *err)
{
    struct rein_json *json = NULL;
    int rv = read_object(&json, body, limits->json_depth, err);
    if (rv < 0)
        return rv;
    rv = request_new(out, api, body, json, err);
    if (rv < 0)
        rein_json_free(json);
    return rv;
}

int request_check(struct request *request, const struct request_checks *checks, struct request_error *err)
{
    request->checks = *checks;
    if (*request->model == '\0' && !checks->may_lack_model)
        return request_reject_model(err);
    int rv = request_walk(request, err);
    return rv == 0 ? request->api->check(request, checks->limits, err) : rv;
}

void request_shed(struct request *request)
{
    rein_json_free(request->json);
    request->json = NULL;
    json_decref(request->body);
    request->body = NULL;
}

void request_free(struct request *request)
{
    if (request == NULL)
        return;
    request_shed(request);
    free(request->cuts);
    free(request->dropped);
    free(request->masked);
    free(request);
}
