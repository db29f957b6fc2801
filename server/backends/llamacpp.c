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

static const char *prompt_of(const struct backend_reply *reply)
{
    return reply->status == 200 ? json_string_value(json_object_get(reply->body, "prompt")) : NULL;
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
    struct delimiters own;
    unsigned family = 0;
    const char *prompt = prompt_of(reply);
    if (reply->status == 0 || reply->status == 404)
        return plan_aside(plan, "no_render", reply, out);
    char *words = plan_words(plan, NULL);
    if (words == NULL)
        return REIN_ENOMEM;
    bool arrived = prompt != NULL && prompt_before(prompt, words, plan_own(plan, &own), &before, &family);
    free(words);
    if (!arrived || before != PROMPT_OPEN)
        return begin_raw(plan, out);
    plan->memo = family;
    json_t *body = recall_body(plan, reasoning_turn(RECALL_WORDS)), *more = continuing();
    json_object_update(body, more);
    json_decref(more);
    return plan_ask(plan, RECALL, "~/chat/completions", body, out);
}

static int on_llamacpp_recall(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    /* Without a parser the opener would be missing from the answer's text; with a raw prompt the reasoning can be
     * separated. */
    if (reply->status != 200 || recall_read(reply->body, true) != RECALL_SPLIT)
        return begin_raw(plan, out);
    plan->memo |= MEMO_CHAT;
    plan->checked = true;
    return ready_chat(plan, out);
}

static int on_raw_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    bool leaves_it;
    if (plan_learn_end(plan, prompt_of(reply), reply, &leaves_it, out))
        return ask_prompt(plan, out);
    return leaves_it ? render(plan, HISTORY_TEXT, plan_history("reasoning_content", true), NULL, out) : 0;
}

static int on_llamacpp_history_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return plan_learn_history(plan, prompt_of(reply), reply, out) ? ask_prompt(plan, out) : 0;
}

static int on_prompt_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    const char *prompt = prompt_of(reply);
    if (prompt == NULL)
        return plan_aside(plan, "no_render", NULL, out); /* nothing to remember: only this conversation is the cause */
    bool may;
    char *whole = plan_whole_prompt(plan, prompt, &may);
    if (whole == NULL)
        return may ? REIN_ENOMEM : plan_aside(plan, "reasoning_closed", NULL, out);
    struct delimiters own;
    /* The closer may be a token of its own that the server would leave out. */
    json_t *more = json_pack("{s[s]}", "preserved_tokens", plan_delimiters(plan, &own)->close);
    int rv = plan_ready_completion(plan, json_string(whole), 0, more, out);
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
    {"cache_prompt", FIELD_PASS, NULL},
    {"chat_format", FIELD_DENY, "changes how the reasoning is separated from the answer"},
    {"generation_prompt", FIELD_DENY, "changes how the prompt is rendered"},
    {"grammar_lazy", FIELD_DENY, "forces or forbids words of the model's text"},
    {"grammar_triggers", FIELD_DENY, "forces or forbids words of the model's text"},
    {"id_slot", FIELD_DENY, "reads data of other conversations"},
    {"ignore_eos", FIELD_DENY, "forces or forbids words of the model's text"},
    {"lora", FIELD_DENY, "sends the request to another model than its route says"},
    {"n_keep", FIELD_DENY, "cuts the prompt after it was judged"},
    {"n_probs", FIELD_DENY, "returns text as tokens, which are not judged"},
    {"parse_tool_calls", FIELD_DENY, "changes where text is found in the answer"},
    {"prefill_assistant", FIELD_DENY, "puts text into the model's own turn"},
    {"preserved_tokens", FIELD_DENY, "changes which delimiters of reasoning can be seen"},
    {"response_fields", FIELD_DENY, "hides parts of the answer"},
    {"return_tokens", FIELD_DENY, "returns text as tokens, which are not judged"},
    {"thinking_forced_open", FIELD_DENY, "changes how the reasoning is separated from the answer"},
    {"typical_p", FIELD_PASS, NULL},
    {"verbose", FIELD_DENY, "returns the prompt"},
};

const struct backend backend_llamacpp = {
    .kind = "llamacpp",
    .can_prefill = true,
    .fields = {llamacpp_rows, sizeof llamacpp_rows / sizeof *llamacpp_rows},
    .next = llamacpp_next,
    .arm = arm,
};
