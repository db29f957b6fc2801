/* The front's turn: what the pump does in which order, ticks, drain and close.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A turn: clients that left, bytes to write, the daemons that are due, whole requests, exchanges that are over; again
 * as long as one of these made another (an answer begun in on_request is out in the same turn). */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "front/front_internal.h"

enum { TICK_MS = 500, ROUNDS_MAX = 4, WRITE_LOW = 16 * 1024, WRITE_HIGH = 64 * 1024 };

void front_wake(struct front *front)
{
    if (loop_phase(front->loop) != LOOP_FREE && !front->pumping)
        loop_kick(front->loop);
}

void front_mark_due(struct front *front, unsigned shard)
{
    front->due |= UINT64_C(1) << shard;
    front_wake(front);
}

static void tell_left(struct front *front)
{
    struct exchange *x;
    while ((x = TAILQ_FIRST(&front->left)))
        exchange_leave(x);
}

static void tell_whole(struct front *front)
{
    struct exchange *x;
    while ((x = TAILQ_FIRST(&front->whole))) {
        exchange_put(x, NULL);
        x->seen = true;
        front->handler.on_request(front->handler.ctx, x);
    }
}

static void tell_over(struct front *front)
{
    struct exchange *x;
    while ((x = TAILQ_FIRST(&front->over)))
        exchange_finish(x);
}

static bool has_work(const struct front *front)
{
    return front->due || !TAILQ_EMPTY(&front->flush) || !TAILQ_EMPTY(&front->left) || !TAILQ_EMPTY(&front->over);
}

static void pump_stop(struct front *front);

static void pump(void *ctx)
{
    struct front *front = ctx;
    if (front->stopped)
        return;
    front->pumping = true;
    front->due |= front->due_next;
    front->due_next = 0;
    for (int round = 0; round < ROUNDS_MAX && (round == 0 || has_work(front)); round++) {
        tell_left(front);
        exchange_flush_all(front);
        shards_run(front);
        tell_whole(front);
        tell_over(front);
    }
    front->pumping = false;
    if (has_work(front) || front->due_next)
        loop_kick(front->loop);
    if (front->closing)
        pump_stop(front);
}

/* Closes a kept connection on which nothing is arriving. */
static void close_idle(struct conn *conn)
{
    char byte;
    if (!conn->x && conn->has_served && recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        shutdown(conn->fd, SHUT_RDWR);
}

static void tick(struct front *front)
{
    struct conn *conn;
    listener_tick(front->listener);
    conn_expire_all(front);
    for (unsigned i = 0; i < FRONT_SHARDS; i++)
        if (front->shards[i].connections > 0)
            front_mark_due(front, i); /* for libmicrohttpd's own timeouts, which nothing else triggers */
    for (unsigned i = 0; front->draining && i < FRONT_SHARDS; i++)
        for (conn = LIST_FIRST(&front->shards[i].conns); conn; conn = LIST_NEXT(conn, all))
            close_idle(conn);
}

static void on_tick(uv_timer_t *timer)
{
    tick(timer->data);
}

static void start_tick(struct front *front)
{
    uint64_t tick_ms = front->client_idle_ms / 4;
    tick_ms = tick_ms < 1 ? 1 : tick_ms > TICK_MS ? TICK_MS : tick_ms;
    uv_timer_start(&front->tick, on_tick, tick_ms, tick_ms);
}

static int pump_start(struct front *front, const struct front_options *options)
{
    struct listener_options listen = {options->host,          options->port,    options->reuse_port,
                                      options->client_limits, options->proxies, front->handler.error_text};
    int rv = shards_start(front, options);
    if (rv == 0 && !listen.client_limits) {
        const struct client_limits_options limits = {.all = options->connections_max,
                                                     .of_one = options->connections_per_address_max,
                                                     .bytes = options->bodies_max,
                                                     .bytes_of_one = options->bodies_per_address_max};
        rv = client_limits_new(&front->client_limits, &limits);
        listen.client_limits = front->client_limits;
    }
    front->counts = listen.client_limits;
    if (rv < 0)
        return rv;
    uv_timer_init(loop_uv(front->loop), &front->tick);
    front->tick.data = front;
    front->handles++;
    rv = loop_add_pump(front->loop, pump, front);
    if (rv == 0)
        rv = listener_start(&front->listener, front->loop, &listen, front_take, conn_give_way, front);
    if (rv == 0)
        start_tick(front);
    return rv;
}

int front_start(struct front **out, struct loop *loop, const struct front_options *options,
                const struct front_handler *handler)
{
    struct front *front = calloc(1, sizeof *front);
    if (!front)
        return REIN_ENOMEM;
    front->loop = loop;
    front->handler = *handler;
    front->body_max = options->body_max;
    front->proxies = options->proxies;
    front->client_idle_ms = options->client_idle_ms;
    front->write_high = options->write_high ? options->write_high : WRITE_HIGH;
    front->write_low = options->write_low ? options->write_low : WRITE_LOW;
    for (unsigned i = 0; i < FRONT_SHARDS; i++)
        LIST_INIT(&front->shards[i].conns);
    TAILQ_INIT(&front->reading);
    TAILQ_INIT(&front->writing);
    TAILQ_INIT(&front->flush);
    TAILQ_INIT(&front->whole);
    TAILQ_INIT(&front->left);
    TAILQ_INIT(&front->over);
    int rv = pump_start(front, options);
    if (rv < 0) {
        pump_stop(front);
        return rv;
    }
    *out = front;
    return 0;
}

void front_limit(struct front *front, size_t body_max, unsigned client_idle_ms, const struct proxies *proxies)
{
    front->body_max = body_max;
    front->proxies = proxies;
    listener_trust(front->listener, proxies);
    if (front->client_idle_ms == client_idle_ms)
        return;
    enum loop_phase back = loop_enter(front->loop, LOOP_HTTP);
    front_set_idle(front, client_idle_ms);
    loop_leave(front->loop, back);
    front->client_idle_ms = client_idle_ms;
    start_tick(front);
}

uint16_t front_port(const struct front *front)
{
    return listener_port(front->listener);
}

size_t front_connections(const struct front *front)
{
    return listener_connections(front->listener);
}

void front_drain(struct front *front)
{
    front->draining = true;
    listener_stop(front->listener);
    tick(front);
    loop_kick(front->loop);
}

static void free_front(struct front *front)
{
    loop_remove_pump(front->loop, pump, front);
    chunk_store_fini(&front->blocks);
    client_limits_free(front->client_limits);
    if (front->closed)
        front->closed(front->closed_ctx);
    free(front);
}

void front_handle_closed(struct front *front)
{
    assert(front->handles > 0);
    if (--front->handles == 0)
        free_front(front);
}

static void on_tick_closed(uv_handle_t *handle)
{
    front_handle_closed(handle->data);
}

/* A daemon may only be stopped when none of its connections is suspended: it would panic. */
static void pump_stop(struct front *front)
{
    struct conn *conn;
    for (unsigned i = 0; i < FRONT_SHARDS; i++)
        for (conn = LIST_FIRST(&front->shards[i].conns); conn; conn = LIST_NEXT(conn, all))
            if (conn->x)
                exchange_put(conn->x, &front->left);
    tell_left(front);
    front->stopped = true;
    shards_stop(front);
    tell_over(front);
    if (front->listener)
        listener_free(front->listener);
    if (front->tick.data)
        uv_close((uv_handle_t *)&front->tick, on_tick_closed);
    else if (front->handles == 0)
        free_front(front);
}

void front_close(struct front *front, loop_fn done, void *ctx)
{
    front->closed = done;
    front->closed_ctx = ctx;
    listener_stop(front->listener);
    front->closing = true;
    loop_kick(front->loop);
}
