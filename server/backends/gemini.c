/* The kind `gemini`: its API of OpenAI's form (path_prefix /v1beta/openai). Newer models refuse a turn of the assistant
 * at the end, and none takes up reasoning from one, so the delivery is `instruct`. Summaries of the reasoning
 * come inline, between <thought> and </thought>. SPDX-License-Identifier: Apache-2.0 */
#include "backends/backend.h"

static const struct field gemini_rows[] = {
    {"cached_content", FIELD_DENY, "adds text to the prompt that was not judged"},
    {"extra_body", FIELD_DENY, "sets fields that are not checked"},
    {"google", FIELD_DENY, "sets fields that are not checked"},
    {"safety_settings", FIELD_DENY, "belongs to the operator"},
};

const struct backend backend_gemini = {.kind = "gemini",
                                       .fields = {gemini_rows, sizeof gemini_rows / sizeof *gemini_rows}};
