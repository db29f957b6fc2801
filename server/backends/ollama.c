/* The kind `ollama`: its own renderers close every reasoning that is handed to them, so the conversation is rendered by
 * /api/chat for a look (_debug_render_only), and the prompt with the prefix at its end goes raw to /api/generate, which
 * answers in lines of JSON. Without a prefix requests go the way of the OpenAI API.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   start -> raw text -> [history text ->] prompt text -> READY */
#include <stdlib.h>
#include <string.h>

#include "api/field_reasons.h"
#include "backends/steps.h"

enum stage { START, RAW_TEXT, HISTORY_TEXT, PROMPT_TEXT };

/* ---- messages in Ollama's form: texts are strings, reasoning is called thinking ---- */

static void fit(json_t *message)
{
    const char *role = json_string_value(json_object_get(message, "role"));
    json_t *content = json_object_get(message, "content"), *reasoning = json_object_get(message, "reasoning_content");
    if (strcmp(role, "developer") == 0)
        json_object_set_new(message, "role", json_string("system"));
    if (!json_is_string(content))
        json_object_set_new(message, "content", plan_joined(content));
    if (reasoning == NULL)
        reasoning = json_object_get(message, "reasoning");
    if (reasoning != NULL)
        json_object_set(message, "thinking", reasoning);
    json_object_del(message, "reasoning");
    json_object_del(message, "reasoning_content");
    json_object_del(message, "reasoning_details");
}

/* Calls in a conversation have another form here, and nobody has tools where prefixes are delivered raw. */
static bool has_calls(const json_t *messages)
{
    size_t i;
    json_t *message;
    json_array_foreach(messages, i, message) if (json_object_get(message, "tool_calls") != NULL ||
                                                 json_object_get(message, "function_call") != NULL) return true;
    return false;
}

static int render(struct prefix_plan *plan, enum stage stage, json_t *messages, enum backend_next *out)
{
    json_t *body = json_pack("{sssosbsbsb}", "model", plan->request->model, "messages", messages, "think", 1, "stream",
                             0, "_debug_render_only", 1);
    return plan_ask(plan, stage, "/api/chat", body, out);
}

static const char *prompt_of(const struct backend_reply *reply)
{
    const json_t *info = json_object_get(reply->body, "_debug_info");
    return reply->status == 200 ? json_string_value(json_object_get(info, "rendered_template")) : NULL;
}

/* Arguments of calls are objects here. */
static json_t *history(void)
{
    json_t *messages = plan_history("thinking", true);
    json_t *call = json_array_get(json_object_get(json_array_get(messages, 1), "tool_calls"), 0);
    json_object_set_new(json_object_get(call, "function"), "arguments", json_object());
    return messages;
}

/* ---- the plan ---- */

static int ask_prompt(struct prefix_plan *plan, enum backend_next *out)
{
    json_t *messages = plan_messages(plan, NULL), *message;
    size_t i;
    json_array_foreach(messages, i, message) fit(message);
    return render(plan, PROMPT_TEXT, messages, out);
}

static int ollama_start(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    (void)reply;
    const char *obstacle = plan_obstacle(plan, true);
    if (obstacle == NULL && has_calls(json_object_get(plan->request->body, "messages")))
        obstacle = "tools";
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    return plan_is_known(plan) ? ask_prompt(plan, out) : render(plan, RAW_TEXT, plan_hello(NULL), out);
}

static int on_raw_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    bool leaves_it;
    if (plan_learn_end(plan, prompt_of(reply), reply, &leaves_it, out))
        return ask_prompt(plan, out);
    return leaves_it ? render(plan, HISTORY_TEXT, history(), out) : 0;
}

static int on_ollama_history_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return plan_learn_history(plan, prompt_of(reply), reply, out) ? ask_prompt(plan, out) : 0;
}

static bool read_line(const json_t *event, struct completion_piece *out)
{
    const json_t *text = json_object_get(event, "response"), *thinking = json_object_get(event, "thinking");
    const char *reason = json_string_value(json_object_get(event, "done_reason"));
    bool is_done = json_is_true(json_object_get(event, "done"));
    out->text = json_string_value(text);
    out->len = json_string_length(text);
    out->reasoning = json_string_value(thinking);
    out->reasoning_len = json_string_length(thinking);
    if (is_done) {
        out->finish = reason != NULL && strcmp(reason, "length") == 0 ? "length" : "stop";
        out->prompt_tokens = json_integer_value(json_object_get(event, "prompt_eval_count"));
        out->completion_tokens = json_integer_value(json_object_get(event, "eval_count"));
    }
    return text != NULL || is_done;
}

static json_t *options(const json_t *request)
{
    static const char *const names[][2] = {
        {"temperature", "temperature"},
        {"top_p", "top_p"},
        {"top_k", "top_k"},
        {"min_p", "min_p"},
        {"seed", "seed"},
        {"frequency_penalty", "frequency_penalty"},
        {"presence_penalty", "presence_penalty"},
        {"repeat_penalty", "repeat_penalty"},
        {"max_tokens", "num_predict"},
        {"max_completion_tokens", "num_predict"},
    };
    json_t *out = json_object(), *stop = json_object_get(request, "stop");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(request, names[i][0]) != NULL)
            json_object_set(out, names[i][1], json_object_get(request, names[i][0]));
    if (json_is_string(stop))
        json_object_set_new(out, "stop", json_pack("[O]", stop));
    else if (stop != NULL)
        json_object_set(out, "stop", stop);
    return out;
}

static int on_prompt_text(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    char *whole;
    int rv = plan_take_prompt(plan, prompt_of(reply), &whole, out);
    if (rv <= 0)
        return rv;
    json_decref(plan->body);
    plan->body = json_pack("{sssbsbsssbso}", "model", plan->request->model, "raw", 1, "think", 1, "prompt", whole,
                           "stream", plan->request->stream, "options", options(plan->request->body));
    free(whole);
    plan_put_path(plan, "/api/generate");
    return plan_ready_raw(plan, read_line, out);
}

static int ollama_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    static const plan_step steps[] = {
        [START] = ollama_start,
        [RAW_TEXT] = on_raw_text,
        [HISTORY_TEXT] = on_ollama_history_text,
        [PROMPT_TEXT] = on_prompt_text,
    };
    return steps[plan->stage](plan, reply, out);
}

static const struct field ollama_rows[] = {
    {.name = "_debug_render_only", .fate = FIELD_REFUSE, .why = FIELD_RETURNS_PROMPT, .passes = FIELD_IF_FALSE},
    {.name = "context", .fate = FIELD_REFUSE, .why = FIELD_TOKENS, .passes = FIELD_IF_EMPTY},
    {.name = "format", .fate = FIELD_REFUSE, .why = FIELD_FORCES, .passes = FIELD_IF_EMPTY},
    {.name = "keep_alive", .fate = FIELD_DROP, .why = FIELD_OPERATORS},
    {.name = "num_ctx", .fate = FIELD_DROP, .why = "is not read by the server in this API"},
    {.name = "options", .fate = FIELD_DROP, .why = "is not read by the server in this API"},
    {.name = "raw", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_FALSE},
    {.name = "shift", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .passes = FIELD_IF_FALSE},
    {.name = "suffix", .fate = FIELD_REFUSE, .why = FIELD_PREFILLS, .passes = FIELD_IF_EMPTY},
    {.name = "system", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_EMPTY},
    {.name = "template", .fate = FIELD_REFUSE, .why = FIELD_TEMPLATE, .passes = FIELD_IF_EMPTY},
    {.name = "truncate", .fate = FIELD_REFUSE, .why = FIELD_CUTS_PROMPT, .passes = FIELD_IF_FALSE},
};

const struct backend backend_ollama = {
    .kind = "ollama",
    .can_prefill = true,
    .fields = {[REIN_OPENAI_CHAT] = FIELD_TABLE(ollama_rows)},
    .next = ollama_next,
};
