/* See session.h: the life of a session, and what it does with each update of its trace.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "session_internal.h"

static const char keep_alive[] = ": keep-alive\n\n";

/* ---- states ---- */

void session_move(struct session *s, enum session_state to)
{
    static const unsigned allowed[] = {
        [SESSION_JUDGING] = 1u << SESSION_PLANNING | 1u << SESSION_ENDING | 1u << SESSION_CLOSED,
        [SESSION_PLANNING] = 1u << SESSION_CALLING | 1u << SESSION_ENDING | 1u << SESSION_CLOSED,
        [SESSION_CALLING] = 1u << SESSION_ANSWERING | 1u << SESSION_ENDING | 1u << SESSION_CLOSED,
        [SESSION_ANSWERING] = 1u << SESSION_PLANNING | 1u << SESSION_ENDING | 1u << SESSION_CLOSED,
        [SESSION_ENDING] = 1u << SESSION_CLOSED,
        [SESSION_CLOSED] = 0,
    };
    assert((allowed[s->state] & 1u << to) != 0);
    s->state = to;
}

static bool is_over(const struct session *s)
{
    return s->state >= SESSION_ENDING;
}

int64_t session_elapsed_us(const struct session *s)
{
    return (int64_t)(uv_hrtime() / 1000 - s->started_us);
}

/* ---- birth and death ---- */

static void link_in(struct session *s)
{
    s->next = s->env->first;
    if (s->next != NULL)
        s->next->prev = s;
    s->env->first = s;
    s->env->count++;
}

static void link_out(struct session *s)
{
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        s->env->first = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    s->env->count--;
}

static void destroy(void *ctx)
{
    struct session *s = ctx;
    link_out(s);
    backend_plan_fini(&s->plan);
    gathered_clear(&s->answer);
    gathered_clear(&s->body);
    rein_trace_free(s->trace);
    request_free(s->request);
    config_unref(s->config);
    free(s->retry_after);
    free(s->shown);
    free(s);
}

/* The exchange is gone and the store has answered. Freed at the end of the turn: callers may still hold the session. */
static void maybe_destroy(struct session *s)
{
    if (s->state != SESSION_CLOSED || s->puts > 0)
        return;
    s->puts = SIZE_MAX; /* once */
    if (loop_defer(s->env->loop, destroy, s) < 0)
        destroy(s);
}

/* A client's own id is kept if it is fit for headers, logs and the database. */
static void take_request_id(struct session *s)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
    const char *theirs = exchange_header(s->x, "x-request-id");
    size_t len = theirs != NULL ? strlen(theirs) : 0;
    if (len == 0 || len > SESSION_REQUEST_ID_MAX || strspn(theirs, fit) != len)
        theirs = s->id.text;
    snprintf(s->request_id, sizeof s->request_id, "%s", theirs);
}

static void on_drain(struct responder *responder);
static void on_closed(struct responder *responder, bool gone);

static struct session *session_new(struct session_env *env, struct exchange *x, struct config *config, const char *key)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    s->responder = (struct responder){on_drain, on_closed};
    s->env = env;
    s->x = x;
    s->config = config_ref(config);
    s->started_at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    s->started_us = uv_hrtime() / 1000;
    s->upstream_first_byte_us = s->client_first_byte_us = -1;
    store_id_new(&s->id);
    snprintf(s->key, sizeof s->key, "%s", key != NULL ? key : "");
    take_request_id(s);
    link_in(s);
    exchange_set_user(x, &s->responder);
    session_meter_begin(s);
    return s;
}

/* ---- the client's side ---- */

static void note_write(struct session *s)
{
    if (s->client_first_byte_us < 0)
        s->client_first_byte_us = session_elapsed_us(s);
    s->last_write_ms = loop_now_ms(s->env->loop);
}

int session_begin(struct session *s)
{
    if (s->begun)
        return 0;
    s->begun = true;
    s->status = 200;
    metrics_add(s->env->meter, METRIC_OPEN_STREAMS, 1);
    s->last_write_ms = loop_now_ms(s->env->loop);
    return exchange_begin(s->x, 200, session_headers(s, true));
}

/* Bytes for the client: written at once if it gets a stream, gathered if it gets one body. */
static int emit(struct session *s, const char *data, size_t len)
{
    if (!s->request->stream)
        return gathered_add(&s->answer, data, len, SIZE_MAX / 4);
    int rv = session_begin(s);
    if (rv < 0)
        return rv;
    note_write(s);
    return exchange_write(s->x, data, len);
}

/* The last thing a client gets: the whole answer, or the end of its stream. */
static void say_goodbye(struct session *s)
{
    const char *data = s->answer.data != NULL ? s->answer.data : "";
    note_write(s);
    if (!s->begun)
        reply_text(s->x, s->status, data, s->answer.len, session_headers(s, false));
    else if (s->answer.len > 0 && exchange_write(s->x, data, s->answer.len) < 0)
        exchange_abort(s->x);
    else
        exchange_end(s->x);
}

static void on_last_row(void *ctx, int rv)
{
    struct session *s = ctx;
    s->puts--;
    if (rv < 0)
        log_error("session", "the last row of request %s was not stored: %s", s->id.text, rein_strerror(rv));
    if (s->state == SESSION_CLOSED)
        maybe_destroy(s);
    else
        say_goodbye(s);
}

/* No client sees the end of an answer whose row could still be lost. */
static void part(struct session *s)
{
    session_move(s, SESSION_ENDING);
    session_cancel_call(s, "cancelled");
    if (s->row_final) {
        say_goodbye(s);
        return;
    }
    s->row_final = true;
    int rv = session_put(s, true, on_last_row);
    if (rv < 0) {
        s->puts++; /* as if it had been called back */
        on_last_row(s, rv);
    }
}

/* The error takes the place of an unstreamed answer, and ends a stream as an event. */
static int write_error(struct session *s, const struct reply_error *error)
{
    char *text = reply_error_text(error);
    gathered_clear(&s->answer);
    int rv = text == NULL ? REIN_ENOMEM : 0;
    if (rv == 0 && s->begun)
        rv = gathered_add(&s->answer, "data: ", 6, SIZE_MAX / 4);
    if (rv == 0)
        rv = gathered_add(&s->answer, text, strlen(text), SIZE_MAX / 4);
    if (rv == 0 && s->begun)
        rv = gathered_add(&s->answer, "\n\n", 2, SIZE_MAX / 4);
    free(text);
    return rv;
}

/* The policy may want a refused prompt answered with an error object instead of a reply. */
static bool is_error_object(const struct session *s)
{
    return s->prompt_refused && !s->policy->refusal.reply_before_first_byte;
}

/* The status of an answer whose end the trace knows. */
static unsigned final_status(struct session *s)
{
    enum rein_ending ending = rein_trace_decision(s->trace)->ending;
    if (is_error_object(s))
        return 400;
    return !s->begun && !s->request->stream && (ending == REIN_UPSTREAM_BROKE || ending == REIN_OVERFLOW) ? 502 : 200;
}

/* What the trace released is all: the answer is complete. */
static void finish(struct session *s)
{
    s->status = final_status(s);
    if (is_error_object(s)) {
        struct reply_error error = {.status = 400,
                                    .type = "invalid_request_error",
                                    .code = "content_filter",
                                    .message = s->policy->refusal.message};
        if (write_error(s, &error) < 0)
            exchange_abort(s->x);
    } else if (s->request->stream && session_begin(s) < 0) {
        exchange_abort(s->x);
    }
    if (!is_over(s))
        part(s);
}

void session_fail_with(struct session *s, const struct reply_error *error, const char *ending)
{
    if (is_over(s))
        return;
    s->ending = ending;
    s->row_final = false;
    if (!s->begun)
        s->status = error->status;
    if (write_error(s, error) < 0)
        exchange_abort(s->x);
    if (!is_over(s))
        part(s);
}

void session_fail(struct session *s, unsigned status, const char *code, const char *message, const char *ending)
{
    const char *type = status < 500                     ? "invalid_request_error"
                       : status == 502 || status == 504 ? "upstream_error"
                                                        : "server_error";
    session_fail_with(s, &(struct reply_error){.status = status, .type = type, .code = code, .message = message},
                      ending);
}

static void fail_internal(struct session *s, int rv)
{
    log_error("session", "request %s: %s", s->id.text, rein_strerror(rv));
    session_fail(s, 500, "internal_error", "The request could not be handled.", "failed");
}

/* ---- what the trace asks for ---- */

static void settle(struct session *s);

static void on_committed(void *ctx, int rv)
{
    struct session *s = ctx;
    struct rein_update update = {0};
    s->puts--;
    s->committing = false;
    if (is_over(s)) {
        maybe_destroy(s);
        return;
    }
    if (rv < 0 && s->config->store.on_error == CONFIG_STORE_REFUSE) {
        session_fail(s, 503, "store_unavailable", "The decision could not be stored, so the answer is withheld.",
                     "store_failed");
        return;
    }
    if (s->commit_again) {
        session_act(s, &(struct rein_update){.asks = REIN_ASK_COMMIT});
        return;
    }
    rv = rein_trace_committed(s->trace, &update);
    if (rv < 0)
        fail_internal(s, rv);
    else
        session_act(s, &update);
}

static void commit(struct session *s)
{
    s->commit_again = s->committing;
    if (s->committing)
        return;
    bool known = rein_trace_decision(s->trace)->ending != REIN_OPEN;
    s->committing = true;
    if (known)
        s->status = final_status(s);
    int rv = session_put(s, known, on_committed);
    if (rv == 0) {
        s->row_final = known;
        return;
    }
    s->puts++; /* as if it had been called back */
    on_committed(s, rv);
}

/* A stream that waits for the store holds what arrives meanwhile: the upstream pauses before that becomes much. */
static void balance(struct session *s, size_t held)
{
    if (s->call == NULL || is_over(s))
        return;
    bool full =
        exchange_pending(s->x) > s->env->write_high || (s->committing && held > s->policy->stream_max_bytes / 2);
    if (full && !s->paused)
        upstream_pause(s->call);
    else if (!full && s->paused)
        upstream_resume(s->call);
    s->paused = full;
}

/* What had to wait for the commit. */
static void settle(struct session *s)
{
    if (s->committing || is_over(s))
        return;
    if (s->end_due) {
        finish(s);
    } else if (s->restart_due) {
        s->restart_due = false;
        session_restart(s);
    }
}

void session_act(struct session *s, const struct rein_update *update)
{
    if (is_over(s))
        return;
    if (update->out_len > 0 && !is_error_object(s)) {
        int rv = emit(s, update->out, update->out_len);
        if (rv < 0) {
            fail_internal(s, rv);
            return;
        }
    }
    size_t held = update->held;
    if (update->asks & REIN_ASK_STOP)
        session_cancel_call(s, update->asks & REIN_ASK_RESTART ? "steered" : "stopped");
    s->restart_due = s->restart_due || (update->asks & REIN_ASK_RESTART) != 0;
    s->end_due = s->end_due || (update->asks & REIN_ASK_END) != 0;
    if (update->asks & REIN_ASK_COMMIT)
        commit(s);
    settle(s);
    balance(s, held);
}

/* ---- the request ---- */

static int read_request(struct session *s)
{
    struct request_error err;
    int rv = request_parse(&s->request, exchange_body(s->x), &s->config->limits, &err);
    if (rv == 0) {
        s->route = config_route_for(s->config, s->request->model);
        if (s->route == NULL) {
            session_fail_with(s,
                              &(struct reply_error){.status = 404,
                                                    .type = "invalid_request_error",
                                                    .code = "model_not_found",
                                                    .param = "model",
                                                    .message = "No route serves this model."},
                              "rejected");
            return REIN_EFORMAT;
        }
        s->policy = rein_policy_settings(s->route->policy);
        s->backend = backend_find(s->route->upstream->kind);
        rv = request_check_fields(s->request, s->backend != NULL ? &s->backend->fields : NULL, &err);
    }
    if (rv == REIN_EFORMAT)
        session_fail_with(s,
                          &(struct reply_error){.status = 400,
                                                .type = "invalid_request_error",
                                                .code = err.code,
                                                .param = err.param,
                                                .message = err.message},
                          "rejected");
    else if (rv < 0)
        fail_internal(s, rv);
    return rv;
}

static int new_trace(struct session *s)
{
    char id[64];
    snprintf(id, sizeof id, "chatcmpl-%s", s->id.text);
    struct rein_trace_options options = {
        .policy = s->route->policy,
        .engine = s->env->engine,
        .dialect = REIN_OPENAI_CHAT,
        .streamed = s->request->stream,
        .choices = s->request->choices,
        .strip_usage = s->request->stream && !s->request->wants_usage,
        .model = s->request->model,
        .id = id,
        .created_s = s->started_at_us / 1000000,
    };
    return rein_trace_new(&s->trace, &options);
}

static void judge_prompt(struct session *s)
{
    struct rein_update update = {0};
    int rv = new_trace(s);
    if (rv == 0)
        rv = request_judge(s->request, s->trace);
    if (rv == 0)
        rv = rein_trace_prompt_end(s->trace, &update);
    if (rv < 0) {
        fail_internal(s, rv);
        return;
    }
    s->prompt_refused = (update.asks & REIN_ASK_STOP) != 0;
    session_act(s, &update);
    if (!s->prompt_refused && !is_over(s))
        session_plan(s);
}

void session_start(struct session_env *env, struct exchange *x, struct config *config, const char *key)
{
    struct session *s = session_new(env, x, config, key);
    if (s == NULL) {
        exchange_abort(x);
        return;
    }
    if (config->store.on_error == CONFIG_STORE_REFUSE && !store_is_healthy(env->store)) {
        metrics_add(env->meter, METRIC_STORE_REFUSED, 1);
        session_fail(s, 503, "store_unavailable", "Decisions can not be stored now, so no request is accepted.",
                     "rejected");
        return;
    }
    if (read_request(s) < 0)
        return;
    if (s->request->stream && !exchange_can_stream(x))
        session_fail(s, 400, "http_version", "A stream needs HTTP/1.1.", "rejected");
    else
        judge_prompt(s);
}

/* ---- what happens from outside ---- */

static void on_drain(struct responder *responder)
{
    balance((struct session *)responder, 0);
}

static void on_closed(struct responder *responder, bool gone)
{
    struct session *s = (struct session *)responder;
    session_cancel_call(s, "client_left");
    if (gone && !is_over(s)) {
        s->ending = "client_left";
        s->row_final = false;
    }
    session_move(s, SESSION_CLOSED);
    session_meter_end(s, gone);
    s->x = NULL;
    if (!s->row_final && session_put(s, true, NULL) < 0)
        log_error("session", "the last row of request %s was not stored", s->id.text);
    maybe_destroy(s);
}

void session_tick_all(struct session_env *env)
{
    uint64_t now = loop_now_ms(env->loop);
    for (struct session *s = env->first, *next; s != NULL; s = next) {
        next = s->next;
        if (!s->begun || is_over(s) || exchange_pending(s->x) > 0 ||
            now - s->last_write_ms < s->config->timeouts.keep_alive_ms)
            continue;
        s->last_write_ms = now;
        if (exchange_write(s->x, keep_alive, sizeof keep_alive - 1) < 0)
            exchange_abort(s->x);
    }
}

void session_cut_all(struct session_env *env)
{
    for (struct session *s = env->first, *next; s != NULL; s = next) {
        next = s->next;
        session_fail(s, 503, "shutting_down", "The server is shutting down.", "shutdown");
    }
}
