/* The fields of a request for a message that every kind of upstream knows. Rows stay sorted by name: they are found by
 * bisection (a unit test holds the order). SPDX-License-Identifier: Apache-2.0 */
#include "api/field_reasons.h"
#include "api/messages/messages.h"

#define EARLIER "repeats what the earlier answer was"
#define STAYS "which earlier content the model reads; all of it is judged"

/* ---- of a block: in a message, in the result of a tool, in a search result of it ---- */

#define BLOCK_ROWS(below_content)                                                                                      \
    {.name = "cache_control", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},                                             \
        {.name = "caller", .fate = FIELD_JUDGE, .why = FIELD_NAMES},                                                   \
        {.name = "citations", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                \
        {.name = "content", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = below_content, .is_list = true},         \
        {.name = "context", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                  \
        {.name = "data", .fate = FIELD_JUDGE, .why = "earlier reasoning that only the upstream can read"},             \
        {.name = "id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},                                                       \
        {.name = "input", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                    \
        {.name = "is_error", .fate = FIELD_PASS, .why = FIELD_COUNTS},                                                 \
        {.name = "name", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                     \
        {.name = "signature", .fate = FIELD_JUDGE, .why = "the upstream's seal of its earlier reasoning"},             \
        {.name = "source",                                                                                             \
         .fate = FIELD_JUDGE,                                                                                          \
         .why = "an image or document; its texts are judged, the rest counted"},                                       \
        {.name = "text", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                     \
        {.name = "thinking", .fate = FIELD_JUDGE, .why = "earlier reasoning, judged as text"},                         \
        {.name = "title", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},                                                    \
        {.name = "tool_use_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},                                              \
    {                                                                                                                  \
        .name = "type", .fate = FIELD_JUDGE, .why = "says which block it is"                                           \
    }

static const struct field innermost_rows[] = {BLOCK_ROWS(NULL)};
static const struct field_table innermost_fields = FIELD_TABLE(innermost_rows);
static const struct field inner_rows[] = {BLOCK_ROWS(&innermost_fields)};
static const struct field_table inner_fields = FIELD_TABLE(inner_rows);
static const struct field block_rows[] = {BLOCK_ROWS(&inner_fields)};
static const struct field_table block_fields = FIELD_TABLE(block_rows);

/* ---- of a message: applications send answers back as they got them ---- */

static const struct field message_rows[] = {
    {.name = "content", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = &block_fields, .is_list = true},
    {.name = "id", .fate = FIELD_DROP, .why = EARLIER},
    {.name = "model", .fate = FIELD_DROP, .why = EARLIER},
    {.name = "role", .fate = FIELD_JUDGE, .why = "says whose message it is"},
    {.name = "stop_reason", .fate = FIELD_DROP, .why = EARLIER},
    {.name = "stop_sequence", .fate = FIELD_DROP, .why = EARLIER},
    {.name = "type", .fate = FIELD_DROP, .why = EARLIER},
    {.name = "usage", .fate = FIELD_DROP, .why = EARLIER},
};
static const struct field_table message_fields = FIELD_TABLE(message_rows);

/* ---- of options ---- */

static const struct field thinking_rows[] = {
    {.name = "budget_tokens", .fate = FIELD_REFUSE, .why = FIELD_NO_BUDGET, .passes = FIELD_IF_NOT_ZERO},
    {.name = "display",
     .fate = FIELD_OVERRIDE,
     .why = "reasoning that the upstream leaves out cannot be judged",
     .passes = FIELD_IF_WORD,
     .words = "summarized"},
    {.name = "type", .fate = FIELD_DROP, .why = FIELD_HIDES, .passes = FIELD_IF_WORD, .words = "enabled adaptive"},
};
static const struct field_table thinking_fields = FIELD_TABLE(thinking_rows);

static const struct field edit_rows[] = {
    {.name = "clear_at_least", .fate = FIELD_JUDGE, .why = STAYS},
    {.name = "clear_tool_inputs", .fate = FIELD_JUDGE, .why = STAYS},
    {.name = "exclude_tools", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "keep", .fate = FIELD_JUDGE, .why = STAYS},
    {.name = "trigger", .fate = FIELD_JUDGE, .why = STAYS},
    {.name = "type",
     .fate = FIELD_REFUSE,
     .why = FIELD_CUTS_PROMPT,
     .passes = FIELD_IF_WORD,
     .words = "clear_tool_uses_20250919 clear_thinking_20251015"},
};
static const struct field_table edit_fields = FIELD_TABLE(edit_rows);
static const struct field management_rows[] = {
    {.name = "edits", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .below = &edit_fields, .is_list = true},
};
static const struct field_table management_fields = FIELD_TABLE(management_rows);

/* ---- of a request ---- */

static const struct field request_rows[] = {
    {.name = "add_generation_prompt", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_TRUE},
    {.name = "cache_control", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "chat_template", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE},
    {.name = "chat_template_kwargs", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_EMPTY},
    {.name = "container", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "context_management", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .below = &management_fields},
    {.name = "continue_final_message", .fate = FIELD_REFUSE, .why = FIELD_PREFILLS, .passes = FIELD_IF_FALSE},
    {.name = "grammar", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_EMPTY},
    {.name = "inference_geo", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "logit_bias", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_EMPTY},
    {.name = "max_tokens", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "mcp_servers", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE, .passes = FIELD_IF_EMPTY},
    {.name = "messages", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = &message_fields, .is_list = true},
    {.name = "metadata", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "model", .fate = FIELD_PASS, .why = "names a route"},
    {.name = "output_config", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "output_format", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
    {.name = "service_tier", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "speed", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "stop_sequences", .fate = FIELD_JUDGE, .why = "ends the answer early; no delimiter of reasoning"},
    {.name = "stream", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "system", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "temperature", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "thinking", .fate = FIELD_DROP, .why = FIELD_HIDES, .below = &thinking_fields, .is_whole = true},
    {.name = "tool_choice", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "tools", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "top_k", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "top_p", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
};
const struct field_table messages_fields = FIELD_TABLE(request_rows);
