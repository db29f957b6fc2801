/* The kind `anthropic`: its API of OpenAI's form. It refuses a turn of the assistant at the end, so the prefix is asked
 * for in words; and it keeps the reasoning to itself, which so can not be evaluated.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

#define ELSEWHERE "sends the request to another model or another service than its route names"

static const struct field rows[] = {
    {"container", FIELD_DENY, ELSEWHERE},
    {"context_management", FIELD_DENY, "cuts the prompt after it was judged"},
    {"mcp_servers", FIELD_DENY, ELSEWHERE},
    {"stop_sequences", FIELD_DENY, "may take away the mark by which the end of the reasoning is known"},
    {"system", FIELD_DENY, "brings text into the prompt beside its messages"},
};

const struct backend backend_anthropic = {.kind = "anthropic", .fields = {rows, sizeof rows / sizeof *rows}};
