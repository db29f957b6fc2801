/* The kind `sglang`: with continue_final_message the last turn of the assistant is put after the template's generation
 * prompt, word for word. Whether the words need an opener depends on the template, so the prompt is examined first:
 * its tokens come back with a short answer (return_prompt_token_ids), and /detokenize reads them. Servers that give no
 * tokens cannot be checked. SPDX-License-Identifier: Apache-2.0
 *
 *   start -> bare -> bare text -> READY                                    the template opens the reasoning
 *                        \-> history -> history text -> opened -> opened text -> READY */
#include <stdlib.h>
#include <string.h>

#include "api/field_reasons.h"
#include "backends/steps.h"

enum stage { START, BARE, BARE_TEXT, HISTORY, HISTORY_TEXT, OPENED, OPENED_TEXT };

static json_t *continuing(void)
{
    return json_pack("{sbsbsb}", "continue_final_message", 1, "separate_reasoning", 1, "stream_reasoning", 1);
}

/* The assistant's turn: the words, after an opener where the template has none. */
static json_t *turn(const struct prefix_plan *plan, const char *words)
{
    struct delimiters own;
    const struct delimiters *marks = plan_delimiters(plan, &own);
    if ((plan->memo & MEMO_OPEN) != 0 || marks == NULL)
        return plan_assistant(words);
    json_t *text = json_sprintf("%s%s%s", marks->open, marks->gap, words);
    return text == NULL ? NULL : json_pack("{ssso}", "role", "assistant", "content", text);
}

static int recall(struct prefix_plan *plan, enum stage stage, enum backend_next *out)
{
    json_t *body = recall_body(plan, turn(plan, RECALL_WORDS), continuing());
    json_object_set_new(body, "return_prompt_token_ids", json_true());
    return plan_ask(plan, stage, "~/chat/completions", body, out);
}

static int ready(struct prefix_plan *plan, enum backend_next *out)
{
    char *words = plan_words(plan, NULL);
    int rv = words == NULL ? REIN_ENOMEM : plan_ready_chat(plan, turn(plan, words), continuing(), "verified", out);
    free(words);
    return rv;
}

static int sglang_start(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    (void)reply;
    const char *obstacle = plan_obstacle(plan, false);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    if (plan_is_known(plan))
        return ready(plan, out);
    plan->memo = MEMO_CHAT | MEMO_OPEN;
    return recall(plan, BARE, out);
}

/* Where versions put the tokens. */
static json_t *tokens_of(const json_t *body)
{
    const json_t *choice = json_array_get(json_object_get(body, "choices"), 0);
    const json_t *places[] = {choice, json_object_get(choice, "meta_info"), body};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        json_t *tokens = json_object_get(places[i], "prompt_token_ids");
        if (json_is_array(tokens))
            return tokens;
    }
    return NULL;
}

static int detokenize(struct prefix_plan *plan, enum stage stage, const struct backend_reply *reply,
                      enum backend_next *out)
{
    json_t *tokens = reply->status == 200 ? tokens_of(reply->body) : NULL;
    if (tokens == NULL)
        return plan_aside(plan, reply->status == 200 ? "no_render" : "refused", reply, out);
    return plan_ask(plan, stage, "/detokenize",
                    json_pack("{sssOsb}", "model", plan->request->model, "tokens", tokens, "skip_special_tokens", 0),
                    out);
}

/* Keeps what the answer to a recall showed until its prompt has been read. */
static int on_sglang_recall(struct prefix_plan *plan, const struct backend_reply *reply, enum stage stage,
                            enum backend_next *out)
{
    json_decref(plan->kept);
    plan->kept = json_integer(recall_read(reply->body, true));
    return detokenize(plan, stage, reply, out);
}

static int on_bare(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return on_sglang_recall(plan, reply, BARE_TEXT, out);
}

static int on_opened(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return on_sglang_recall(plan, reply, OPENED_TEXT, out);
}

static int on_history(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return detokenize(plan, HISTORY_TEXT, reply, out);
}

static const char *sglang_text_of(const struct backend_reply *reply)
{
    return reply->status == 200 ? json_string_value(json_object_get(reply->body, "text")) : NULL;
}

/* The words are in open reasoning; how does the answer come? */
static int conclude(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    enum recall recall = (enum recall)json_integer_value(plan->kept);
    if (recall == RECALL_ECHO || recall == RECALL_LOST)
        return plan_aside(plan, recall == RECALL_ECHO ? "echoed" : "no_answer", reply, out);
    /* Without a parser our opener would be missing from the answer's text; the template's own always is. */
    if (recall == RECALL_INLINE && (plan->memo & MEMO_OPEN) == 0)
        return plan_aside(plan, "inline", reply, out);
    plan->memo |= recall == RECALL_INLINE ? MEMO_INLINE : 0;
    plan->checked = true;
    return ready(plan, out);
}

static int ask_history(struct prefix_plan *plan, enum backend_next *out)
{
    json_t *body =
        json_pack("{sssosisbsb}", "model", plan->request->model, "messages", plan_history("reasoning_content", true),
                  "max_tokens", 1, "stream", 0, "return_prompt_token_ids", 1);
    return plan_ask(plan, HISTORY, "~/chat/completions", body, out);
}

static int on_bare_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    enum prompt_end before = PROMPT_CLOSED;
    struct delimiters own;
    unsigned family = 0;
    const char *prompt = sglang_text_of(reply);
    if (prompt == NULL)
        return plan_aside(plan, "no_render", reply, out);
    if (!prompt_before(prompt, RECALL_WORDS, plan_own(plan, &own), &before, &family))
        return plan_aside(plan, "dropped", reply, out);
    if (before == PROMPT_CLOSED)
        return plan_aside(plan, "reasoning_closed", reply, out);
    if (before == PROMPT_PLAIN)
        return ask_history(plan, out);
    plan->memo |= family;
    return conclude(plan, reply, out);
}

static int on_sglang_history_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    struct delimiters own;
    unsigned family;
    const char *prompt = sglang_text_of(reply);
    if (prompt == NULL || !prompt_opener_of(prompt, PLAN_MARK, plan_own(plan, &own), &family))
        return plan_aside(plan, "no_reasoning_template", reply, out);
    plan->memo = MEMO_CHAT | family;
    return recall(plan, OPENED, out);
}

static int on_opened_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    enum prompt_end before = PROMPT_CLOSED;
    struct delimiters own;
    unsigned family;
    const char *prompt = sglang_text_of(reply);
    bool is_open = prompt != NULL && prompt_before(prompt, RECALL_WORDS, plan_own(plan, &own), &before, &family) &&
                   before == PROMPT_OPEN;
    return is_open ? conclude(plan, reply, out) : plan_aside(plan, "dropped", reply, out);
}

static int sglang_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const plan_step steps[] = {
        [START] = sglang_start,
        [BARE] = on_bare,
        [BARE_TEXT] = on_bare_text,
        [HISTORY] = on_history,
        [HISTORY_TEXT] = on_sglang_history_text,
        [OPENED] = on_opened,
        [OPENED_TEXT] = on_opened_text,
    };
    return steps[plan->stage](plan, reply, out);
}

static const struct field sglang_rows[] = {
    {.name = "bootstrap_host", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "bootstrap_port", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "bootstrap_room", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "cache_salt", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "custom_logit_processor",
     .fate = FIELD_REFUSE,
     .why = "runs code of the client in the server",
     .passes = FIELD_IF_EMPTY},
    {.name = "custom_params",
     .fate = FIELD_REFUSE,
     .why = "sets parameters of the server that are not checked",
     .passes = FIELD_IF_EMPTY},
    {.name = "data_parallel_rank", .fate = FIELD_DROP, .why = FIELD_OPERATORS},
    {.name = "extra_key", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "ignore_eos", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_FALSE},
    {.name = "log_metrics", .fate = FIELD_DROP, .why = FIELD_OPERATORS, .passes = FIELD_IF_TRUE},
    {.name = "lora_path", .fate = FIELD_REFUSE, .why = FIELD_ELSEWHERE},
    {.name = "min_tokens", .fate = FIELD_PASS, .why = FIELD_SAMPLES},
    {.name = "no_stop_trim", .fate = FIELD_DROP, .why = "changes where the text ends", .passes = FIELD_IF_FALSE},
    {.name = "priority", .fate = FIELD_DROP, .why = FIELD_OPERATORS, .passes = FIELD_IF_ZERO},
    {.name = "return_cached_tokens_details", .fate = FIELD_PASS, .why = FIELD_COUNTS},
    {.name = "return_hidden_states",
     .fate = FIELD_DROP,
     .why = "returns data that is not text and is not judged",
     .passes = FIELD_IF_FALSE},
    {.name = "return_meta_info", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_FALSE},
    {.name = "return_prompt_token_ids", .fate = FIELD_DROP, .why = FIELD_RETURNS_TOKENS, .passes = FIELD_IF_FALSE},
    {.name = "return_routed_experts",
     .fate = FIELD_DROP,
     .why = "returns data that is not text and is not judged",
     .passes = FIELD_IF_FALSE},
    {.name = "rid", .fate = FIELD_JUDGE, .why = FIELD_NAMES},
    {.name = "session_params", .fate = FIELD_REFUSE, .why = FIELD_PREFILLS, .passes = FIELD_IF_EMPTY},
    {.name = "stop_regex",
     .fate = FIELD_REFUSE,
     .why = "may remove the mark that ends the reasoning",
     .passes = FIELD_IF_EMPTY},
};

const struct backend backend_sglang = {
    .kind = "sglang",
    .can_prefill = true,
    .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(sglang_rows)},
    .next = sglang_next,
};
