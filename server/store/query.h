/* Queries off the loop: reads of the store run in other threads, so that no loop waits for a disk.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      query_start -> waits for one of libuv's threads -> done     they take what nobody else wants of the processors,
 *                                    |                             so no stream and no commit waits for them
 *         not begun within QUERY_BEGIN_MS, or no answer within QUERY_ASIDE_MS: the machine is full
 *                                    v
 *                     anew, in a thread of its own     -> done     it has a small part of the processors
 *
 * Once that has happened, queries begin there for QUERY_FULL_MS.
 *
 * Thread: the loop's, except for `run`. */
#ifndef SERVER_STORE_QUERY_H
#define SERVER_STORE_QUERY_H

#include <pthread.h>
#include <stddef.h>

#include "base/loop.h"
#include "rein/rein.h"
#include "store/read.h"

struct query_pool; /* readers of one loop */

/* The caller's, first in a larger struct, zero but for `run` and `done`; touched by nobody else between query_start and
 * `done`. */
struct query {
    /* In another thread: reads, keeps the result in the larger struct. After REIN_ELIMIT it may be called a second
     * time, and begins anew. */
    int (*run)(struct query *query, struct store_reader *reader);
    /* On the loop: exactly once. `rv`: that of `run`, or < 0 because no reader could be opened. May free the query. */
    void (*done)(struct query *query, int rv);

    struct query_pool *pool; /* the pool's from here on */
    struct query *next;
    int rv;
    uv_work_t work;
    uint64_t given_ms; /* loop_now_ms: when it was given to libuv */
    pthread_t thread;  /* its own, the second time */
    struct loop_order ends;
};

struct query_options {
    const struct store *store; /* outlives the pool */
    unsigned time_limit_ms;    /* of a run; one that waits for the processors has two */
    unsigned readers_max;      /* that run at once, at most QUERY_READERS_MAX */
    size_t waiting_max;
};
enum { QUERY_READERS_MAX = 4, QUERY_BEGIN_MS = 100, QUERY_ASIDE_MS = 1000, QUERY_FULL_MS = 30000 };

/* Each query has a connection of its own: it sees the database that is there now, and keeps none that is not. */
int query_pool_new(struct query_pool **out, struct loop *loop, const struct query_options *options) REIN_MUST_USE;
/* No query may be running or waiting; the loop must be freed after it. NULL is fine. */
void query_pool_free(struct query_pool *pool);
size_t query_pool_busy(const struct query_pool *pool); /* queries that run or wait */

/* Either REIN_ELIMIT (too many wait) and no callback, or 0 and `done` later. */
int query_start(struct query_pool *pool, struct query *query) REIN_MUST_USE;

#endif
