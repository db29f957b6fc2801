/* Asking: a bounded number of calls at a time, until all is asked or somebody says stop.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pump: while there is room -> start the next open question
 *           nothing runs, nothing is left (or stopping) -> close -> the loop stops
 *     a call ends: score, write the line, make room
 *
 * Failures: a question that fails stays open and the next is asked; FAILURES_MAX in a row mean that the upstream is
 * down, and end the run. Without memory or a results file there is no continuing. Thread: the caller's, which runs the
 * loop. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/loop.h"
#include "eval/eval_prefix.h"
#include "upstream/upstream.h"

enum { FAILURES_MAX = 16, ANSWER_MAX = 16 << 20, KEEP_ALIVE_MS = 15000, CONNECT_MS = 10000, BAR = 30, SIGNALS = 2 };

struct asking;

struct slot {
    struct asking *asking;
    struct upstream_call *call; /* NULL: free */
    struct eval_question *question;
    unsigned status;
    struct buffer body;
    bool too_large;
};

struct asking {
    const struct eval_prefix_options *options;
    const struct eval_inputs *in;
    struct eval_grid *grid;
    struct eval_results *results;
    struct eval_asked *asked;
    struct loop *loop;
    struct upstream_pool *pool;
    uv_signal_t signals[SIGNALS];
    struct slot slots[EVAL_CALLS_MAX];
    char *url, *authorization;
    size_t next, running, in_a_row;
    bool stopping, closing, shows_progress;
    time_t started;
    int rv; /* why it cannot continue */
};

/* ---- progress ---- */

static void show_progress(const struct asking *a)
{
    const struct eval_asked *n = a->asked;
    size_t all = a->grid->questions_len, done = n->had + n->asked;
    if (!a->shows_progress)
        return;
    int filled = all > 0 ? (int)(BAR * done / all) : BAR;
    fprintf(stderr, "\r[%.*s%*s] %zu/%zu asked, %zu failed, %lds\033[K", filled, "##############################",
            BAR - filled, "", done, all, n->failed, (long)(time(NULL) - a->started));
}

/* ---- one question ---- */

static void ask_stop(struct asking *a)
{
    a->stopping = true;
    for (size_t i = 0; i < EVAL_CALLS_MAX; i++) {
        struct slot *slot = &a->slots[i];
        if (slot->call == NULL)
            continue;
        upstream_cancel(slot->call);
        slot->call = NULL;
        a->running--;
    }
    loop_kick(a->loop);
}

static void count_failure(struct asking *a, const char *message)
{
    if (a->asked->failed++ == 0)
        snprintf(a->asked->first_failure, sizeof a->asked->first_failure, "%s", message);
    if (++a->in_a_row < FAILURES_MAX)
        return;
    a->asked->gave_up = true;
    a->stopping = true;
}

static void take_answer(struct slot *slot)
{
    struct asking *a = slot->asking;
    struct eval_answer answer;
    char why[200] = "";
    const char *body = slot->body.data != NULL ? slot->body.data : "";
    int rv = eval_answer_read(&answer, slot->status, body, slot->body.len, why, sizeof why);
    if (rv == 0)
        rv = eval_answer_score(&slot->question->result, &answer, a->in, &a->in->prompts[slot->question->prompt]);
    if (rv == 0)
        rv = eval_results_add(a->results, slot->question, a->in, &answer);
    eval_answer_fini(&answer);
    if (rv == REIN_EFORMAT) {
        count_failure(a, why);
        return;
    }
    a->in_a_row = 0;
    a->asked->asked += rv == 0;
    a->rv = rv;
}

static void on_ask_head(void *ctx, const struct upstream_response *response)
{
    ((struct slot *)ctx)->status = response->status;
}

static void on_ask_data(void *ctx, const char *data, size_t len)
{
    struct slot *slot = ctx;
    slot->too_large = slot->too_large || buffer_add(&slot->body, data, len, ANSWER_MAX) < 0;
}

static void on_ask_end(void *ctx, enum upstream_end end, const char *message)
{
    struct slot *slot = ctx;
    struct asking *a = slot->asking;
    slot->call = NULL;
    a->running--;
    if (end != UPSTREAM_WHOLE || slot->too_large)
        count_failure(a, slot->too_large ? "the response is too large" : message);
    else
        take_answer(slot);
    buffer_clear(&slot->body);
    show_progress(a);
    loop_kick(a->loop);
}

static int ask_start(struct asking *a, struct slot *slot, struct eval_question *question)
{
    static const struct upstream_handler handler = {on_ask_head, on_ask_data, on_ask_end};
    struct upstream_header headers[] = {{"Content-Type", "application/json"},
                                        {a->authorization != NULL ? "Authorization" : NULL, a->authorization},
                                        {NULL, NULL}};
    char *body;
    int rv = eval_question_body(&body, a->in, a->options, question->prompt, question->arm);
    if (rv != 0)
        return rv;
    struct upstream_request request = {.method = "POST",
                                       .url = a->url,
                                       .headers = headers,
                                       .body = body,
                                       .body_len = strlen(body),
                                       .connect_ms = CONNECT_MS,
                                       .first_byte_ms = a->options->timeout_s * 1000,
                                       .idle_ms = a->options->timeout_s * 1000,
                                       .body_max = ANSWER_MAX};
    *slot = (struct slot){.asking = a, .question = question};
    rv = upstream_start(&slot->call, a->pool, &request, &handler, slot);
    a->running += rv == 0;
    free(body);
    return rv;
}

/* ---- the run ---- */

static struct eval_question *next_open(struct asking *a)
{
    while (a->next < a->grid->questions_len) {
        struct eval_question *q = &a->grid->questions[a->next++];
        if (q->result.outcome == EVAL_OPEN)
            return q;
    }
    return NULL;
}

static void fill(struct asking *a)
{
    for (size_t i = 0; i < a->options->calls_max && a->rv == 0 && !a->stopping; i++) {
        struct slot *slot = &a->slots[i];
        struct eval_question *question = slot->call == NULL ? next_open(a) : NULL;
        if (question != NULL)
            a->rv = ask_start(a, slot, question);
    }
}

static void on_ask_closed(void *ctx)
{
    loop_stop(((struct asking *)ctx)->loop);
}

static void ask_step(void *ctx)
{
    struct asking *a = ctx;
    fill(a);
    if (a->rv != 0 && !a->stopping)
        ask_stop(a);
    if (a->running > 0 || a->closing)
        return;
    a->closing = true;
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&a->signals[i], NULL);
    upstream_pool_close(a->pool, on_ask_closed, a);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct asking *a = handle->data;
    (void)signum;
    if (a->closing)
        return;
    a->asked->interrupted = true;
    ask_stop(a);
}

static int ask_run(struct asking *a)
{
    static const int signums[SIGNALS] = {SIGINT, SIGTERM};
    int rv = upstream_pool_new(&a->pool, a->loop, KEEP_ALIVE_MS);
    if (rv == 0)
        rv = loop_add_pump(a->loop, ask_step, a);
    if (rv != 0)
        return rv;
    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(loop_uv(a->loop), &a->signals[i]);
        a->signals[i].data = a;
        uv_signal_start(&a->signals[i], on_signal, signums[i]);
    }
    show_progress(a);
    loop_kick(a->loop);
    loop_run(a->loop);
    if (a->shows_progress)
        fputc('\n', stderr);
    return a->rv;
}

static int make_texts(struct asking *a)
{
    size_t len = strlen(a->options->url);
    while (len > 0 && a->options->url[len - 1] == '/')
        len--;
    if (asprintf(&a->url, "%.*s/v1/chat/completions", (int)len, a->options->url) < 0)
        a->url = NULL;
    const char *key = a->options->api_key;
    if (key != NULL && asprintf(&a->authorization, "Bearer %s", key) < 0)
        a->authorization = NULL;
    return a->url != NULL && (key == NULL || a->authorization != NULL) ? 0 : REIN_ENOMEM;
}

int eval_ask(struct eval_asked *asked, const struct eval_prefix_options *options, const struct eval_inputs *in,
             struct eval_grid *grid, struct eval_results *results)
{
    struct asking *a = calloc(1, sizeof *a);
    *asked = (struct eval_asked){0};
    if (a == NULL)
        return REIN_ENOMEM;
    *a = (struct asking){.options = options, .in = in, .grid = grid, .results = results, .asked = asked};
    a->shows_progress = isatty(STDERR_FILENO) == 1;
    a->started = time(NULL);
    for (size_t i = 0; i < grid->questions_len; i++)
        asked->had += grid->questions[i].result.outcome != EVAL_OPEN;
    int rv = make_texts(a);
    if (rv == 0)
        rv = loop_new(&a->loop);
    if (rv == 0)
        rv = ask_run(a);
    loop_free(a->loop);
    free(a->url);
    free(a->authorization);
    free(a);
    return rv;
}
