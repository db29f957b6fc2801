/* A worker: one thread with its loop, its listener, its upstream connections and the sessions between them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * On the hot path workers share only immutable snapshots of the config. */
#ifndef SERVER_SERVICE_WORKER_H
#define SERVER_SERVICE_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "config/config.h"
#include "front/client_limits.h"
#include "service/key_limits.h"
#include "session/session.h"
#include "store/query.h"
#include "store/store.h"

/* The inside is for routes.c and models.c, on the worker's thread. */
struct worker {
    struct loop *loop;
    struct front *front;
    struct upstream_pool *pool;
    struct query_pool *queries;    /* what clients ask of their decisions */
    struct config *config;         /* the snapshot for new requests */
    struct key_limits *key_limits; /* of all workers */
    unsigned number;               /* the first one probes judges */
    struct session_env sessions;   /* its judges are those of `config` */
    size_t judge_sets;             /* that are not closed yet */
    bool draining;

    uint64_t cut_at_ms, close_at_ms, leave_at_ms; /* of the drain, loop_now_ms */
    bool cut, closing, front_closed, pool_closed;
    bool waits_for_store; /* and has said so */
    uv_timer_t tick;
    uv_thread_t thread;
    bool is_joined; /* main thread's */
    struct loop *owner;
    struct loop_order reloads, drains; /* for this worker's loop */
    struct loop_order taken, done;     /* for the owner's */
    _Atomic(struct config *) next;     /* for `reloads`; NULL: none */
};

struct worker_options {
    struct config *config;
    struct store *store;
    const struct server_secret *secret; /* outlives all workers */
    struct telemetry *telemetry;        /* NULL: off; outlives all workers */
    struct metrics *metrics;
    unsigned number; /* its slot in the metrics */
    uint16_t port;   /* 0: the config's; else the one that the first worker got from the system */
    bool reuse_port;
    struct client_limits *client_limits; /* of all workers; outlives them, like the next */
    struct key_limits *key_limits;
    struct loop *owner; /* where on_done runs, once, when the worker's thread is about to end */
    loop_fn on_done;
    loop_fn on_reloaded; /* likewise, once the config of the last worker_reload counts */
    void *ctx;
};

/* Starts listening and the thread. Errors are logged. Main thread. Returns owned. */
int worker_start(struct worker **out, const struct worker_options *options) REIN_MUST_USE;
uint16_t worker_port(const struct worker *worker);
/* New requests get the new config; takes a reference of its own. Cannot fail. Any thread. */
void worker_reload(struct worker *worker, struct config *config);
/* Stops accepting, lets streams finish within the config's drain time, then cuts them, waits until the store has
 * answered for all of them, at most WORKER_STORE_WAIT_MS, then on_done. Cannot fail. Any thread. */
void worker_drain(struct worker *worker);
enum { WORKER_STORE_WAIT_MS = 15000 };
/* Waits for the thread. REIN_ELIMIT: the time was over and the store still has to answer; then nothing of worker and
 * store may be freed, the process can only end. Main thread, after on_done. */
int worker_join(struct worker *worker) REIN_MUST_USE;
void worker_free(struct worker *worker); /* main thread, after worker_join returned 0 */
/* Nobody will join its thread, which may run or have ended: the process ends at once. Main thread. */
void worker_abandon(struct worker *worker);

#endif
