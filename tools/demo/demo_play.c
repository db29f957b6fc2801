/* See demo_play.h. Events have the shape that DeepSeek's API sends: both text fields in every delta, one of them null,
 * and the usage in the last event.
 * SPDX-License-Identifier: Apache-2.0
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
    const char *model, *chunk;
    unsigned choices, seed;
    json_int_t words;
    bool failed;
};

/* ---- making events ---- */

static void add_event(struct play *p, json_t *tree)
{
    char *text = tree != NULL ? json_dumps(tree, JSON_COMPACT) : NULL;
    p->failed = p->failed || text == NULL || buffer_add(&p->events, "data: ", 6, EVENTS_BYTES_MAX) < 0 ||
                buffer_add(&p->events, text, strlen(text), EVENTS_BYTES_MAX) < 0 ||
                buffer_add(&p->events, "\n\n", 2, EVENTS_BYTES_MAX) < 0;
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
    p->failed = p->failed || buffer_add(&p->events, "data: [DONE]\n\n", 14, EVENTS_BYTES_MAX) < 0;
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

static void make_body(struct play *p, const char *reasoning, const char *answer)
{
    p->words = count_words(reasoning) + count_words(answer);
    json_t *choices = json_array();
    for (unsigned i = 0; i < p->choices; i++)
        json_array_append_new(choices,
                              json_pack("{sisosnss}", "index", i, "message", make_message(p, reasoning, answer),
                                        "logprobs", "finish_reason", finish_of(p)));
    json_t *tree = json_pack("{sssssIsssoso}", "id", "chatcmpl-demo", "object", "chat.completion", "created",
                             (json_int_t)time(NULL), "model", p->model, "choices", choices, "usage", usage_of(p));
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
    static const char error[] = "data: {\"error\":{\"message\":\"the demo "
                                "failed\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";
    uv_timer_stop(&p->timer);
    if (p->scenario->end == DEMO_STALLS)
        return;
    if (p->scenario->end == DEMO_BREAKS_OFF ||
        (p->scenario->end == DEMO_ERROR && exchange_write(p->x, error, sizeof error - 1) < 0))
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
               const struct demo_pace *pace, const json_t *request)
{
    const json_t *messages = json_object_get(request, "messages");
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
    p->model = json_string_value(json_object_get(request, "model"));
    p->chunk = pace->chunk != NULL ? pace->chunk : scenario->chunk;
    p->delay_ms = pace->delay_ms >= 0 ? (unsigned)pace->delay_ms : scenario->delay_ms;
    p->choices = n > 0 && n <= CHOICES_MAX ? (unsigned)n : 1;
    p->seed = (unsigned)strlen(reasoning) * 2654435761u;
    uv_timer_init(loop_uv(loop), &p->timer);
    p->timer.data = p;
    exchange_set_user(x, &p->responder);
    if (streamed)
        make_events(p, reasoning, answer);
    else
        make_body(p, reasoning, answer);
    play_start(p, streamed);
}
