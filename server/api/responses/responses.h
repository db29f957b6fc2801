/* OpenAI's Responses: POST /v1/responses. The parts of its `struct api` (responses.c).
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any; api.h says what each function does. */
#ifndef SERVER_API_RESPONSES_RESPONSES_H
#define SERVER_API_RESPONSES_RESPONSES_H

#include "api/api.h"

extern const struct api api_responses;
extern const struct field_table responses_fields;

int responses_check(struct request *request, const struct config_limits *limits,
                    struct request_error *err) REIN_MUST_USE;
int responses_judge(const struct request *request, struct rein_trace *trace) REIN_MUST_USE;

bool responses_is_as_sent(const struct request *request);
char *responses_sent_text(const struct request *request) REIN_MUST_USE;
json_t *responses_upstream_body(const struct request *request) REIN_MUST_USE;
int responses_instruct(json_t *body, const char *text) REIN_MUST_USE;

size_t responses_error_event(const struct reply_error *error, char *out, size_t cap);
char *responses_answer_saying(const char *words) REIN_MUST_USE;

#endif
