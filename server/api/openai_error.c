/* See openai_error.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/openai_error.h"

#include <string.h>

#include "base/bounded.h"

static const char *type_of(const struct reply_error *error)
{
    static const char *const types[] = {
        [REPLY_FAULT_CLIENT] = "invalid_request_error",
        [REPLY_FAULT_RATE] = "rate_limit_error",
        [REPLY_FAULT_SERVER] = "server_error",
        [REPLY_FAULT_UPSTREAM] = "upstream_error",
    };
    return error->type != NULL ? error->type : types[error->fault];
}

static void put_member(struct bounded *text, const char *before, const char *value)
{
    bounded_put(text, before);
    if (value != NULL && *value != '\0')
        bounded_put_json(text, value);
    else
        bounded_put(text, "null");
}

size_t openai_error_text(const struct reply_error *error, char *out, size_t cap)
{
    struct bounded text = {out, cap, 0};
    bounded_put(&text, "{\"error\":{\"message\":");
    bounded_put_json(&text, error->message);
    put_member(&text, ",\"type\":", type_of(error));
    put_member(&text, ",\"param\":", error->param);
    put_member(&text, ",\"code\":", error->code);
    bounded_put(&text, "}}");
    return bounded_end(&text);
}

/* ---- what an upstream says ---- */

/* The object that describes the error: {"error":{…}}, {"error":"…"}, {"object":"error",…}, {"detail":…}, any of them in
 * an array, or the first choice that has one. Borrowed. */
static const json_t *object_of_reason(const json_t *tree)
{
    size_t i;
    const json_t *choice;
    if (json_is_array(tree))
        tree = json_array_get(tree, 0);
    const json_t *error = json_object_get(tree, "error");
    json_array_foreach(json_object_get(tree, "choices"), i, choice)
    {
        if (error == NULL || json_is_null(error))
            error = json_object_get(choice, "error");
    }
    return json_is_object(error) ? error : tree;
}

/* An answer that has begun with 200 says in its error which status it would have had. */
static void take_status_of_reason(struct upstream_reason *out, const json_t *error)
{
    static const char *const keys[] = {"code", "status"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && out->status == 200; i++) {
        json_int_t status = json_integer_value(json_object_get(error, keys[i]));
        if (status >= 400 && status <= 599)
            out->status = (unsigned)status;
    }
}

static const char *text_of_reason(const json_t *error)
{
    static const char *const keys[] = {"message", "error", "detail", "msg"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(error, keys[i]);
        if (json_is_array(value)) /* what a validator lists: the first one */
            value = json_object_get(json_array_get(value, 0), "msg");
        if (json_is_string(value))
            return json_string_value(value);
    }
    return "";
}

void openai_read_reason(struct upstream_reason *out, const json_t *body)
{
    static const char *const types[] = {"type", "error_type", NULL}, *const codes[] = {"code", "status", NULL};
    const json_t *error = object_of_reason(body);
    upstream_reason_word(out->type, error, types);
    upstream_reason_word(out->code, error, codes);
    upstream_reason_text(out->text, text_of_reason(error));
    take_status_of_reason(out, error);
}

static bool reason_says(const struct upstream_reason *reason, const char *words)
{
    return strcasestr(reason->text, words) != NULL || strcasestr(reason->type, words) != NULL ||
           strcasestr(reason->code, words) != NULL;
}

const char *openai_reason_code(const struct upstream_reason *reason)
{
    static const char *const too_long[] = {"context length",  "context_length",   "context size",
                                           "context_size",    "context window",   "prompt is too long",
                                           "too many tokens", "input is too long"};
    for (size_t i = 0; reason->status != 429 && i < sizeof too_long / sizeof *too_long; i++)
        if (reason_says(reason, too_long[i]))
            return "context_length_exceeded";
    if (*reason->code != '\0')
        return reason->code;
    if (reason->status == 404 && reason_says(reason, "model"))
        return "model_not_found";
    return reason->status == 429 ? "rate_limit_exceeded" : NULL;
}
