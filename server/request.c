/* See request.h: reading and checking. What is judged of a request is in request_texts.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODEL_NAME_MAX 256

/* ---- saying what is wrong ---- */

__attribute__((format(printf, 4, 5))) static int reject(struct request_error *err, const char *code, const char *param,
                                                        const char *format, ...)
{
    va_list args;
    err->code = code;
    snprintf(err->param, sizeof err->param, "%s", param);
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return REIN_EFORMAT;
}

static int reject_type(struct request_error *err, const char *param, const char *wanted)
{
    return reject(err, "invalid_type", param, "'%s' must be %s.", param, wanted);
}

/* The name of a message, or of something in it: made only where something is wrong, most requests are right. */
struct message_name {
    char text[112];
};
__attribute__((format(printf, 2, 3))) static struct message_name in_message(size_t i, const char *format, ...)
{
    struct message_name name;
    int len = snprintf(name.text, sizeof name.text, "messages[%zu]", i);
    va_list args;
    va_start(args, format);
    vsnprintf(name.text + len, sizeof name.text - (size_t)len, format, args);
    va_end(args);
    return name;
}

static int reject_field(struct request_error *err, const char *param, const struct field *field)
{
    if (field == NULL)
        return reject(err, "unknown_field", param, "The field '%s' is not known and is not passed on.", param);
    return reject(err, "field_not_accepted", param, "The field '%s' is not accepted: it %s.", param, field->why);
}

/* ---- JSON as a whole ---- */

/* The parser recurses, so depth is measured before it runs. Malformed text is the parser's business. */
static bool is_too_deep(const char *text, size_t len, size_t limit)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            if (++depth > limit)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static int reject_json(struct request_error *err, const json_error_t *where)
{
    enum json_error_code code = json_error_code(where);
    if (code == json_error_out_of_memory)
        return REIN_ENOMEM;
    if (code == json_error_duplicate_key)
        return reject(err, "duplicate_key", "", "The body has a key twice in one object (line %d, column %d).",
                      where->line, where->column);
    return reject(err, "invalid_json", "", "The body is not valid JSON (line %d, column %d).", where->line,
                  where->column);
}

static int load(json_t **out, struct rein_source body, size_t depth, struct request_error *err)
{
    json_error_t where;
    if (is_too_deep(body.text, body.len, depth))
        return reject(err, "too_deep", "", "The body is nested deeper than %zu levels.", depth);
    json_t *tree = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, &where);
    if (tree == NULL)
        return reject_json(err, &where);
    if (!json_is_object(tree)) {
        json_decref(tree);
        return reject(err, "invalid_json", "", "The body must be a JSON object.");
    }
    *out = tree;
    return 0;
}

/* Clients write null for "not set"; so it is taken out before anything is checked. */
static void drop_nulls(json_t *object, bool *changed)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value)
    {
        if (!json_is_null(value))
            continue;
        json_object_del(object, key);
        *changed = true;
    }
}

/* ---- messages ---- */

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static int check_part(const json_t *part, struct message_name name, struct request_error *err)
{
    static const char *const keys[] = {"type", "text", "refusal", "cache_control", NULL};
    const char *type = json_string_value(json_object_get(part, "type"));
    if (type == NULL)
        return reject_type(err, name.text, "an object with a 'type'");
    bool is_text = strcmp(type, "text") == 0;
    if (!is_text && strcmp(type, "refusal") != 0)
        return reject(err, "unsupported_content", name.text,
                      "Only parts of type 'text' are accepted: others can not be judged.");
    if (!json_is_string(json_object_get(part, is_text ? "text" : "refusal")))
        return reject(err, "invalid_type", name.text, "A part of type '%s' needs its text.",
                      is_text ? "text" : "refusal");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)part, key, value)
    {
        if (!is_one_of(key, keys))
            return reject_field(err, name.text, NULL);
    }
    return 0;
}

static int check_content(const json_t *content, const char *role, size_t i, struct request_error *err)
{
    if (json_is_string(content))
        return 0;
    if (content == NULL && strcmp(role, "assistant") == 0)
        return 0;
    if (!json_is_array(content) || json_array_size(content) == 0)
        return reject_type(err, in_message(i, ".content").text, "a string or an array of text parts");
    size_t k;
    json_t *part;
    json_array_foreach(content, k, part)
    {
        int rv = check_part(part, in_message(i, ".content[%zu]", k), err);
        if (rv < 0)
            return rv;
    }
    return 0;
}

/* What the tables say of fields, and what a policy lets pass all the same. */
struct accepted {
    const struct field_table *kind, *common; /* kind: NULL if it has none of its own */
    const char *const *allow;                /* NULL: none */
};

/* Takes out what the table drops. Returns the first key that it refuses, with its row (NULL: unknown), or NULL. */
static const char *refused_key(json_t *object, struct accepted accepted, const struct field **row, bool *changed)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value)
    {
        const struct field *field = accepted.kind != NULL ? field_find(accepted.kind, key) : NULL;
        if (field == NULL)
            field = field_find(accepted.common, key);
        *row = field;
        if (field == NULL || field->rule == FIELD_DENY) {
            if (accepted.allow == NULL || !is_one_of(key, accepted.allow))
                return key;
        } else if (field->rule == FIELD_DROP) {
            json_object_del(object, key);
            *changed = true;
        }
    }
    return NULL;
}

static int check_message(json_t *message, size_t i, bool *changed, struct request_error *err)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function", NULL};
    if (!json_is_object(message))
        return reject_type(err, in_message(i, "%s", "").text, "an object");
    drop_nulls(message, changed);
    const struct field *row;
    const char *key = refused_key(message, (struct accepted){.common = &fields_message}, &row, changed);
    if (key != NULL)
        return reject_field(err, in_message(i, ".%.60s", key).text, row);
    const char *role = json_string_value(json_object_get(message, "role"));
    if (role == NULL || !is_one_of(role, roles))
        return reject_type(err, in_message(i, ".role").text, "one of system, developer, user, assistant, tool");
    return check_content(json_object_get(message, "content"), role, i, err);
}

static int check_messages(struct request *r, size_t limit, struct request_error *err)
{
    json_t *messages = json_object_get(r->body, "messages");
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return reject_type(err, "messages", "an array with at least one message");
    size_t len = json_array_size(messages);
    if (len > limit)
        return reject(err, "too_many", "messages", "There are %zu messages; at most %zu are accepted.", len, limit);
    for (size_t i = 0; i < len; i++) {
        int rv = check_message(json_array_get(messages, i), i, &r->changed, err);
        if (rv < 0)
            return rv;
    }
    const json_t *last = json_array_get(messages, len - 1);
    if (strcmp(json_string_value(json_object_get(last, "role")), "assistant") != 0)
        return 0;
    return reject(err, "field_not_accepted", in_message(len - 1, "%s", "").text,
                  "A conversation may not end with a turn of the assistant: it puts text into the model's own turn.");
}

/* ---- the other fields that pass, but not with every value ---- */

static int check_model(struct request *r, struct request_error *err)
{
    const json_t *model = json_object_get(r->body, "model");
    if (!json_is_string(model) || json_string_length(model) == 0)
        return reject_type(err, "model", "a non-empty string");
    if (json_string_length(model) > MODEL_NAME_MAX)
        return reject(err, "too_long", "model", "'model' is longer than %d bytes.", MODEL_NAME_MAX);
    r->model = strdup(json_string_value(model));
    return r->model != NULL ? 0 : REIN_ENOMEM;
}

static int check_stream(struct request *r, struct request_error *err)
{
    const json_t *stream = json_object_get(r->body, "stream");
    if (stream != NULL && !json_is_boolean(stream))
        return reject_type(err, "stream", "a boolean");
    r->stream = json_is_true(stream);
    json_t *options = json_object_get(r->body, "stream_options");
    if (options == NULL)
        return 0;
    if (!json_is_object(options))
        return reject_type(err, "stream_options", "an object");
    if (!r->stream)
        return reject(err, "field_not_accepted", "stream_options", "'stream_options' needs 'stream': true.");
    static const struct field rows[] = {{"include_obfuscation", FIELD_DROP, NULL}, {"include_usage", FIELD_PASS, NULL}};
    static const struct field_table table = {rows, 2};
    drop_nulls(options, &r->changed);
    const struct field *row;
    const char *key = refused_key(options, (struct accepted){.common = &table}, &row, &r->changed);
    if (key != NULL) {
        char param[96];
        snprintf(param, sizeof param, "stream_options.%.60s", key);
        return reject_field(err, param, row);
    }
    const json_t *usage = json_object_get(options, "include_usage");
    if (usage != NULL && !json_is_boolean(usage))
        return reject_type(err, "stream_options.include_usage", "a boolean");
    r->wants_usage = json_is_true(usage);
    return 0;
}

static int check_choices(struct request *r, size_t limit, struct request_error *err)
{
    const json_t *n = json_object_get(r->body, "n");
    r->choices = 1;
    if (n == NULL)
        return 0;
    if (!json_is_integer(n) || json_integer_value(n) < 1)
        return reject_type(err, "n", "a positive integer");
    if ((size_t)json_integer_value(n) > limit)
        return reject(err, "too_many", "n", "At most %zu choices are accepted.", limit);
    r->choices = (unsigned)json_integer_value(n);
    return 0;
}

static int check_tools(struct request *r, size_t limit, struct request_error *err)
{
    static const char *const names[] = {"tools", "functions"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *tools = json_object_get(r->body, names[i]);
        if (tools == NULL)
            continue;
        if (!json_is_array(tools))
            return reject_type(err, names[i], "an array");
        if (json_array_size(tools) > limit)
            return reject(err, "too_many", names[i], "There are %zu %s; at most %zu are accepted.",
                          json_array_size(tools), names[i], limit);
        r->has_tools = r->has_tools || json_array_size(tools) > 0;
    }
    return 0;
}

static int check_format(struct request *r, struct request_error *err)
{
    static const char *const types[] = {"text", "json_object", "json_schema", NULL};
    const json_t *format = json_object_get(r->body, "response_format");
    if (format == NULL)
        return 0;
    const char *type = json_string_value(json_object_get(format, "type"));
    if (type == NULL || !is_one_of(type, types))
        return reject_type(err, "response_format.type", "one of text, json_object, json_schema");
    r->has_format = strcmp(type, "text") != 0;
    return 0;
}

/* A delimiter of reasoning as a stop string takes away the mark by which the end of the reasoning is known. */
static bool is_delimiter(const char *text)
{
    static const char *const marks[] = {"<think", "</think", "think>", "THINK]", "<|", "|>", "thought>", "\u25b7"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcasestr(text, marks[i]) != NULL)
            return true;
    return false;
}

static int check_stop(const json_t *stop, struct request_error *err)
{
    size_t len = json_is_array(stop) ? json_array_size(stop) : 1;
    for (size_t i = 0; stop != NULL && i < len; i++) {
        const json_t *one = json_is_array(stop) ? json_array_get(stop, i) : stop;
        if (!json_is_string(one))
            return reject_type(err, "stop", "a string or an array of strings");
        if (is_delimiter(json_string_value(one)))
            return reject(err, "field_not_accepted", "stop", "A delimiter of reasoning is not accepted in 'stop'.");
    }
    return 0;
}

static int check_values(const struct request *r, struct request_error *err)
{
    const json_t *effort = json_object_get(r->body, "reasoning_effort");
    if (effort != NULL && !json_is_string(effort))
        return reject_type(err, "reasoning_effort", "a string");
    if (effort != NULL && strcmp(json_string_value(effort), "none") == 0)
        return reject(err, "field_not_accepted", "reasoning_effort",
                      "'reasoning_effort': \"none\" is not accepted: it %s.",
                      "turns off the reasoning that is watched");
    size_t i;
    json_t *modality;
    json_array_foreach(json_object_get(r->body, "modalities"), i, modality)
    {
        const char *name = json_string_value(modality);
        if (name == NULL || strcmp(name, "text") != 0)
            return reject(err, "unsupported_content", "modalities", "Only the modality 'text' can be judged.");
    }
    return check_stop(json_object_get(r->body, "stop"), err);
}

static int check(struct request *r, const struct config_limits *limits, struct request_error *err)
{
    int rv;
    drop_nulls(r->body, &r->changed);
    if ((rv = check_model(r, err)) < 0 || (rv = check_stream(r, err)) < 0 ||
        (rv = check_choices(r, limits->choices, err)) < 0 || (rv = check_tools(r, limits->tools, err)) < 0 ||
        (rv = check_format(r, err)) < 0 || (rv = check_values(r, err)) < 0)
        return rv;
    return check_messages(r, limits->messages, err);
}

/* ---- the whole ---- */

int request_parse(struct request **out, struct rein_source body, const struct config_limits *limits,
                  struct request_error *err)
{
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return REIN_ENOMEM;
    int rv = load(&r->body, body, limits->json_depth, err);
    if (rv == 0)
        rv = check(r, limits, err);
    if (rv < 0) {
        request_free(r);
        return rv;
    }
    *out = r;
    return 0;
}

void request_free(struct request *request)
{
    if (request == NULL)
        return;
    json_decref(request->body);
    free(request->model);
    free(request);
}

void request_shed(struct request *request)
{
    json_decref(request->body);
    request->body = NULL;
}

int request_reload(struct request *request, struct rein_source body, const struct config_limits *limits,
                   const struct field_table *kind, const char *const *allow)
{
    struct request_error err;
    struct request *again = NULL;
    int rv = request_parse(&again, body, limits, &err);
    if (rv == 0)
        rv = request_check_fields(again, kind, allow, &err);
    if (rv == 0) {
        request_shed(request);
        request->body = json_incref(again->body);
    }
    request_free(again);
    return rv;
}

int request_check_fields(struct request *request, const struct field_table *kind, const char *const *allow,
                         struct request_error *err)
{
    const struct field *row;
    const char *key =
        refused_key(request->body, (struct accepted){kind, &fields_common, allow}, &row, &request->changed);
    char param[96];
    if (key == NULL)
        return 0;
    snprintf(param, sizeof param, "%.60s", key);
    return reject_field(err, param, row);
}

static bool has_to_ask_for_usage(const struct request *request)
{
    return request->stream && !request->wants_usage;
}

bool request_is_as_sent(const struct request *request)
{
    return !request->changed &&
           (!has_to_ask_for_usage(request) || json_object_get(request->body, "stream_options") == NULL);
}

char *request_sent_text(const struct request *request, struct rein_source sent)
{
    static const char ask[] =
        "{\"stream_options\":{\"include_usage\":true},"; /* no object here is empty: it has a model */
    if (!has_to_ask_for_usage(request))
        return strndup(sent.text, sent.len);
    const char *first_key = (const char *)memchr(sent.text, '{', sent.len) + 1;
    size_t rest = (size_t)(sent.text + sent.len - first_key);
    char *text = malloc(sizeof ask + rest);
    if (text == NULL)
        return NULL;
    memcpy(text, ask, sizeof ask - 1);
    memcpy(text + sizeof ask - 1, first_key, rest);
    text[sizeof ask - 1 + rest] = '\0';
    return text;
}

json_t *request_upstream_body(const struct request *request)
{
    json_t *body = json_copy(request->body);
    if (body == NULL || !request->stream)
        return body;
    if (json_object_set_new(body, "stream_options", json_pack("{sb}", "include_usage", 1)) == 0)
        return body;
    json_decref(body);
    return NULL;
}
