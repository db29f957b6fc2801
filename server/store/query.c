/* See query.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/query.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"

/* A thread that stands aside may be displaced anywhere, for long. So the loop shares no lock with it and waits for
 * none: each run has a thread of its own, which tells by a pipe that it has ended, and then only lets go of the pool.
 */
struct query_pool {
    struct loop *loop;
    const struct store *store;
    unsigned time_limit_ms, readers_max;
    size_t waiting_max, waiting, running;
    uint64_t full_until_ms; /* loop_now_ms: till then the machine is taken for full */
    struct query_run aside[QUERY_READERS_MAX];
    int pipe[2]; /* runs that have ended: pointers */
    uv_poll_t ended;
    uv_timer_t timer; /* runs while there may be one that has not begun */
    unsigned open_handles;
    atomic_uint refs; /* of the loop, and of each thread */
    struct query *first, **end;
};

static void on_ended(uv_poll_t *handle, int status, int events);

static int open_pipe(struct query_pool *pool)
{
    if (pipe2(pool->pipe, O_CLOEXEC) != 0)
        return REIN_EIO;
    (void)fcntl(pool->pipe[0], F_SETFL, O_NONBLOCK);
    uv_poll_init(loop_uv(pool->loop), &pool->ended, pool->pipe[0]);
    pool->ended.data = pool;
    uv_poll_start(&pool->ended, UV_READABLE, on_ended);
    return 0;
}

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
    int rv = open_pipe(pool);
    if (rv != 0) {
        log_error("store", "cannot make a pipe for readers");
        free(pool);
        return rv;
    }
    uv_timer_init(loop_uv(loop), &pool->timer);
    pool->timer.data = pool;
    pool->open_handles = 2;
    atomic_init(&pool->refs, 1);
    *out = pool;
    return 0;
}

/* One that was taken back, and notices it when it gets a processor, may be the last. */
static void pool_unref(struct query_pool *pool)
{
    if (atomic_fetch_sub(&pool->refs, 1) > 1)
        return;
    close(pool->pipe[1]);
    free(pool);
}

static void on_closed(uv_handle_t *handle)
{
    struct query_pool *pool = handle->data;
    if (--pool->open_handles > 0)
        return;
    close(pool->pipe[0]);
    pool_unref(pool);
}

void query_pool_free(struct query_pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->running == 0 && pool->waiting == 0);
    uv_close((uv_handle_t *)&pool->timer, on_closed);
    uv_close((uv_handle_t *)&pool->ended, on_closed);
}

size_t query_pool_busy(const struct query_pool *pool)
{
    return pool->running + pool->waiting;
}

static bool pool_is_sound(const struct query_pool *pool)
{
    return pool->running <= pool->readers_max && (pool->first == NULL) == (pool->waiting == 0);
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

static int read_once(struct query *query, unsigned limit_ms, bool is_aside)
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

/* A pointer goes into the pipe as a whole, and there is room for more of them than there are runs. Behind it the run
 * may be gone. */
static void tell_ended(struct query_pool *pool, struct query_run *run)
{
    ssize_t n = write(pool->pipe[1], &run, sizeof run);
    assert(n == (ssize_t)sizeof run || errno == EPIPE); /* the loop has let go of the pool */
    (void)n;
}

static void *run_behind(void *ctx)
{
    struct query_run *run = ctx;
    struct query_pool *pool = run->pool;
    thread_stand_behind("rein-reader-own");
    run->query->rv = read_once(run->query, pool->time_limit_ms, false);
    tell_ended(pool, run);
    pool_unref(pool);
    return NULL;
}

static unsigned aside_ms(const struct query_pool *pool)
{
    return pool->time_limit_ms < QUERY_ASIDE_MS ? pool->time_limit_ms : QUERY_ASIDE_MS;
}

/* Until it has begun, and again once it is taken back, the query is not its own. */
static void *run_aside(void *ctx)
{
    struct query_run *run = ctx;
    struct query_pool *pool = run->pool;
    const struct timespec moment = {0, 1000};
    int given = QUERY_GIVEN;
    thread_stand_aside("rein-reader");
    nanosleep(&moment, NULL); /* once it wakes up in its class, it has a processor */
    if (atomic_compare_exchange_strong(&run->state, &given, QUERY_BEGUN))
        run->query->rv = read_once(run->query, aside_ms(pool), true);
    tell_ended(pool, run);
    pool_unref(pool);
    return NULL;
}

static int start(struct query_run *run, struct query *query, const char *name, void *(*main)(void *ctx))
{
    pthread_t thread;
    run->pool = query->pool;
    run->query = query;
    run->given_ms = loop_now_ms(query->pool->loop);
    atomic_store(&run->state, QUERY_GIVEN);
    atomic_fetch_add(&run->pool->refs, 1);
    int rv = thread_start(&thread, name, main, run);
    if (rv == 0)
        pthread_detach(thread);
    else
        atomic_fetch_sub(&query->pool->refs, 1);
    return rv;
}

static void begin_behind(struct query *query)
{
    int rv = start(&query->own, query, "rein-reader-own", run_behind);
    if (rv == 0)
        return; /* it is the thread's */
    query->rv = rv;
    tell_ended(query->pool, &query->own);
}

/* ---- on the loop ---- */

/* A thread that still does not begin does not get a processor. */
static void on_timer(uv_timer_t *timer)
{
    struct query_pool *pool = timer->data;
    uint64_t now = loop_now_ms(pool->loop);
    size_t left = 0;
    for (size_t i = 0; i < QUERY_READERS_MAX; i++) {
        struct query_run *run = &pool->aside[i];
        int given = QUERY_GIVEN;
        bool is_new = run->query != NULL && now - run->given_ms < QUERY_BEGIN_MS;
        left += is_new;
        if (run->query == NULL || is_new || !atomic_compare_exchange_strong(&run->state, &given, QUERY_TAKEN_BACK))
            continue;
        pool->full_until_ms = now + QUERY_FULL_MS;
        begin_behind(run->query);
    }
    if (left == 0)
        uv_timer_stop(timer);
}

static bool is_aside(const struct query_pool *pool, const struct query_run *run)
{
    return run >= pool->aside && run < pool->aside + QUERY_READERS_MAX;
}

/* The query of one that was taken back may be gone. */
static void end_run(struct query_pool *pool, struct query_run *run)
{
    struct query *query = run->query;
    run->query = NULL;
    if (atomic_load(&run->state) == QUERY_TAKEN_BACK)
        return;
    if (is_aside(pool, run) && query->rv == REIN_ELIMIT) {
        pool->full_until_ms = loop_now_ms(pool->loop) + QUERY_FULL_MS;
        begin_behind(query);
        return;
    }
    query_end(query);
}

static void on_ended(uv_poll_t *handle, int status, int events)
{
    struct query_pool *pool = handle->data;
    struct query_run *run;
    (void)status;
    (void)events;
    while (read(pool->pipe[0], &run, sizeof run) == (ssize_t)sizeof run)
        end_run(pool, run);
}

/* NULL: those that were taken back still have all of them. */
static struct query_run *free_run(struct query_pool *pool)
{
    for (size_t i = 0; i < QUERY_READERS_MAX; i++)
        if (pool->aside[i].query == NULL)
            return &pool->aside[i];
    return NULL;
}

static void begin(struct query *query)
{
    struct query_pool *pool = query->pool;
    struct query_run *run = loop_now_ms(pool->loop) >= pool->full_until_ms ? free_run(pool) : NULL;
    if (run == NULL || start(run, query, "rein-reader", run_aside) != 0) {
        if (run != NULL)
            run->query = NULL;
        begin_behind(query);
        return;
    }
    if (!uv_is_active((uv_handle_t *)&pool->timer))
        uv_timer_start(&pool->timer, on_timer, QUERY_BEGIN_MS, QUERY_BEGIN_MS);
}

static void run_next(struct query_pool *pool)
{
    while (pool->first != NULL && pool->running < pool->readers_max) {
        struct query *query = pool->first;
        pool->first = query->next;
        if (pool->first == NULL)
            pool->end = &pool->first;
        pool->waiting--;
        pool->running++;
        begin(query);
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
