/* Queries off the loop: reads of the store run in libuv's threads, so that no loop waits for a disk; of low priority,
 * so that none waits for the processor either. SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the loop's, except for `run`. */
#ifndef SERVER_STORE_QUERY_H
#define SERVER_STORE_QUERY_H

#include <stddef.h>

#include "base/loop.h"
#include "rein/rein.h"
#include "store/read.h"

struct query_pool; /* readers of one loop */

/* The caller's, first in a larger struct; touched by nobody else between query_start and `done`. */
struct query {
    /* In a thread of libuv's: reads, keeps the result in the larger struct. */
    void (*run)(struct query *query, struct store_reader *reader);
    /* On the loop: exactly once. `rv` < 0: no reader could be opened, `run` was not called. May free the query. */
    void (*done)(struct query *query, int rv);

    struct query_pool *pool; /* the pool's from here on */
    struct query *next;
    int rv;
    uv_work_t work;
};

struct query_options {
    const struct store *store; /* outlives the pool */
    unsigned time_limit_ms;
    unsigned readers_max; /* that run at once, at most QUERY_READERS_MAX */
    size_t waiting_max;
};
enum { QUERY_READERS_MAX = 4 };

/* Each query has a connection of its own: it sees the database that is there now, and keeps none that is not. */
int query_pool_new(struct query_pool **out, struct loop *loop, const struct query_options *options) REIN_MUST_USE;
/* No query may be running or waiting. NULL is fine. */
void query_pool_free(struct query_pool *pool);
size_t query_pool_busy(const struct query_pool *pool); /* queries that run or wait */

/* Either REIN_ELIMIT (too many wait) and no callback, or 0 and `done` later. */
int query_start(struct query_pool *pool, struct query *query) REIN_MUST_USE;

#endif
