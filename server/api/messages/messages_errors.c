/* Errors of Anthropic's Messages API: ours, whole and as an event, and those of its upstreams.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/messages/messages.h"
#include "base/bounded.h"

/* Clients look at the type; what else is known stands beside it. */
static const char *error_type_of(const struct reply_error *error)
{
    static const struct {
        unsigned status;
        const char *type;
    } types[] = {{401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
                 {413, "request_too_large"},    {429, "rate_limit_error"}, {503, "overloaded_error"},
                 {504, "timeout_error"}};
    if (error->type != NULL)
        return error->type;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].status == error->status)
            return types[i].type;
    return error->fault == REPLY_FAULT_CLIENT ? "invalid_request_error" : "api_error";
}

static void put_error_member(struct bounded *text, const char *before, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    bounded_put(text, before);
    bounded_put_json(text, value);
}

static void put_error_object(struct bounded *text, const struct reply_error *error)
{
    bounded_put(text, "{\"type\":\"error\",\"error\":{\"type\":");
    bounded_put_json(text, error_type_of(error));
    bounded_put(text, ",\"message\":");
    bounded_put_json(text, error->message);
    put_error_member(text, ",\"code\":", error->code);
    put_error_member(text, ",\"param\":", error->param);
    bounded_put(text, "}}");
}

size_t messages_error_text(const struct reply_error *error, char *out, size_t cap)
{
    struct bounded text = {out, cap, 0};
    put_error_object(&text, error);
    return bounded_end(&text);
}

size_t messages_error_event(const struct reply_error *error, char *out, size_t cap)
{
    struct bounded text = {out, cap, 0};
    bounded_put(&text, "event: error\ndata: ");
    put_error_object(&text, error);
    bounded_put(&text, "\n\n");
    return bounded_end(&text);
}

/* ---- what an upstream says ---- */

/* {"type":"error","error":{"type":…,"message":…}}, and what else servers send: {"error":"…"}, {"message":…}. */
void messages_read_reason(struct upstream_reason *out, const json_t *body)
{
    static const char *const types[] = {"type", NULL}, *const codes[] = {"code", NULL};
    const json_t *error = json_object_get(body, "error"), *at = json_is_object(error) ? error : body;
    const char *text = json_string_value(json_is_string(error) ? error : json_object_get(at, "message"));
    upstream_reason_word(out->type, at, types);
    upstream_reason_word(out->code, at, codes);
    upstream_reason_text(out->text, text != NULL ? text : "");
}

const char *messages_reason_code(const struct upstream_reason *reason)
{
    return *reason->code != '\0' ? reason->code : NULL;
}

char *messages_answer_saying(const char *words)
{
    json_t *tree = json_pack("{sss[{ssss}]ss}", "type", "message", "content", "type", "text", "text", words,
                             "stop_reason", "end_turn");
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    json_decref(tree);
    return text;
}
