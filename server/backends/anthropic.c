/* The kind `anthropic`: its API of OpenAI's form. It refuses a turn of the assistant at the end, so the
 * delivery is `instruct`. It does not send its reasoning, which therefore cannot be judged.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

#define ELSEWHERE "sends the request to another model or service than its route says"

static const struct field anthropic_rows[] = {
    {"container", FIELD_DENY, ELSEWHERE},
    {"context_management", FIELD_DENY, "cuts the prompt after it was judged"},
    {"mcp_servers", FIELD_DENY, ELSEWHERE},
    {"stop_sequences", FIELD_DENY, "may remove the mark that ends the reasoning"},
    {"system", FIELD_DENY, "adds text to the prompt outside its messages"},
};

const struct backend backend_anthropic = {.kind = "anthropic",
                                          .fields = {anthropic_rows, sizeof anthropic_rows / sizeof *anthropic_rows}};
