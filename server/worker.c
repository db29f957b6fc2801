/* See worker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <assert.h>
#include <stdlib.h>

#include "log.h"
#include "routes.h"

enum {
    WRITE_LOW = 16 * 1024,
    WRITE_HIGH = 64 * 1024,
    UPSTREAM_KEEP_ALIVE_MS = 4000, /* below the five seconds after which common backends close */
    TICK_MS = 250,
    DRAIN_TICK_MS = 10,
    CLOSE_GRACE_MS = 2000, /* for the last bytes of what was cut */
    QUERY_MS = 2000,
    QUERY_READERS = 1,
    QUERIES_WAITING = 64,
};

static int start_front(struct worker *w, const struct worker_options *options)
{
    const struct config *config = w->config;
    struct front_options front = {
        .host = config->listen.host,
        .port = options->port != 0 ? options->port : config->listen.port,
        .reuse_port = options->reuse_port,
        .body_max = config->limits.body_bytes,
        .connections_max = config->limits.connections,
        .connections_per_address_max = config->limits.connections_per_address,
        .peers = options->peers,
        .client_idle_ms = config->timeouts.client_idle_ms,
        .write_low = WRITE_LOW,
        .write_high = WRITE_HIGH,
    };
    struct front_handler handler = routes_handler(w);
    return front_start(&w->front, w->loop, &front, &handler);
}

/* ---- the end ---- */

static void on_pool_closed(void *ctx)
{
    struct worker *w = ctx;
    w->pool_closed = true;
}

static void on_front_closed(void *ctx)
{
    struct worker *w = ctx;
    upstream_pool_close(w->pool, on_pool_closed, w);
}

/* Sessions and queries are told of on this loop: while one is left, the loop has to be there. */
static bool is_done(const struct worker *w)
{
    return w->pool_closed && w->sessions.count == 0 && query_pool_busy(w->queries) == 0;
}

static void stop_if_done(struct worker *w, uint64_t now)
{
    if (is_done(w) || now >= w->leave_at_ms) {
        uv_close((uv_handle_t *)&w->tick, NULL);
        loop_stop(w->loop);
    } else if (!w->waits_for_store && w->pool_closed && w->sessions.count > 0) {
        w->waits_for_store = true;
        log_warn("worker", "waiting for the store to write the decisions of %zu requests, at most %d s",
                 w->sessions.count, WORKER_STORE_WAIT_MS / 1000);
    }
}

static void drain_step(struct worker *w)
{
    uint64_t now = loop_now_ms(w->loop);
    if (w->closing) {
        stop_if_done(w, now);
        return;
    }
    bool idle = w->sessions.count == 0 && front_connections(w->front) == 0;
    if (!w->cut && now >= w->cut_at_ms) {
        w->cut = true;
        if (w->sessions.count > 0)
            log_warn("worker", "cutting %zu streams at the end of the drain time", w->sessions.count);
        session_cut_all(&w->sessions);
    }
    if (idle || now >= w->close_at_ms) {
        w->closing = true;
        w->leave_at_ms = now + WORKER_STORE_WAIT_MS;
        front_close(w->front, on_front_closed, w);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *w = timer->data;
    log_flush(log_now_ms());
    session_tick_all(&w->sessions);
    if (w->draining)
        drain_step(w);
}

static void begin_drain(void *ctx)
{
    struct worker *w = ctx;
    if (w->draining)
        return;
    w->draining = true;
    w->cut_at_ms = loop_now_ms(w->loop) + w->config->timeouts.drain_ms;
    w->close_at_ms = w->cut_at_ms + CLOSE_GRACE_MS;
    front_drain(w->front);
    uv_timer_start(&w->tick, on_tick, 1, DRAIN_TICK_MS);
}

static void run(void *ctx)
{
    struct worker *w = ctx;
    loop_run(w->loop);
    if (loop_post(w->owner, w->on_done, w->ctx) < 0)
        log_error("worker", "the end of a worker could not be told");
}

/* ---- from outside ---- */

int worker_start(struct worker **out, const struct worker_options *options)
{
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return REIN_ENOMEM;
    w->config = config_ref(options->config);
    w->owner = options->owner;
    w->on_done = options->on_done;
    w->ctx = options->ctx;
    int rv = loop_new(&w->loop);
    if (rv == 0)
        rv = upstream_pool_new(&w->pool, w->loop, UPSTREAM_KEEP_ALIVE_MS);
    if (rv == 0)
        rv = query_pool_new(&w->queries, w->loop,
                            &(struct query_options){w->config->store.path, QUERY_MS, QUERY_READERS, QUERIES_WAITING});
    if (rv == 0)
        rv = rein_engine_new(&w->sessions.engine);
    if (rv == 0)
        rv = start_front(w, options);
    if (rv < 0)
        return rv; /* the process ends: nothing is worth taking apart */
    w->sessions.loop = w->loop;
    w->sessions.pool = w->pool;
    w->sessions.store = options->store;
    w->sessions.metrics = options->metrics;
    w->sessions.meter = metrics_worker(options->metrics, options->number);
    w->sessions.write_high = WRITE_HIGH;
    uv_timer_init(loop_uv(w->loop), &w->tick);
    w->tick.data = w;
    uv_timer_start(&w->tick, on_tick, TICK_MS, TICK_MS);
    if (uv_thread_create(&w->thread, run, w) != 0)
        return REIN_ENOMEM;
    *out = w;
    return 0;
}

uint16_t worker_port(const struct worker *worker)
{
    return front_port(worker->front);
}

struct reload {
    struct worker *worker;
    struct config *config;
};

static void swap_config(void *ctx)
{
    struct reload *reload = ctx;
    verified_clear(&reload->worker->sessions.verified);
    config_unref(reload->worker->config);
    reload->worker->config = reload->config;
    free(reload);
}

void worker_reload(struct worker *worker, struct config *config)
{
    struct reload *reload = malloc(sizeof *reload);
    if (reload != NULL) {
        *reload = (struct reload){worker, config_ref(config)};
        if (loop_post(worker->loop, swap_config, reload) == 0)
            return;
        config_unref(config);
        free(reload);
    }
    log_error("worker", "out of memory: the old config stays");
}

void worker_drain(struct worker *worker)
{
    if (loop_post(worker->loop, begin_drain, worker) < 0)
        log_error("worker", "out of memory: the drain does not begin");
}

int worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
    return is_done(worker) ? 0 : REIN_ELIMIT;
}

void worker_free(struct worker *worker)
{
    assert(worker->sessions.count == 0); /* the store would tell a loop that is gone */
    rein_engine_free(worker->sessions.engine);
    verified_clear(&worker->sessions.verified);
    query_pool_free(worker->queries);
    config_unref(worker->config);
    loop_free(worker->loop);
    free(worker);
}
