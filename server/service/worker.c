/* See worker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "service/worker.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "judges/judge_set.h"
#include "service/routes.h"

enum {
    WRITE_LOW = 16 * 1024,
    WRITE_HIGH = 64 * 1024,
    UPSTREAM_KEEP_ALIVE_MS = 4000, /* below the five seconds after which common backends close */
    TICK_MAX_MS = 250,
    TICK_MIN_MS = 10,
    DRAIN_TICK_MS = 10,
    CLOSE_GRACE_MS = 2000, /* for the last bytes of cut responses */
    QUERY_MS = 2000,
    QUERY_READERS = 1,
    QUERIES_WAITING = 64,
};

/* The end comes in steps: drain, cut, close, then the pool. */
static bool worker_is_sound(const struct worker *w)
{
    return config_is_sound(w->config) && (w->draining || (!w->cut && !w->closing)) && (w->closing || !w->pool_closed) &&
           (!w->draining || w->cut_at_ms <= w->close_at_ms);
}

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
        .client_limits = options->client_limits,
        .proxies = config->proxies,
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
    assert(worker_is_sound(w));
}

/* Judges are called with the pool's connections. */
static void close_pool(struct worker *w)
{
    if (w->front_closed && w->judge_sets == 0)
        upstream_pool_close(w->pool, on_pool_closed, w);
}

/* Sessions without a client ask no judge, and hold none. */
static void on_front_closed(void *ctx)
{
    struct worker *w = ctx;
    w->front_closed = true;
    judge_set_unref(w->sessions.judges);
    w->sessions.judges = NULL;
    close_pool(w);
}

/* ---- judges ---- */

/* The judges of one config; its texts are the config's. */
struct worker_judges {
    struct worker *worker;
    struct config *config;
};

static const struct judge_settings *judge_settings_at(const void *source, size_t index)
{
    const struct config *config = source;
    return &config->judges[index].settings;
}

static bool judge_is_probed(const void *source, size_t index)
{
    const struct config *config = source;
    const struct judge_settings *settings = &config->judges[index].settings;
    return config->judges[index].probe && settings->kind->judges(settings->description, JUDGE_ANSWER);
}

static void on_judges_closed(void *ctx)
{
    struct worker_judges *judges = ctx;
    struct worker *w = judges->worker;
    config_unref(judges->config);
    free(judges);
    w->judge_sets--;
    close_pool(w);
}

/* NULL: out of memory. Then what policies say of judges that fail holds for all questions. */
static struct judge_set *make_judges(struct worker *w, struct config *config)
{
    struct judge_set *set = NULL;
    struct worker_judges *judges = malloc(sizeof *judges);
    if (judges == NULL)
        return NULL;
    *judges = (struct worker_judges){w, config};
    struct judge_set_options options = {.len = config->judges_len,
                                        .settings = judge_settings_at,
                                        .is_probed = w->number == 0 ? judge_is_probed : NULL,
                                        .source = config,
                                        .loop = w->loop,
                                        .pool = w->pool,
                                        .done = on_judges_closed,
                                        .ctx = judges};
    if (judge_set_new(&set, &options) < 0) {
        log_error("worker", "out of memory: no judge of the new configuration can be asked");
        free(judges);
        return NULL;
    }
    config_ref(config);
    w->judge_sets++;
    return set;
}

/* Sessions and queries are notified on this loop, so it must exist while one is left. */
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
    assert(worker_is_sound(w) && w->draining);
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

/* Often enough that a silent stream gets its comment at about the configured time. */
static void start_tick(struct worker *w)
{
    unsigned tick_ms = w->config->timeouts.keep_alive_ms / 4;
    tick_ms = tick_ms < TICK_MIN_MS ? TICK_MIN_MS : tick_ms > TICK_MAX_MS ? TICK_MAX_MS : tick_ms;
    uv_timer_start(&w->tick, on_tick, tick_ms, tick_ms);
}

/* What a worker enforces itself follows the newest config; everything else follows the config of the request. */
static void take_config(void *ctx)
{
    struct worker *w = ctx;
    struct config *next = atomic_exchange(&w->next, NULL);
    assert(worker_is_sound(w));
    if (next == NULL)
        return;
    if (w->closing) { /* the closing front still borrows from its config */
        config_unref(next);
        loop_give(w->owner, &w->taken);
        return;
    }
    struct config *before = w->config;
    prefix_cache_clear(&w->sessions.prefixes);
    struct judge_set *judges_before = w->sessions.judges;
    w->config = next;
    w->sessions.current = next;
    w->sessions.judges = make_judges(w, next);
    judge_set_unref(judges_before);
    front_limit(w->front, next->limits.body_bytes, next->timeouts.client_idle_ms, next->proxies);
    if (!w->draining)
        start_tick(w);
    config_unref(before);
    loop_give(w->owner, &w->taken);
    assert(worker_is_sound(w));
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

static void worker_run(void *ctx)
{
    struct worker *w = ctx;
    loop_run(w->loop);
    loop_give(w->owner, &w->done);
}

/* ---- from outside ---- */

int worker_start(struct worker **out, const struct worker_options *options)
{
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL)
        return REIN_ENOMEM;
    w->config = config_ref(options->config);
    w->key_limits = options->key_limits;
    w->owner = options->owner;
    w->number = options->number;
    w->done = (struct loop_order){.fn = options->on_done, .ctx = options->ctx};
    w->taken = (struct loop_order){.fn = options->on_reloaded, .ctx = options->ctx};
    w->reloads = (struct loop_order){.fn = take_config, .ctx = w};
    w->drains = (struct loop_order){.fn = begin_drain, .ctx = w};
    int rv = loop_new(&w->loop);
    if (rv == 0)
        rv = upstream_pool_new(&w->pool, w->loop, UPSTREAM_KEEP_ALIVE_MS);
    if (rv == 0)
        rv = query_pool_new(&w->queries, w->loop,
                            &(struct query_options){options->store, QUERY_MS, QUERY_READERS, QUERIES_WAITING});
    if (rv == 0)
        rv = rein_engine_new(&w->sessions.engine);
    if (rv == 0)
        rv = start_front(w, options);
    if (rv < 0)
        return rv; /* the process ends: nothing needs to be freed */
    assert(worker_is_sound(w));
    w->sessions.current = w->config;
    w->sessions.loop = w->loop;
    w->sessions.pool = w->pool;
    w->sessions.judges = make_judges(w, w->config);
    w->sessions.store = options->store;
    w->sessions.secret = options->secret;
    w->sessions.telemetry = options->telemetry;
    w->sessions.metrics = options->metrics;
    w->sessions.meter = metrics_worker(options->metrics, options->number);
    w->sessions.write_high = WRITE_HIGH;
    uv_timer_init(loop_uv(w->loop), &w->tick);
    w->tick.data = w;
    start_tick(w);
    if (uv_thread_create(&w->thread, worker_run, w) != 0)
        return REIN_ENOMEM;
    *out = w;
    return 0;
}

uint16_t worker_port(const struct worker *worker)
{
    return front_port(worker->front);
}

void worker_reload(struct worker *worker, struct config *config)
{
    config_unref(
        atomic_exchange(&worker->next, config_ref(config))); /* one that was not taken yet will never be taken */
    loop_give(worker->loop, &worker->reloads);
}

void worker_drain(struct worker *worker)
{
    loop_give(worker->loop, &worker->drains);
}

int worker_join(struct worker *worker)
{
    uv_thread_join(&worker->thread);
    worker->is_joined = true;
    return is_done(worker) ? 0 : REIN_ELIMIT;
}

void worker_abandon(struct worker *worker)
{
    if (!worker->is_joined)
        pthread_detach(worker->thread);
}

void worker_free(struct worker *worker)
{
    assert(worker->is_joined);
    assert(worker->sessions.count == 0); /* otherwise the store would notify a loop that is gone */
    rein_engine_free(worker->sessions.engine);
    prefix_cache_clear(&worker->sessions.prefixes);
    query_pool_free(worker->queries);
    config_unref(worker->config);
    config_unref(atomic_load(&worker->next));
    loop_free(worker->loop);
    free(worker);
}
