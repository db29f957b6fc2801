/* See vocabulary.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/vocabulary.h"

#include <stdlib.h>

struct word {
    struct span key;
    enum vocabulary_kind kind;
};

/* In order of length, then of bytes: the search compares lengths first. N: its numbers count, measure or identify. */
/* clang-format off */
#define W(word) {{(word), sizeof(word) - 1}, VOCABULARY_KEY}
#define N(word) {{(word), sizeof(word) - 1}, VOCABULARY_NUMERIC}
static const struct word keys[] = {
    N("id"), W("url"), N("code"), N("cost"), W("data"), W("diff"), W("hate"), W("item"), W("name"), W("part"),
    W("path"), N("rank"), W("role"), N("seed"), W("text"), W("type"), W("user"), W("audio"), N("bytes"), W("delta"),
    W("error"), N("index"), W("input"), W("model"), W("param"), W("phase"), N("score"), W("store"), W("title"),
    W("token"), W("tools"), N("top_p"), N("usage"), W("action"), W("custom"), W("effort"), W("format"), W("google"),
    W("images"), W("models"), W("object"), W("output"), W("reason"), W("result"), W("sexual"), W("status"), W("strict"),
    N("tokens"), W("x_groq"), N("cache_n"), N("call_id"), W("channel"), W("choices"), W("content"), N("created"),
    W("details"), N("draft_n"), W("is_byok"), N("item_id"), N("logprob"), W("message"), W("refusal"), W("results"),
    W("summary"), W("thought"), N("timings"), W("detected"), W("filtered"), W("function"), N("logprobs"), W("messages"),
    W("metadata"), N("prompt_n"), W("provider"), W("response"), W("severity"), W("thinking"), N("token_id"),
    W("violence"), W("arguments"), W("citations"), N("end_index"), W("image_url"), W("jailbreak"), W("operation"),
    W("profanity"), N("prompt_ms"), W("reasoning"), N("remote_id"), W("self_harm"), W("signature"), N("token_ids"),
    W("verbosity"), W("annotation"), W("background"), N("created_at"), W("error_type"), N("eval_count"),
    N("expires_at"), N("max_tokens"), W("moderation"), W("parameters"), N("queue_time"), N("request_id"),
    W("tool_calls"), N("total_time"), W("transcript"), W("truncation"), W("annotations"), W("description"),
    W("obfuscation"), W("output_text"), N("predicted_n"), W("prompt_text"), N("prompt_time"), N("response_id"),
    N("start_index"), N("status_code"), N("stop_reason"), N("temperature"), N("text_offset"), N("text_tokens"),
    W("tool_choice"), N("audio_tokens"), N("completed_at"), N("container_id"), W("conversation"), N("cost_details"),
    N("image_tokens"), N("input_tokens"), W("instructions"), N("matched_stop"), N("output_index"), N("predicted_ms"),
    N("prompt_index"), W("service_tier"), N("tool_call_id"), N("top_logprobs"), N("total_tokens"), W("url_citation"),
    N("video_tokens"), N("cached_tokens"), N("content_index"), W("decoded_token"), W("extra_content"),
    W("file_citation"), W("finish_reason"), W("function_call"), N("generation_id"), N("hidden_states"),
    N("output_tokens"), N("prompt_tokens"), N("summary_index"), W("executed_tools"), N("max_tool_calls"),
    W("reasoning_text"), W("search_results"), N("token_logprobs"), W("weight_version"), N("completion_time"),
    W("content_filters"), N("prompt_logprobs"), N("sequence_number"), W("server_tool_use"), W("thinking_blocks"),
    N("usage_breakdown"), N("annotation_index"), W("continuous_usage"), N("draft_n_accepted"), W("generate_summary"),
    N("http_status_code"), N("num_sources_used"), N("presence_penalty"), W("prompt_cache_key"), N("prompt_token_ids"),
    W("reasoning_effort"), W("reasoning_opaque"), N("reasoning_tokens"), N("cache_read_tokens"), N("completion_tokens"),
    N("cost_in_usd_ticks"), W("encrypted_content"), W("failed_generation"), N("frequency_penalty"),
    N("live_search_calls"), N("max_output_tokens"), N("num_cached_tokens"), N("prompt_eval_count"),
    N("prompt_per_second"), W("reasoning_content"), W("reasoning_details"), W("safety_identifier"),
    W("thought_signature"), N("cache_write_tokens"), N("completion_details"), W("incomplete_details"),
    W("kv_transfer_params"), W("system_fingerprint"), W("parallel_tool_calls"), N("partial_image_index"),
    N("prompt_per_token_ms"), N("web_search_requests"), N("input_tokens_details"), W("native_finish_reason"),
    N("predicted_per_second"), W("previous_response_id"), N("prompt_audio_seconds"), W("prompt_filter_result"),
    N("output_tokens_details"), W("prompt_filter_results"), N("prompt_tokens_details"), N("content_filter_offsets"),
    W("content_filter_results"), N("predicted_per_token_ms"), W("prompt_cache_retention"), N("cache_read_input_tokens"),
    N("prompt_cache_hit_tokens"), W("protected_material_code"), W("protected_material_text"),
    N("upstream_inference_cost"), N("prompt_cache_miss_tokens"), N("completion_tokens_details"),
    N("accepted_prediction_tokens"), N("rejected_prediction_tokens"), N("cache_creation_input_tokens"),
    N("upstream_inference_prompt_cost"), N("upstream_inference_completions_cost"),
};
#undef W
#undef N
/* clang-format on */

static int compare(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    if (x->key.len != y->key.len)
        return x->key.len < y->key.len ? -1 : 1;
    return memcmp(x->key.data, y->key.data, x->key.len);
}

enum vocabulary_kind vocabulary_look(struct span key)
{
    struct word wanted = {key, VOCABULARY_NONE};
    const struct word *found = bsearch(&wanted, keys, sizeof(keys) / sizeof(keys[0]), sizeof(keys[0]), compare);
    return found != NULL ? found->kind : VOCABULARY_NONE;
}
