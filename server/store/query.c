/* See query.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/query.h"

#include <assert.h>
#include <stdlib.h>

#include "base/thread.h"

struct query_pool {
    struct loop *loop;
    const struct store *store;
    unsigned time_limit_ms, readers_max;
    size_t waiting_max, waiting, running;
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
    *out = pool;
    return 0;
}

void query_pool_free(struct query_pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->running == 0 && pool->waiting == 0);
    free(pool);
}

size_t query_pool_busy(const struct query_pool *pool)
{
    return pool->running + pool->waiting;
}

/* libuv's threads have no other work. */
static void stand_behind(void)
{
    static _Thread_local bool is_behind;
    if (!is_behind)
        thread_stand_behind("rein-reader");
    is_behind = true;
}

static void work(uv_work_t *work)
{
    struct query *query = work->data;
    struct query_pool *pool = query->pool;
    struct store_reader *reader;
    stand_behind();
    query->rv =
        store_reader_open(&reader, pool->store, pool->time_limit_ms); /* these never change: safe to read here */
    if (query->rv != 0)
        return;
    query->run(query, reader);
    store_reader_close(reader);
}

static void run_next(struct query_pool *pool);

static void after_work(uv_work_t *work, int status)
{
    struct query *query = work->data;
    struct query_pool *pool = query->pool;
    assert(status == 0); /* queries are never cancelled */
    (void)status;
    pool->running--;
    query->done(query, query->rv);
    run_next(pool);
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
        query->work.data = query;
        int rc = uv_queue_work(loop_uv(pool->loop), &query->work, work, after_work);
        assert(rc == 0); /* it only refuses a missing function */
        (void)rc;
    }
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
