/* Connections to upstreams: origins, what is kept between calls, and libuv's part of each.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection is polled for reading from its first moment to its last, kept or not: one that is kept and becomes
 * readable has been closed by the peer, or says something nobody asked for, and is dropped. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "upstream/upstream_internal.h"

enum { TICK_MS = 1000 };

/* An origin in use has a key; kept connections count as its users. */
static bool origin_is_sound(const struct upstream_origin *origin)
{
    return origin->key && origin->users > 0 && origin->idle_len <= origin->users &&
           TAILQ_EMPTY(&origin->idle) == (origin->idle_len == 0);
}

/* Open; and either kept, or the connection of exactly one call. */
static bool conn_is_sound(const struct upstream_conn *conn)
{
    return conn->fd >= 0 && origin_is_sound(conn->origin) &&
           (conn->call ? conn->call->conn == conn : conn->origin->idle_len > 0);
}

/* ---- origins ----------------------------------------------------------------------------------------------------- */

/* If all slots are taken, an origin with only kept connections loses them. */
static struct upstream_origin *free_a_slot(struct upstream_pool *pool)
{
    for (size_t i = 0; i < UPSTREAM_ORIGINS_MAX; i++) {
        struct upstream_origin *origin = &pool->origins[i];
        if (origin->users > origin->idle_len)
            continue;
        while (!TAILQ_EMPTY(&origin->idle))
            conn_close(TAILQ_FIRST(&origin->idle));
        assert(origin->users == 0);
        return origin;
    }
    return NULL;
}

/* All or nothing. */
static int origin_name(struct upstream_origin *origin, const char *key, bool is_tls, const struct reach *reach)
{
    struct reach copy;
    char *key_copy = strdup(key);
    if (reach_copy(&copy, reach) < 0 || !key_copy) {
        reach_fini(&copy);
        free(key_copy);
        return REIN_ENOMEM;
    }
    free(origin->key);
    reach_fini(&origin->reach);
    origin->key = key_copy;
    origin->reach = copy;
    origin->is_wrapped = is_tls || (copy.proxy && strncmp(copy.proxy, "https://", 8) == 0);
    return 0;
}

struct upstream_origin *origin_get(struct upstream_pool *pool, const char *key, bool is_tls, const struct reach *reach)
{
    struct upstream_origin *free_slot = NULL;
    for (size_t i = 0; i < UPSTREAM_ORIGINS_MAX; i++) {
        struct upstream_origin *origin = &pool->origins[i];
        if (origin->key && strcmp(origin->key, key) == 0 && reach_is_same(&origin->reach, reach)) {
            origin->users++;
            return origin;
        }
        if (!free_slot && origin->users == 0)
            free_slot = origin;
        if (!origin->key)
            break; /* slots are taken from the first on: none behind it was ever used */
    }
    if (!free_slot)
        free_slot = free_a_slot(pool);
    if (!free_slot || origin_name(free_slot, key, is_tls, reach) < 0)
        return NULL;
    free_slot->users = 1;
    free_slot->idle_len = 0;
    TAILQ_INIT(&free_slot->idle);
    return free_slot;
}

void origin_put(struct upstream_origin *origin)
{
    assert(origin->users > 0);
    origin->users--;
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static void on_conn_event(uv_poll_t *poll, int status, int events)
{
    struct upstream_conn *conn = poll->data;
    assert(conn_is_sound(conn));
    if (!conn->call) {
        conn_close(conn);
        return;
    }
    if (status < 0) /* libuv has stopped watching, but what came before a reset can still be read, piece by piece */
        conn_poll(conn, false);
    call_on_event(conn->call, status < 0 || (events & UV_READABLE), events & UV_WRITABLE);
}

struct upstream_conn *conn_new(struct upstream_call *call, int fd, struct dial *tls)
{
    struct upstream_conn *conn = calloc(1, sizeof *conn);
    if (!conn || uv_poll_init(loop_uv(call->pool->loop), &conn->poll, fd) < 0) {
        free(conn);
        if (tls)
            dial_free(tls);
        else
            close(fd);
        return NULL;
    }
    conn->pool = call->pool;
    conn->origin = call->origin;
    conn->origin->users++;
    conn->fd = fd;
    conn->tls = tls;
    conn->poll.data = conn;
    conn->pool->handles++;
    return conn;
}

void conn_poll(struct upstream_conn *conn, bool writable)
{
    uv_poll_start(&conn->poll, UV_READABLE | (writable ? UV_WRITABLE : 0), on_conn_event);
}

void conn_pause(struct upstream_conn *conn)
{
    uv_poll_stop(&conn->poll);
}

ssize_t conn_recv(struct upstream_conn *conn, char *data, size_t len)
{
    if (conn->tls)
        return dial_recv(conn->tls, data, len);
    ssize_t got = recv(conn->fd, data, len, MSG_DONTWAIT);
    return got < 0 ? (errno == EINTR ? -EAGAIN : -errno) : got;
}

ssize_t conn_send(struct upstream_conn *conn, const char *data, size_t len)
{
    if (conn->tls)
        return dial_send(conn->tls, data, len);
    ssize_t sent = send(conn->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? (errno == EINTR ? -EAGAIN : -errno) : sent;
}

static void take_off_idle(struct upstream_conn *conn)
{
    TAILQ_REMOVE(&conn->origin->idle, conn, idles);
    conn->origin->idle_len--;
}

static void on_conn_closed(uv_handle_t *handle)
{
    struct upstream_conn *conn = handle->data;
    struct upstream_pool *pool = conn->pool;
    free(conn);
    pool_handle_closed(pool);
}

void conn_close(struct upstream_conn *conn)
{
    assert(conn_is_sound(conn));
    if (conn->call)
        conn->call->conn = NULL;
    else
        take_off_idle(conn);
    conn->call = NULL;
    uv_close((uv_handle_t *)&conn->poll, on_conn_closed); /* stops at once: the number may be used again */
    if (conn->tls)
        dial_free(conn->tls);
    else
        close(conn->fd);
    conn->tls = NULL;
    conn->fd = -1;
    origin_put(conn->origin);
}

struct upstream_conn *conn_take(struct upstream_pool *pool, struct upstream_origin *origin)
{
    struct upstream_conn *conn = TAILQ_FIRST(&origin->idle);
    (void)pool;
    assert(!conn || (conn_is_sound(conn) && !conn->call));
    if (conn)
        take_off_idle(conn);
    return conn;
}

void conn_keep(struct upstream_conn *conn)
{
    struct upstream_pool *pool = conn->pool;
    assert(conn_is_sound(conn) && conn->call);
    conn->call->conn = NULL;
    conn->call = NULL;
    conn->idle_since_ms = loop_now_ms(pool->loop);
    TAILQ_INSERT_HEAD(&conn->origin->idle, conn, idles);
    conn->origin->idle_len++;
    if (pool->closing || pool->keep_alive_ms == 0)
        conn_close(conn);
    else if (conn->origin->idle_len > UPSTREAM_IDLE_MAX)
        conn_close(TAILQ_LAST(&conn->origin->idle, upstream_conns));
}

/* ---- the pool ---------------------------------------------------------------------------------------------------- */

static void close_idle(struct upstream_pool *pool, uint64_t older_than_ms)
{
    struct upstream_conn *conn;
    for (size_t i = 0; i < UPSTREAM_ORIGINS_MAX; i++)
        while (pool->origins[i].key && (conn = TAILQ_LAST(&pool->origins[i].idle, upstream_conns)) &&
               conn->idle_since_ms <= older_than_ms)
            conn_close(conn);
}

static void on_tick(uv_timer_t *timer)
{
    struct upstream_pool *pool = timer->data;
    uint64_t now = loop_now_ms(pool->loop);
    if (now >= pool->keep_alive_ms)
        close_idle(pool, now - pool->keep_alive_ms);
}

static void pump(void *ctx)
{
    struct upstream_pool *pool = ctx;
    struct upstream_call *call;
    if (pool->closing)
        return;
    /* Calls that are added meanwhile wait for the next turn. */
    for (size_t left = pool->due_len; left > 0 && (call = TAILQ_FIRST(&pool->due)); left--) {
        call_off_due(call);
        call_continue(call);
    }
    dialers_pump(pool);
}

static void free_pool(struct upstream_pool *pool)
{
    loop_remove_pump(pool->loop, pump, pool);
    for (size_t i = 0; i < UPSTREAM_ORIGINS_MAX; i++) {
        free(pool->origins[i].key);
        reach_fini(&pool->origins[i].reach);
    }
    free(pool->dialers);
    if (pool->closed)
        pool->closed(pool->closed_ctx);
    free(pool);
}

void pool_handle_closed(struct upstream_pool *pool)
{
    if (--pool->handles == 0)
        free_pool(pool);
}

static void on_tick_closed(uv_handle_t *handle)
{
    pool_handle_closed(handle->data);
}

void upstream_pool_close(struct upstream_pool *pool, loop_fn done, void *ctx)
{
    pool->closing = true;
    pool->closed = done;
    pool->closed_ctx = ctx;
    close_idle(pool, UINT64_MAX);
    dialers_close(pool);
    uv_close((uv_handle_t *)&pool->tick, on_tick_closed);
}

int upstream_pool_new(struct upstream_pool **out, struct loop *loop, unsigned keep_alive_ms)
{
    struct upstream_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return REIN_ENOMEM;
    pool->loop = loop;
    pool->keep_alive_ms = keep_alive_ms;
    TAILQ_INIT(&pool->due);
    uv_timer_init(loop_uv(loop), &pool->tick);
    pool->tick.data = pool;
    pool->handles++;
    uint64_t tick_ms = keep_alive_ms / 4 < 1 ? 1 : keep_alive_ms / 4 > TICK_MS ? TICK_MS : keep_alive_ms / 4;
    uv_timer_start(&pool->tick, on_tick, tick_ms, tick_ms);
    int rv = dialers_start(pool);
    if (rv == 0)
        rv = loop_add_pump(loop, pump, pool);
    if (rv < 0) {
        log_error("upstream", "cannot start libcurl: %s", rein_strerror(rv));
        upstream_pool_close(pool, NULL, NULL);
        return rv;
    }
    *out = pool;
    return 0;
}
