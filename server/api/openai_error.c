/* See openai_error.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/openai_error.h"

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
