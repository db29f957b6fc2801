/* How many decisions a second go through store_put until their callback, and what one costs in CPU.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_store FILE [RECORDS] [WINDOW]
 *
 * WINDOW records are under way at any time, each put again when its callback comes, as that many requests at once would
 * do. Ends with one line of figures. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "loop.h"
#include "store.h"

struct bench {
    struct loop *loop;
    struct store *store;
    size_t left, under_way;
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

static void put(struct bench *b);

static void on_done(void *ctx, int rv)
{
    struct bench *b = ctx;
    b->under_way--;
    b->failed += rv != 0;
    if (b->left > 0)
        put(b);
    else if (b->under_way == 0)
        loop_stop(b->loop);
}

static void put(struct bench *b)
{
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
    if (store_put(b->store, &record, b->loop, on_done, b) != 0) {
        b->under_way--;
        b->failed++;
    }
}

static void begin(void *ctx)
{
    struct bench *b = ctx;
    size_t window = b->under_way;
    b->under_way = 0;
    for (size_t i = 0; i < window && b->left > 0; i++)
        put(b);
}

int main(int argc, char **argv)
{
    struct bench b = {.left = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000};
    struct store_stats stats;
    b.under_way = argc > 3 ? strtoul(argv[3], NULL, 10) : 64;
    size_t records = b.left, window = b.under_way;
    if (argc < 2 || records == 0 || window == 0) {
        fprintf(stderr, "usage: bench_store FILE [RECORDS] [WINDOW]\n");
        return 2;
    }
    if (loop_new(&b.loop) != 0 || store_open(&b.store, &(struct store_options){.path = argv[1]}) != 0 ||
        loop_post(b.loop, begin, &b) != 0)
        return 1;
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    loop_run(b.loop);
    wall = now(CLOCK_MONOTONIC) - wall;
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    store_stats(b.store, &stats);
    printf(
        "%zu records, window %zu: %.0f rows/s, %.1f us CPU a row, %.1f rows a commit, %.2f ms to durable, %d failed\n",
        records, window, (double)records / wall, cpu / (double)records * 1e6,
        (double)stats.written / (double)stats.commits, (double)stats.latency_sum_us / (double)stats.written / 1e3,
        b.failed);
    store_close(b.store);
    loop_free(b.loop);
    return b.failed != 0;
}
