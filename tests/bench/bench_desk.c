/* Views and filters over a large database while decisions are written (script/bench desk).
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench_desk FILE [ROWS] [SECONDS] [PER_SECOND]
 *
 * Makes FILE with ROWS decisions (5,000,000) if it does not exist. A loop puts PER_SECOND (1,000) decisions a second
 * and waits for each: in rounds of a second, for SECONDS (40) alone and for as long while another thread runs every
 * view and every filter in turn, as the admin API does. Prints the delays of the decisions without and with views,
 * medians of the rounds, and the times of each view. Exit status 1: a view's 95th percentile is above 300 ms, or the
 * decisions' 99th percentile has grown by more than 10%. */
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/thread.h"
#include "deskrows.h"
#include "store/overview.h"
#include "store/store.h"
#include "store/whole.h"

enum {
    DELAYS_MAX = 1 << 20,
    TIMES_MAX = 4096,
    ROUNDS_MAX = 4096,
    WARM_S = 5,
    VIEW_LIMIT_MS = 300,
    GROWTH_PERCENT = 10,
    PAUSE_US = 10000
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t unix_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *times, size_t len, double part)
{
    qsort(times, len, sizeof *times, compare_times);
    return len > 0 ? times[(size_t)((double)(len - 1) * part)] : 0;
}

/* ---- writing ---- */

struct bench {
    struct loop *loop;
    struct store *store;
    uv_timer_t timer;
    unsigned per_second, seed;
    double begun, until;
    uint64_t put, failed;
    double *delays;
    size_t delays_len;
};

struct put {
    struct bench *bench;
    double at;
};

static void on_put(void *ctx, int rv)
{
    struct put *put = ctx;
    struct bench *b = put->bench;
    b->failed += rv != 0;
    if (b->delays_len < DELAYS_MAX)
        b->delays[b->delays_len++] = now_s() - put->at;
    free(put);
}

static void put_one(struct bench *b)
{
    static const char *const routes[] = {"route-0", "route-1", "route-2"};
    static const struct store_attempt attempt = {.delivery = REIN_DELIVER_INSTRUCT, .status = 200, .outcome = "whole"};
    char model[16], key[16];
    struct rein_finding finding = {.id = "rule-1", .is_rule = true, .action = REIN_RECORD, .channel = REIN_ANSWER};
    struct rein_decision decision = {.harms = "", .attempts = 1, .events = 200, .findings = &finding};
    struct put *put = malloc(sizeof *put);
    if (put == NULL)
        abort();
    snprintf(model, sizeof model, "model-%u", draw(&b->seed, DESK_MODELS));
    snprintf(key, sizeof key, "key-%u", draw(&b->seed, DESK_KEYS));
    decision.findings_len = draw(&b->seed, 20) == 0;
    struct store_record record = {.request_id = "bench",
                                  .started_at_us = unix_us(),
                                  .route = routes[draw(&b->seed, DESK_ROUTES)],
                                  .model = model,
                                  .key = key,
                                  .upstream = "up",
                                  .dialect = "openai-chat",
                                  .policy = "default",
                                  .policy_version = "version-4",
                                  .final = true,
                                  .ending = "complete",
                                  .status = 200,
                                  .upstream_first_byte_us = 100000,
                                  .client_first_byte_us = 100500,
                                  .duration_us = 900000,
                                  .attempts = &attempt,
                                  .attempts_len = 1,
                                  .decision = &decision};
    *put = (struct put){b, now_s()};
    store_id_new(&record.id);
    if (store_put(b->store, &record, b->loop, on_put, put) != 0)
        abort();
    b->put++;
}

static void on_bench_timer(uv_timer_t *timer)
{
    struct bench *b = timer->data;
    double now = now_s();
    while (b->put < (uint64_t)((now - b->begun) * b->per_second))
        put_one(b);
    if (now >= b->until) {
        uv_timer_stop(timer);
        loop_stop(b->loop);
    }
}

static void write_for(struct bench *b, double seconds)
{
    b->begun = now_s();
    b->until = b->begun + seconds;
    b->put = 0;
    b->delays_len = 0;
    uv_timer_start(&b->timer, on_bench_timer, 1, 1);
    loop_run(b->loop);
}

/* ---- reading ---- */

struct view {
    const char *name;
    struct store_filter filter;               /* a page; values with %u are drawn */
    int hours;                                /* an overview or findings over so many hours */
    const char *route, *model, *key, *policy; /* of it */
    enum { PAGE, ONE, OVERVIEW, FOUND, FACETS } kind;
};

static const struct view views[] = {
    {"page", {.limit = 50}, .kind = PAGE},
    {"page, a week ago", {.limit = 50, .has_after = true}, .kind = PAGE},
    {"page, newer", {.limit = 50, .has_after = true, .newer = true}, .kind = PAGE},
    {"page of 500", {.limit = 500}, .kind = PAGE},
    {"route", {.route = "route-%u", .limit = 50}, .kind = PAGE},
    {"model", {.model = "model-%u", .limit = 50}, .kind = PAGE},
    {"key", {.key = "key-%u", .limit = 50}, .kind = PAGE},
    {"policy_version", {.policy_version = "version-%u", .limit = 50}, .kind = PAGE},
    {"verdict=refuse", {.verdict = "refuse", .limit = 50}, .kind = PAGE},
    {"verdict=allow", {.verdict = "allow", .limit = 50}, .kind = PAGE},
    {"ending=upstream_error", {.ending = "upstream_error", .limit = 50}, .kind = PAGE},
    {"pattern", {.pattern = "strong_vacillation", .limit = 50}, .kind = PAGE},
    {"rule", {.rule = "rule-%u", .limit = 50}, .kind = PAGE},
    {"judge", {.judge = "panel", .limit = 50}, .kind = PAGE},
    {"request_id", {.request_id = "client-%u", .limit = 50}, .kind = PAGE},
    {"verdict=steer, key", {.verdict = "steer", .key = "key-%u", .limit = 50}, .kind = PAGE},
    {"rule, key, model", {.rule = "rule-%u", .key = "key-1", .model = "model-1", .limit = 50}, .kind = PAGE},
    {"rule, pattern", {.rule = "rule-%u", .pattern = "strong_vacillation", .limit = 50}, .kind = PAGE},
    {"ending, route", {.ending = "client_left", .route = "route-2", .limit = 50}, .kind = PAGE},
    {"one decision", {.limit = 1}, .kind = ONE},
    {"overview 1 hour", {.limit = 1}, .hours = 1, .kind = OVERVIEW},
    {"overview 1 day", {.limit = 1}, .hours = 24, .kind = OVERVIEW},
    {"overview 1 week", {.limit = 1}, .hours = 168, .kind = OVERVIEW},
    {"overview 30 days", {.limit = 1}, .hours = 720, .kind = OVERVIEW},
    {"overview 1 day, key", {.limit = 1}, .hours = 24, .key = "key-1", .kind = OVERVIEW},
    {"overview 1 week, model", {.limit = 1}, .hours = 168, .model = "model-1", .kind = OVERVIEW},
    {"overview 30 days, route and policy",
     {.limit = 1},
     .hours = 720,
     .route = "route-0",
     .policy = "version-2",
     .kind = OVERVIEW},
    {"findings 1 hour", {.limit = 1}, .hours = 1, .kind = FOUND},
    {"findings 1 day", {.limit = 1}, .hours = 24, .kind = FOUND},
    {"findings 30 days", {.limit = 1}, .hours = 720, .kind = FOUND},
    {"findings 1 day, key", {.limit = 1}, .hours = 24, .key = "key-1", .kind = FOUND},
    {"findings 30 days, policy", {.limit = 1}, .hours = 720, .policy = "version-3", .kind = FOUND},
    {"facets", {.limit = 1}, .kind = FACETS},
};
enum { VIEWS = sizeof views / sizeof *views };

struct reading {
    struct store *store;
    atomic_bool *stops;
    double times[VIEWS][TIMES_MAX];
    size_t len[VIEWS];
    unsigned seed;
};

/* A value with a number in it gets one. */
static void fill(const char **value, char out[32], unsigned *seed, unsigned below)
{
    if (*value == NULL || strstr(*value, "%u") == NULL)
        return;
    size_t before = (size_t)(strchr(*value, '%') - *value);
    snprintf(out, 32, "%.*s%u", (int)before, *value, draw(seed, below));
    *value = out;
}

static int read_view(struct reading *r, const struct view *view, struct store_reader *reader, json_t **tree)
{
    struct store_filter f = view->filter;
    char texts[6][32];
    bool has_more;
    struct store_cursor next;
    int64_t now_us = unix_us(), hour_us = INT64_C(3600) * 1000000;
    const struct store_view over = {.from_us = now_us - view->hours * hour_us,
                                    .to_us = now_us,
                                    .route = view->route,
                                    .model = view->model,
                                    .key = view->key,
                                    .policy_version = view->policy,
                                    .now_us = now_us};
    fill(&f.route, texts[0], &r->seed, DESK_ROUTES);
    fill(&f.model, texts[1], &r->seed, DESK_MODELS);
    fill(&f.key, texts[2], &r->seed, DESK_KEYS);
    fill(&f.policy_version, texts[3], &r->seed, DESK_POLICIES);
    fill(&f.rule, texts[4], &r->seed, 9);
    fill(&f.request_id, texts[5], &r->seed, 5000000);
    if (f.has_after)
        f.after = (struct store_cursor){now_us - (24 + draw(&r->seed, 600)) * hour_us, 0};
    switch (view->kind) {
    case OVERVIEW:
        return store_read_overview(reader, &over, tree);
    case FOUND:
        return store_read_found(reader, &over, tree);
    case FACETS:
        return store_read_facets(reader, tree);
    case ONE:
    case PAGE:
        break;
    }
    int rv = store_read_decisions(reader, &f, tree, &has_more, &next);
    if (rv != 0 || view->kind != ONE)
        return rv;
    char id[64];
    snprintf(id, sizeof id, "%s", json_string_value(json_object_get(json_array_get(*tree, 0), "id")));
    json_decref(*tree);
    return store_read_whole(reader, id, true, tree);
}

static void *read_views(void *ctx)
{
    struct reading *r = ctx;
    thread_stand_aside("rein-reader"); /* as the admin API's readers do */
    for (size_t i = 0; !atomic_load(r->stops); i = (i + 1) % VIEWS) {
        struct store_reader *reader;
        json_t *tree = NULL;
        double begun = now_s();
        int rv = store_reader_open(&reader, r->store, 30000);
        if (rv == 0) {
            store_reader_keep_off(reader, r->store);
            rv = read_view(r, &views[i], reader, &tree);
            store_reader_close(reader);
        }
        char *text = rv == 0 ? json_dumps(tree, JSON_COMPACT) : NULL;
        if (text == NULL) {
            fprintf(stderr, "%s: %s\n", views[i].name, rein_strerror(rv));
            exit(1);
        }
        if (r->len[i] < TIMES_MAX)
            r->times[i][r->len[i]++] = now_s() - begun;
        free(text);
        json_decref(tree);
        usleep(PAUSE_US);
    }
    return NULL;
}

/* ---- */

static void make_database(const char *path, int64_t rows)
{
    struct store *store;
    const struct store_options options = {.path = path};
    if (access(path, F_OK) == 0)
        return;
    printf("making %lld decisions\n", (long long)rows);
    if (store_open(&store, &options) != 0)
        exit(1);
    store_close(store);
    desk_rows_make(path, rows, true);
    desk_rows_sum(path, true);
}

/* Of each round, in ms. */
struct delays {
    const char *what;
    double p50[ROUNDS_MAX], p99[ROUNDS_MAX];
    size_t len;
};

static void write_round(struct bench *b, struct delays *out)
{
    write_for(b, 1);
    out->p50[out->len] = quantile(b->delays, b->delays_len, 0.5) * 1000;
    out->p99[out->len++] = quantile(b->delays, b->delays_len, 0.99) * 1000;
}

static void write_round_with_views(struct bench *b, struct reading *reading, struct delays *out)
{
    pthread_t thread;
    atomic_store(reading->stops, false);
    if (pthread_create(&thread, NULL, read_views, reading) != 0)
        abort();
    write_round(b, out);
    atomic_store(reading->stops, true);
    pthread_join(thread, NULL);
}

static double print_delays(struct delays *d)
{
    double p50 = quantile(d->p50, d->len, 0.5), p99 = quantile(d->p99, d->len, 0.5);
    printf("%-34s %4zu rounds  p50 %8.2f ms  p99 %8.2f ms\n", d->what, d->len, p50, p99);
    return p99;
}

int main(int argc, char **argv)
{
    static struct reading reading;
    static struct delays without = {.what = "decisions, without views"}, beside = {.what = "decisions, with views"};
    struct bench b = {.per_second = argc > 4 ? (unsigned)atoi(argv[4]) : 1000, .seed = 1};
    size_t rounds = argc > 3 ? (size_t)atoi(argv[3]) : 40;
    atomic_bool stops = false;
    bool is_fine = true;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_desk FILE [ROWS] [SECONDS] [PER_SECOND]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* making takes minutes: one wants to see it go on */
    make_database(argv[1], argc > 2 ? atoll(argv[2]) : 5000000);
    const struct store_options options = {.path = argv[1]};
    double begun = now_s();
    if (store_open(&b.store, &options) != 0 || loop_new(&b.loop) != 0)
        return 1;
    printf("opened in %.2f s\n", now_s() - begun);
    b.delays = calloc(DELAYS_MAX, sizeof *b.delays);
    uv_timer_init(loop_uv(b.loop), &b.timer);
    b.timer.data = &b;
    reading.store = b.store;
    reading.stops = &stops;
    write_for(&b, WARM_S);
    for (size_t i = 0; i < rounds && i < ROUNDS_MAX; i++) {
        write_round(&b, &without);
        write_round_with_views(&b, &reading, &beside);
    }
    double alone = print_delays(&without), with = print_delays(&beside);
    for (size_t i = 0; i < VIEWS; i++) {
        double p50 = quantile(reading.times[i], reading.len[i], 0.5) * 1000,
               p95 = quantile(reading.times[i], reading.len[i], 0.95) * 1000;
        printf("%-34s %8zu  p50 %8.2f ms  p95 %8.2f ms%s\n", views[i].name, reading.len[i], p50, p95,
               p95 > VIEW_LIMIT_MS ? "  too slow" : "");
        is_fine = is_fine && p95 <= VIEW_LIMIT_MS && reading.len[i] > 0;
    }
    printf("p99 of decisions grew by %.1f%%\n", (with / alone - 1) * 100);
    is_fine = is_fine && b.failed == 0 && with <= alone * (100 + GROWTH_PERCENT) / 100;
    uv_close((uv_handle_t *)&b.timer, NULL);
    is_fine = store_finish(b.store, STORE_FINISH_MS) == 0 && is_fine;
    loop_free(b.loop);
    store_close(b.store);
    free(b.delays);
    return is_fine ? 0 : 1;
}
