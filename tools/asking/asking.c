/* See asking.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pump: a waiting call whose time has come, and that the rate permits -> starts
 *           a free job, and a question is left                            -> begins, one a turn
 *           nothing runs, nothing is left (or stopping)                   -> close the work, the pool -> the loop stops
 *
 * One timer wakes the pump when the next waiting call may start. */
#include "asking/asking.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asking/progress.h"
#include "base/buffer.h"

enum { KEEP_ALIVE_MS = 15000, CONNECT_MS = 10000, SIGNALS = 2, BUSY_TRIES = 5, BUSY_MOST_S = 60, MINUTE_MS = 60000 };

enum job_state {
    JOB_FREE,
    JOB_OWNED,   /* begun; its owner does something else than calling */
    JOB_WAITING, /* its call waits for its time */
    JOB_CALLING,
};

struct asking_job {
    struct asking *asking;
    enum job_state state;
    void *data;
    asking_reply_fn reply;
    char *url, *authorization, *body; /* of the call, while there is one */
    uint64_t due_ms;                  /* of a waiting call */
    unsigned tries;                   /* at this call */
    struct upstream_call *call;
    unsigned status;
    char decision[64]; /* of a Rein that answers */
    unsigned pause_s;  /* the upstream says that it is busy for so long; 0: it does not */
    struct buffer received;
};

struct asking {
    struct asking_options options;
    const struct asking_work *work;
    struct loop *loop;
    struct upstream_pool *pool;
    struct asking_tally *tally;
    struct asking_progress *progress;
    struct asking_job *jobs;
    uv_signal_t signals[SIGNALS];
    uv_timer_t timer;
    uint64_t next_ms; /* before this no call starts */
    size_t in_a_row;  /* failures */
    bool is_empty;    /* no question is left to begin */
    bool is_stopping, is_closing, was_run;
    int rv;
};

static bool job_is_sound(const struct asking_job *job)
{
    return (job->call != NULL) == (job->state == JOB_CALLING) &&
           (job->body != NULL || job->url != NULL) == (job->state == JOB_WAITING || job->state == JOB_CALLING);
}

/* ---- calls ---- */

static void call_forget(struct asking_job *job)
{
    free(job->url);
    free(job->authorization);
    free(job->body);
    job->url = job->authorization = job->body = NULL;
    job->call = NULL;
}

static void call_answer(struct asking_job *job, const char *failure)
{
    struct buffer received = job->received;
    struct asking_reply reply = {.status = failure == NULL ? job->status : 0,
                                 .body = received.data != NULL ? received.data : "",
                                 .len = received.len,
                                 .failure = failure,
                                 .decision = job->decision};
    job->received = (struct buffer){0};
    call_forget(job);
    job->state = JOB_OWNED;
    job->reply(job, &reply);
    buffer_clear(&received);
}

static void on_call_head(void *ctx, const struct upstream_response *response)
{
    struct asking_job *job = ctx;
    job->status = response->status;
    snprintf(job->decision, sizeof job->decision, "%s", response->decision != NULL ? response->decision : "");
    bool is_busy = (response->status == 429 || response->status == 503) && response->retry_after != NULL;
    unsigned long pause = is_busy ? strtoul(response->retry_after, NULL, 10) : 0;
    job->pause_s = !is_busy ? 0 : pause < 1 ? 1 : pause < BUSY_MOST_S ? (unsigned)pause : BUSY_MOST_S;
}

static void on_call_data(void *ctx, const char *data, size_t len)
{
    struct asking_job *job = ctx;
    if (buffer_add(&job->received, data, len, ASKING_REPLY_MAX) == 0)
        return;
    upstream_cancel(job->call);
    call_answer(job, "the response is too large");
    loop_kick(job->asking->loop);
}

static void on_call_end(void *ctx, enum upstream_end end, const char *message)
{
    struct asking_job *job = ctx;
    struct asking *a = job->asking;
    job->call = NULL;
    if (end == UPSTREAM_WHOLE && job->pause_s > 0 && ++job->tries < BUSY_TRIES) {
        buffer_clear(&job->received);
        job->state = JOB_WAITING;
        job->due_ms = loop_now_ms(a->loop) + 1000u * job->pause_s;
    } else {
        call_answer(job, end != UPSTREAM_WHOLE ? message : NULL);
    }
    loop_kick(a->loop);
}

static void call_start(struct asking_job *job)
{
    static const struct upstream_handler handler = {on_call_head, on_call_data, on_call_end};
    struct asking *a = job->asking;
    struct upstream_header headers[] = {{"Content-Type", "application/json"},
                                        {job->authorization != NULL ? "Authorization" : NULL, job->authorization},
                                        {NULL, NULL}};
    struct upstream_request request = {.method = job->body != NULL ? "POST" : "GET",
                                       .url = job->url,
                                       .headers = headers,
                                       .body = job->body,
                                       .body_len = job->body != NULL ? strlen(job->body) : 0,
                                       .connect_ms = CONNECT_MS,
                                       .first_byte_ms = a->options.timeout_s * 1000,
                                       .idle_ms = a->options.timeout_s * 1000,
                                       .body_max = ASKING_REPLY_MAX};
    job->status = job->pause_s = 0;
    job->decision[0] = '\0';
    int rv = upstream_start(&job->call, a->pool, &request, &handler, job);
    if (rv != 0) {
        job->call = NULL;
        asking_abort(job, rv);
        return;
    }
    job->state = JOB_CALLING;
    assert(job_is_sound(job));
}

int asking_call(struct asking_job *job, const struct asking_request *request, asking_reply_fn reply)
{
    assert(job->state == JOB_OWNED && job_is_sound(job));
    job->url = strdup(request->url);
    job->body = request->body != NULL ? strdup(request->body) : NULL;
    job->authorization = request->authorization != NULL ? strdup(request->authorization) : NULL;
    if (job->url == NULL || (job->body == NULL) != (request->body == NULL) ||
        (job->authorization == NULL) != (request->authorization == NULL)) {
        call_forget(job);
        return REIN_ENOMEM;
    }
    job->reply = reply;
    job->tries = 0;
    job->due_ms = 0;
    job->state = JOB_WAITING;
    loop_kick(job->asking->loop);
    return 0;
}

/* ---- the end of jobs ---- */

void asking_end(struct asking_job *job, const char *failure)
{
    struct asking *a = job->asking;
    assert(job->state == JOB_OWNED && job_is_sound(job));
    job->state = JOB_FREE;
    job->data = NULL;
    if (failure == NULL) {
        a->in_a_row = 0;
        a->tally->asked++;
    } else {
        if (a->tally->failed++ == 0)
            snprintf(a->tally->first_failure, ASKING_WHY_MAX, "%.*s",
                     (int)rein_text_whole(failure, strnlen(failure, ASKING_WHY_MAX - 1)), failure);
        a->tally->gave_up |= ++a->in_a_row >= ASKING_FAILURES_MAX;
        a->is_stopping |= a->tally->gave_up;
    }
    asking_progress_show(a->progress, a->tally->asked, a->tally->failed, false);
    loop_kick(a->loop);
}

static void drop_jobs(struct asking *a)
{
    for (size_t i = 0; i < a->options.jobs_max; i++) {
        struct asking_job *job = &a->jobs[i];
        if (job->state == JOB_FREE)
            continue;
        if (job->state == JOB_CALLING)
            upstream_cancel(job->call);
        buffer_clear(&job->received);
        call_forget(job);
        job->state = JOB_FREE;
        if (a->work->drop != NULL)
            a->work->drop(a->work->ctx, job);
        job->data = NULL;
    }
}

void asking_abort(struct asking_job *job, int error)
{
    struct asking *a = job->asking;
    a->rv = a->rv == 0 ? error : a->rv;
    a->is_stopping = true;
    loop_kick(a->loop);
}

/* ---- the run ---- */

static void on_pool_closed(void *ctx)
{
    loop_stop(((struct asking *)ctx)->loop);
}

static void on_work_closed(void *ctx)
{
    struct asking *a = ctx;
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&a->signals[i], NULL);
    uv_close((uv_handle_t *)&a->timer, NULL);
    upstream_pool_close(a->pool, on_pool_closed, a);
}

static void close_when_over(struct asking *a)
{
    size_t running = 0;
    for (size_t i = 0; i < a->options.jobs_max; i++)
        running += a->jobs[i].state != JOB_FREE;
    if (running > 0 && (a->rv != 0 || a->tally->interrupted || a->tally->gave_up)) {
        drop_jobs(a);
        running = 0;
    }
    if (running > 0 || !(a->is_empty || a->is_stopping))
        return;
    a->is_closing = true;
    if (a->work->close != NULL)
        a->work->close(a->work->ctx, on_work_closed, a);
    else
        on_work_closed(a);
}

/* One a turn: beginning may take long, and calls that run must not wait for many such. */
static void begin_job(struct asking *a)
{
    size_t i = 0;
    while (i < a->options.jobs_max && a->jobs[i].state != JOB_FREE)
        i++;
    if (i == a->options.jobs_max || a->is_empty || a->is_stopping)
        return;
    a->jobs[i].state = JOB_OWNED;
    if (!a->work->begin(a->work->ctx, &a->jobs[i])) {
        a->jobs[i].state = JOB_FREE;
        a->is_empty = true;
    }
    loop_kick(a->loop);
}

static void on_asking_timer(uv_timer_t *timer)
{
    loop_kick(((struct asking *)timer->data)->loop);
}

/* Starts the calls that may start; the timer waits for the next one. */
static void start_calls(struct asking *a)
{
    uint64_t now = loop_now_ms(a->loop), wake = UINT64_MAX;
    for (size_t i = 0; i < a->options.jobs_max && !a->is_stopping; i++) {
        struct asking_job *job = &a->jobs[i];
        uint64_t due = job->due_ms > a->next_ms ? job->due_ms : a->next_ms;
        if (job->state != JOB_WAITING)
            continue;
        if (due > now) {
            wake = due < wake ? due : wake;
            continue;
        }
        call_start(job);
        if (a->options.per_minute > 0)
            a->next_ms = now + (MINUTE_MS + a->options.per_minute - 1) / a->options.per_minute;
    }
    if (wake != UINT64_MAX)
        uv_timer_start(&a->timer, on_asking_timer, wake - now, 0);
}

static void asking_step(void *ctx)
{
    struct asking *a = ctx;
    if (a->is_closing)
        return;
    begin_job(a);
    start_calls(a);
    close_when_over(a);
}

static void on_asking_signal(uv_signal_t *handle, int signum)
{
    struct asking *a = handle->data;
    (void)signum;
    if (a->is_closing)
        return;
    a->tally->interrupted = true;
    a->is_stopping = true;
    loop_kick(a->loop);
}

static const int signums[SIGNALS] = {SIGINT, SIGTERM};

static void mask_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&set, signums[i]);
    pthread_sigmask(how, &set, NULL);
}

void asking_hold_signals(void)
{
    mask_signals(SIG_BLOCK);
}

int asking_run(struct asking *a, struct asking_tally *tally)
{
    *tally = (struct asking_tally){0};
    a->tally = tally;
    a->was_run = true;
    int rv = asking_progress_new(&a->progress, a->options.all, a->options.had);
    if (rv == 0)
        rv = loop_add_pump(a->loop, asking_step, a);
    a->rv = rv;
    a->is_stopping |= rv != 0;
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(loop_uv(a->loop), &a->signals[i]);
        a->signals[i].data = a;
        uv_signal_start(&a->signals[i], on_asking_signal, signums[i]);
    }
    mask_signals(SIG_UNBLOCK);
    loop_kick(a->loop);
    loop_run(a->loop);
    asking_progress_show(a->progress, tally->asked, tally->failed, true);
    return a->rv;
}

int asking_new(struct asking **out, const struct asking_options *options, const struct asking_work *work)
{
    struct asking *a = calloc(1, sizeof *a);
    if (a == NULL)
        return REIN_ENOMEM;
    assert(options->jobs_max > 0 && options->jobs_max <= ASKING_JOBS_MAX);
    a->options = *options;
    a->work = work;
    a->jobs = calloc(options->jobs_max, sizeof *a->jobs);
    for (size_t i = 0; a->jobs != NULL && i < options->jobs_max; i++)
        a->jobs[i].asking = a;
    int rv = a->jobs != NULL ? loop_new(&a->loop) : REIN_ENOMEM;
    if (rv == 0)
        rv = upstream_pool_new(&a->pool, a->loop, KEEP_ALIVE_MS);
    if (rv != 0) {
        loop_free(a->loop);
        free(a->jobs);
        free(a);
        return rv;
    }
    uv_timer_init(loop_uv(a->loop), &a->timer);
    a->timer.data = a;
    *out = a;
    return 0;
}

void asking_free(struct asking *a)
{
    struct asking_tally tally;
    if (a == NULL)
        return;
    if (!a->was_run) { /* what has been opened is closed by the loop */
        a->is_stopping = true;
        a->options.all = 0;
        if (asking_run(a, &tally) != 0)
            return; /* it is not closed: better kept than freed */
    }
    asking_progress_free(a->progress);
    loop_free(a->loop);
    free(a->jobs);
    free(a);
}

struct loop *asking_loop(struct asking *a)
{
    return a->loop;
}

struct upstream_pool *asking_pool(struct asking *a)
{
    return a->pool;
}

void asking_set_data(struct asking_job *job, void *data)
{
    job->data = data;
}

void *asking_data(const struct asking_job *job)
{
    return job->data;
}

void *asking_context(const struct asking_job *job)
{
    return job->asking->work->ctx;
}

bool asking_tell_end(const char *program, const struct asking_options *options, const struct asking_tally *tally,
                     const char *out)
{
    size_t done = options->had + tally->asked, open = options->all > done ? options->all - done : 0;
    if (tally->failed > 0)
        fprintf(stderr, "%s: %zu questions failed; the first: %s\n", program, tally->failed, tally->first_failure);
    if (tally->gave_up)
        fprintf(stderr, "%s: too many failed in a row; the rest was not asked\n", program);
    if (open == 0)
        return true;
    fprintf(stderr, "%s: %s%zu of %zu questions are answered; ", program, tally->interrupted ? "interrupted, " : "",
            options->all - open, options->all);
    if (out != NULL)
        fprintf(stderr, "they are in %s: run the same command again to continue\n", out);
    else
        fputs("with --out FILE a run can continue where it stopped\n", stderr);
    return false;
}
