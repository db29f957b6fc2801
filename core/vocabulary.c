/* See vocabulary.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vocabulary.h"

#include <stdlib.h>

/* In order of length, then of bytes: the search compares lengths first. */
/* clang-format off */
#define W(word) {(word), sizeof(word) - 1}
static const struct span keys[] = {
    W("id"), W("url"), W("code"), W("cost"), W("data"), W("hate"), W("name"), W("rank"), W("role"), W("seed"),
    W("text"), W("type"), W("audio"), W("bytes"), W("delta"), W("error"), W("index"), W("input"), W("model"),
    W("param"), W("score"), W("title"), W("token"), W("usage"), W("custom"), W("format"), W("google"), W("images"),
    W("models"), W("object"), W("output"), W("sexual"), W("status"), W("tokens"), W("x_groq"), W("cache_n"),
    W("channel"), W("choices"), W("content"), W("created"), W("details"), W("draft_n"), W("is_byok"), W("logprob"),
    W("message"), W("refusal"), W("results"), W("summary"), W("thought"), W("timings"), W("detected"), W("filtered"),
    W("function"), W("logprobs"), W("messages"), W("metadata"), W("prompt_n"), W("provider"), W("severity"),
    W("thinking"), W("token_id"), W("violence"), W("arguments"), W("citations"), W("end_index"), W("image_url"),
    W("jailbreak"), W("profanity"), W("prompt_ms"), W("reasoning"), W("remote_id"), W("self_harm"), W("signature"),
    W("token_ids"), W("created_at"), W("error_type"), W("eval_count"), W("expires_at"), W("queue_time"),
    W("request_id"), W("tool_calls"), W("total_time"), W("transcript"), W("annotations"), W("obfuscation"),
    W("predicted_n"), W("prompt_text"), W("prompt_time"), W("start_index"), W("status_code"), W("stop_reason"),
    W("text_offset"), W("text_tokens"), W("audio_tokens"), W("cost_details"), W("image_tokens"), W("matched_stop"),
    W("predicted_ms"), W("prompt_index"), W("service_tier"), W("tool_call_id"), W("top_logprobs"), W("total_tokens"),
    W("url_citation"), W("video_tokens"), W("cached_tokens"), W("decoded_token"), W("extra_content"),
    W("file_citation"), W("finish_reason"), W("function_call"), W("generation_id"), W("hidden_states"),
    W("prompt_tokens"), W("executed_tools"), W("reasoning_text"), W("search_results"), W("token_logprobs"),
    W("weight_version"), W("completion_time"), W("prompt_logprobs"), W("server_tool_use"), W("thinking_blocks"),
    W("usage_breakdown"), W("continuous_usage"), W("draft_n_accepted"), W("http_status_code"), W("num_sources_used"),
    W("prompt_token_ids"), W("reasoning_opaque"), W("reasoning_tokens"), W("cache_read_tokens"),
    W("completion_tokens"), W("cost_in_usd_ticks"), W("failed_generation"), W("live_search_calls"),
    W("num_cached_tokens"), W("prompt_eval_count"), W("prompt_per_second"), W("reasoning_content"),
    W("reasoning_details"), W("thought_signature"), W("cache_write_tokens"), W("completion_details"),
    W("kv_transfer_params"), W("system_fingerprint"), W("prompt_per_token_ms"), W("web_search_requests"),
    W("native_finish_reason"), W("predicted_per_second"), W("prompt_audio_seconds"), W("prompt_filter_result"),
    W("prompt_filter_results"), W("prompt_tokens_details"), W("content_filter_offsets"), W("content_filter_results"),
    W("predicted_per_token_ms"), W("cache_read_input_tokens"), W("prompt_cache_hit_tokens"),
    W("protected_material_code"), W("protected_material_text"), W("upstream_inference_cost"),
    W("prompt_cache_miss_tokens"), W("completion_tokens_details"), W("accepted_prediction_tokens"),
    W("rejected_prediction_tokens"), W("cache_creation_input_tokens"), W("upstream_inference_prompt_cost"),
    W("upstream_inference_completions_cost"),
};
#undef W
/* clang-format on */

static int compare(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->data, y->data, x->len);
}

bool vocabulary_has_key(struct span key)
{
    return bsearch(&key, keys, sizeof(keys) / sizeof(keys[0]), sizeof(keys[0]), compare) != NULL;
}
