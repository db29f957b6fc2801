/* The kind `gemini`: its API of OpenAI's form (path_prefix /v1beta/openai). Newer models refuse a turn of the assistant
 * at the end, and none takes up reasoning from one, so the prefix is asked for in words. Summaries of the reasoning
 * come inline, between <thought> and </thought>. SPDX-License-Identifier: Apache-2.0 */
#include "backend.h"

static const struct field rows[] = {
    {"cached_content", FIELD_DENY, "brings text into the prompt that was not judged"},
    {"extra_body", FIELD_DENY, "sets what no table of fields has looked at"},
    {"google", FIELD_DENY, "sets what no table of fields has looked at"},
    {"safety_settings", FIELD_DENY, "belongs to the operator"},
};

const struct backend backend_gemini = {.kind = "gemini", .fields = {rows, sizeof rows / sizeof *rows}};
