/* The kind `openrouter`: OpenAI's chat API before many others, none of which is known here, so the delivery is
 * `instruct`. SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

static const struct field openrouter_rows[] = {
    {"debug", FIELD_DENY, "returns the request as it was forwarded"},
    {"preset", FIELD_DENY, "sends the request to another model or service than its route says"},
    {"session_id", FIELD_PASS, NULL},
    {"trace", FIELD_DENY, "sends the request to another service than its route says"},
    {"usage", FIELD_PASS, NULL},
};

const struct backend backend_openrouter = {
    .kind = "openrouter", .fields = {openrouter_rows, sizeof openrouter_rows / sizeof *openrouter_rows}};
