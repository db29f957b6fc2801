/* See request_fields.h. Rows stay sorted by name: they are found by bisection (a unit test holds the order).
 * SPDX-License-Identifier: Apache-2.0 */
#include "api/chat/chat.h"

#define TEMPLATE "changes how the prompt is rendered, and so where the reasoning begins"
#define HIDES "changes whether and where the reasoning can be seen"
#define PREFILLS "puts text into the model's own turn"
#define FORCES "forces or forbids words of the model's text"
#define TOKENS "passes text as tokens, which are not judged"
#define ELSEWHERE "sends the request to another model or service than its route says"
#define MEDIA "asks for output that is not text"

static const struct field common[] = {
    {"add_generation_prompt", FIELD_DENY, TEMPLATE},
    {"add_special_tokens", FIELD_DENY, TEMPLATE},
    {"allowed_token_ids", FIELD_DENY, FORCES},
    {"audio", FIELD_DENY, MEDIA},
    {"bad_words", FIELD_DENY, FORCES},
    {"chat_template", FIELD_DENY, TEMPLATE},
    {"chat_template_kwargs", FIELD_DENY, TEMPLATE},
    {"continue_final_message", FIELD_DENY, PREFILLS},
    {"ebnf", FIELD_DENY, FORCES},
    {"echo", FIELD_DENY, PREFILLS},
    {"enable_thinking", FIELD_DENY, HIDES},
    {"frequency_penalty", FIELD_PASS, NULL},
    {"function_call", FIELD_PASS, NULL},
    {"functions", FIELD_PASS, NULL},
    {"grammar", FIELD_DENY, FORCES},
    {"guided_choice", FIELD_DENY, FORCES},
    {"guided_grammar", FIELD_DENY, FORCES},
    {"guided_json", FIELD_DENY, FORCES},
    {"guided_regex", FIELD_DENY, FORCES},
    {"include_reasoning", FIELD_DENY, HIDES},
    {"include_stop_str_in_output", FIELD_DENY, HIDES},
    {"input_embeds", FIELD_DENY, TOKENS},
    {"input_ids", FIELD_DENY, TOKENS},
    {"json_schema", FIELD_DENY, FORCES},
    {"logit_bias", FIELD_DENY, FORCES},
    {"logits_processors", FIELD_DENY, FORCES},
    {"logprobs", FIELD_PASS, NULL},
    {"max_completion_tokens", FIELD_PASS, NULL},
    {"max_tokens", FIELD_PASS, NULL},
    {"messages", FIELD_PASS, NULL},
    {"metadata", FIELD_PASS, NULL},
    {"min_p", FIELD_PASS, NULL},
    {"modalities", FIELD_PASS, NULL}, /* ["text"] alone: chat_request.c */
    {"model", FIELD_PASS, NULL},
    {"models", FIELD_DENY, ELSEWHERE},
    {"n", FIELD_PASS, NULL},
    {"parallel_tool_calls", FIELD_PASS, NULL},
    {"plugins", FIELD_DENY, ELSEWHERE},
    {"prediction", FIELD_PASS, NULL},
    {"presence_penalty", FIELD_PASS, NULL},
    {"prompt", FIELD_DENY, PREFILLS},
    {"prompt_cache_key", FIELD_PASS, NULL},
    {"prompt_embeds", FIELD_DENY, TOKENS},
    {"prompt_logprobs", FIELD_DENY, TOKENS},
    {"prompt_token_ids", FIELD_DENY, TOKENS},
    {"provider", FIELD_DENY, ELSEWHERE},
    {"reasoning", FIELD_DENY, HIDES},
    {"reasoning_budget_message", FIELD_DENY, PREFILLS},
    {"reasoning_budget_tokens", FIELD_DENY, HIDES},
    {"reasoning_control", FIELD_DENY, HIDES},
    {"reasoning_effort", FIELD_PASS, NULL}, /* but not "none": chat_request.c */
    {"reasoning_format", FIELD_DENY, HIDES},
    {"regex", FIELD_DENY, FORCES},
    {"repeat_penalty", FIELD_PASS, NULL},
    {"repetition_penalty", FIELD_PASS, NULL},
    {"response_format", FIELD_PASS, NULL}, /* three types: chat_request.c */
    {"return_prompt_text", FIELD_DENY, TOKENS},
    {"return_token_ids", FIELD_DENY, TOKENS},
    {"return_tokens_as_token_ids", FIELD_DENY, TOKENS},
    {"route", FIELD_DENY, ELSEWHERE},
    {"safety_identifier", FIELD_PASS, NULL},
    {"seed", FIELD_PASS, NULL},
    {"separate_reasoning", FIELD_DENY, HIDES},
    {"service_tier", FIELD_PASS, NULL},
    {"skip_special_tokens", FIELD_DENY, HIDES},
    {"spaces_between_special_tokens", FIELD_DENY, HIDES},
    {"stop", FIELD_PASS, NULL}, /* but no delimiter of reasoning: chat_request.c */
    {"stop_token_ids", FIELD_DENY, TOKENS},
    {"store", FIELD_PASS, NULL},
    {"stream", FIELD_PASS, NULL},
    {"stream_options", FIELD_PASS, NULL},
    {"stream_reasoning", FIELD_DENY, HIDES},
    {"structural_tag", FIELD_DENY, FORCES},
    {"structured_outputs", FIELD_DENY, FORCES},
    {"temperature", FIELD_PASS, NULL},
    {"think", FIELD_DENY, HIDES},
    {"thinking", FIELD_DENY, HIDES},
    {"thinking_budget", FIELD_DENY, HIDES},
    {"thinking_budget_tokens", FIELD_DENY, HIDES},
    {"thinking_token_budget", FIELD_DENY, HIDES},
    {"tool_choice", FIELD_PASS, NULL},
    {"tools", FIELD_PASS, NULL},
    {"top_k", FIELD_PASS, NULL},
    {"top_logprobs", FIELD_PASS, NULL},
    {"top_p", FIELD_PASS, NULL},
    {"transforms", FIELD_DENY, ELSEWHERE},
    {"use_beam_search", FIELD_DENY, FORCES},
    {"user", FIELD_PASS, NULL},
    {"verbosity", FIELD_PASS, NULL},
    {"web_search_options", FIELD_DENY, ELSEWHERE},
};

static const struct field message[] = {
    {"annotations", FIELD_DROP, NULL},
    {"audio", FIELD_DENY, "is not text"},
    {"content", FIELD_PASS, NULL},
    {"function_call", FIELD_PASS, NULL},
    {"name", FIELD_PASS, NULL},
    {"partial", FIELD_DENY, PREFILLS},
    {"prefix", FIELD_DENY, PREFILLS},
    {"reasoning", FIELD_PASS, NULL},
    {"reasoning_content", FIELD_PASS, NULL},
    {"reasoning_details", FIELD_PASS, NULL},
    {"refusal", FIELD_PASS, NULL},
    {"role", FIELD_PASS, NULL},
    {"tool_call_id", FIELD_PASS, NULL},
    {"tool_calls", FIELD_PASS, NULL},
};

const struct field_table chat_fields = {common, sizeof common / sizeof *common};
const struct field_table chat_message_fields = {message, sizeof message / sizeof *message};
