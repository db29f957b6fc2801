/* The kind `groq`: OpenAI's chat API; no turn of the assistant is continued, so the delivery is `instruct`.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

static const struct field groq_rows[] = {
    {"citation_options", FIELD_DENY, "adds text that the model did not write"},
    {"compound_custom", FIELD_DENY, "sends the request to another model or service than its route says"},
    {"disable_tool_validation", FIELD_DENY, "accepts tool calls that are not valid"},
    {"documents", FIELD_DENY, "adds text to the prompt through the template"},
    {"search_settings", FIELD_DENY, "sends the request to another model or service than its route says"},
};

const struct backend backend_groq = {.kind = "groq", .fields = {groq_rows, sizeof groq_rows / sizeof *groq_rows}};
