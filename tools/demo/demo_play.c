/* See demo_play.h. Events of a chat have the shape that DeepSeek's API sends: both text fields in every delta, one of
 * them null, and the usage in the last event. Those of Messages have Anthropic's. SPDX-License-Identifier: Apache-2.0
 *
 * All events are made first, then sent: one per delay, or as fast as the client takes them. */
#include "demo/demo_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "front/reply.h"

enum { EVENTS_BYTES_MAX = 64 << 20, CHOICES_MAX = 16, RANDOM_MOST = 12, PENDING_MAX = 65536 };

struct play {
    struct responder responder; /* first: the exchange's user */
    struct exchange *x;
    const struct demo_scenario *scenario;
    uv_timer_t timer;
    unsigned delay_ms;
    size_t at, end; /* bytes of events sent, and where to stop */
    struct buffer events;

    /* while the events are made */
    bool is_message; /* Anthropic's form; else chat's */
    const char *model, *chunk;
    unsigned choices, seed;
    json_int_t words;
    bool failed;
};

/* ---- making events ---- */

static void add_bytes(struct play *p, const char *text)
{
    p->failed = p->failed || buffer_add(&p->events, text, strlen(text), EVENTS_BYTES_MAX) < 0;
}

/* Takes `tree`. An event that says its type is named after it. */
static void add_event(struct play *p, json_t *tree)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    const char *type = json_string_value(json_object_get(tree, "type"));
    p->failed = p->failed || text == NULL;
    if (type != NULL) {
        add_bytes(p, "event: ");
        add_bytes(p, type);
        add_bytes(p, "\n");
    }
    add_bytes(p, "data: ");
    add_bytes(p, text != NULL ? text : "");
    add_bytes(p, "\n\n");
    free(text);
    json_decref(tree);
}

static json_int_t count_words(const char *text)
{
    json_int_t words = 0;
    for (; *text != '\0'; text += strspn(text, " \n"), words++)
        text += strcspn(text, " \n");
    return words;
}

static json_t *usage_of(const struct play *p)
{
    return json_pack("{sisIsI}", "prompt_tokens", 12, "completion_tokens", p->words, "total_tokens", p->words + 12);
}

/* Takes `delta`. */
static void add_delta(struct play *p, unsigned choice, json_t *delta, const char *finish)
{
    json_t *usage = finish != NULL ? usage_of(p) : json_null();
    add_event(p, json_pack("{sssssIsss[{sisosnss?}]so}", "id", "chatcmpl-demo", "object", "chat.completion.chunk",
                           "created", (json_int_t)time(NULL), "model", p->model, "choices", "index", choice, "delta",
                           delta, "logprobs", "finish_reason", finish, "usage", usage));
}

/* Where the next piece ends; never inside a character. */
static size_t piece_len(struct play *p, const char *text)
{
    size_t most = SIZE_MAX, len = 0;
    if (strcmp(p->chunk, "random") == 0) {
        p->seed = p->seed * 1103515245u + 12345u;
        most = 1 + (p->seed >> 16) % RANDOM_MOST;
    } else if (strcmp(p->chunk, "whole") != 0) {
        most = (size_t)strtoul(p->chunk, NULL, 10);
    }
    for (size_t n = 0; text[len] != '\0' && (n < most || most == 0); n++)
        for (len++; ((unsigned char)text[len] & 0xc0) == 0x80; len++) {
        }
    return len;
}

static void add_text(struct play *p, const char *text, bool is_reasoning)
{
    static const char *const names[] = {"content", "reasoning_content"};
    for (size_t len; *text != '\0'; text += len) {
        len = piece_len(p, text);
        for (unsigned i = 0; i < p->choices; i++)
            add_delta(p, i, json_pack("{snss%}", names[!is_reasoning], names[is_reasoning], text, len), NULL);
    }
}

static void add_tool(struct play *p)
{
    const char *text = p->scenario->tool_arguments;
    add_delta(p, 0,
              json_pack("{s[{sisssss{ssss}}]}", "tool_calls", "index", 0, "id", "call_demo", "type", "function",
                        "function", "name", p->scenario->tool_name, "arguments", ""),
              NULL);
    for (size_t len; *text != '\0'; text += len) {
        len = piece_len(p, text);
        add_delta(p, 0, json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", 0, "function", "arguments", text, len),
                  NULL);
    }
}

static const char *finish_of(const struct play *p)
{
    if (p->scenario->end == DEMO_LENGTH)
        return "length";
    return *p->scenario->tool_name != '\0' ? "tool_calls" : "stop";
}

static void make_events(struct play *p, const char *reasoning, const char *answer)
{
    for (unsigned i = 0; i < p->choices; i++)
        add_delta(p, i, json_pack("{sssnss}", "role", "assistant", "content", "reasoning_content", ""), NULL);
    p->words = count_words(reasoning) + count_words(answer);
    add_text(p, reasoning, true);
    add_text(p, answer, false);
    if (*p->scenario->tool_name != '\0')
        add_tool(p);
    for (unsigned i = 0; i < p->choices; i++)
        add_delta(p, i, json_pack("{sssn}", "content", "", "reasoning_content"), finish_of(p));
    add_bytes(p, "data: [DONE]\n\n");
}

/* ---- events of Messages ---- */

static const char *stop_reason_of(const struct play *p)
{
    if (p->scenario->end == DEMO_LENGTH)
        return "max_tokens";
    return *p->scenario->tool_name != '\0' ? "tool_use" : "end_turn";
}

/* The whole message; without content: as it begins. Takes `content`. */
static json_t *make_whole(const struct play *p, json_t *content, const char *stop_reason)
{
    return json_pack("{sssssssssoss?sns{sisI}}", "id", "msg_demo", "type", "message", "role", "assistant", "model",
                     p->model, "content", content, "stop_reason", stop_reason, "stop_sequence", "usage", "input_tokens",
                     12, "output_tokens", p->words);
}

/* A block that gets its content in deltas. Takes `block`. */
static void add_block(struct play *p, int index, json_t *block, const char *type, const char *name, const char *text)
{
    add_event(p, json_pack("{sssiso}", "type", "content_block_start", "index", index, "content_block", block));
    for (size_t len; *text != '\0'; text += len) {
        len = piece_len(p, text);
        add_event(p, json_pack("{sssis{ssss%}}", "type", "content_block_delta", "index", index, "delta", "type", type,
                               name, text, len));
    }
    if (strcmp(name, "thinking") == 0)
        add_event(p, json_pack("{sssis{ssss}}", "type", "content_block_delta", "index", index, "delta", "type",
                               "signature_delta", "signature", "ZGVtbw=="));
    add_event(p, json_pack("{sssi}", "type", "content_block_stop", "index", index));
}

static void make_message_events(struct play *p, const char *reasoning, const char *answer)
{
    const struct demo_scenario *s = p->scenario;
    int index = 0;
    p->words = count_words(reasoning) + count_words(answer);
    add_event(p, json_pack("{ssso}", "type", "message_start", "message", make_whole(p, json_array(), NULL)));
    if (*reasoning != '\0')
        add_block(p, index++, json_pack("{ssssss}", "type", "thinking", "thinking", "", "signature", ""),
                  "thinking_delta", "thinking", reasoning);
    if (*answer != '\0')
        add_block(p, index++, json_pack("{ssss}", "type", "text", "text", ""), "text_delta", "text", answer);
    if (*s->tool_name != '\0')
        add_block(p, index,
                  json_pack("{sssssss{}}", "type", "tool_use", "id", "toolu_demo", "name", s->tool_name, "input"),
                  "input_json_delta", "partial_json", s->tool_arguments);
    add_event(p, json_pack("{sss{sssn}s{sI}}", "type", "message_delta", "delta", "stop_reason", stop_reason_of(p),
                           "stop_sequence", "usage", "output_tokens", p->words));
    add_event(p, json_pack("{ss}", "type", "message_stop"));
}

/* ---- making one body ---- */

static json_t *make_message(const struct play *p, const char *reasoning, const char *answer)
{
    json_t *message = json_pack("{ssssss}", "role", "assistant", "content", answer, "reasoning_content", reasoning);
    if (*p->scenario->tool_name != '\0')
        json_object_set_new(message, "tool_calls",
                            json_pack("[{sssss{ssss}}]", "id", "call_demo", "type", "function", "function", "name",
                                      p->scenario->tool_name, "arguments", p->scenario->tool_arguments));
    return message;
}

static json_t *make_message_body(struct play *p, const char *reasoning, const char *answer)
{
    json_t *content = json_array();
    if (*reasoning != '\0')
        json_array_append_new(
            content, json_pack("{ssssss}", "type", "thinking", "thinking", reasoning, "signature", "ZGVtbw=="));
    if (*answer != '\0')
        json_array_append_new(content, json_pack("{ssss}", "type", "text", "text", answer));
    if (*p->scenario->tool_name != '\0')
        json_array_append_new(content, json_pack("{ssssssso}", "type", "tool_use", "id", "toolu_demo", "name",
                                                 p->scenario->tool_name, "input",
                                                 json_loads(p->scenario->tool_arguments, 0, NULL)));
    return make_whole(p, content, stop_reason_of(p));
}

static json_t *make_chat_body(struct play *p, const char *reasoning, const char *answer)
{
    json_t *choices = json_array();
    for (unsigned i = 0; i < p->choices; i++)
        json_array_append_new(choices,
                              json_pack("{sisosnss}", "index", i, "message", make_message(p, reasoning, answer),
                                        "logprobs", "finish_reason", finish_of(p)));
    return json_pack("{sssssIsssoso}", "id", "chatcmpl-demo", "object", "chat.completion", "created",
                     (json_int_t)time(NULL), "model", p->model, "choices", choices, "usage", usage_of(p));
}

static void make_body(struct play *p, const char *reasoning, const char *answer)
{
    p->words = count_words(reasoning) + count_words(answer);
    json_t *tree = p->is_message ? make_message_body(p, reasoning, answer) : make_chat_body(p, reasoning, answer);
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    p->failed = text == NULL || buffer_add(&p->events, text, strlen(text), EVENTS_BYTES_MAX) < 0;
    free(text);
    json_decref(tree);
}

/* ---- sending ---- */

static void free_play(uv_handle_t *handle)
{
    struct play *p = handle->data;
    buffer_clear(&p->events);
    free(p);
}

static void on_play_closed(struct responder *responder, bool gone)
{
    struct play *p = (struct play *)responder;
    (void)gone;
    p->x = NULL;
    uv_close((uv_handle_t *)&p->timer, free_play);
}

/* One event, or one body: up to the blank line. */
static size_t event_len(const struct play *p)
{
    const char *from = p->events.data + p->at, *end = strstr(from, "\n\n");
    return end != NULL ? (size_t)(end - from) + 2 : p->events.len - p->at;
}

static void leave_off(struct play *p)
{
    static const char chat_error[] = "data: {\"error\":{\"message\":\"the demo "
                                     "failed\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n",
                      message_error[] = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","
                                        "\"message\":\"the demo failed\"}}\n\n";
    const char *error = p->is_message ? message_error : chat_error;
    uv_timer_stop(&p->timer);
    if (p->scenario->end == DEMO_STALLS)
        return;
    if (p->scenario->end == DEMO_BREAKS_OFF ||
        (p->scenario->end == DEMO_ERROR && exchange_write(p->x, error, strlen(error)) < 0))
        exchange_abort(p->x);
    else
        exchange_end(p->x);
}

static void send_events(struct play *p)
{
    while (p->x != NULL && p->at < p->end) {
        if (exchange_pending(p->x) > PENDING_MAX)
            return; /* on_drain, or the next tick */
        size_t len = event_len(p);
        if (exchange_write(p->x, p->events.data + p->at, len) < 0) {
            exchange_abort(p->x);
            return;
        }
        p->at += len;
        if (p->delay_ms > 0 && p->at < p->end)
            return;
    }
    if (p->x != NULL)
        leave_off(p);
}

static void on_timer(uv_timer_t *timer)
{
    send_events(timer->data);
}

static void on_drain(struct responder *responder)
{
    struct play *p = (struct play *)responder;
    if (p->delay_ms == 0)
        send_events(p);
}

static bool ends_halfway(const struct demo_scenario *s)
{
    return s->end == DEMO_BREAKS_OFF || s->end == DEMO_STALLS || s->end == DEMO_ERROR;
}

static void play_start(struct play *p, bool streamed)
{
    struct front_header headers[] = {{"content-type", streamed ? "text/event-stream" : "application/json"},
                                     {NULL, NULL}};
    if (p->failed || exchange_begin(p->x, 200, headers) < 0) {
        exchange_abort(p->x);
        return;
    }
    p->end = ends_halfway(p->scenario) ? p->events.len / 2 : p->events.len;
    if (!streamed)
        p->delay_ms = 0;
    if (p->scenario->first_ms + p->delay_ms > 0)
        uv_timer_start(&p->timer, on_timer, p->scenario->first_ms, p->delay_ms > 0 ? p->delay_ms : 10);
    else
        send_events(p);
}

static void play_refuse(struct exchange *x, unsigned status)
{
    struct front_header headers[] = {{"retry-after", "2"}, {NULL, NULL}};
    struct reply_error error = {
        .status = status, .type = "demo_error", .code = "demo", .message = "The demo answers with this status."};
    reply_error(x, &error, headers);
}

void demo_play(struct loop *loop, struct exchange *x, const struct demo_scenario *scenario,
               const struct demo_pace *pace, const json_t *request, const json_t *messages, bool is_message)
{
    bool guided = demo_is_guided(scenario, messages), streamed = json_is_true(json_object_get(request, "stream"));
    const char *reasoning = guided ? scenario->guided_reasoning : scenario->reasoning;
    const char *answer = guided ? scenario->guided_answer : scenario->answer;
    json_int_t n = json_integer_value(json_object_get(request, "n"));
    struct play *p = scenario->status < 400 ? calloc(1, sizeof *p) : NULL;
    if (p == NULL) {
        play_refuse(x, scenario->status < 400 ? 500 : scenario->status);
        return;
    }
    p->responder = (struct responder){on_drain, on_play_closed};
    p->x = x;
    p->scenario = scenario;
    p->is_message = is_message;
    p->model = json_string_value(json_object_get(request, "model"));
    p->chunk = pace->chunk != NULL ? pace->chunk : scenario->chunk;
    p->delay_ms = pace->delay_ms >= 0 ? (unsigned)pace->delay_ms : scenario->delay_ms;
    p->choices = n > 0 && n <= CHOICES_MAX ? (unsigned)n : 1;
    p->seed = (unsigned)strlen(reasoning) * 2654435761u;
    uv_timer_init(loop_uv(loop), &p->timer);
    p->timer.data = p;
    exchange_set_user(x, &p->responder);
    if (streamed && is_message)
        make_message_events(p, reasoning, answer);
    else if (streamed)
        make_events(p, reasoning, answer);
    else
        make_body(p, reasoning, answer);
    play_start(p, streamed);
}
