/* OpenAI's embeddings API: POST /v1/embeddings. Its input is judged as a prompt; its answer is numbers, and passes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; api.h says what each function does. */
#include "api/embeddings/embeddings.h"

#include <stdlib.h>
#include <string.h>

#include "api/field_reasons.h"
#include "api/openai_error.h"
#include "api/request_check.h"
#include "api/request_texts.h"
#include "api/request_user.h"

static const struct field embeddings_rows[] = {
    {.name = "add_special_tokens", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "dimensions", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "embedding_type", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "encoding_format", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "extra_body", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .passes = FIELD_IF_EMPTY},
    {.name = "input", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "input_type", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "instruction", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "messages", .fate = FIELD_REFUSE, .why = "is read in a form that is not checked here: send `input`"},
    {.name = "metadata", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "model", .fate = FIELD_PASS, .why = "names a route"},
    {.name = "normalize", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "output_dimension", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "output_dtype", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "prompt", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "task", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "truncate", .fate = FIELD_JUDGE, .why = "no model answers to what is cut off"},
    {.name = "truncate_prompt_tokens", .fate = FIELD_PASS, .why = "no model answers to what is cut off"},
    {.name = "truncation", .fate = FIELD_PASS, .why = "no model answers to what is cut off"},
    {.name = "user", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
};
static const struct field_table embeddings_fields = FIELD_TABLE(embeddings_rows);

/* One string or several; tokens are not judged, so they are refused. */
static int embeddings_check(struct request *request, const struct config_limits *limits, struct request_error *err)
{
    const struct rein_json_node *input = request_field(request, "input"), *at = rein_json_first(input);
    (void)limits;
    if (rein_json_is(input, REIN_JSON_STRING))
        return 0;
    if (!rein_json_is(input, REIN_JSON_ARRAY) || at == NULL)
        return request_reject_type(err, "input", "a string or an array of strings");
    for (; at != NULL; at = rein_json_next(input, at)) {
        if (rein_json_is(at, REIN_JSON_INTEGER) || rein_json_is(at, REIN_JSON_ARRAY))
            return request_reject(err, "field_not_accepted", "input",
                                  "Tokens are not accepted in 'input', because they cannot be judged: send the text.");
        if (!rein_json_is(at, REIN_JSON_STRING))
            return request_reject_type(err, "input", "a string or an array of strings");
    }
    return 0;
}

static int embeddings_judge(const struct request *request, struct rein_trace *trace)
{
    static const char *const seen[] = {"input", "model", NULL};
    int rv = request_judge_all(trace, "user", request_field(request, "input"), NULL);
    return rv == 0 ? request_judge_fields(request, trace, seen, NULL) : rv;
}

static bool embeddings_is_as_sent(const struct request *request)
{
    (void)request; /* nothing is ever added */
    return true;
}

static char *embeddings_sent_text(const struct request *request)
{
    size_t len;
    return request_text(request, &len);
}

static json_t *embeddings_body(const struct request *request)
{
    return json_copy(request->body);
}

static struct upstream_header embeddings_key(const struct config_upstream *upstream)
{
    return (struct upstream_header){"authorization", upstream->authorization};
}

static const struct front_header challenge[] = {{"www-authenticate", "Bearer"}, {NULL, NULL}};
static const struct api_header passed_headers[] = {{NULL, NULL}};

const struct api api_embeddings = {
    .method = "POST",
    .path = "/v1/embeddings",
    .prefix = "/v1/embeddings",
    .upstream_path = "/embeddings",
    .serves = CONFIG_API_EMBEDDINGS,
    .is_data = true,
    .key = exchange_bearer,
    .key_missing = "A valid key is required: send it as 'Authorization: Bearer KEY'.",
    .key_headers = challenge,
    .upstream_key = embeddings_key,
    .request_id_header = "x-request-id",
    .passed_headers = passed_headers,
    .dialect = REIN_OPENAI_CHAT, /* of errors: an upstream's words about them are judged as an answer would be */
    .dialect_name = "openai-embeddings",
    .id_prefix = "embd-",
    .fields = &embeddings_fields,
    .check = embeddings_check,
    .judge = embeddings_judge,
    .user = request_openai_user,
    .is_as_sent = embeddings_is_as_sent,
    .sent_text = embeddings_sent_text,
    .upstream_body = embeddings_body,
    .error_text = openai_error_text,
    .refusal = {.status = 400, .code = "content_filter"},
    .read_reason = openai_read_reason,
    .reason_code = openai_reason_code,
    .answer_saying = chat_answer_saying,
};
