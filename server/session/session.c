/* See session.h: the life of a session, and what it does with each update of its trace.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/session_internal.h"

enum { LINGER_MS = 1000 }; /* how long to wait for the end of a transfer after its last event was read */

/* ---- states ---- */

bool session_is_sound(const struct session *s)
{
    bool answers = s->state == SESSION_CALLING || s->state == SESSION_ANSWERING;
    bool is_linked = (s->prev != NULL ? s->prev->next : s->env->first) == s && (s->next == NULL || s->next->prev == s);
    return is_linked && s->state <= SESSION_CLOSED && (s->x == NULL) == (s->state == SESSION_CLOSED) &&
           s->attempts_len <= s->attempts_max && (!s->begun || s->request->stream) &&
           (!s->lingering || session_is_over(s)) && (!s->paused || s->call != NULL) &&
           (!answers || (s->trace != NULL && s->attempts_len > 0)) &&
           (s->call == NULL || s->lingering || answers || s->state == SESSION_PLANNING) &&
           (s->correct_call == NULL || s->correct_until_ms != 0) && (s->questions == NULL || !session_is_over(s));
}

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

int64_t session_elapsed_us(const struct session *s)
{
    return (int64_t)(uv_hrtime() / 1000 - s->started_us);
}

/* ---- death ---- */

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
    session_correct_drop(s);
    buffer_clear(&s->answer);
    buffer_clear(&s->body);
    rein_trace_free(s->trace);
    request_free(s->request);
    config_unref(s->config);
    free(s->retry_after);
    free(s->upstream_error);
    free(s->shown);
    if (s->attempts != s->few)
        free(s->attempts);
    free(s);
}

/* The exchange is gone, the store has answered, the upstream is done. Freed at the end of the turn: callers may still
 * hold the session. */
void session_maybe_free(struct session *s)
{
    if (s->state != SESSION_CLOSED || s->puts > 0 || s->call != NULL)
        return;
    s->puts = SIZE_MAX; /* once */
    s->death = (struct loop_task){.fn = destroy, .ctx = s};
    loop_defer(s->env->loop, &s->death);
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
    struct front_header headers[SESSION_HEADERS_MAX];
    session_headers(s, true, headers);
    return exchange_begin(s->x, 200, headers);
}

/* Bytes for the client: written at once in a stream, collected for an answer that is not streamed. */
static int emit(struct session *s, const char *data, size_t len)
{
    if (!s->request->stream)
        return buffer_add(&s->answer, data, len, BUFFER_NO_LIMIT);
    int rv = session_begin(s);
    if (rv < 0)
        return rv;
    note_write(s);
    rv = exchange_write(s->x, data, len);
    exchange_flush(s->x); /* one read of the upstream gives one piece: send it while it is in the cache */
    return rv;
}

/* Gives the collected answer to the client, with its memory. */
static void reply_whole(struct session *s)
{
    struct front_header headers[SESSION_HEADERS_MAX];
    char *text = s->answer.data != NULL ? s->answer.data : calloc(1, 1);
    size_t len = s->answer.len;
    s->answer = (struct buffer){0};
    session_headers(s, false, headers);
    reply_text(s->x, s->status, text, len, headers);
}

/* The last thing a client gets: the whole answer, or the end of its stream. */
static void say_goodbye(struct session *s)
{
    note_write(s);
    if (!s->begun)
        reply_whole(s);
    else if (s->answer.len > 0 && exchange_write(s->x, s->answer.data, s->answer.len) < 0)
        exchange_abort(s->x);
    else
        exchange_end(s->x);
}

static void log_lost_row(const struct session *s, int rv)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_ERROR, "session", "the last row of request %s was not stored: %s", s->id.text,
                rein_strerror(rv));
}

static void on_last_row(void *ctx, int rv)
{
    struct session *s = ctx;
    assert(session_is_sound(s) && s->puts > 0);
    s->puts--;
    if (rv < 0)
        log_lost_row(s, rv);
    if (s->state == SESSION_CLOSED)
        session_maybe_free(s);
    else
        say_goodbye(s);
}

/* A client must not see the end of an answer whose row could still be lost. */
void session_part(struct session *s)
{
    session_move(s, SESSION_ENDING);
    session_judges_leave(s);
    if (!s->lingering)
        session_cancel_call(s, "cancelled");
    if (s->row_final) {
        say_goodbye(s);
        return;
    }
    s->row_final = true;
    int rv = session_put(s, true, on_last_row);
    if (rv < 0) {
        s->puts++; /* as the callback would */
        on_last_row(s, rv);
    }
}

/* The error replaces an answer that is not streamed; a stream ends with it as an event. */
static int write_error(struct session *s, const struct reply_error *error)
{
    size_t (*write)(const struct reply_error *, char *, size_t) = s->begun ? s->api->error_event : s->api->error_text;
    size_t len = write(error, NULL, 0);
    char *text = malloc(len + 1);
    buffer_clear(&s->answer);
    if (text == NULL)
        return REIN_ENOMEM;
    (void)write(error, text, len + 1);
    s->answer = (struct buffer){.data = text, .len = len, .cap = len + 1};
    return 0;
}

/* The policy may want a refused prompt answered with an error object instead of a reply. */
static bool is_error_object(const struct session *s)
{
    return s->prompt_refused && (s->api->is_data || !s->policy->refusal.reply_before_first_byte);
}

/* The status of an answer whose end the trace knows. */
static unsigned final_status(struct session *s)
{
    enum rein_ending ending = rein_trace_decision(s->trace)->ending;
    if (is_error_object(s))
        return s->api->refusal.status;
    return !s->begun && !s->request->stream && (ending == REIN_UPSTREAM_BROKE || ending == REIN_OVERFLOW) ? 502 : 200;
}

/* The trace has released everything: the answer is complete. */
static void finish(struct session *s)
{
    s->status = final_status(s);
    if (is_error_object(s)) {
        struct reply_error error = s->api->refusal;
        error.message = rein_trace_refusal(s->trace);
        if (write_error(s, &error) < 0)
            exchange_abort(s->x);
    } else if (s->request->stream && session_begin(s) < 0) {
        exchange_abort(s->x);
    }
    /* The last event was read and the end of the transfer is near: a connection that ends properly can be kept. */
    s->lingering = s->call != NULL && rein_trace_decision(s->trace)->ending == REIN_COMPLETE;
    if (!session_is_over(s))
        session_part(s);
}

void session_fail_with(struct session *s, const struct reply_error *error, const char *ending)
{
    if (session_is_over(s))
        return;
    s->ending = ending;
    s->row_final = false;
    if (!s->begun)
        s->status = error->status;
    if (write_error(s, error) < 0)
        exchange_abort(s->x);
    if (!session_is_over(s))
        session_part(s);
}

void session_fail(struct session *s, unsigned status, const char *code, const char *message, const char *ending)
{
    enum reply_fault fault = status < 500                     ? REPLY_FAULT_CLIENT
                             : status == 502 || status == 504 ? REPLY_FAULT_UPSTREAM
                                                              : REPLY_FAULT_SERVER;
    session_fail_with(s, &(struct reply_error){.status = status, .fault = fault, .code = code, .message = message},
                      ending);
}

void session_fail_internal(struct session *s, int rv)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_ERROR, "session", "request %s: %s", s->id.text, rein_strerror(rv));
    session_fail(s, 500, "internal_error", "The request failed because of an internal error.", "failed");
}

/* ---- what the trace asks for ---- */

static void session_settle(struct session *s);

static void on_committed(void *ctx, int rv)
{
    struct session *s = ctx;
    struct rein_update update = {0};
    assert(session_is_sound(s) && s->puts > 0);
    s->puts--;
    s->committing = false;
    if (session_is_over(s)) {
        session_maybe_free(s);
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
        session_fail_internal(s, rv);
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
    if (known) {
        s->status = final_status(s);
        session_close_attempt(s, "whole");
    }
    int rv = session_put(s, known, on_committed);
    if (rv == 0) {
        s->row_final = known;
        return;
    }
    s->puts++; /* as the callback would */
    on_committed(s, rv);
}

/* While a stream waits for the store, or for judges, it holds what arrives: the upstream is paused before that becomes
 * much. */
static void balance(struct session *s, size_t held)
{
    if (s->call == NULL || session_is_over(s))
        return;
    bool waits = s->committing || s->questions != NULL;
    bool full = exchange_pending(s->x) > s->env->write_high || (waits && held > s->policy->stream_max_bytes / 2);
    if (full && !s->paused)
        upstream_pause(s->call);
    else if (!full && s->paused)
        upstream_resume(s->call);
    s->paused = full;
}

/* An end waits for its commit. A restart does not: store and upstream work at the same time, and nothing of the new
 * attempt reaches the client before the commit. */
static void session_settle(struct session *s)
{
    if (session_is_over(s))
        return;
    if (s->restart_due) {
        s->restart_due = false;
        session_restart(s);
    } else if (s->end_due && !s->committing) {
        finish(s);
    }
}

void session_act(struct session *s, const struct rein_update *update)
{
    assert(session_is_sound(s));
    if (session_is_over(s))
        return;
    if (update->out_len > 0 && !is_error_object(s)) {
        int rv = emit(s, update->out, update->out_len);
        if (rv < 0) {
            session_fail_internal(s, rv);
            return;
        }
    }
    size_t held = update->held;
    bool restarts = (update->asks & REIN_ASK_RESTART) != 0;
    if (restarts && session_correct_start(s))
        restarts = false;
    else if (update->asks & REIN_ASK_STOP)
        session_cancel_call(s, restarts ? "steered" : "stopped");
    if (update->asks & REIN_ASK_STOP)
        session_judges_drop(s);
    int rv = update->asks & REIN_ASK_JUDGE ? session_judges_ask(s) : 0;
    if (rv < 0) {
        session_fail_internal(s, rv);
        return;
    }
    s->restart_due = s->restart_due || restarts;
    s->end_due = s->end_due || (update->asks & REIN_ASK_END) != 0;
    if (update->asks & REIN_ASK_COMMIT)
        commit(s);
    session_settle(s);
    balance(s, held);
    assert(session_is_sound(s));
}

/* ---- what happens from outside ---- */

void session_on_drain(struct responder *responder)
{
    balance((struct session *)responder, 0);
}

void session_on_closed(struct responder *responder, bool gone)
{
    struct session *s = (struct session *)responder;
    assert(session_is_sound(s));
    session_correct_drop(s);
    session_judges_leave(s);
    if (gone || !s->lingering)
        session_cancel_call(s, "client_left");
    if (gone && !session_is_over(s)) {
        s->ending = "client_left";
        s->row_final = false;
    }
    session_move(s, SESSION_CLOSED);
    session_meter_end(s, gone);
    s->x = NULL;
    int rv = session_row_stands(s) ? 0 : session_put(s, true, NULL);
    if (rv < 0)
        log_lost_row(s, rv);
    assert(session_is_sound(s));
    session_maybe_free(s);
}

/* A comment needs the head of the stream before it. So a stream whose upstream is silent for a while begins before the
 * outcome is known; if the call then fails, the stream ends with an error event. */
static void keep_alive_session(struct session *s, uint64_t now)
{
    bool waits = s->state <= SESSION_CALLING && s->request != NULL;
    if (!s->begun && !(waits && s->request->stream))
        return;
    int rv = session_begin(s);
    s->last_write_ms = now;
    if (rv < 0)
        session_fail_internal(s, rv);
    else if (exchange_write(s->x, s->api->keep_alive, strlen(s->api->keep_alive)) < 0)
        exchange_abort(s->x);
}

static void tick(struct session *s, uint64_t now)
{
    assert(session_is_sound(s));
    uint64_t silent_ms = now - s->last_write_ms;
    session_correct_tick(s, now);
    if (s->lingering && s->call != NULL && silent_ms >= LINGER_MS) {
        session_cancel_call(s, "whole");
        session_maybe_free(s);
    }
    if (!session_is_over(s) && exchange_pending(s->x) == 0 && silent_ms >= s->config->timeouts.keep_alive_ms)
        keep_alive_session(s, now);
    assert(session_is_sound(s));
}

void session_tick_all(struct session_env *env)
{
    uint64_t now = loop_now_ms(env->loop);
    for (struct session *s = env->first, *next; s != NULL; s = next) {
        next = s->next;
        tick(s, now);
    }
}

void session_cut_all(struct session_env *env)
{
    for (struct session *s = env->first, *next; s != NULL; s = next) {
        next = s->next;
        session_cancel_call(s, "cancelled");
        session_fail(s, 503, "shutting_down", "The server is shutting down.", "shutdown");
        session_maybe_free(s);
    }
}
