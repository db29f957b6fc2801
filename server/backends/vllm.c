/* The kind `vllm`. /tokenize and /detokenize show what a prompt becomes. First it is learnt how the template opens the
 * reasoning; then there are two ways:
 * SPDX-License-Identifier: Apache-2.0
 *
 *   chat   the assistant's turn is continued (continue_final_message). Good where the template leaves that turn as it
 *          is, which many do not: some close an empty reasoning before it.
 *   raw    the conversation is rendered to tokens, the prefix's tokens follow, /v1/completions continues from there.
 * Good for every template whose delimiters are known. Takes two short calls for each request.
 *
 *   start -> plain tokens -> plain text -> [history tokens -> history text ->] chat tokens -> chat text -> recall ->
 * READY
 *                                                                                \-> prompt tokens -> prefix tokens ->
 * READY
 */
#include <stdlib.h>
#include <string.h>

#include "api/field_reasons.h"
#include "backends/steps.h"

enum stage {
    START,
    PLAIN_TOKENS,
    PLAIN_TEXT,
    HISTORY_TOKENS,
    HISTORY_TEXT,
    CHAT_TOKENS,
    CHAT_TEXT,
    RECALL,
    PROMPT_TOKENS,
    PREFIX_TOKENS,
};

/* ---- calls ---- */

/* Turns reasoning on, by both names that templates use. */
static json_t *template_arguments(const struct prefix_plan *plan)
{
    json_t *arguments = json_pack("{sbsb}", "enable_thinking", 1, "thinking", 1);
    json_t *effort = json_object_get(plan->request->body, "reasoning_effort");
    if (effort != NULL)
        json_object_set(arguments, "reasoning_effort", effort);
    return arguments;
}

static json_t *continuing(const struct prefix_plan *plan)
{
    return json_pack("{sbsbso}", "add_generation_prompt", 0, "continue_final_message", 1, "chat_template_kwargs",
                     template_arguments(plan));
}

static int tokenize(struct prefix_plan *plan, enum stage stage, json_t *messages, bool generate, enum backend_next *out)
{
    json_t *body = json_pack("{sssosbso}", "model", plan->request->model, "messages", messages, "add_generation_prompt",
                             generate, "chat_template_kwargs", template_arguments(plan));
    return plan_ask(plan, stage, "/tokenize", body, out);
}

static int detokenize(struct prefix_plan *plan, enum stage stage, const struct backend_reply *reply,
                      enum backend_next *out)
{
    json_t *tokens = json_object_get(reply->body, "tokens");
    return plan_ask(plan, stage, "/detokenize", json_pack("{sssO}", "model", plan->request->model, "tokens", tokens),
                    out);
}

static bool has_tokens(const struct backend_reply *reply)
{
    return reply->status == 200 && json_is_array(json_object_get(reply->body, "tokens"));
}

/* The assistant's turn that begins with open reasoning. */
static json_t *opened_turn(struct prefix_plan *plan, const char *words)
{
    struct delimiters own;
    const struct delimiters *marks = plan_delimiters(plan, &own);
    return json_pack("{ssso}", "role", "assistant", "content", json_sprintf("%s%s%s", marks->open, marks->gap, words));
}

/* ---- the two ways ---- */

static int ready_chat(struct prefix_plan *plan, enum backend_next *out)
{
    char *words = plan_words(plan, NULL);
    int rv = words == NULL ? REIN_ENOMEM
                           : plan_ready_chat(plan, opened_turn(plan, words), continuing(plan), "verified", out);
    free(words);
    return rv;
}

static int ask_prompt(struct prefix_plan *plan, enum backend_next *out)
{
    const char *obstacle = plan_obstacle(plan, true);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    return tokenize(plan, PROMPT_TOKENS, plan_messages(plan, NULL), true, out);
}

static int vllm_start(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    (void)reply;
    const char *obstacle = plan_obstacle(plan, false);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    if (plan_is_known(plan))
        return (plan->memo & MEMO_CHAT) != 0 ? ready_chat(plan, out) : ask_prompt(plan, out);
    return tokenize(plan, PLAIN_TOKENS, plan_hello(NULL), true, out);
}

/* ---- how the template opens the reasoning ---- */

/* The delimiters are known: from here on a prefill is possible. */
static int ask_chat(struct prefix_plan *plan, enum backend_next *out)
{
    char *words = plan_words(plan, NULL);
    if (words == NULL)
        return REIN_ENOMEM;
    json_t *body = continuing(plan);
    json_object_set_new(body, "model", json_string(plan->request->model));
    json_object_set_new(body, "messages", plan_hello(opened_turn(plan, words)));
    free(words);
    return plan_ask(plan, CHAT_TOKENS, "/tokenize", body, out);
}

static int on_plain_tokens(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return has_tokens(reply) ? detokenize(plan, PLAIN_TEXT, reply, out) : plan_aside(plan, "no_render", reply, out);
}

static int on_plain_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    bool leaves_it;
    if (plan_learn_end(plan, plan_prompt_of(reply), reply, &leaves_it, out))
        return ask_chat(plan, out);
    return leaves_it ? tokenize(plan, HISTORY_TOKENS, plan_history("reasoning", true), true, out) : 0;
}

static int on_history_tokens(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return has_tokens(reply) ? detokenize(plan, HISTORY_TEXT, reply, out)
                             : plan_aside(plan, "no_reasoning_template", reply, out);
}

static int on_vllm_history_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return plan_learn_history(plan, plan_prompt_of(reply), reply, out) ? ask_chat(plan, out) : 0;
}

/* ---- the chat way ---- */

static int on_chat_tokens(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return has_tokens(reply) ? detokenize(plan, CHAT_TEXT, reply, out) : ask_prompt(plan, out);
}

/* We add the opener, so the prompt must have neither open nor closed reasoning before it. */
static int on_chat_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    enum prompt_end before = PROMPT_CLOSED;
    struct delimiters own;
    unsigned family;
    int found = plan_find_words(plan, plan_prompt_of(reply), plan_delimiters(plan, &own), &before, &family);
    if (found <= 0 || before != PROMPT_PLAIN)
        return found < 0 ? found : ask_prompt(plan, out);
    json_t *body = recall_body(plan, opened_turn(plan, RECALL_WORDS), continuing(plan));
    return plan_ask(plan, RECALL, "~/chat/completions", body, out);
}

static int on_vllm_recall(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    if (!recall_is_split(reply))
        return ask_prompt(plan, out);
    plan->memo |= MEMO_CHAT;
    return ready_chat(plan, out);
}

/* ---- the raw way ---- */

static int on_prompt_tokens(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    struct delimiters own;
    if (!has_tokens(reply))
        return plan_aside(plan, "no_render", NULL, out); /* nothing to remember: only this conversation is the cause */
    json_decref(plan->kept);
    plan->kept = json_incref(reply->body);
    char *words = plan_words(plan, (plan->memo & MEMO_OPEN) != 0 ? NULL : plan_delimiters(plan, &own));
    json_t *body = words == NULL
                       ? NULL
                       : json_pack("{sssssb}", "model", plan->request->model, "prompt", words, "add_special_tokens", 0);
    free(words);
    return plan_ask(plan, PREFIX_TOKENS, "/tokenize", body, out);
}

static int on_prefix_tokens(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    if (!has_tokens(reply))
        return plan_aside(plan, "no_render", NULL, out);
    json_t *tokens = json_copy(json_object_get(plan->kept, "tokens"));
    if (tokens == NULL || json_array_extend(tokens, json_object_get(reply->body, "tokens")) < 0) {
        json_decref(tokens);
        return REIN_ENOMEM;
    }
    json_int_t most = json_integer_value(json_object_get(plan->kept, "max_model_len"));
    json_int_t room = most - (json_int_t)json_array_size(tokens);
    if (most > 0 && room <= 0) {
        json_decref(tokens);
        return plan_aside(plan, "too_long", NULL, out);
    }
    return plan_ready_completion(plan, tokens, room, json_pack("{sb}", "skip_special_tokens", 0), out);
}

static int vllm_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const plan_step steps[] = {
        [START] = vllm_start,
        [CHAT_TOKENS] = on_chat_tokens,
        [CHAT_TEXT] = on_chat_text,
        [RECALL] = on_vllm_recall,
        [PLAIN_TOKENS] = on_plain_tokens,
        [PLAIN_TEXT] = on_plain_text,
        [HISTORY_TOKENS] = on_history_tokens,
        [HISTORY_TEXT] = on_vllm_history_text,
        [PROMPT_TOKENS] = on_prompt_tokens,
        [PREFIX_TOKENS] = on_prefix_tokens,
    };
    return steps[plan->stage](plan, reply, out);
}

static const struct field vllm_rows[] = {
    {.name = "cache_salt", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "detokenize", .fate = FIELD_REFUSE, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_TRUE},
    {.name = "ignore_eos", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_FALSE},
    {.name = "kv_transfer_params", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE, .passes = FIELD_IF_EMPTY},
    {.name = "length_penalty", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "media_io_kwargs",
     .fate = FIELD_REFUSE,
     .why = "changes how the prompt is rendered",
     .passes = FIELD_IF_EMPTY},
    {.name = "min_tokens", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "mm_processor_kwargs",
     .fate = FIELD_REFUSE,
     .why = "changes how the prompt is rendered",
     .passes = FIELD_IF_EMPTY},
    {.name = "priority", .fate = FIELD_DROP, .why = FIELD_OPERATORS, .passes = FIELD_IF_ZERO},
    {.name = "request_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "truncate_prompt_tokens", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT},
    {.name = "vllm_xargs",
     .fate = FIELD_REFUSE,
     .why = "sets parameters of the server that are not checked",
     .passes = FIELD_IF_EMPTY},
};

static const struct field vllm_responses_rows[] = {
    {.name = "cache_salt", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "enable_response_messages", .fate = FIELD_DROP, .why = FIELD_RETURNS_PROMPT, .passes = FIELD_IF_FALSE},
    {.name = "min_p", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "previous_input_messages", .fate = FIELD_REFUSE, .why = FIELD_PREFILLS, .passes = FIELD_IF_EMPTY},
    {.name = "priority", .fate = FIELD_DROP, .why = FIELD_OPERATORS, .passes = FIELD_IF_ZERO},
    {.name = "repetition_penalty", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "request_id", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
};

const struct backend backend_vllm = {
    .kind = "vllm",
    .can_prefill = true,
    .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(vllm_rows), [REIN_OPENAI_RESPONSES] = FIELD_TABLE(vllm_responses_rows)},
    .next = vllm_next,
};
