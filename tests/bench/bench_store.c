/* How many decisions a second go through store_put until their callback, and what one costs in CPU.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_store FILE [RECORDS] [WINDOW] [WORK_US]
 *
 * WINDOW records are under way at any time, each put again when its callback comes, as that many clients would do that
 * wait for their answers. Before each the loop is busy for WORK_US, as it is with a request: then records come one by
 * one, not all at once. Ends with one line of figures; the store's threads are what the process used beside the loop.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/loop.h"
#include "store/store.h"

struct client {
    struct bench *bench;
    struct client *next; /* that waits for the loop */
    double put_at;
};

struct bench {
    struct loop *loop;
    struct store *store;
    struct client *clients, *waiting, **end;
    double work, *delays; /* seconds; of each record, put to callback */
    size_t left, under_way, delays_len;
    int failed;
};

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return seconds(t);
}

static void wait_for_loop(struct client *c)
{
    c->next = NULL;
    *c->bench->end = c;
    c->bench->end = &c->next;
    loop_kick(c->bench->loop);
}

static void on_done(void *ctx, int rv)
{
    struct client *c = ctx;
    struct bench *b = c->bench;
    b->delays[b->delays_len++] = now(CLOCK_MONOTONIC) - c->put_at;
    b->under_way--;
    b->failed += rv != 0;
    if (b->left > 0)
        wait_for_loop(c);
    else if (b->under_way == 0)
        loop_stop(b->loop);
}

static void put(struct client *c)
{
    struct bench *b = c->bench;
    static const struct store_attempt attempt = {.template_name = "checklist",
                                                 .delivery = REIN_DELIVER_INSTRUCT,
                                                 .reason = "unverified",
                                                 .first_byte_us = 120000,
                                                 .ended_us = 900000,
                                                 .status = 200,
                                                 .outcome = "whole"};
    struct rein_decision decision = {.harms = "",
                                     .attempts = 1,
                                     .events = 200,
                                     .bytes_in = 60000,
                                     .bytes_out = 60000,
                                     .prompt_tokens = 100,
                                     .completion_tokens = 200,
                                     .reasoning_tokens = 150};
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    struct store_record record = {
        .request_id = "req-0123456789abcdef",
        .started_at_us = (int64_t)(seconds(t) * 1e6),
        .route = "default",
        .model = "deepseek-r1",
        .upstream = "local",
        .key = "app",
        .dialect = "openai-chat",
        .policy = "default",
        .policy_version = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        .streamed = true,
        .final = true,
        .ending = "complete",
        .status = 200,
        .upstream_first_byte_us = 120000,
        .client_first_byte_us = 121000,
        .duration_us = 900000,
        .attempts = &attempt,
        .attempts_len = 1,
        .decision = &decision,
        .keep_text = REIN_KEEP_EVIDENCE,
    };
    store_id_new(&record.id);
    b->left--;
    b->under_way++;
    c->put_at = now(CLOCK_MONOTONIC);
    if (store_put(b->store, &record, b->loop, on_done, c) != 0) {
        b->under_way--;
        b->failed++;
    }
}

/* One client a turn: what others posted is looked at in between, as between two sockets that are ready. */
static void serve(void *ctx)
{
    struct bench *b = ctx;
    struct client *c = b->waiting;
    if (c == NULL)
        return;
    b->waiting = c->next;
    if (b->waiting == NULL)
        b->end = &b->waiting;
    else
        loop_kick(b->loop);
    double until = now(CLOCK_THREAD_CPUTIME_ID) + b->work;
    while (b->work > 0 && now(CLOCK_THREAD_CPUTIME_ID) < until)
        continue;
    if (b->left > 0)
        put(c);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct bench *b, size_t window, double wall, double cpu, double loop_cpu)
{
    struct store_stats stats;
    double n = (double)b->delays_len;
    store_stats(b->store, &stats);
    qsort(b->delays, b->delays_len, sizeof *b->delays, compare);
    printf("%.0f records, window %zu: %.0f rows/s, us CPU a row: %.1f store %.1f loop, %.1f rows a commit, ms to the "
           "callback: %.2f p50 %.2f p99 %.2f max, %d failed\n",
           n, window, n / wall, (cpu - loop_cpu) / n * 1e6, loop_cpu / n * 1e6,
           (double)stats.written / (double)stats.commits, b->delays[b->delays_len / 2] * 1e3,
           b->delays[b->delays_len * 99 / 100] * 1e3, b->delays[b->delays_len - 1] * 1e3, b->failed);
}

int main(int argc, char **argv)
{
    size_t records = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;
    size_t window = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
    struct bench b = {.left = records, .work = argc > 4 ? strtod(argv[4], NULL) / 1e6 : 0};
    if (argc < 2 || records == 0 || window == 0 || window > records) {
        fprintf(stderr, "usage: bench_store FILE [RECORDS] [WINDOW] [WORK_US]\n");
        return 2;
    }
    b.end = &b.waiting;
    b.clients = calloc(window, sizeof *b.clients);
    b.delays = calloc(records, sizeof *b.delays);
    if (b.clients == NULL || b.delays == NULL || loop_new(&b.loop) != 0 || loop_add_pump(b.loop, serve, &b) != 0 ||
        store_open(&b.store, &(struct store_options){.path = argv[1]}) != 0)
        return 1;
    for (size_t i = 0; i < window; i++) {
        b.clients[i].bench = &b;
        wait_for_loop(&b.clients[i]);
    }
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID), loop = now(CLOCK_THREAD_CPUTIME_ID);
    loop_run(b.loop);
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    report(&b, window, wall, cpu, now(CLOCK_THREAD_CPUTIME_ID) - loop);
    store_close(b.store);
    loop_free(b.loop);
    free(b.delays);
    free(b.clients);
    return b.failed != 0;
}
