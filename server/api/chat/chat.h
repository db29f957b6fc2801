/* OpenAI's chat API: POST /v1/chat/completions. The parts of its `struct api` (chat.c).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; api.h says what each function does. */
#ifndef SERVER_API_CHAT_CHAT_H
#define SERVER_API_CHAT_CHAT_H

#include "api/api.h"

extern const struct api api_chat;

/* Fields of a request, and of one of its messages. */
extern const struct field_table chat_fields, chat_message_fields;

int chat_check(struct request *request, const struct config_limits *limits, struct request_error *err) REIN_MUST_USE;
int chat_judge(const struct request *request, struct rein_trace *trace) REIN_MUST_USE;

bool chat_is_as_sent(const struct request *request);
char *chat_sent_text(const struct request *request) REIN_MUST_USE;
json_t *chat_upstream_body(const struct request *request) REIN_MUST_USE;
int chat_instruct(json_t *body, const char *text) REIN_MUST_USE;

size_t chat_error_event(const struct reply_error *error, char *out, size_t cap);
char *chat_answer_saying(const char *words) REIN_MUST_USE;

#endif
