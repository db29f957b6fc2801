/* Calls: a request written, a response read, deadlines, and one more try on a fresh connection.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     start -> kept connection -> send -> read head -> read body -> whole (the connection is kept)
 *          `-> dial ----------'
 *
 * The peer may close a kept connection, or reset it, at any moment: while our request is on its way, or just after it
 * has read it. So when one ends before any byte of a response came, the request is sent once more, on a new connection:
 * other kept ones may be as stale. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/media_type.h"
#include "upstream/upstream_internal.h"

enum { READS_A_TURN = 16 };

/* The call waits, connects, or has a connection, never two of these. What was sent is a part of the request, and the
 * request exists until the first byte of a response has arrived. */
static bool upstream_call_is_sound(const struct upstream_call *call)
{
    return call->origin->users > 0 && !(call->conn && call->dial) && (!call->conn || call->conn->call == call) &&
           call->out_sent <= call->out_len && (call->out || http1_has_begun(&call->reader)) &&
           !(call->is_reused && call->is_retried) && (!call->in_due || call->pool->due_len > 0) &&
           (call->body_len == 0 || http1_has_begun(&call->reader));
}

static void go_on_later(struct upstream_call *call)
{
    struct upstream_pool *pool = call->pool;
    if (!call->in_due) {
        TAILQ_INSERT_TAIL(&pool->due, call, dues);
        pool->due_len++;
    }
    call->in_due = true;
    loop_kick(pool->loop);
}

void call_off_due(struct upstream_call *call)
{
    if (!call->in_due)
        return;
    TAILQ_REMOVE(&call->pool->due, call, dues);
    call->pool->due_len--;
    call->in_due = false;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct upstream_call *call = handle->data;
    struct upstream_pool *pool = call->pool;
    free(call->out);
    free(call);
    pool_handle_closed(pool);
}

/* Releases everything except the memory, which is freed when libuv has closed the timer. */
static void dispose(struct upstream_call *call)
{
    call_off_due(call);
    if (call->dial)
        dial_free(call->dial);
    call->dial = NULL;
    if (call->conn)
        conn_close(call->conn);
    origin_put(call->origin);
    uv_close((uv_handle_t *)&call->timer, on_timer_closed);
}

static void finish(struct upstream_call *call, enum upstream_end end, const char *message)
{
    assert(!call->is_over);
    call->is_over = true;
    if (call->conn && end != UPSTREAM_WHOLE)
        conn_close(call->conn);
    call->is_calling = true; /* a cancel in on_end has no effect */
    call->handler.on_end(call->ctx, end, message);
    dispose(call);
}

void upstream_cancel(struct upstream_call *call)
{
    if (call->is_over)
        return;
    call->is_over = true;
    if (call->conn)
        conn_close(call->conn);
    if (!call->is_calling)
        dispose(call);
}

/* Runs when a handler's function has returned; false: it cancelled the call, which is freed. */
static bool survived(struct upstream_call *call)
{
    call->is_calling = false;
    if (!call->is_over)
        return true;
    dispose(call);
    return false;
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

static unsigned limit_of(const struct upstream_call *call)
{
    if (!call->conn)
        return call->connect_ms;
    return http1_has_begun(&call->reader) ? call->idle_ms : call->first_byte_ms;
}

static void on_timer(uv_timer_t *timer);

/* Activity only moves since_ms; the timer examines it when it fires, so an event costs nothing here. */
static void arm(struct upstream_call *call)
{
    uint64_t spent = loop_now_ms(call->pool->loop) - call->since_ms, limit = limit_of(call);
    bool stands_still = call->is_paused && call->conn;
    if (limit > 0 && !stands_still)
        uv_timer_start(&call->timer, on_timer, limit > spent ? limit - spent : 1, 0);
    else
        uv_timer_stop(&call->timer);
}

static void on_timer(uv_timer_t *timer)
{
    struct upstream_call *call = timer->data;
    unsigned limit = limit_of(call);
    if (loop_now_ms(call->pool->loop) - call->since_ms < limit) {
        arm(call);
        return;
    }
    char message[ORIGIN_SIZE + 64];
    const char *what = !call->conn ? "no connection" : http1_has_begun(&call->reader) ? "silence" : "no answer";
    snprintf(message, sizeof message, "%s: %s for %u ms", call->origin->key, what, limit);
    finish(call, call->conn ? UPSTREAM_TIMEOUT : UPSTREAM_NO_CONNECT, message);
}

static void touch(struct upstream_call *call)
{
    call->since_ms = loop_now_ms(call->pool->loop);
}

/* ---- once more --------------------------------------------------------------------------------------------------- */

static int call_dial(struct upstream_call *call)
{
    int rv = dial_start(call);
    touch(call);
    arm(call);
    return rv;
}

static void call_retry(struct upstream_call *call)
{
    call->is_reused = false;
    call->is_retried = true;
    call->is_broken = false;
    call->out_sent = 0;
    http1_init(&call->reader, call->reader.is_head_request);
    conn_close(call->conn);
    if (call_dial(call) < 0)
        finish(call, UPSTREAM_NO_CONNECT, "out of memory");
}

/* The connection has ended before the response did. */
static void broke(struct upstream_call *call, const char *message)
{
    assert(upstream_call_is_sound(call));
    if (call->is_reused && !http1_has_begun(&call->reader))
        call_retry(call);
    else
        finish(call, UPSTREAM_BROKE, message);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool is_event_stream(const char *content_type)
{
    return media_type_is(content_type, "text/event-stream") || media_type_is(content_type, "application/x-ndjson");
}

static bool hand_on_head(struct upstream_call *call)
{
    struct http1_reader *r = &call->reader;
    struct upstream_response response = {r->status, r->content_type, r->retry_after[0] ? r->retry_after : NULL,
                                         r->decision[0] ? r->decision : NULL};
    call->is_stream = is_event_stream(r->content_type);
    if (!call->is_stream && call->body_max > 0 && r->body == HTTP1_LENGTH && r->length > call->body_max) {
        finish(call, UPSTREAM_TOO_LARGE, "the response is too large");
        return false;
    }
    call->is_calling = true;
    call->handler.on_head(call->ctx, &response);
    return survived(call);
}

static bool hand_on(struct upstream_call *call, const char *data, size_t len)
{
    if (len == 0)
        return true;
    call->body_len += len;
    if (!call->is_stream && call->body_max > 0 && call->body_len > call->body_max) {
        finish(call, UPSTREAM_TOO_LARGE, "the response is too large");
        return false;
    }
    call->is_calling = true;
    call->handler.on_data(call->ctx, data, len);
    return survived(call);
}

static void whole(struct upstream_call *call, bool has_rest)
{
    if (call->reader.keep_alive && !has_rest && !call->out && !call->is_paused)
        conn_keep(call->conn);
    else if (call->conn)
        conn_close(call->conn);
    finish(call, UPSTREAM_WHOLE, "");
}

/* Hands on what was read; false: the call has ended. Chunks are moved together, so that a burst is handed on as one. */
static bool feed(struct upstream_call *call, char *in, size_t len)
{
    char *run = in;
    size_t at = 0, run_len = 0, data_len;
    const char *data;
    enum http1_event event = HTTP1_MORE;
    assert(upstream_call_is_sound(call));
    do {
        at += http1_read(&call->reader, in + at, len - at, &event, &data, &data_len);
        if (event == HTTP1_DATA) {
            if (run_len == 0)
                run = (char *)(uintptr_t)data;
            else
                memmove(run + run_len, data, data_len);
            run_len += data_len;
        } else if (event == HTTP1_HEAD && !hand_on_head(call)) {
            return false;
        }
    } while (event == HTTP1_HEAD || (event == HTTP1_DATA && at < len));
    if (call->out && http1_has_begun(&call->reader) && call->out_sent == call->out_len) {
        free(call->out);
        call->out = NULL;
    }
    if (!hand_on(call, run, run_len))
        return false;
    if (event == HTTP1_DATA) /* the body's last byte was the last byte read */
        http1_read(&call->reader, in, 0, &event, &data, &data_len);
    if (event == HTTP1_END)
        whole(call, at < len);
    else if (event == HTTP1_BAD)
        finish(call, UPSTREAM_MALFORMED, call->reader.problem);
    return event == HTTP1_MORE;
}

static void on_close(struct upstream_call *call)
{
    if (http1_close(&call->reader) == HTTP1_END)
        whole(call, true);
    else
        broke(call, "the upstream closed the connection");
}

/* One read of a plain connection: if more is there, the loop says so again. An encrypted one may hold bytes that no
 * descriptor tells of, so it is read until it has no more. */
static void read_some(struct upstream_call *call)
{
    for (int i = 0; i < READS_A_TURN; i++) {
        struct upstream_pool *pool = call->pool;
        ssize_t got = conn_recv(call->conn, pool->buffer, sizeof pool->buffer);
        if (got == -EAGAIN)
            return;
        if (got < 0)
            broke(call, "the connection to the upstream failed");
        else if (got == 0)
            on_close(call);
        if (got <= 0)
            return;
        loop_note_read(pool->loop, (size_t)got);
        bool is_first = !http1_has_begun(&call->reader);
        touch(call);
        if (!feed(call, pool->buffer, (size_t)got))
            return;
        if (is_first)
            arm(call); /* from now on the other limit applies */
        if (call->is_paused || !call->conn->tls)
            return;
    }
    go_on_later(call);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* What the loop should watch: bytes to read, and room to write while there is something to write. For a paused call
 * nothing. */
static void call_watch(struct upstream_call *call)
{
    if (call->is_paused)
        conn_pause(call->conn);
    else
        conn_poll(call->conn, !call->is_broken && call->out && call->out_sent < call->out_len);
}

/* False: it failed; the reason may still be readable. */
static bool write_some(struct upstream_call *call)
{
    while (call->out && call->out_sent < call->out_len) {
        ssize_t sent = conn_send(call->conn, call->out + call->out_sent, call->out_len - call->out_sent);
        if (sent == -EAGAIN) {
            call_watch(call);
            return true;
        }
        call->is_broken = sent < 0;
        if (call->is_broken)
            return false;
        call->out_sent += (size_t)sent;
        touch(call);
    }
    return true;
}

void call_on_event(struct upstream_call *call, bool readable, bool writable)
{
    assert(upstream_call_is_sound(call));
    if (writable && (!write_some(call) || call->out_sent == call->out_len))
        call_watch(call); /* now only an answer, or the end, is to be read */
    if (readable)
        read_some(call);
}

static void begin(struct upstream_call *call, struct upstream_conn *conn)
{
    call->conn = conn;
    conn->call = call;
    touch(call);
    arm(call);
    if (!write_some(call))
        go_on_later(call);
    assert(upstream_call_is_sound(call));
}

void call_connected(struct upstream_call *call, struct upstream_conn *conn)
{
    begin(call, conn);
    call_watch(call);
}

void call_not_connected(struct upstream_call *call, const char *message)
{
    finish(call, UPSTREAM_NO_CONNECT, message);
}

void call_continue(struct upstream_call *call)
{
    if (!call->conn || call->is_paused)
        return;
    assert(upstream_call_is_sound(call));
    if (call->is_broken && call->is_reused && !http1_has_begun(&call->reader))
        broke(call, "the connection to the upstream failed");
    else
        read_some(call);
}

void upstream_pause(struct upstream_call *call)
{
    if (call->is_over || call->is_paused)
        return;
    call->is_paused = true;
    if (call->conn)
        call_watch(call);
    arm(call);
}

void upstream_resume(struct upstream_call *call)
{
    if (call->is_over || !call->is_paused)
        return;
    call->is_paused = false;
    if (!call->conn)
        return; /* the timer is running: the call is connecting */
    call_watch(call);
    touch(call);
    arm(call);
    if (call->conn->tls)
        go_on_later(call);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static int connect_call(struct upstream_call *call, const struct upstream_url *url, const char *text,
                        const struct reach *reach)
{
    char key[ORIGIN_SIZE];
    memcpy(key, text, url->origin_len);
    key[url->origin_len] = '\0';
    call->origin = origin_get(call->pool, key, url->is_tls, reach);
    if (!call->origin)
        return REIN_ELIMIT;
    struct upstream_conn *conn = conn_take(call->pool, call->origin);
    call->is_reused = conn != NULL;
    int rv = 0;
    if (conn)
        begin(call, conn);
    else
        rv = call_dial(call);
    if (rv < 0)
        origin_put(call->origin);
    return rv;
}

int upstream_start(struct upstream_call **out, struct upstream_pool *pool, const struct upstream_request *request,
                   const struct upstream_handler *handler, void *ctx)
{
    struct upstream_url url;
    if (url_parse(&url, request) < 0)
        return REIN_EINVAL;
    struct upstream_call *call = calloc(1, sizeof *call);
    if (!call)
        return REIN_ENOMEM;
    call->pool = pool;
    call->handler = *handler;
    call->ctx = ctx;
    call->connect_ms = request->connect_ms;
    call->first_byte_ms = request->first_byte_ms;
    call->idle_ms = request->idle_ms;
    call->body_max = request->body_max;
    http1_init(&call->reader, strcmp(request->method, "HEAD") == 0);
    uv_timer_init(loop_uv(pool->loop), &call->timer);
    call->timer.data = call;
    pool->handles++;
    int rv = request_write(&call->out, &call->out_len, request, &url);
    if (rv == 0)
        rv = connect_call(call, &url, request->url, request->reach);
    if (rv < 0) {
        uv_close((uv_handle_t *)&call->timer, on_timer_closed);
        return rv;
    }
    *out = call;
    return 0;
}
