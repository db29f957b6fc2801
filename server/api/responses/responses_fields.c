/* The fields of a Responses request. Rows stay sorted by name: they are found by bisection (a unit test holds the
 * order). SPDX-License-Identifier: Apache-2.0 */
#include "api/field_reasons.h"
#include "api/responses/responses.h"

#define KEPT_ELSEWHERE                                                                                                 \
    "refers to what the upstream has kept, which goes around the guard; set 'store' to false and send the whole "      \
    "conversation in 'input'"

/* ---- of a part of an item ---- */

static const struct field responses_part_rows[] = {
    {.name = "annotations", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "detail", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "file_data", .fate = FIELD_JUDGE, .why = "a file, counted as unjudged"},
    {.name = "file_id", .fate = FIELD_JUDGE, .why = "a file, counted as unjudged; its name is judged"},
    {.name = "file_url", .fate = FIELD_JUDGE, .why = "a file, counted as unjudged; its address is judged"},
    {.name = "filename", .fate = FIELD_JUDGE, .why = "a file, counted as unjudged; its name is judged"},
    {.name = "image_url", .fate = FIELD_JUDGE, .why = "an image, counted as unjudged; its address is judged"},
    {.name = "input_audio", .fate = FIELD_JUDGE, .why = "audio, counted as unjudged"},
    {.name = "logprobs", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "prompt_cache_breakpoint", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "refusal", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "text", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "type", .fate = FIELD_JUDGE, .why = "says which part it is"},
};
static const struct field_table responses_part_fields = FIELD_TABLE(responses_part_rows);

/* ---- of an item of the input ---- */

static const struct field responses_item_rows[] = {
    {.name = "acknowledged_safety_checks", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "action", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "arguments", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "call_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "code", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "content", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = &responses_part_fields, .is_list = true},
    {.name = "encrypted_content",
     .fate = FIELD_JUDGE,
     .why = "earlier reasoning that only the upstream can read; judged as it stands"},
    {.name = "id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "input", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "max_output_length", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "name", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "namespace", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "operation", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "output",
     .fate = FIELD_JUDGE,
     .why = "what a tool returned, judged as text; images in it are counted as unjudged"},
    {.name = "phase", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "role", .fate = FIELD_JUDGE, .why = "says whose message it is"},
    {.name = "status", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "summary", .fate = FIELD_JUDGE, .why = "earlier reasoning, judged as text"},
    {.name = "type", .fate = FIELD_JUDGE, .why = "says which item it is; item_reference is refused"},
};
static const struct field_table responses_item_fields = FIELD_TABLE(responses_item_rows);

/* ---- of options ---- */

static const struct field responses_reasoning_rows[] = {
    {.name = "effort", .fate = FIELD_DROP, .why = FIELD_HIDES, .passes = FIELD_IF_OTHER, .words = "none"},
    {.name = "generate_summary", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "summary", .fate = FIELD_PASS, .why = FIELD_FORMATS},
};
static const struct field_table responses_reasoning_fields = FIELD_TABLE(responses_reasoning_rows);

static const struct field responses_option_rows[] = {
    {.name = "include_obfuscation",
     .fate = FIELD_OVERRIDE,
     .why = "padding against readers of encrypted traffic, which Rein cannot keep"},
};
static const struct field_table responses_option_fields = FIELD_TABLE(responses_option_rows);

static const struct field responses_text_rows[] = {
    {.name = "format", .fate = FIELD_JUDGE, .why = "text, json_object or json_schema; its strings are judged"},
    {.name = "verbosity", .fate = FIELD_JUDGE, .why = FIELD_FORMATS},
};
static const struct field_table responses_text_fields = FIELD_TABLE(responses_text_rows);

/* ---- of a request ---- */

static const struct field responses_rows[] = {
    {.name = "background",
     .fate = FIELD_REFUSE,
     .why = "lets the upstream answer later and keep the answer, which goes around the guard",
     .passes = FIELD_IF_FALSE},
    {.name = "context_management", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .passes = FIELD_IF_EMPTY},
    {.name = "conversation", .fate = FIELD_REFUSE, .why = KEPT_ELSEWHERE},
    {.name = "extra_body", .fate = FIELD_REFUSE, .why = FIELD_UNCHECKED, .passes = FIELD_IF_EMPTY},
    {.name = "frequency_penalty", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "include", .fate = FIELD_JUDGE, .why = "encrypted reasoning and addresses of images alone"},
    {.name = "input", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = &responses_item_fields, .is_list = true},
    {.name = "instructions", .fate = FIELD_JUDGE, .why = FIELD_TEXTS},
    {.name = "logit_bias", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_EMPTY},
    {.name = "max_output_tokens", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "max_tool_calls", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "metadata", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "model", .fate = FIELD_PASS, .why = "names a route"},
    {.name = "parallel_tool_calls", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "presence_penalty", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "previous_response_id", .fate = FIELD_REFUSE, .why = KEPT_ELSEWHERE},
    {.name = "prompt",
     .fate = FIELD_REFUSE,
     .why = "names a prompt that the upstream has stored, which is not judged; send its text in 'instructions'"},
    {.name = "prompt_cache_key", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "prompt_cache_retention", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "reasoning", .fate = FIELD_DROP, .why = FIELD_HIDES, .below = &responses_reasoning_fields},
    {.name = "safety_identifier", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "seed", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "service_tier", .fate = FIELD_JUDGE, .why = FIELD_EXECUTES},
    {.name = "store",
     .fate = FIELD_DROP,
     .why =
         "lets the upstream keep the answer, which goes around the guard; set it to false, which is what goes upstream",
     .passes = FIELD_IF_FALSE},
    {.name = "stream", .fate = FIELD_PASS, .why = FIELD_FORMATS},
    {.name = "stream_options", .fate = FIELD_DROP, .why = FIELD_FORMATS, .below = &responses_option_fields},
    {.name = "temperature", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "text", .fate = FIELD_JUDGE, .why = FIELD_TEXTS, .below = &responses_text_fields},
    {.name = "tool_choice", .fate = FIELD_JUDGE, .why = "a tool that the client runs, or how many there may be"},
    {.name = "tools", .fate = FIELD_JUDGE, .why = "tools that the client runs; all of their texts are judged"},
    {.name = "top_k", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "top_logprobs", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_ZERO},
    {.name = "top_p", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "truncation",
     .fate = FIELD_REFUSE,
     .why = FIELD_CUTS_PROMPT,
     .passes = FIELD_IF_WORD,
     .words = "disabled"},
    {.name = "user", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
};
const struct field_table responses_fields = FIELD_TABLE(responses_rows);
