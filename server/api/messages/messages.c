/* See messages.h: the API as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/messages/messages.h"
#include "api/request_user.h"

#include <string.h>

/* Anthropic's own SDKs send the first; clients that are told to use a token, the second. */
static const char *messages_key(const struct exchange *x)
{
    const char *key = exchange_header(x, "x-api-key");
    return key != NULL ? key : exchange_bearer(x);
}

/* Anthropic knows a key by its own header; other servers of this API read the usual one. */
static struct upstream_header messages_upstream_key(const struct config_upstream *upstream)
{
    static const char scheme[] = "Bearer ";
    if (strcmp(upstream->kind, "anthropic") != 0)
        return (struct upstream_header){"authorization", upstream->authorization};
    return (struct upstream_header){"x-api-key", upstream->authorization + sizeof scheme - 1};
}

static const struct front_header challenge[] = {{"www-authenticate", "Bearer"}, {NULL, NULL}};
static const struct api_header passed_headers[] = {
    {"anthropic-version", "2023-06-01"}, {"anthropic-beta", NULL}, {NULL, NULL}};

static const struct rein_json_node *messages_user(const struct request *request)
{
    return request_user_at(rein_json_get(rein_json_root(request->json), "metadata"), "user_id");
}

const struct api api_messages = {
    .method = "POST",
    .path = "/v1/messages",
    .prefix = "/v1/messages",
    .upstream_path = "/messages",
    .serves = CONFIG_API_MESSAGES,
    .key = messages_key,
    .key_missing = "A valid key is required: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'.",
    .key_headers = challenge,
    .upstream_key = messages_upstream_key,
    .request_id_header = "request-id",
    .passed_headers = passed_headers,
    .stream_type = "text/event-stream",
    .stream_header = "text/event-stream; charset=utf-8",
    .keep_alive = "event: ping\ndata: {\"type\": \"ping\"}\n\n",
    .dialect = REIN_ANTHROPIC_MESSAGES,
    .dialect_name = "anthropic-messages",
    .id_prefix = "msg_",
    .fields = &messages_fields,
    .check = messages_check,
    .judge = messages_judge,
    .user = messages_user,
    .is_as_sent = messages_is_as_sent,
    .sent_text = messages_sent_text,
    .upstream_body = messages_upstream_body,
    .instruct = messages_instruct,
    .error_text = messages_error_text,
    .error_event = messages_error_event,
    .refusal = {.status = 400, .code = "content_filter"},
    .read_reason = messages_read_reason,
    .reason_code = messages_reason_code,
    .answer_saying = messages_answer_saying,
};

/* How many tokens a request would have: its texts go to the upstream, so they are judged; the answer is a number. */
const struct api api_count_tokens = {
    .method = "POST",
    .path = "/v1/messages/count_tokens",
    .prefix = "/v1/messages/count_tokens",
    .upstream_path = "/messages/count_tokens",
    .is_data = true,
    .serves = CONFIG_API_MESSAGES,
    .key = messages_key,
    .key_missing = "A valid key is required: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'.",
    .key_headers = challenge,
    .upstream_key = messages_upstream_key,
    .request_id_header = "request-id",
    .passed_headers = passed_headers,
    .dialect = REIN_ANTHROPIC_MESSAGES,
    .dialect_name = "anthropic-count-tokens",
    .id_prefix = "msg_",
    .fields = &messages_fields,
    .check = messages_check_counted,
    .judge = messages_judge,
    .user = messages_user,
    .is_as_sent = messages_is_as_sent,
    .sent_text = messages_sent_text,
    .upstream_body = messages_upstream_body,
    .error_text = messages_error_text,
    .refusal = {.status = 400, .code = "content_filter"},
    .read_reason = messages_read_reason,
    .reason_code = messages_reason_code,
    .answer_saying = messages_answer_saying,
};
