/* See responses.h: the API as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/responses/responses.h"
#include "api/request_user.h"

#include "api/openai_error.h"

static struct upstream_header responses_upstream_key(const struct config_upstream *upstream)
{
    return (struct upstream_header){"authorization", upstream->authorization};
}

static const struct front_header responses_challenge[] = {{"www-authenticate", "Bearer"}, {NULL, NULL}};
static const struct api_header responses_passed[] = {{NULL, NULL}};

const struct api api_responses = {
    .method = "POST",
    .path = "/v1/responses",
    .prefix = "/v1/responses",
    .upstream_path = "/responses",
    .paths_below =
        "Answers are not kept, so there is nothing to read, continue, cancel or delete by an id. Send each request "
        "with its whole conversation to POST /v1/responses, with 'store': false.",
    .serves = CONFIG_API_RESPONSES,
    .key = exchange_bearer,
    .key_missing = "A valid key is required: send it as 'Authorization: Bearer KEY'.",
    .key_headers = responses_challenge,
    .upstream_key = responses_upstream_key,
    .request_id_header = "x-request-id",
    .passed_headers = responses_passed,
    .stream_type = "text/event-stream",
    .stream_header = "text/event-stream; charset=utf-8",
    .keep_alive = ": keep-alive\n\n",
    .dialect = REIN_OPENAI_RESPONSES,
    .dialect_name = "openai-responses",
    .id_prefix = "resp_",
    .fields = &responses_fields,
    .check = responses_check,
    .judge = responses_judge,
    .user = request_openai_user,
    .is_as_sent = responses_is_as_sent,
    .sent_text = responses_sent_text,
    .upstream_body = responses_upstream_body,
    .instruct = responses_instruct,
    .can_prefill = false,
    .error_text = openai_error_text,
    .error_event = responses_error_event,
    .refusal = {.status = 400, .code = "content_filter"},
    .read_reason = openai_read_reason,
    .reason_code = openai_reason_code,
    .answer_saying = responses_answer_saying,
};
