/* The kind `groq`: OpenAI's chat API; no turn of the assistant is continued, so the prefix is asked for in words.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

static const struct field rows[] = {
    {"citation_options", FIELD_DENY, "adds text that nobody asked the model for"},
    {"compound_custom", FIELD_DENY, "sends the request to another model or another service than its route names"},
    {"disable_tool_validation", FIELD_DENY, "lets through tool calls that are none"},
    {"documents", FIELD_DENY, "brings text into the prompt by way of the template"},
    {"search_settings", FIELD_DENY, "sends the request to another model or another service than its route names"},
};

const struct backend backend_groq = {.kind = "groq", .fields = {rows, sizeof rows / sizeof *rows}};
