/* See steps.h: steps, conversations and plans that are ready. Recall is in recall.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backends/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

const struct delimiters *plan_own(const struct prefix_plan *plan, struct delimiters *room)
{
    *room = (struct delimiters){plan->open, plan->close, "\n"};
    return plan->open != NULL && plan->close != NULL ? room : NULL;
}

const struct delimiters *plan_delimiters(const struct prefix_plan *plan, struct delimiters *room)
{
    return prompt_family(plan->memo & MEMO_FAMILY, plan_own(plan, room));
}

bool plan_is_known(const struct prefix_plan *plan)
{
    struct delimiters own;
    return plan->verified && plan_delimiters(plan, &own) != NULL;
}

/* ---- steps ---- */

/* Servers have their own paths next to the dialect's: "/proxy/v1" -> "/proxy". */
static size_t root_len(const char *prefix)
{
    size_t len = strlen(prefix);
    return len >= 3 && strcmp(prefix + len - 3, "/v1") == 0 ? len - 3 : len;
}

void plan_make_path(const struct prefix_plan *plan, char *out, size_t cap, const char *path)
{
    if (*path == '~')
        snprintf(out, cap, "%s%s", plan->path_prefix, path + 1);
    else
        snprintf(out, cap, "%.*s%s", (int)root_len(plan->path_prefix), plan->path_prefix, path);
}

int plan_ask(struct prefix_plan *plan, unsigned stage, const char *path, json_t *body, enum backend_next *out)
{
    if (body == NULL)
        return REIN_ENOMEM;
    json_decref(plan->call.body);
    plan->call.body = body;
    plan->call.method = "POST";
    plan_make_path(plan, plan->call.path, sizeof plan->call.path, path);
    plan->stage = stage;
    *out = BACKEND_CALL;
    return 0;
}

void plan_put_path(struct prefix_plan *plan, const char *path)
{
    plan_make_path(plan, plan->path, sizeof plan->path, path);
}

static bool is_clear(const struct backend_reply *reply)
{
    static const unsigned passing[] = {0, 401, 403, 408, 425, 429};
    for (size_t i = 0; reply != NULL && i < sizeof passing / sizeof *passing; i++)
        if (reply->status == passing[i])
            return false;
    return reply != NULL && reply->status < 500 && (reply->status != 200 || reply->body != NULL);
}

int plan_aside(struct prefix_plan *plan, const char *reason, const struct backend_reply *reply, enum backend_next *out)
{
    plan->checked = is_clear(reply);
    plan->reason = reason;
    *out = BACKEND_ASIDE;
    return 0;
}

static bool learn(struct prefix_plan *plan, unsigned memo)
{
    plan->memo = memo;
    plan->checked = true;
    return true;
}

static bool learn_nothing(struct prefix_plan *plan, const char *reason, const struct backend_reply *reply,
                          enum backend_next *out)
{
    (void)plan_aside(plan, reason, reply, out);
    return false;
}

bool plan_learn_end(struct prefix_plan *plan, const char *prompt, const struct backend_reply *reply, bool *leaves_it,
                    enum backend_next *out)
{
    struct delimiters own;
    unsigned family;
    *leaves_it = false;
    if (prompt == NULL)
        return learn_nothing(plan, "no_render", reply, out);
    switch (prompt_end(prompt, strlen(prompt), plan_own(plan, &own), &family)) {
    case PROMPT_CLOSED:
        return learn_nothing(plan, "reasoning_closed", reply, out);
    case PROMPT_OPEN:
        return learn(plan, family | MEMO_OPEN);
    default:
        *leaves_it = true;
        return false;
    }
}

bool plan_learn_history(struct prefix_plan *plan, const char *prompt, const struct backend_reply *reply,
                        enum backend_next *out)
{
    struct delimiters own;
    unsigned family;
    if (prompt == NULL || !prompt_opener_of(prompt, PLAN_MARK, plan_own(plan, &own), &family))
        return learn_nothing(plan, "no_reasoning_template", reply, out);
    return learn(plan, family);
}

const char *plan_obstacle(const struct prefix_plan *plan, bool is_raw)
{
    const struct request *request = plan->request;
    if (request->has_tools)
        return "tools";
    if (request->has_format)
        return "response_format";
    /* A conversation with images is no text, and what a check found of others says nothing of it. */
    if (request->unjudged_parts > 0)
        return "unjudged_parts";
    if (is_raw && request->choices > 1)
        return "choices";
    if (is_raw && json_is_true(json_object_get(request->body, "logprobs")))
        return "logprobs";
    return NULL;
}

bool backend_may_prefill(const struct backend *backend, const struct prefix_plan *plan)
{
    return backend_has_plan(backend, plan->request) && plan_obstacle(plan, false) == NULL;
}

/* ---- texts ---- */

char *plan_words(const struct prefix_plan *plan, const struct delimiters *open)
{
    char *text = NULL;
    int len = asprintf(&text, "%s%s%s%s%s", open != NULL ? open->open : "", open != NULL ? open->gap : "", plan->shown,
                       *plan->shown != '\0' ? "\n\n" : "", plan->prefix);
    return len < 0 ? NULL : text;
}

int plan_take_prompt(struct prefix_plan *plan, const char *prompt, char **whole, enum backend_next *out)
{
    struct delimiters own;
    unsigned family;
    if (prompt == NULL)
        return plan_aside(plan, "no_render", NULL, out); /* nothing to remember: only this conversation is the cause */
    enum prompt_end end = prompt_end(prompt, strlen(prompt), plan_own(plan, &own), &family);
    if (end == PROMPT_CLOSED)
        return plan_aside(plan, "reasoning_closed", NULL, out);
    char *words = plan_words(plan, end == PROMPT_PLAIN ? plan_delimiters(plan, &own) : NULL);
    int len = words != NULL ? asprintf(whole, "%s%s", prompt, words) : -1;
    free(words);
    return len < 0 ? REIN_ENOMEM : 1;
}

static json_t *with_turn(json_t *messages, json_t *assistant)
{
    if (messages == NULL || (assistant != NULL && json_array_append_new(messages, assistant) < 0)) {
        json_decref(messages);
        return NULL;
    }
    return messages;
}

json_t *plan_hello(json_t *assistant)
{
    return with_turn(json_pack("[{ssss}]", "role", "user", "content", "Hello, what can you do?"), assistant);
}

json_t *plan_messages(const struct prefix_plan *plan, json_t *assistant)
{
    return with_turn(json_deep_copy(json_object_get(plan->request->body, "messages")), assistant);
}

json_t *plan_assistant(const char *content)
{
    return content == NULL ? NULL : json_pack("{ssss}", "role", "assistant", "content", content);
}

const char *plan_prompt_of(const struct backend_reply *reply)
{
    return reply->status == 200 ? json_string_value(json_object_get(reply->body, "prompt")) : NULL;
}

int plan_find_words(const struct prefix_plan *plan, const char *prompt, const struct delimiters *open,
                    enum prompt_end *before, unsigned *family)
{
    struct delimiters own;
    char *words = plan_words(plan, open);
    if (words == NULL)
        return REIN_ENOMEM;
    bool arrived = prompt != NULL && prompt_before(prompt, words, plan_own(plan, &own), before, family);
    free(words);
    return arrived;
}

json_t *plan_joined(const json_t *content)
{
    json_t *text = json_string(json_is_string(content) ? json_string_value(content) : ""), *part;
    size_t i;
    json_array_foreach(content, i, part)
    {
        const char *more = json_string_value(json_object_get(part, "text"));
        json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i > 0 ? "\n" : "", more != NULL ? more : "");
        json_decref(text);
        text = longer;
    }
    return text;
}

json_t *plan_history(const char *field, bool with_tool)
{
    json_t *turn = json_pack("{ssssss}", "role", "assistant", "content", "Let me see.", field, PLAN_MARK);
    if (!with_tool)
        return plan_hello(turn);
    json_t *call = json_pack("{sssss{ssss}}", "id", "call00001", "type", "function", "function", "name", "look",
                             "arguments", "{}");
    json_object_set_new(turn, "tool_calls", json_pack("[o]", call));
    json_t *result =
        json_pack("{ssssssss}", "role", "tool", "content", "a blue sky", "tool_call_id", "call00001", "name", "look");
    return with_turn(plan_hello(turn), result);
}

/* ---- ready ---- */

/* What every plan that is ready has in common. */
static int make_ready(struct prefix_plan *plan, const char *reason, enum backend_next *out)
{
    struct delimiters own;
    const struct delimiters *marks = plan_delimiters(plan, &own);
    plan->attempt = (struct rein_attempt){.delivery = REIN_DELIVER_PREFILL,
                                          .prefix = plan->prefix,
                                          .continues_shown = true,
                                          .open = marks != NULL ? marks->open : NULL,
                                          .close = marks != NULL ? marks->close : NULL};
    plan->reason = reason;
    *out = BACKEND_READY;
    return plan->body != NULL ? 0 : REIN_ENOMEM;
}

int plan_ready_chat(struct prefix_plan *plan, json_t *assistant, json_t *more, const char *reason,
                    enum backend_next *out)
{
    json_t *messages = assistant != NULL ? plan_messages(plan, assistant) : NULL;
    json_decref(plan->body);
    plan->body = plan->request->api->upstream_body(plan->request);
    bool is_whole = plan->body != NULL && more != NULL && json_object_update(plan->body, more) == 0 &&
                    json_object_set(plan->body, "messages", messages) == 0;
    json_decref(messages);
    json_decref(more);
    if (!is_whole)
        return REIN_ENOMEM;
    if (*plan->path == '\0')
        plan_put_path(plan, "~/chat/completions");
    int rv = make_ready(plan, reason, out);
    plan->attempt.opened = (plan->memo & MEMO_INLINE) != 0;
    /* A backend that divides the answer itself leaves no delimiters to search for but the usual ones. */
    if (!plan->attempt.opened)
        plan->attempt.open = plan->attempt.close = NULL;
    return rv;
}

int plan_ready_raw(struct prefix_plan *plan, completion_read read, enum backend_next *out)
{
    int rv = make_ready(plan, "verified", out);
    struct stream_filter *filter =
        completions_to_chat_new(&(struct completions_to_chat_options){.streamed = plan->request->stream,
                                                                      .read = read,
                                                                      .close = plan->attempt.close,
                                                                      .field = plan->field,
                                                                      .model = plan->request->model,
                                                                      .id = plan->answer_id,
                                                                      .created_s = plan->answer_created_s,
                                                                      .body_max = plan->answer_max});
    if (filter == NULL)
        return REIN_ENOMEM;
    stream_filters_free(&plan->filters);
    stream_filters_add(&plan->filters, filter);
    plan->may_be_lines = plan->request->stream;
    plan->attempt.opened = plan->field != NULL && strcmp(plan->field, "content") == 0;
    if (!plan->attempt.opened)
        plan->attempt.open = plan->attempt.close = NULL; /* the answer is divided before the trace sees it */
    return rv;
}

static bool read_completion(const json_t *event, struct completion_piece *out)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *text = json_object_get(choice, "text");
    json_t *usage = json_object_get(event, "usage");
    out->text = json_string_value(text);
    out->len = json_string_length(text);
    out->finish = json_string_value(json_object_get(choice, "finish_reason"));
    out->usage = json_is_object(usage) ? usage : NULL;
    return choice != NULL || out->usage != NULL;
}

/* What a raw completion takes over from a chat request. */
static void copy_fields(json_t *body, const json_t *from)
{
    static const char *const names[] = {"model",          "temperature",
                                        "top_p",          "top_k",
                                        "min_p",          "seed",
                                        "stop",           "frequency_penalty",
                                        "user",           "presence_penalty",
                                        "repeat_penalty", "repetition_penalty",
                                        "max_tokens",     "stream"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_t *value = json_object_get(from, names[i]);
        if (value != NULL)
            json_object_set(body, names[i], value);
    }
    json_t *limit = json_object_get(from, "max_completion_tokens");
    if (limit != NULL)
        json_object_set(body, "max_tokens", limit);
}

int plan_ready_completion(struct prefix_plan *plan, json_t *prompt, json_int_t room, json_t *more,
                          enum backend_next *out)
{
    json_decref(plan->body);
    plan->body = prompt != NULL ? json_pack("{so}", "prompt", prompt) : NULL;
    if (plan->body == NULL || more == NULL) {
        json_decref(more);
        return REIN_ENOMEM;
    }
    copy_fields(plan->body, plan->request->body);
    json_object_update(plan->body, more);
    json_decref(more);
    if (room > 0 && json_object_get(plan->body, "max_tokens") == NULL)
        json_object_set_new(plan->body, "max_tokens", json_integer(room));
    if (plan->request->stream)
        json_object_set_new(plan->body, "stream_options", json_pack("{sb}", "include_usage", 1));
    plan_put_path(plan, "~/completions");
    return plan_ready_raw(plan, read_completion, out);
}
