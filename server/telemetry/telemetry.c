/* See telemetry.h: the queue, and the thread that sends.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A batch is sent twice a second, or as soon as there is a whole one; one call of each kind is under way at a time. The
 * thread's end: what waits is sent, then calls that have not ended after STOP_MS are cancelled. */
#include "telemetry/telemetry.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "telemetry/otlp.h"
#include "upstream/upstream.h"

enum {
    EVERY_MS = 500,
    CONNECT_MS = 2000,
    ANSWER_MS = 5000,
    KEEP_MS = 60000,
    BODY_MAX = 64 * 1024,
    STOP_MS = 2000,
    STOP_STEP_MS = 100,
};
enum sending { SENDING_TRACES, SENDING_LOGS, SENDING_KINDS };

/* A call that is under way. */
struct sending_call {
    struct telemetry *telemetry;
    struct upstream_call *call; /* NULL: none */
    unsigned status;
    size_t records;
};

struct telemetry {
    pthread_mutex_t lock;
    struct telemetry_record *queue; /* a ring, with the lock like the next two */
    size_t first, len;

    char *urls[SENDING_KINDS]; /* NULL: not sent */
    char *authorization;
    struct metrics *metrics;
    struct telemetry_record *batch; /* the thread's, like all below */
    struct loop *loop;
    struct upstream_pool *pool;
    uv_timer_t timer;
    uv_thread_t thread;
    struct loop_order stops, fills;
    struct sending_call calls[SENDING_KINDS];
    unsigned left_ms; /* once it stops: until calls are cancelled */
    bool is_stopping, is_closing;
};

/* ---- putting ---- */

static void copy_record_text(char *out, size_t size, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    if (len >= size)
        len = rein_text_whole(text, size - 1);
    memcpy(out, text != NULL ? text : "", len);
    out[len] = '\0';
}

#define COPY(to, from) copy_record_text(to, sizeof to, from)

static void copy_found(struct telemetry_record *r, const struct rein_decision *d)
{
    r->input_tokens = d->prompt_tokens;
    r->output_tokens = d->completion_tokens;
    r->findings_all = d->findings_len + d->findings_dropped;
    for (size_t i = 0; i < d->findings_len && i < TELEMETRY_FINDINGS; i++) {
        const struct rein_finding *f = &d->findings[i];
        r->findings[i].kind = f->is_rule ? "rule" : f->source != NULL ? "judge" : "pattern";
        r->findings[i].action = rein_action_name(f->action);
        r->findings[i].channel = rein_channel_name(f->channel);
        r->findings[i].shadow = f->shadow;
        r->findings[i].score = f->score;
        COPY(r->findings[i].name, f->id);
        r->findings_len++;
    }
}

static void copy_request(struct telemetry_record *r, const struct telemetry_request *request)
{
    memset(r, 0, sizeof *r);
    r->ids = *request->ids;
    COPY(r->decision, request->decision);
    COPY(r->request_id, request->request_id);
    COPY(r->path, request->path);
    COPY(r->route, request->route);
    COPY(r->model, request->model);
    COPY(r->policy, request->policy);
    COPY(r->verdict, request->verdict);
    COPY(r->ending, request->ending);
    r->started_at_us = request->started_at_us;
    r->duration_us = request->duration_us;
    r->status = request->status;
    r->input_tokens = r->output_tokens = -1;
    for (size_t i = 0; i < request->attempts_len && i < TELEMETRY_ATTEMPTS; i++) {
        r->attempts[i].started_us = request->attempts[i].started_us;
        r->attempts[i].ended_us = request->attempts[i].ended_us;
        r->attempts[i].status = request->attempts[i].status;
        COPY(r->attempts[i].outcome, request->attempts[i].outcome);
        r->attempts_len++;
    }
    if (request->found != NULL)
        copy_found(r, request->found);
}

static bool queue_is_sound(const struct telemetry *t)
{
    return t->len <= TELEMETRY_QUEUE && t->first < TELEMETRY_QUEUE;
}

void telemetry_put(struct telemetry *t, const struct telemetry_request *request)
{
    if (t == NULL || !request->ids->is_set || (request->ids->flags & 1) == 0)
        return;
    pthread_mutex_lock(&t->lock);
    assert(queue_is_sound(t));
    bool fits = t->len < TELEMETRY_QUEUE;
    if (fits)
        copy_request(&t->queue[(t->first + t->len++) % TELEMETRY_QUEUE], request);
    bool is_whole = fits && t->len == TELEMETRY_BATCH;
    assert(queue_is_sound(t));
    pthread_mutex_unlock(&t->lock);
    if (!fits)
        metrics_telemetry(t->metrics, 0, 1);
    if (is_whole)
        loop_give(t->loop, &t->fills);
}

/* ---- sending ---- */

static size_t take_batch(struct telemetry *t)
{
    pthread_mutex_lock(&t->lock);
    size_t len = t->len < TELEMETRY_BATCH ? t->len : TELEMETRY_BATCH;
    for (size_t i = 0; i < len; i++)
        t->batch[i] = t->queue[(t->first + i) % TELEMETRY_QUEUE];
    t->first = (t->first + len) % TELEMETRY_QUEUE;
    t->len -= len;
    assert(queue_is_sound(t));
    pthread_mutex_unlock(&t->lock);
    return len;
}

static bool has_calls(const struct telemetry *t)
{
    return t->calls[SENDING_TRACES].call != NULL || t->calls[SENDING_LOGS].call != NULL;
}

static void on_pool_gone(void *ctx)
{
    loop_stop(((struct telemetry *)ctx)->loop);
}

static void telemetry_close(void *ctx)
{
    struct telemetry *t = ctx;
    upstream_pool_close(t->pool, on_pool_gone, t);
}

static void close_if_done(struct telemetry *t)
{
    if (!t->is_stopping || t->is_closing || has_calls(t) || t->len > 0)
        return;
    t->is_closing = true;
    uv_timer_stop(&t->timer);
    uv_close((uv_handle_t *)&t->timer, NULL);
    if (loop_post(t->loop, telemetry_close, t) != 0)
        loop_stop(t->loop);
}

static void on_call_head(void *ctx, const struct upstream_response *response)
{
    ((struct sending_call *)ctx)->status = response->status;
}

static void on_call_data(void *ctx, const char *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
}

static void telemetry_send(struct telemetry *t);

static void on_call_end(void *ctx, enum upstream_end end, const char *message)
{
    static struct log_limit limit;
    struct sending_call *c = ctx;
    struct telemetry *t = c->telemetry;
    bool is_taken = end == UPSTREAM_WHOLE && c->status >= 200 && c->status < 300;
    c->call = NULL;
    metrics_telemetry(t->metrics, is_taken ? c->records : 0, is_taken ? 0 : c->records);
    if (!is_taken && end == UPSTREAM_WHOLE)
        log_limited(&limit, LOG_WARN, "telemetry", "the collector answered %u: what was sent is lost", c->status);
    else if (!is_taken)
        log_limited(&limit, LOG_WARN, "telemetry", "the collector cannot be reached: %s",
                    message != NULL ? message : "");
    telemetry_send(t);
    close_if_done(t);
}

static void send_body(struct telemetry *t, enum sending kind, char *body, size_t records)
{
    static const struct upstream_handler handler = {on_call_head, on_call_data, on_call_end};
    struct sending_call *c = &t->calls[kind];
    struct upstream_header headers[3] = {{"content-type", "application/json"}, {NULL, NULL}, {NULL, NULL}};
    if (t->authorization != NULL)
        headers[1] = (struct upstream_header){"authorization", t->authorization};
    const struct upstream_request request = {.method = "POST",
                                             .url = t->urls[kind],
                                             .headers = headers,
                                             .body = body,
                                             .body_len = strlen(body),
                                             .connect_ms = CONNECT_MS,
                                             .first_byte_ms = ANSWER_MS,
                                             .idle_ms = ANSWER_MS,
                                             .body_max = BODY_MAX};
    *c = (struct sending_call){.telemetry = t, .records = records};
    if (upstream_start(&c->call, t->pool, &request, &handler, c) != 0) {
        c->call = NULL;
        metrics_telemetry(t->metrics, 0, records);
    }
    free(body);
}

static void telemetry_send(struct telemetry *t)
{
    if (has_calls(t) || t->is_closing)
        return;
    size_t len = take_batch(t);
    if (len == 0)
        return;
    char *bodies[SENDING_KINDS] = {t->urls[SENDING_TRACES] != NULL ? otlp_traces(t->batch, len) : NULL,
                                   t->urls[SENDING_LOGS] != NULL ? otlp_logs(t->batch, len) : NULL};
    for (int i = 0; i < SENDING_KINDS; i++)
        if (bodies[i] != NULL)
            send_body(t, (enum sending)i, bodies[i], len);
}

/* What has not been sent by now is lost. */
static void telemetry_give_up(struct telemetry *t)
{
    for (int i = 0; i < SENDING_KINDS; i++)
        if (t->calls[i].call != NULL) {
            upstream_cancel(t->calls[i].call);
            t->calls[i].call = NULL;
            metrics_telemetry(t->metrics, 0, t->calls[i].records);
        }
    metrics_telemetry(t->metrics, 0, t->len);
    t->len = 0;
}

static void on_telemetry_timer(uv_timer_t *timer)
{
    struct telemetry *t = timer->data;
    telemetry_send(t);
    if (t->is_stopping && t->left_ms <= STOP_STEP_MS)
        telemetry_give_up(t);
    else if (t->is_stopping)
        t->left_ms -= STOP_STEP_MS;
    close_if_done(t);
}

static void on_fill(void *ctx)
{
    telemetry_send(ctx);
}

static void on_stop(void *ctx)
{
    struct telemetry *t = ctx;
    t->is_stopping = true;
    t->left_ms = STOP_MS;
    uv_timer_start(&t->timer, on_telemetry_timer, 0, STOP_STEP_MS);
}

/* ---- the beginning and the end ---- */

static void telemetry_run(void *ctx)
{
    loop_run(((struct telemetry *)ctx)->loop);
}

static void telemetry_free(struct telemetry *t)
{
    loop_free(t->loop);
    for (int i = 0; i < SENDING_KINDS; i++)
        free(t->urls[i]);
    free(t->authorization);
    free(t->queue);
    free(t->batch);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static char *join_url(const char *endpoint, const char *path)
{
    size_t len = strlen(endpoint);
    char *out = malloc(len + strlen(path) + 1);
    while (len > 0 && endpoint[len - 1] == '/')
        len--;
    if (out != NULL)
        sprintf(out, "%.*s%s", (int)len, endpoint, path);
    return out;
}

static int start_telemetry_thread(struct telemetry *t)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = uv_thread_create(&t->thread, telemetry_run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? 0 : REIN_EIO;
}

int telemetry_start(struct telemetry **out, const struct telemetry_options *options)
{
    struct telemetry *t = calloc(1, sizeof *t);
    if (t == NULL)
        return REIN_ENOMEM;
    pthread_mutex_init(&t->lock, NULL);
    t->metrics = options->metrics;
    t->queue = calloc(TELEMETRY_QUEUE, sizeof *t->queue);
    t->batch = calloc(TELEMETRY_BATCH, sizeof *t->batch);
    t->urls[SENDING_TRACES] = options->traces ? join_url(options->endpoint, "/v1/traces") : NULL;
    t->urls[SENDING_LOGS] = options->logs ? join_url(options->endpoint, "/v1/logs") : NULL;
    t->authorization = options->authorization != NULL ? strdup(options->authorization) : NULL;
    t->stops = (struct loop_order){.fn = on_stop, .ctx = t};
    t->fills = (struct loop_order){.fn = on_fill, .ctx = t};
    int rv = t->queue != NULL && t->batch != NULL ? loop_new(&t->loop) : REIN_ENOMEM;
    if (rv == 0)
        rv = upstream_pool_new(&t->pool, t->loop, KEEP_MS);
    if (rv != 0) {
        telemetry_free(t);
        return rv;
    }
    uv_timer_init(loop_uv(t->loop), &t->timer);
    t->timer.data = t;
    uv_timer_start(&t->timer, on_telemetry_timer, EVERY_MS, EVERY_MS);
    if ((rv = start_telemetry_thread(t)) != 0) {
        log_error("telemetry", "cannot start the thread");
        return rv; /* the server does not start: the process ends */
    }
    *out = t;
    return 0;
}

void telemetry_stop(struct telemetry *t)
{
    if (t == NULL)
        return;
    loop_give(t->loop, &t->stops);
    uv_thread_join(&t->thread);
    telemetry_free(t);
}
