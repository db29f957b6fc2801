/* The upstream's side of a session: its calls, and what comes back. Which calls is session_plan.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/media_type.h"
#include "session/session_internal.h"
#include "upstream/retry_after.h"

/* ---- attempts ---- */

struct store_attempt *session_attempt(struct session *s)
{
    return s->attempts_len > 0 ? &s->attempts[s->attempts_len - 1] : NULL;
}

void session_open_attempt(struct session *s)
{
    assert(s->attempts_len < s->attempts_max);
    struct store_attempt *attempt = &s->attempts[s->attempts_len++];
    *attempt = (struct store_attempt){
        .template_name = s->plan.attempt.delivery == REIN_DELIVER_OFF ? ""
                         : s->attempts_len == 1                       ? s->policy->prefix.template_name
                                                                      : "corrective",
        .delivery = s->plan.attempt.delivery,
        .reason = s->plan.reason,
        .started_us = session_elapsed_us(s),
        .first_byte_us = -1,
        .ended_us = -1,
        .outcome = "running",
        .may_continue = s->plan.attempt.may_continue,
        .choices = s->request->choices,
    };
}

void session_close_attempt(struct session *s, const char *outcome)
{
    struct store_attempt *attempt = session_attempt(s);
    if (attempt == NULL || attempt->ended_us >= 0)
        return;
    attempt->ended_us = session_elapsed_us(s);
    attempt->outcome = outcome;
}

void session_cancel_call(struct session *s, const char *outcome)
{
    session_correct_drop(s);
    if (s->call == NULL)
        return;
    upstream_cancel(s->call);
    s->call = NULL;
    s->paused = false;
    if (!s->plan_call)
        session_close_attempt(s, outcome);
}

/* A first attempt that cannot be made is an error; after a steer the policy's fallback is taken. */
void session_lose_attempt(struct session *s, unsigned status, const char *code, const char *message, const char *ending)
{
    if (s->trace != NULL && rein_trace_decision(s->trace)->attempts > 0) {
        struct rein_update update = {0};
        if (rein_trace_give_up(s->trace, &update) == 0) {
            session_act(s, &update);
            return;
        }
    }
    session_fail(s, status, code, message, ending);
}

/* ---- how a transfer ends ---- */

struct end_words {
    unsigned status;
    enum upstream_error error;
    const char *outcome, *code, *message;
};

static const struct end_words *words_of(enum upstream_end end)
{
    static const struct end_words words[] = {
        [UPSTREAM_WHOLE] = {502, UPSTREAM_ERROR_MALFORMED, "whole", "upstream_empty",
                            "The upstream ended without an answer."},
        [UPSTREAM_NO_CONNECT] = {502, UPSTREAM_ERROR_CONNECT, "no_connect", "upstream_unreachable",
                                 "The upstream cannot be reached."},
        [UPSTREAM_TIMEOUT] = {504, UPSTREAM_ERROR_TIMEOUT, "timeout", "upstream_timeout",
                              "The upstream did not answer in time."},
        [UPSTREAM_BROKE] = {502, UPSTREAM_ERROR_BROKE, "broke", "upstream_broke",
                            "The upstream ended the connection before its answer was complete."},
        [UPSTREAM_MALFORMED] = {502, UPSTREAM_ERROR_MALFORMED, "malformed", "upstream_malformed",
                                "The upstream sent a response that is not valid HTTP."},
        [UPSTREAM_TOO_LARGE] = {502, UPSTREAM_ERROR_TOO_LARGE, "too_large", "upstream_too_large",
                                "The upstream's answer is too large."},
    };
    return &words[end];
}

/* ---- the upstream's callbacks ---- */

static bool is_expected(const struct session *s, const char *type)
{
    return media_type_is(type, s->request->stream ? s->api->stream_type : "application/json") ||
           (s->plan.may_be_lines && media_type_is(type, "application/x-ndjson"));
}

static void answer_begins(struct session *s)
{
    s->plan.attempt.prefix = s->plan.attempt.delivery == REIN_DELIVER_OFF ? "" : s->plan.prefix;
    if (s->plan.attempt.open == NULL && s->plan.attempt.close == NULL) {
        s->plan.attempt.open = s->route->upstream->open;
        s->plan.attempt.close = s->route->upstream->close;
    }
    /* A check found how a prefilled turn begins; for other turns the operator's config says it. */
    if (s->plan.attempt.delivery != REIN_DELIVER_PREFILL)
        s->plan.attempt.opened = s->route->upstream->opened;
    /* Delimiters that the operator has named say that there is inline reasoning. */
    bool has_tags = s->plan.attempt.open != NULL || s->plan.attempt.close != NULL;
    s->plan.attempt.is_apart = s->backend != NULL && s->backend->tells_apart && !has_tags;
    int rv = s->api->is_data ? 0 : rein_trace_attempt(s->trace, &s->plan.attempt);
    session_move(s, SESSION_ANSWERING);
    if (rv == 0 && s->request->stream)
        rv = session_begin(s);
    if (rv < 0)
        session_fail_internal(s, rv);
}

static void on_call_head(void *ctx, const struct upstream_response *response)
{
    struct session *s = ctx;
    assert(session_is_sound(s));
    s->call_status = response->status;
    if (s->plan_call)
        return;
    session_attempt(s)->first_byte_us = session_elapsed_us(s);
    if (s->upstream_first_byte_us < 0)
        s->upstream_first_byte_us = session_attempt(s)->first_byte_us;
    session_attempt(s)->status = response->status;
    free(s->retry_after);
    bool waits = response->status >= 400 && response->retry_after != NULL;
    s->retry_after = waits && retry_after_is_valid(response->retry_after) ? strdup(response->retry_after) : NULL;
    if (response->status != 200)
        return;
    s->call_unexpected = !is_expected(s, response->content_type);
    if (!s->call_unexpected) {
        answer_begins(s);
        return;
    }
    /* Usually an error with a success status: a client that reads events would see an empty answer. */
    session_cancel_call(s, "malformed");
    session_lose_attempt(s, 502, "upstream_malformed", "The upstream's answer has an unexpected content type.",
                         "upstream_error");
}

/* What the plan's filters made of the response's bytes. */
static void take_filtered(struct session *s, const struct stream_piece *piece)
{
    struct rein_update update = {0};
    if (piece->turn == STREAM_LOST) {
        session_correct_give_up(s, piece->why);
        return;
    }
    int rv = piece->turn == STREAM_CORRECTED ? session_correct_take(s) : 0;
    if (rv == 0 && piece->len == 0)
        return;
    if (rv == 0)
        rv = rein_trace_feed(s->trace, piece->data, piece->len, &update);
    if (rv < 0)
        session_fail_internal(s, rv);
    else
        session_act(s, &update);
}

static void on_call_data(void *ctx, const char *data, size_t len)
{
    struct session *s = ctx;
    assert(session_is_sound(s));
    if (s->lingering)
        return;
    if (s->state != SESSION_ANSWERING) {
        /* Bytes over the limit are not needed: an error's type is at its beginning, and a plan's reply is then refused.
         */
        size_t limit = s->plan_call ? s->config->limits.upstream_body_bytes : SESSION_ERROR_BODY_MAX;
        if (buffer_add(&s->body, data, len, limit) < 0)
            s->call_unexpected = true;
        return;
    }
    if (s->api->is_data) {
        session_data_feed(s, data, len);
        return;
    }
    struct stream_piece piece = {.data = data, .len = len};
    int rv = stream_filters_feed(s->plan.filters, &piece);
    if (rv < 0)
        session_fail_internal(s, rv);
    else
        take_filtered(s, &piece);
}

static void end_plan_call(struct session *s, enum upstream_end end)
{
    bool good = end == UPSTREAM_WHOLE && !s->call_unexpected && s->body.len > 0;
    json_t *body = good ? json_loadb(s->body.data, s->body.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct backend_reply reply = {.status = end == UPSTREAM_WHOLE ? s->call_status : 0, .body = body};
    session_take_step(s, &reply);
    json_decref(body);
}

static void end_answer(struct session *s, bool whole, const char *message)
{
    struct rein_update update = {0};
    struct stream_piece last = {0};
    int rv = stream_filters_end(s->plan.filters, whole, &last);
    if (rv == 0)
        take_filtered(s, &last);
    if (session_is_over(s) || s->state != SESSION_ANSWERING)
        return;
    /* An unreadable body counts as no body. */
    if (rv == 0 || rv == REIN_EFORMAT)
        rv = rein_trace_finish(s->trace, whole && rv == 0, message, &update);
    if (rv < 0)
        session_fail_internal(s, rv);
    else
        session_act(s, &update);
}

static void on_call_end(void *ctx, enum upstream_end end, const char *message)
{
    struct session *s = ctx;
    const struct end_words *words = words_of(end);
    assert(session_is_sound(s));
    s->call = NULL;
    s->paused = false;
    if (s->lingering) {
        session_maybe_free(s);
        return;
    }
    if (end != UPSTREAM_WHOLE) {
        static struct log_limit
            limits[UPSTREAM_TOO_LARGE + 1]; /* so that many failures of one kind do not hide another kind */
        log_limited(&limits[end], LOG_WARN, "upstream", "request %s: %s", s->id.text, message);
        session_meter_error(s, words->error);
    }
    if (!s->plan_call)
        session_close_attempt(s, words->outcome);
    if (s->plan_call)
        end_plan_call(s, end);
    else if (s->state == SESSION_ANSWERING && s->api->is_data && end == UPSTREAM_WHOLE)
        session_data_end(s);
    else if (s->state == SESSION_ANSWERING && s->api->is_data)
        session_fail(s, words->status, words->code, words->message, "upstream_broke");
    else if (s->state == SESSION_ANSWERING)
        end_answer(s, end == UPSTREAM_WHOLE, words->message);
    else if (s->call_status != 0 && (end == UPSTREAM_WHOLE || s->call_status != 200))
        session_answer_error(s);
    else
        session_lose_attempt(s, words->status, words->code, words->message, "upstream_error");
    assert(session_is_sound(s));
}

/* ---- making a call ---- */

static int start_call(struct session *s, struct upstream_call **out, const char *method, const char *path,
                      struct rein_source body, const char *accept, const struct upstream_handler *handler)
{
    const struct config_upstream *upstream = s->route->upstream;
    struct upstream_header headers[6 + API_HEADERS_MAX];
    char traceparent[TRACEPARENT_LEN + 1];
    unsigned char span[SPAN_LEN];
    size_t n = 0;
    headers[n++] = (struct upstream_header){"content-type", "application/json"};
    headers[n++] = (struct upstream_header){"accept", accept};
    headers[n++] = (struct upstream_header){s->api->request_id_header, s->request_id};
    if (upstream->authorization != NULL)
        headers[n++] = s->api->upstream_key(upstream);
    if (s->ids.is_set) {
        memcpy(span, s->ids.span, SPAN_LEN);
        if (s->env->telemetry != NULL)
            trace_ids_attempt(&s->ids, s->attempts_len > 0 ? (unsigned)s->attempts_len - 1 : 0, span);
        trace_ids_print(&s->ids, span, traceparent);
        headers[n++] = (struct upstream_header){"traceparent", traceparent};
    }
    for (const struct api_header *passed = s->api->passed_headers; passed->name != NULL; passed++) {
        const char *value = exchange_header(s->x, passed->name);
        if (value != NULL || passed->otherwise != NULL)
            headers[n++] = (struct upstream_header){passed->name, value != NULL ? value : passed->otherwise};
    }
    headers[n] = (struct upstream_header){NULL, NULL};
    struct upstream_request request = {
        .method = method,
        .url = upstream->url,
        .path = path,
        .reach = &upstream->reach,
        .headers = headers,
        .body = body.text,
        .body_len = body.len,
        .connect_ms = s->config->timeouts.connect_ms,
        .first_byte_ms = s->config->timeouts.first_byte_ms,
        .idle_ms = s->config->timeouts.idle_ms,
        .body_max = s->config->limits.upstream_body_bytes,
    };
    buffer_clear(&s->body);
    return upstream_start(out, s->env->pool, &request, handler, s);
}

static int call(struct session *s, const char *method, const char *path, struct rein_source body)
{
    static const struct upstream_handler handler = {on_call_head, on_call_data, on_call_end};
    const char *accept = s->request->stream && !s->plan_call ? s->api->stream_type : "application/json";
    s->call_status = 0;
    s->call_unexpected = false;
    return start_call(s, &s->call, method, path, body, accept, &handler);
}

int session_send(struct session *s, struct upstream_call **out, const char *path, const char *text,
                 const struct upstream_handler *handler)
{
    struct rein_source body = {.text = text, .len = strlen(text)};
    return start_call(s, out, "POST", path, body, "application/json", handler);
}

/* Takes `text`. NULL: out of memory. */
static int call_with(struct session *s, const char *path, char *text)
{
    if (text == NULL)
        return REIN_ENOMEM;
    int rv = call(s, "POST", path, (struct rein_source){.text = text, .len = strlen(text)});
    free(text);
    return rv;
}

static int send_plan(struct session *s)
{
    if (s->plan.body != NULL)
        return call_with(s, s->plan.path, json_dumps(s->plan.body, JSON_COMPACT));
    if (s->request->stream || s->request->cuts_len > 0) /* what every stream needs is added, what was removed is not */
        return call_with(s, s->plan.path, s->api->sent_text(s->request));
    return call(s, "POST", s->plan.path, s->request->sent);
}

/* Frees what only the beginning of the call needed: thousands of open streams would keep it for nothing. */
static void shed(struct session *s)
{
    request_shed(s->request);
    json_decref(s->plan.body);
    s->plan.body = NULL;
}

void session_call(struct session *s)
{
    s->plan_call = false;
    if (session_may_correct(s))
        s->backend->arm(&s->plan, s->policy->steer.corrective);
    session_open_attempt(s);
    session_move(s, SESSION_CALLING);
    if (send_plan(s) < 0) {
        session_close_attempt(s, "no_connect");
        session_lose_attempt(s, 502, "upstream_unreachable", "The upstream cannot be called.", "upstream_error");
        return;
    }
    shed(s);
}

void session_call_for_plan(struct session *s)
{
    s->plan_call = true;
    const struct backend_call *wanted = &s->plan.call;
    int rv = wanted->body != NULL ? call_with(s, wanted->path, json_dumps(wanted->body, JSON_COMPACT))
                                  : call(s, wanted->method, wanted->path, (struct rein_source){0});
    if (rv < 0)
        session_take_step(s, &(struct backend_reply){0});
}
