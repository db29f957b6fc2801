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
    N("id"), W("url"), N("code"), N("cost"), W("data"), W("hate"), W("name"), N("rank"), W("role"), N("seed"),
    W("text"), W("type"), W("audio"), N("bytes"), W("delta"), W("error"), N("index"), W("input"), W("model"),
    W("param"), N("score"), W("title"), W("token"), N("usage"), W("custom"), W("format"), W("google"), W("images"),
    W("models"), W("object"), W("output"), W("sexual"), W("status"), N("tokens"), W("x_groq"), N("cache_n"),
    W("channel"), W("choices"), W("content"), N("created"), W("details"), N("draft_n"), W("is_byok"), N("logprob"),
    W("message"), W("refusal"), W("results"), W("summary"), W("thought"), N("timings"), W("detected"), W("filtered"),
    W("function"), N("logprobs"), W("messages"), W("metadata"), N("prompt_n"), W("provider"), W("severity"),
    W("thinking"), N("token_id"), W("violence"), W("arguments"), W("citations"), N("end_index"), W("image_url"),
    W("jailbreak"), W("profanity"), N("prompt_ms"), W("reasoning"), N("remote_id"), W("self_harm"), W("signature"),
    N("token_ids"), N("created_at"), W("error_type"), N("eval_count"), N("expires_at"), N("queue_time"),
    N("request_id"), W("tool_calls"), N("total_time"), W("transcript"), W("annotations"), W("obfuscation"),
    N("predicted_n"), W("prompt_text"), N("prompt_time"), N("start_index"), N("status_code"), N("stop_reason"),
    N("text_offset"), N("text_tokens"), N("audio_tokens"), N("cost_details"), N("image_tokens"), N("matched_stop"),
    N("predicted_ms"), N("prompt_index"), W("service_tier"), N("tool_call_id"), N("top_logprobs"), N("total_tokens"),
    W("url_citation"), N("video_tokens"), N("cached_tokens"), W("decoded_token"), W("extra_content"),
    W("file_citation"), W("finish_reason"), W("function_call"), N("generation_id"), N("hidden_states"),
    N("prompt_tokens"), W("executed_tools"), W("reasoning_text"), W("search_results"), N("token_logprobs"),
    W("weight_version"), N("completion_time"), N("prompt_logprobs"), W("server_tool_use"), W("thinking_blocks"),
    N("usage_breakdown"), W("continuous_usage"), N("draft_n_accepted"), N("http_status_code"), N("num_sources_used"),
    N("prompt_token_ids"), W("reasoning_opaque"), N("reasoning_tokens"), N("cache_read_tokens"),
    N("completion_tokens"), N("cost_in_usd_ticks"), W("failed_generation"), N("live_search_calls"),
    N("num_cached_tokens"), N("prompt_eval_count"), N("prompt_per_second"), W("reasoning_content"),
    W("reasoning_details"), W("thought_signature"), N("cache_write_tokens"), N("completion_details"),
    W("kv_transfer_params"), W("system_fingerprint"), N("prompt_per_token_ms"), N("web_search_requests"),
    W("native_finish_reason"), N("predicted_per_second"), N("prompt_audio_seconds"), W("prompt_filter_result"),
    W("prompt_filter_results"), N("prompt_tokens_details"), N("content_filter_offsets"), W("content_filter_results"),
    N("predicted_per_token_ms"), N("cache_read_input_tokens"), N("prompt_cache_hit_tokens"),
    W("protected_material_code"), W("protected_material_text"), N("upstream_inference_cost"),
    N("prompt_cache_miss_tokens"), N("completion_tokens_details"), N("accepted_prediction_tokens"),
    N("rejected_prediction_tokens"), N("cache_creation_input_tokens"), N("upstream_inference_prompt_cost"),
    N("upstream_inference_completions_cost"),
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
