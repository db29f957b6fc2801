/* See request.h: reading and checking. What is judged of a request is in request_texts.c, what is sent in
 * request_build.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/chat/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MODEL_NAME_MAX 256

/* ---- errors ---- */

/* A text that was cut to fit must not end inside a character. */
static void end_text(char *text, size_t cap, int len)
{
    if (len >= (int)cap)
        text[rein_text_whole(text, cap - 1)] = '\0';
}

__attribute__((format(printf, 4, 5))) static int reject(struct request_error *err, const char *code, const char *param,
                                                        const char *format, ...)
{
    va_list args;
    err->code = code;
    end_text(err->param, sizeof err->param, snprintf(err->param, sizeof err->param, "%s", param));
    va_start(args, format);
    end_text(err->message, sizeof err->message, vsnprintf(err->message, sizeof err->message, format, args));
    va_end(args);
    return REIN_EFORMAT;
}

static int reject_type(struct request_error *err, const char *param, const char *wanted)
{
    return reject(err, "invalid_type", param, "'%s' must be %s.", param, wanted);
}

/* The name of a message, or of something in it; made only for errors. */
struct message_name {
    char text[112];
};
__attribute__((format(printf, 2, 3))) static struct message_name in_message(size_t i, const char *format, ...)
{
    struct message_name name;
    int len = snprintf(name.text, sizeof name.text, "messages[%zu]", i);
    va_list args;
    va_start(args, format);
    len += vsnprintf(name.text + len, sizeof name.text - (size_t)len, format, args);
    va_end(args);
    end_text(name.text, sizeof name.text, len);
    return name;
}

static int reject_field(struct request_error *err, const char *param, const struct field *field)
{
    if (field == NULL)
        return reject(err, "unknown_field", param, "The field '%s' is unknown and is not accepted.", param);
    return reject(err, "field_not_accepted", param, "The field '%s' is not accepted: it %s.", param, field->why);
}

/* ---- JSON as a whole ---- */

/* A string that programs cannot represent, or represent in different ways. */
static int reject_string(struct request_error *err, const struct rein_json_problem *problem, const char *what)
{
    const char *place = problem->place;
    return reject(err, "invalid_json", place, "%s%s%s %s, which is not accepted (line %u, column %u).",
                  *place != '\0' ? "'" : "", *place != '\0' ? place : "The body", *place != '\0' ? "' holds" : " holds",
                  what, problem->line, problem->column);
}

static int reject_json(struct request_error *err, const struct rein_json_problem *problem, size_t depth)
{
    switch (problem->fault) {
    case REIN_JSON_TOO_DEEP:
        return reject(err, "too_deep", "", "The body is nested deeper than %zu levels.", depth);
    case REIN_JSON_KEY_TWICE:
        return reject(err, "duplicate_key", "", "The body has a duplicate key in an object (line %u, column %u).",
                      problem->line, problem->column);
    case REIN_JSON_NO_UTF8:
        return reject_string(err, problem, "bytes that are not UTF-8");
    case REIN_JSON_NUL:
        return reject_string(err, problem, "the character U+0000");
    case REIN_JSON_HALF_PAIR:
        return reject_string(err, problem, "half of a surrogate pair");
    default:
        return reject(err, "invalid_json", "", "The body is not valid JSON (line %u, column %u).", problem->line,
                      problem->column);
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
    return reject(err, "invalid_json", "", "The body must be a JSON object.");
}

static const struct rein_json_node *field_of(const struct request *r, const char *name)
{
    return rein_json_get(rein_json_root(r->json), name);
}

static int take_out(struct request *r, const struct rein_json_node *key)
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

/* Clients write null for "not set"; so it is removed before anything is checked, except for a key that upstreams want
 * to see (`kept`; NULL: none). */
static int drop_nulls(struct request *r, const struct rein_json_node *object, const char *kept)
{
    int rv = 0;
    const struct rein_json_node *key = rein_json_first(object);
    for (; key != NULL && rv == 0; key = rein_json_next(object, key))
        if (rein_json_is(rein_json_value(key), REIN_JSON_NULL) && (kept == NULL || !rein_json_says(key, kept)))
            rv = take_out(r, key);
    return rv;
}

/* ---- messages ---- */

static bool is_one_of(const struct rein_json_node *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (rein_json_says(text, *words))
            return true;
    return false;
}

static int check_part(const struct rein_json_node *part, struct message_name name, struct request_error *err)
{
    static const char *const keys[] = {"type", "text", "refusal", "cache_control", NULL};
    const struct rein_json_node *type = rein_json_get(part, "type");
    if (!rein_json_is(type, REIN_JSON_STRING))
        return reject_type(err, name.text, "an object with a 'type'");
    bool is_text = rein_json_says(type, "text");
    if (!is_text && !rein_json_says(type, "refusal"))
        return reject(err, "unsupported_content", name.text,
                      "Only parts of type 'text' are accepted: others cannot be judged.");
    if (!rein_json_is(rein_json_get(part, is_text ? "text" : "refusal"), REIN_JSON_STRING))
        return reject(err, "invalid_type", name.text, "A part of type '%s' needs a text.",
                      is_text ? "text" : "refusal");
    for (const struct rein_json_node *key = rein_json_first(part); key != NULL; key = rein_json_next(part, key))
        if (!is_one_of(key, keys))
            return reject_field(err, name.text, NULL);
    return 0;
}

static int check_content(const struct rein_json_node *content, const struct rein_json_node *role, size_t i,
                         struct request_error *err)
{
    if (rein_json_is(content, REIN_JSON_STRING))
        return 0;
    bool is_absent = content == NULL || rein_json_is(content, REIN_JSON_NULL);
    if (is_absent && rein_json_says(role, "assistant"))
        return 0;
    const struct rein_json_node *part = rein_json_first(content);
    if (!rein_json_is(content, REIN_JSON_ARRAY) || part == NULL)
        return reject_type(err, in_message(i, ".content").text, "a string or an array of text parts");
    for (size_t k = 0; part != NULL; part = rein_json_next(content, part), k++) {
        int rv = check_part(part, in_message(i, ".content[%zu]", k), err);
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* The tables of fields, and the fields that a policy accepts in addition. */
struct accepted {
    const struct field_table *kind, *common; /* kind: NULL if it has no table of its own */
    const char *const *allow;                /* NULL: none */
};

/* Removes what the table drops. *refused: the first key that it refuses, with its row (NULL: unknown), or NULL.
 * REIN_ENOMEM. */
static int check_keys(struct request *r, const struct rein_json_node *object, struct accepted accepted,
                      const struct rein_json_node **refused, const struct field **row)
{
    *refused = NULL;
    for (const struct rein_json_node *key = rein_json_first(object); key != NULL; key = rein_json_next(object, key)) {
        const struct field *field = accepted.kind != NULL ? field_find(accepted.kind, key->text, key->len) : NULL;
        if (field == NULL)
            field = field_find(accepted.common, key->text, key->len);
        *row = field;
        if (field == NULL || field->rule == FIELD_DENY) {
            if (accepted.allow == NULL || !is_one_of(key, accepted.allow)) {
                *refused = key;
                return 0;
            }
        } else if (field->rule == FIELD_DROP && take_out(r, key) < 0) {
            return REIN_ENOMEM;
        }
    }
    return 0;
}

/* A key as it is quoted in an error. */
struct key_name {
    char text[61];
};
static struct key_name name_of(const struct rein_json_node *key)
{
    struct key_name name;
    end_text(name.text, sizeof name.text, snprintf(name.text, sizeof name.text, "%.*s", (int)key->len, key->text));
    return name;
}

static int check_message(struct request *r, const struct rein_json_node *message, size_t i, struct request_error *err)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function", NULL};
    const struct field *row;
    const struct rein_json_node *refused;
    if (!rein_json_is(message, REIN_JSON_OBJECT))
        return reject_type(err, in_message(i, "%s", "").text, "an object");
    const char *kept = rein_json_says(rein_json_get(message, "role"), "assistant") ? "content" : NULL;
    if (drop_nulls(r, message, kept) < 0 ||
        check_keys(r, message, (struct accepted){.common = &fields_message}, &refused, &row) < 0)
        return REIN_ENOMEM;
    if (refused != NULL)
        return reject_field(err, in_message(i, ".%s", name_of(refused).text).text, row);
    const struct rein_json_node *role = rein_json_get(message, "role");
    if (!rein_json_is(role, REIN_JSON_STRING) || !is_one_of(role, roles))
        return reject_type(err, in_message(i, ".role").text, "one of system, developer, user, assistant, tool");
    return check_content(rein_json_get(message, "content"), role, i, err);
}

static int check_messages(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *messages = field_of(r, "messages"), *last = NULL;
    size_t len = rein_json_count(messages), i = 0;
    if (!rein_json_is(messages, REIN_JSON_ARRAY) || len == 0)
        return reject_type(err, "messages", "an array with at least one message");
    if (len > limit)
        return reject(err, "too_many", "messages", "There are %zu messages; at most %zu are accepted.", len, limit);
    const struct rein_json_node *message = rein_json_first(messages);
    for (; message != NULL; message = rein_json_next(messages, message)) {
        int rv = check_message(r, message, i++, err);
        if (rv < 0)
            return rv;
        last = message;
    }
    if (!rein_json_says(rein_json_get(last, "role"), "assistant"))
        return 0;
    return reject(
        err, "field_not_accepted", in_message(len - 1, "%s", "").text,
        "A conversation must not end with a turn of the assistant: it would put text into the model's own turn.");
}

/* ---- the other fields that pass, but not with every value ---- */

static int check_model(const struct rein_json_node *model, struct request_error *err)
{
    if (!rein_json_is(model, REIN_JSON_STRING) || model->len == 0)
        return reject_type(err, "model", "a non-empty string");
    if (model->len > MODEL_NAME_MAX)
        return reject(err, "too_long", "model", "'model' is longer than %d bytes.", MODEL_NAME_MAX);
    return 0;
}

static bool is_boolean(const struct rein_json_node *node)
{
    return rein_json_is(node, REIN_JSON_TRUE) || rein_json_is(node, REIN_JSON_FALSE);
}

static int check_options(struct request *r, const struct rein_json_node *options, struct request_error *err)
{
    static const struct field rows[] = {{"include_obfuscation", FIELD_DROP, NULL}, {"include_usage", FIELD_PASS, NULL}};
    static const struct field_table table = {rows, 2};
    const struct field *row;
    const struct rein_json_node *refused;
    if (drop_nulls(r, options, NULL) < 0 ||
        check_keys(r, options, (struct accepted){.common = &table}, &refused, &row) < 0)
        return REIN_ENOMEM;
    if (refused != NULL) {
        char param[96];
        end_text(param, sizeof param, snprintf(param, sizeof param, "stream_options.%s", name_of(refused).text));
        return reject_field(err, param, row);
    }
    const struct rein_json_node *usage = rein_json_get(options, "include_usage");
    if (usage != NULL && !is_boolean(usage))
        return reject_type(err, "stream_options.include_usage", "a boolean");
    r->wants_usage = rein_json_is(usage, REIN_JSON_TRUE);
    return 0;
}

static int check_stream(struct request *r, struct request_error *err)
{
    const struct rein_json_node *stream = field_of(r, "stream"), *options = field_of(r, "stream_options");
    if (stream != NULL && !is_boolean(stream))
        return reject_type(err, "stream", "a boolean");
    r->stream = rein_json_is(stream, REIN_JSON_TRUE);
    r->has_options = options != NULL;
    if (options == NULL)
        return 0;
    if (!rein_json_is(options, REIN_JSON_OBJECT))
        return reject_type(err, "stream_options", "an object");
    if (!r->stream)
        return reject(err, "field_not_accepted", "stream_options", "'stream_options' needs 'stream': true.");
    return check_options(r, options, err);
}

static int check_choices(struct request *r, size_t limit, struct request_error *err)
{
    const struct rein_json_node *n = field_of(r, "n");
    int64_t value = 1;
    if (n != NULL && (!rein_json_integer(n, &value) || value < 1))
        return reject_type(err, "n", "a positive integer");
    if ((uint64_t)value > limit)
        return reject(err, "too_many", "n", "At most %zu choices are accepted.", limit);
    r->choices = (unsigned)value;
    return 0;
}

static int check_tools(struct request *r, size_t limit, struct request_error *err)
{
    static const char *const names[] = {"tools", "functions"};
    for (size_t i = 0; i < 2; i++) {
        const struct rein_json_node *tools = field_of(r, names[i]);
        size_t len = rein_json_count(tools);
        if (tools == NULL)
            continue;
        if (!rein_json_is(tools, REIN_JSON_ARRAY))
            return reject_type(err, names[i], "an array");
        if (len > limit)
            return reject(err, "too_many", names[i], "There are %zu %s; at most %zu are accepted.", len, names[i],
                          limit);
        r->has_tools = r->has_tools || len > 0;
    }
    return 0;
}

static int check_format(struct request *r, struct request_error *err)
{
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    const struct rein_json_node *format = field_of(r, "response_format"), *type = rein_json_get(format, "type");
    if (format == NULL)
        return 0;
    if (!is_one_of(type, types))
        return reject_type(err, "response_format.type", "one of text, json_object, json_schema");
    r->has_format = !rein_json_says(type, "text");
    return 0;
}

/* Without regard to case. */
static bool request_holds(const struct rein_json_node *text, const char *mark)
{
    size_t len = strlen(mark);
    for (size_t i = 0; i + len <= text->len; i++)
        if ((text->text[i] | 0x20) == (*mark | 0x20) && strncasecmp(text->text + i, mark, len) == 0)
            return true;
    return false;
}

/* A delimiter of reasoning as a stop string would remove the mark that ends the reasoning. */
static bool is_delimiter(const struct rein_json_node *text)
{
    static const char *const marks[] = {"<think", "</think", "think>", "THINK]", "<|", "|>", "thought>", "\u25b7"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (request_holds(text, marks[i]))
            return true;
    return false;
}

static int check_stop_text(const struct rein_json_node *text, struct request_error *err)
{
    if (!rein_json_is(text, REIN_JSON_STRING))
        return reject_type(err, "stop", "a string or an array of strings");
    if (is_delimiter(text))
        return reject(err, "field_not_accepted", "stop", "A delimiter of reasoning is not accepted in 'stop'.");
    return 0;
}

static int check_stop(const struct rein_json_node *stop, struct request_error *err)
{
    int rv = 0;
    if (stop == NULL || !rein_json_is(stop, REIN_JSON_ARRAY))
        return stop != NULL ? check_stop_text(stop, err) : 0;
    const struct rein_json_node *text = rein_json_first(stop);
    for (; text != NULL && rv == 0; text = rein_json_next(stop, text))
        rv = check_stop_text(text, err);
    return rv;
}

static int check_values(const struct request *r, struct request_error *err)
{
    const struct rein_json_node *effort = field_of(r, "reasoning_effort"), *modalities = field_of(r, "modalities");
    if (effort != NULL && !rein_json_is(effort, REIN_JSON_STRING))
        return reject_type(err, "reasoning_effort", "a string");
    if (rein_json_says(effort, "none"))
        return reject(err, "field_not_accepted", "reasoning_effort",
                      "'reasoning_effort': \"none\" is not accepted: it %s.",
                      "turns off the reasoning, which has to be judged");
    if (rein_json_is(modalities, REIN_JSON_ARRAY)) {
        const struct rein_json_node *name = rein_json_first(modalities);
        for (; name != NULL; name = rein_json_next(modalities, name))
            if (!rein_json_says(name, "text"))
                return reject(err, "unsupported_content", "modalities", "Only the modality 'text' can be judged.");
    }
    return check_stop(field_of(r, "stop"), err);
}

static int check(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    int rv;
    if ((rv = drop_nulls(r, rein_json_root(r->json), NULL)) < 0 || (rv = check_stream(r, err)) < 0 ||
        (rv = check_choices(r, limits->choices, err)) < 0 || (rv = check_tools(r, limits->tools, err)) < 0 ||
        (rv = check_format(r, err)) < 0 || (rv = check_values(r, err)) < 0)
        return rv;
    return check_messages(r, limits->messages, err);
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
        end_text(name, 96, (int)len + more);
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
    return reject(err, "number_too_large", name,
                  "'%s' is a number beyond 64 bits, which cannot be passed in this request. Use a smaller number.",
                  name);
}

/* ---- the whole ---- */

/* Takes the document if there is no error. */
static int request_new(struct request **out, struct rein_source body, struct rein_json *json, struct request_error *err)
{
    const struct rein_json_node *model = rein_json_get(rein_json_root(json), "model");
    int rv = check_model(model, err);
    if (rv < 0)
        return rv;
    struct request *r = calloc(1, sizeof *r + model->len + 1);
    if (r == NULL)
        return REIN_ENOMEM;
    memcpy(r->model, model->text, model->len);
    r->sent = body;
    r->json = json;
    *out = r;
    return 0;
}

int request_parse(struct request **out, struct rein_source body, const struct config_limits *limits,
                  struct request_error *err)
{
    struct rein_json *json = NULL;
    struct request *r = NULL;
    int rv = read_object(&json, body, limits->json_depth, err);
    if (rv < 0)
        return rv;
    rv = request_new(&r, body, json, err);
    if (rv < 0) {
        rein_json_free(json);
        return rv;
    }
    rv = check(r, limits, err);
    if (rv < 0) {
        request_free(r);
        return rv;
    }
    *out = r;
    return 0;
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
    free(request);
}

int request_check_fields(struct request *request, const struct field_table *kind, const char *const *allow,
                         struct request_error *err)
{
    const struct field *row;
    const struct rein_json_node *refused;
    if (check_keys(request, rein_json_root(request->json), (struct accepted){kind, &fields_common, allow}, &refused,
                   &row) < 0)
        return REIN_ENOMEM;
    return refused != NULL ? reject_field(err, name_of(refused).text, row) : 0;
}
