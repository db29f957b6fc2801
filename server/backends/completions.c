/* The kind `completions`: services that continue a prompt (/completions) and neither render one nor continue a turn.
 * The operator writes down the model's template; Rein renders the conversation with it, and the prefix follows where
 * the reasoning is open. SPDX-License-Identifier: Apache-2.0
 *
 * Nobody but the operator knows whether the template is the model's. What can be seen is that the model continues from
 * the prompt (recall). Servers read the marks of a template out of any text, so a conversation that holds one of them
 * could forge a turn: it uses the chat API, whose server must handle that, and `instruct`.
 *
 *   start -> recall -> READY */
#include <stdlib.h>
#include <string.h>

#include "backends/steps.h"
#include "base/buffer.h"

enum stage { START, RECALL };

/* Of an answer whose client names no limit: the API's own default is 16. */
enum { TOKENS = 4096 };

#define CONTENT "{content}"

/* ---- marks ---- */

/* Does the text hold something in the brackets of special tokens: <|...|>, or the same in wide letters? */
static bool has_special(const char *text)
{
    static const char *const openers[] = {"<|", "<\uff5c"}, *const closers[] = {"|>", "\uff5c>"};
    for (size_t i = 0; i < 2; i++) {
        const char *open = strstr(text, openers[i]);
        if (open != NULL && strstr(open + strlen(openers[i]), closers[i]) != NULL)
            return true;
    }
    return false;
}

/* The next word of a part that a server may read as a mark: in angle or square brackets, without blanks. */
static const char *next_mark(const char *at, size_t *len)
{
    for (; (at = strpbrk(at, "<[")) != NULL; at++) {
        size_t n = strcspn(at, *at == '<' ? "> \t\r\n" : "] \t\r\n");
        if (at[n] == '>' || at[n] == ']') {
            *len = n + 1;
            return at;
        }
    }
    return NULL;
}

static bool completions_holds(const char *text, const char *mark, size_t len)
{
    return memmem(text, strlen(text), mark, len) != NULL;
}

/* Does the text hold a mark of a part; or, if the part has none, the words before or after its content? */
static bool has_mark_of(const char *text, const char *part)
{
    size_t len;
    const char *mark = next_mark(part, &len);
    if (mark != NULL) {
        for (; mark != NULL; mark = next_mark(mark + len, &len))
            if (completions_holds(text, mark, len))
                return true;
        return false;
    }
    const char *content = strstr(part, CONTENT);
    const char *ends[] = {part, content != NULL ? content + strlen(CONTENT) : ""};
    size_t lens[] = {content != NULL ? (size_t)(content - part) : strlen(part), strlen(ends[1])};
    for (size_t i = 0; i < 2; i++) {
        for (; lens[i] > 0 && strchr(" \t\r\n", *ends[i]) != NULL; lens[i]--)
            ends[i]++;
        while (lens[i] > 0 && strchr(" \t\r\n", ends[i][lens[i] - 1]) != NULL)
            lens[i]--;
        if (lens[i] > 0 && completions_holds(text, ends[i], lens[i]))
            return true;
    }
    return false;
}

static bool has_mark(const struct prefix_plan *plan, const struct delimiters *marks, const char *text)
{
    const struct config_template *t = plan->template;
    const char *const parts[] = {t->begin, t->system, t->user, t->assistant, t->generate};
    if (has_special(text) || strstr(text, marks->open) != NULL || strstr(text, marks->close) != NULL)
        return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (has_mark_of(text, parts[i]))
            return true;
    return false;
}

/* ---- prompts ---- */

static const char *turn_of(const struct config_template *t, const char *role)
{
    if (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0)
        return t->system;
    return strcmp(role, "user") == 0 ? t->user : strcmp(role, "assistant") == 0 ? t->assistant : NULL;
}

/* Appends a turn. *obstacle: why there can be none. REIN_ENOMEM. */
static int put_turn(const struct prefix_plan *plan, const struct delimiters *marks, const json_t *message,
                    struct buffer *prompt, const char **obstacle)
{
    const char *turn = turn_of(plan->template, json_string_value(json_object_get(message, "role")));
    json_t *content = plan_joined(json_object_get(message, "content"));
    const char *text = json_string_value(content);
    int rv = text == NULL ? REIN_ENOMEM : 0;
    if (turn == NULL || json_object_get(message, "tool_calls") != NULL)
        *obstacle = "tools";
    else if (rv == 0 && has_mark(plan, marks, text))
        *obstacle = "marks";
    if (rv == 0 && *obstacle == NULL) {
        const char *at = strstr(turn, CONTENT), *rest = at + strlen(CONTENT);
        rv = buffer_add(prompt, turn, (size_t)(at - turn), BUFFER_NO_LIMIT);
        rv = rv < 0 ? rv : buffer_add(prompt, text, strlen(text), BUFFER_NO_LIMIT);
        rv = rv < 0 ? rv : buffer_add(prompt, rest, strlen(rest), BUFFER_NO_LIMIT);
    }
    json_decref(content);
    return rv;
}

/* A conversation, the model's turn opened, then the words. Returns owned; NULL: *obstacle, or out of memory. */
static json_t *prompt_of(const struct prefix_plan *plan, const struct delimiters *marks, const json_t *messages,
                         const char *words, const char **obstacle)
{
    const struct config_template *t = plan->template;
    struct buffer prompt = {0};
    json_t *message, *text = NULL;
    size_t i;
    int rv = buffer_add(&prompt, t->begin, strlen(t->begin), BUFFER_NO_LIMIT);
    json_array_foreach(messages, i, message)
    {
        if (rv == 0 && *obstacle == NULL)
            rv = put_turn(plan, marks, message, &prompt, obstacle);
    }
    rv = rv < 0 ? rv : buffer_add(&prompt, t->generate, strlen(t->generate), BUFFER_NO_LIMIT);
    rv = rv < 0 ? rv : buffer_add(&prompt, words, strlen(words), BUFFER_NO_LIMIT);
    if (rv == 0 && *obstacle == NULL)
        text = json_stringn(prompt.data, prompt.len);
    buffer_clear(&prompt);
    return text;
}

/* What the words come after: nothing where the template opens the reasoning, else the opener. */
static const struct delimiters *opener(const struct prefix_plan *plan, struct delimiters *own)
{
    return (plan->memo & MEMO_OPEN) != 0 ? NULL : plan_delimiters(plan, own);
}

/* ---- the plan ---- */

static int ready(struct prefix_plan *plan, enum backend_next *out)
{
    struct delimiters own;
    const char *obstacle = NULL;
    char *words = plan_words(plan, opener(plan, &own));
    if (words == NULL)
        return REIN_ENOMEM;
    json_t *prompt = prompt_of(plan, plan_delimiters(plan, &own), json_object_get(plan->request->body, "messages"),
                               words, &obstacle);
    free(words);
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    int rv = plan_ready_completion(plan, prompt, TOKENS, json_object(), out);
    plan->reason = "recalled";
    return rv;
}

static int recall(struct prefix_plan *plan, enum backend_next *out)
{
    struct delimiters own;
    const char *obstacle = NULL;
    struct prefix_plan tried = *plan;
    tried.prefix = RECALL_WORDS;
    tried.shown = "";
    char *words = plan_words(&tried, opener(plan, &own));
    json_t *messages = recall_messages(), *prompt = NULL;
    if (words != NULL)
        prompt = prompt_of(plan, plan_delimiters(plan, &own), messages, words, &obstacle);
    json_decref(messages);
    free(words);
    if (prompt == NULL)
        return REIN_ENOMEM;
    json_t *body = json_pack("{sssosisb}", "model", plan->request->model, "prompt", prompt, "max_tokens", RECALL_TOKENS,
                             "stream", 0);
    return plan_ask(plan, RECALL, "~/completions", body, out);
}

static int completions_start(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    (void)reply;
    struct delimiters own;
    unsigned family = PROMPT_OWN;
    const char *obstacle = plan_obstacle(plan, true), *generate = plan->template->generate;
    if (obstacle != NULL)
        return plan_aside(plan, obstacle, NULL, out);
    if (plan_is_known(plan))
        return ready(plan, out);
    enum prompt_end end = prompt_end(generate, strlen(generate), plan_own(plan, &own), &family);
    if (end == PROMPT_CLOSED)
        return plan_aside(plan, "reasoning_closed", NULL, out);
    plan->memo = family | (end == PROMPT_OPEN ? MEMO_OPEN : 0);
    if (plan_delimiters(plan, &own) == NULL)
        return plan_aside(plan, "no_reasoning_template", NULL, out);
    return recall(plan, out);
}

static int on_completions_recall(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    const json_t *choice = json_array_get(json_object_get(reply->body, "choices"), 0);
    if (reply->status != 200 || choice == NULL)
        return plan_aside(plan, "refused", reply, out);
    switch (recall_read_text(json_string_value(json_object_get(choice, "text")))) {
    case RECALL_ECHO:
        return plan_aside(plan, "echoed", reply, out);
    case RECALL_LOST:
        return plan_aside(plan, "dropped", reply, out);
    default:
        plan->checked = true;
        return ready(plan, out);
    }
}

static int completions_next(struct prefix_plan *plan, const struct backend_reply *reply, enum backend_next *out)
{
    return plan->stage == RECALL ? on_completions_recall(plan, reply, out) : completions_start(plan, reply, out);
}

const struct backend backend_completions = {.kind = "completions", .can_prefill = true, .next = completions_next};
