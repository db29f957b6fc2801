/* The kind `llamacpp`: llama-server. What a prompt becomes is asked of /apply-template.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   chat   new builds continue the assistant's turn (continue_final_message: "reasoning_content"). They drop the prefix
 *          without a word where they do not know the template's reasoning, and some builds echo it: hence the checks.
 *   raw    old builds, and whatever fails the checks: the rendered conversation, the opener if it lacks one, and the
 *          prefix go to /completions. Takes one short call for each request.
 *
 *   start -> chat text -> recall -> READY
 *               \-> raw text -> [history text ->] prompt text -> READY */
#include <stdlib.h>
#include <string.h>

#include "api/field_reasons.h"
#include "backends/llamacpp_in_flight.h"
#include "backends/steps.h"

enum stage { START, CHAT_TEXT, RECALL, RAW_TEXT, HISTORY_TEXT, PROMPT_TEXT };

static json_t *reasoning_turn(const char *words)
{
    return json_pack("{ssssss}", "role", "assistant", "content", "", "reasoning_content", words);
}

static json_t *continuing(void)
{
    return json_pack("{sbsssb}", "add_generation_prompt", 0, "continue_final_message", "reasoning_content", "echo", 0);
}

/* `more` is taken; NULL: none. */
static int render(struct prefix_plan *plan, enum stage stage, json_t *messages, json_t *more, enum backend_next *out)
{
    json_t *body = json_pack("{sssO}", "model", plan->request->model, "messages", messages);
    json_decref(messages);
    if (more != NULL)
        json_object_update(body, more);
    json_decref(more);
    return plan_ask(plan, stage, "/apply-template", body, out);
}

static int ready_chat(struct prefix_plan *plan, enum backend_next *out)
{
    char *words = plan_words(plan, NULL);
    int rv = words == NULL ? REIN_ENOMEM : plan_ready_chat(plan, reasoning_turn(words), continuing(), "verified", out);
    free(words);
    return rv;
}

static int ask_prompt(struct prefix_plan *plan, enum backend_next *out)
{
    const char *obstacle = plan_obstacle(plan, true);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    return render(plan, PROMPT_TEXT, plan_messages(plan, NULL), NULL, out);
}

static int llamacpp_start(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    (void)reply;
    const char *obstacle = plan_obstacle(plan, false);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    if (plan_is_known(plan))
        return (plan->memo & MEMO_CHAT) != 0 ? ready_chat(plan, out) : ask_prompt(plan, out);
    char *words = plan_words(plan, NULL);
    int rv =
        words == NULL ? REIN_ENOMEM : render(plan, CHAT_TEXT, plan_hello(reasoning_turn(words)), continuing(), out);
    free(words);
    return rv;
}

static int begin_raw(struct prefix_plan *plan, enum backend_next *out)
{
    return render(plan, RAW_TEXT, plan_hello(NULL), NULL, out);
}

static int on_chat_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    enum prompt_end before = PROMPT_PLAIN;
    unsigned family = 0;
    if (reply->status == 0 || reply->status == 404)
        return plan_aside(plan, "no_render", reply, out);
    int found = plan_find_words(plan, plan_prompt_of(reply), NULL, &before, &family);
    if (found <= 0 || before != PROMPT_OPEN)
        return found < 0 ? found : begin_raw(plan, out);
    plan->memo = family;
    json_t *body = recall_body(plan, reasoning_turn(RECALL_WORDS), continuing());
    return plan_ask(plan, RECALL, "~/chat/completions", body, out);
}

static int on_llamacpp_recall(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    if (!recall_is_split(reply))
        return begin_raw(plan, out);
    plan->memo |= MEMO_CHAT;
    plan->checked = true;
    return ready_chat(plan, out);
}

static int on_raw_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    bool leaves_it;
    if (plan_learn_end(plan, plan_prompt_of(reply), reply, &leaves_it, out))
        return ask_prompt(plan, out);
    return leaves_it ? render(plan, HISTORY_TEXT, plan_history("reasoning_content", true), NULL, out) : 0;
}

static int on_llamacpp_history_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return plan_learn_history(plan, plan_prompt_of(reply), reply, out) ? ask_prompt(plan, out) : 0;
}

static int on_prompt_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    char *whole;
    struct delimiters own;
    int rv = plan_take_prompt(plan, plan_prompt_of(reply), &whole, out);
    if (rv <= 0)
        return rv;
    /* The closer may be a token of its own that the server would leave out. */
    json_t *more = json_pack("{s[s]}", "preserved_tokens", plan_delimiters(plan, &own)->close);
    rv = plan_ready_completion(plan, json_string(whole), 0, more, out);
    free(whole);
    return rv;
}

static int llamacpp_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const plan_step steps[] = {
        [START] = llamacpp_start,
        [CHAT_TEXT] = on_chat_text,
        [RECALL] = on_llamacpp_recall,
        [RAW_TEXT] = on_raw_text,
        [HISTORY_TEXT] = on_llamacpp_history_text,
        [PROMPT_TEXT] = on_prompt_text,
    };
    return steps[plan->stage](plan, reply, out);
}

/* The sampler writes the words and the closer as soon as /chat/completions/control asks for it. Builds that do not know
 * of it leave these fields alone, and do not say yes then. */
static void arm(struct prefix_plan *plan, const char *words)
{
    char path[sizeof plan->call.path];
    if (plan->filters != NULL || plan->body == NULL)
        return;
    plan_make_path(plan, path, sizeof path, "~/chat/completions/control");
    struct stream_filter *filter = llamacpp_in_flight_new(words, path);
    json_t *message = json_sprintf("\n\n%s", words);
    if (filter == NULL || message == NULL || json_object_set(plan->body, "reasoning_budget_message", message) < 0 ||
        json_object_set_new(plan->body, "reasoning_control", json_true()) < 0)
        stream_filters_free(&filter);
    else
        stream_filters_add(&plan->filters, filter);
    json_decref(message);
}

static const struct field llamacpp_rows[] = {
    {.name = "adaptive_decay", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "adaptive_target", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "backend_sampling", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "cache_prompt", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "chat_format", .fate = FIELD_REFUSE, .why = FIELD_HIDES},
    {.name = "dry_allowed_length", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "dry_base", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "dry_multiplier", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "dry_penalty_last_n", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "dry_sequence_breakers", .fate = FIELD_JUDGE, .why = FIELD_SAMPLES},
    {.name = "dynatemp_exponent", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "dynatemp_range", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "force_pure_content", .fate = FIELD_DROP, .why = FIELD_HIDES, .passes = FIELD_IF_FALSE},
    {.name = "generation_prompt", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE},
    {.name = "grammar_lazy", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_FALSE},
    {.name = "grammar_triggers", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_EMPTY},
    {.name = "id_slot", .fate = FIELD_DROP, .why = "reads data of other conversations"},
    {.name = "ignore_eos", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_FALSE},
    {.name = "lora", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE, .passes = FIELD_IF_EMPTY},
    {.name = "min_keep", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "mirostat", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "mirostat_eta", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "mirostat_tau", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "n_cache_reuse", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "n_discard", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .passes = FIELD_IF_ZERO},
    {.name = "n_indent", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "n_keep", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .passes = FIELD_IF_ZERO},
    {.name = "n_predict", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "n_probs", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_ZERO},
    {.name = "parse_tool_calls",
     .fate = FIELD_DROP,
     .why = "changes where text is found in the answer",
     .passes = FIELD_IF_TRUE},
    {.name = "penalize_nl", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "post_sampling_probs", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_FALSE},
    {.name = "prefill_assistant", .fate = FIELD_REFUSE, .why = FIELD_PREFILLS, .passes = FIELD_IF_FALSE},
    {.name = "preserved_tokens", .fate = FIELD_REFUSE, .why = FIELD_HIDES, .passes = FIELD_IF_EMPTY},
    {.name = "repeat_last_n", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "response_fields", .fate = FIELD_DROP, .why = "hides parts of the answer", .passes = FIELD_IF_EMPTY},
    {.name = "return_progress", .fate = FIELD_PASS, .why = FIELD_COUNTS},
    {.name = "return_tokens", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_FALSE},
    {.name = "samplers", .fate = FIELD_JUDGE, .why = FIELD_SAMPLES},
    {.name = "speculative.n_max", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "speculative.n_min", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "speculative.p_min", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "sse_ping_interval", .fate = FIELD_PASS, .why = FIELD_EXECUTES},
    {.name = "t_max_predict_ms", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "t_max_prompt_ms", .fate = FIELD_PASS, .why = FIELD_LIMITS},
    {.name = "tfs_z", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "thinking_forced_open", .fate = FIELD_DROP, .why = FIELD_HIDES},
    {.name = "timings_per_token", .fate = FIELD_PASS, .why = FIELD_COUNTS},
    {.name = "top_n_sigma", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "typ_p", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "typical_p", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "verbose", .fate = FIELD_DROP, .why = FIELD_RETURNS_PROMPT, .passes = FIELD_IF_FALSE},
    {.name = "xtc_probability", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "xtc_threshold", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
};

const struct backend backend_llamacpp = {
    .kind = "llamacpp",
    .can_prefill = true,
    .may_lack_model = true,
    .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(llamacpp_rows)},
    .next = llamacpp_next,
    .arm = arm,
};
