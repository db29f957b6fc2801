/* See query.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/query.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"

enum { LIBUV_THREADS = 4 }; /* as a rule */

struct query_pool {
    struct loop *loop;
    const struct store *store;
    unsigned time_limit_ms, readers_max;
    size_t waiting_max, waiting, running;
    uint64_t full_until_ms;                 /* loop_now_ms: till then the machine is taken for full */
    struct query *aside[QUERY_READERS_MAX]; /* given to libuv; NULL: none */
    uv_timer_t timer;                       /* runs while there may be one that has not begun */
    struct query *first, **end;
};

int query_pool_new(struct query_pool **out, struct loop *loop, const struct query_options *options)
{
    struct query_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return REIN_ENOMEM;
    assert(options->readers_max > 0 && options->readers_max <= QUERY_READERS_MAX);
    pool->loop = loop;
    pool->store = options->store;
    pool->time_limit_ms = options->time_limit_ms;
    pool->readers_max = options->readers_max;
    pool->waiting_max = options->waiting_max;
    pool->end = &pool->first;
    uv_timer_init(loop_uv(loop), &pool->timer);
    pool->timer.data = pool;
    *out = pool;
    return 0;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void query_pool_free(struct query_pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->running == 0 && pool->waiting == 0);
    uv_close((uv_handle_t *)&pool->timer, on_closed);
}

size_t query_pool_busy(const struct query_pool *pool)
{
    return pool->running + pool->waiting;
}

static bool pool_is_sound(const struct query_pool *pool)
{
    return pool->running <= pool->readers_max && (pool->first == NULL) == (pool->waiting == 0);
}

static int run_once(struct query *query, unsigned limit_ms, bool is_aside)
{
    struct store_reader *reader;
    const struct store *store = query->pool->store; /* it never changes: safe to read here */
    int rv = store_reader_open(&reader, store, limit_ms);
    if (rv != 0)
        return rv;
    store_reader_limit(reader, limit_ms);
    if (is_aside)
        store_reader_keep_off(reader, store);
    rv = query->run(query, reader);
    store_reader_close(reader);
    return rv;
}

static void run_next(struct query_pool *pool);

static void query_end(struct query *query)
{
    struct query_pool *pool = query->pool;
    pool->running--;
    query->done(query, query->rv);
    run_next(pool);
}

/* ---- in a thread of its own ---- */

static void *work_behind(void *ctx)
{
    struct query *query = ctx;
    thread_stand_behind("rein-reader-own");
    query->rv = run_once(query, query->pool->time_limit_ms, false);
    loop_give(query->pool->loop, &query->ends);
    return NULL;
}

static void on_ends(void *ctx)
{
    struct query *query = ctx;
    pthread_join(query->thread, NULL);
    query_end(query);
}

static int run_behind(struct query *query)
{
    query->ends = (struct loop_order){.fn = on_ends, .ctx = query};
    return thread_start(&query->thread, "rein-reader-own", work_behind, query);
}

/* ---- in one of libuv's threads, which have no other work ---- */

static unsigned aside_ms(const struct query_pool *pool)
{
    return pool->time_limit_ms < QUERY_ASIDE_MS ? pool->time_limit_ms : QUERY_ASIDE_MS;
}

static void stand_aside(void)
{
    static _Thread_local bool is_aside;
    if (!is_aside)
        thread_stand_aside("rein-reader");
    is_aside = true;
}

static atomic_uint threads_busy; /* the process's */

static void work_aside(uv_work_t *work)
{
    struct query *query = work->data;
    atomic_fetch_add(&threads_busy, 1);
    stand_aside();
    query->rv = run_once(query, aside_ms(query->pool), true);
    atomic_fetch_sub(&threads_busy, 1);
}

static struct query **find_aside(struct query_pool *pool, const struct query *query)
{
    size_t i = 0;
    while (i + 1 < QUERY_READERS_MAX && pool->aside[i] != query)
        i++;
    assert(pool->aside[i] == query);
    return &pool->aside[i];
}

static void after_work_aside(uv_work_t *work, int status)
{
    struct query *query = work->data;
    struct query_pool *pool = query->pool;
    *find_aside(pool, query) = NULL;
    if (status == UV_ECANCELED)
        query->rv = REIN_ELIMIT;
    if (query->rv == REIN_ELIMIT) {
        pool->full_until_ms = loop_now_ms(pool->loop) + QUERY_FULL_MS;
        if (run_behind(query) == 0)
            return;
    }
    query_end(query);
}

/* A thread that is free, and still does not begin, does not get a processor. */
static void on_timer(uv_timer_t *timer)
{
    struct query_pool *pool = timer->data;
    uint64_t now = loop_now_ms(pool->loop);
    size_t left = 0;
    for (size_t i = 0; i < QUERY_READERS_MAX; i++) {
        struct query *query = pool->aside[i];
        if (query == NULL)
            continue;
        if (now - query->given_ms < QUERY_BEGIN_MS || atomic_load(&threads_busy) >= LIBUV_THREADS)
            left++;
        else
            (void)uv_cancel((uv_req_t *)&query->work); /* refused if it has begun; else after_work_aside is called */
    }
    if (left == 0)
        uv_timer_stop(timer);
}

static void run_aside(struct query *query)
{
    struct query_pool *pool = query->pool;
    query->work.data = query;
    query->given_ms = loop_now_ms(pool->loop);
    *find_aside(pool, NULL) = query;
    if (!uv_is_active((uv_handle_t *)&pool->timer))
        uv_timer_start(&pool->timer, on_timer, QUERY_BEGIN_MS, QUERY_BEGIN_MS);
    int rc = uv_queue_work(loop_uv(pool->loop), &query->work, work_aside, after_work_aside);
    assert(rc == 0); /* it only refuses a missing function */
    (void)rc;
}

/* ---- the queue ---- */

static void run_next(struct query_pool *pool)
{
    while (pool->first != NULL && pool->running < pool->readers_max) {
        struct query *query = pool->first;
        pool->first = query->next;
        if (pool->first == NULL)
            pool->end = &pool->first;
        pool->waiting--;
        pool->running++;
        if (loop_now_ms(pool->loop) >= pool->full_until_ms || run_behind(query) != 0)
            run_aside(query);
    }
    assert(pool_is_sound(pool));
}

int query_start(struct query_pool *pool, struct query *query)
{
    if (pool->running >= pool->readers_max && pool->waiting >= pool->waiting_max)
        return REIN_ELIMIT;
    query->pool = pool;
    query->next = NULL;
    query->rv = 0;
    *pool->end = query;
    pool->end = &query->next;
    pool->waiting++;
    run_next(pool);
    return 0;
}
