/* See chat.h: the API as a table.
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/chat/chat.h"
#include "api/request_user.h"

#include "api/openai_error.h"

static struct upstream_header chat_upstream_key(const struct config_upstream *upstream)
{
    return (struct upstream_header){"authorization", upstream->authorization};
}

static const struct front_header challenge[] = {{"www-authenticate", "Bearer"}, {NULL, NULL}};
static const struct api_header passed_headers[] = {{NULL, NULL}};

const struct api api_chat = {
    .method = "POST",
    .path = "/v1/chat/completions",
    .prefix = "/v1/",
    .upstream_path = "/chat/completions",
    .serves = CONFIG_API_CHAT,
    .key = exchange_bearer,
    .key_missing = "A valid key is required: send it as 'Authorization: Bearer KEY'.",
    .key_headers = challenge,
    .upstream_key = chat_upstream_key,
    .request_id_header = "x-request-id",
    .passed_headers = passed_headers,
    .stream_type = "text/event-stream",
    .stream_header = "text/event-stream; charset=utf-8",
    .keep_alive = ": keep-alive\n\n",
    .dialect = REIN_OPENAI_CHAT,
    .dialect_name = "openai-chat",
    .id_prefix = "chatcmpl-",
    .fields = &chat_fields,
    .check = chat_check,
    .judge = chat_judge,
    .user = request_openai_user,
    .is_as_sent = chat_is_as_sent,
    .sent_text = chat_sent_text,
    .upstream_body = chat_upstream_body,
    .instruct = chat_instruct,
    .can_prefill = true,
    .error_text = openai_error_text,
    .error_event = chat_error_event,
    .refusal = {.status = 400, .code = "content_filter"},
    .read_reason = openai_read_reason,
    .reason_code = openai_reason_code,
    .answer_saying = chat_answer_saying,
};
