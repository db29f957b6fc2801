/* Anthropic's Messages API: POST /v1/messages, and the count of a prompt's tokens. The parts of its `struct api`
 * (messages.c). SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; api.h says what each function does. */
#ifndef SERVER_API_MESSAGES_MESSAGES_H
#define SERVER_API_MESSAGES_MESSAGES_H

#include "api/api.h"

extern const struct api api_messages, api_count_tokens;

extern const struct field_table messages_fields;

int messages_check(struct request *request, const struct config_limits *limits,
                   struct request_error *err) REIN_MUST_USE;
/* For the count: it is never streamed. */
int messages_check_counted(struct request *request, const struct config_limits *limits,
                           struct request_error *err) REIN_MUST_USE;
int messages_judge(const struct request *request, struct rein_trace *trace) REIN_MUST_USE;

bool messages_is_as_sent(const struct request *request);
char *messages_sent_text(const struct request *request) REIN_MUST_USE;
json_t *messages_upstream_body(const struct request *request) REIN_MUST_USE;
int messages_instruct(json_t *body, const char *text) REIN_MUST_USE;

size_t messages_error_text(const struct reply_error *error, char *out, size_t cap);
size_t messages_error_event(const struct reply_error *error, char *out, size_t cap);
void messages_read_reason(struct upstream_reason *out, const json_t *body);
const char *messages_reason_code(const struct upstream_reason *reason);
char *messages_answer_saying(const char *words) REIN_MUST_USE;

#endif
