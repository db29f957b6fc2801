/* Exchanges: the answer's side of front.h, and direct mode.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd sends the head of a streamed answer and asks for the first bytes of the body; there it is suspended,
 * and from then on the body's chunks are written straight to the connection's descriptor: at once if the source says
 * that this is all for now, else one send per stream and loop turn. At the end it is resumed and informed that the body
 * has ended, writes the last chunk and continues with keep-alive. Suspending and resuming for each event would cost a
 * walk over all suspended connections each time. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "front/front_internal.h"

/* Beyond write_high and one piece: for a source that continues although it should pause. A piece itself may have any
 * size, because what a policy held is released at once. */
enum { WRITE_SLACK = 1024 * 1024 };
/* How long a connection may be idle while others find no room, and how many are checked for being idle. */
enum { GIVE_WAY_MS = 1000, GIVE_WAY_LOOKS = 64 };

/* Only a few comparisons for each event. */
bool conn_is_sound(const struct conn *conn)
{
    const struct exchange *x = conn->x;
    bool is_slow = conn->wait == CONN_WRITING;
    return (!x || x->conn == conn) && (!is_slow || (x && x->state == X_DIRECT)) &&
           (!conn->is_watched || (conn->has_poll && !conn->has_hung_up));
}

bool exchange_is_sound(const struct exchange *x)
{
    enum {
        OWNED = 1 << X_WAITING | 1 << X_DIRECT,                    /* libmicrohttpd has suspended it */
        ANSWERED = 1 << X_REPLYING | 1 << X_STARTING | 1 << X_CUT, /* it has the response, or is about to take it */
        FLUSHABLE = 1 << X_DIRECT,                                 /* there may be something to write */
        STREAMED = 1 << X_STARTING | 1 << X_DIRECT | 1 << X_ENDING | 1 << X_CUT | 1 << X_OVER,
    };
    unsigned state = 1u << x->state;
    const struct front *front = x->front;
    if (x->suspended != ((state & OWNED) != 0) || (x->in_flush && !(state & FLUSHABLE)) ||
        (x->response && !(state & ANSWERED)) || (x->ending && !(state & STREAMED)))
        return false;
    if ((x->conn == NULL) != (x->state == X_OVER) || (x->conn && (x->conn->x != x || !conn_is_sound(x->conn))))
        return false;
    if ((x->todo == &front->whole && x->state != X_WAITING) || (x->todo == &front->over) != (x->state == X_OVER))
        return false;
    return buffer_is_sound(&x->body) && chunk_is_sound(&x->out);
}

struct exchange *exchange_new(struct conn *conn, size_t head_size)
{
    struct exchange *x = malloc(sizeof *x + head_size);
    if (!x)
        return NULL;
    memset(x, 0, sizeof *x);
    x->front = conn->front;
    x->conn = conn;
    x->head_ms = loop_now_ms(conn->front->loop);
    x->body_max = conn->front->body_max;
    x->address = conn->address;
    x->client = conn->key;
    conn->x = x;
    conn->has_served = true;
    return x;
}

static void take_off_flush(struct exchange *x)
{
    if (x->in_flush)
        TAILQ_REMOVE(&x->front->flush, x, flushes);
    x->in_flush = false;
}

void exchange_put(struct exchange *x, struct exchange_queue *list)
{
    if (x->todo)
        TAILQ_REMOVE(x->todo, x, todos);
    x->todo = list;
    if (list)
        TAILQ_INSERT_TAIL(list, x, todos);
}

void exchange_note_answered(struct exchange *x)
{
    if (x->is_answered || !x->grant.owner)
        return;
    x->is_answered = true;
    if (x->grant.answered)
        x->grant.answered(&x->grant);
}

void exchange_finish(struct exchange *x)
{
    assert(x->state == X_OVER && exchange_is_sound(x));
    exchange_put(x, NULL);
    take_off_flush(x);
    if (x->seen)
        x->front->handler.on_closed(x->front->handler.ctx, x, x->gone);
    exchange_note_answered(x);
    if (x->grant.owner)
        x->grant.release(&x->grant);
    chunk_drop(&x->out, &x->front->blocks);
    client_limits_give_back(x->front->counts, &x->client, buffer_room(&x->body));
    if (x->is_counted)
        client_limits_remove(x->front->counts, &x->client, CLIENT_REQUEST);
    buffer_clear(&x->body);
    free(x);
}

/* ---- the connection ---------------------------------------------------------------------------------------------- */

static struct conn_queue *queue_of(struct conn *conn)
{
    return conn->wait == CONN_READING ? &conn->front->reading : &conn->front->writing;
}

void conn_wait(struct conn *conn, enum conn_wait wait)
{
    if (conn->wait != CONN_NOT_WAITED_FOR)
        TAILQ_REMOVE(queue_of(conn), conn, waits);
    conn->wait = wait;
    conn->since_ms = loop_now_ms(conn->front->loop);
    if (wait != CONN_NOT_WAITED_FOR)
        TAILQ_INSERT_TAIL(queue_of(conn), conn, waits);
}

static void on_conn_event(uv_poll_t *poll, int status, int events);

static void watch_for(struct conn *conn, int events)
{
    uv_poll_start(&conn->poll, events | UV_DISCONNECT, on_conn_event);
    conn->is_watched = true;
}

int conn_watch(struct conn *conn)
{
    if (!conn->has_poll) {
        if (uv_poll_init(loop_uv(conn->front->loop), &conn->poll, conn->fd) < 0)
            return REIN_ENOMEM;
        conn->poll.data = conn;
        conn->has_poll = true;
        conn->front->handles++;
    }
    if (!conn->is_watched && !conn->has_hung_up)
        watch_for(conn, 0);
    return 0;
}

void conn_unwatch(struct conn *conn)
{
    if (conn->is_watched)
        uv_poll_stop(&conn->poll);
    conn->is_watched = false;
}

/* Expired connections are shut; libmicrohttpd then sees their end. */
static void expire_reading(struct front *front, uint64_t now)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&front->reading)) && now - conn->since_ms >= front->client_idle_ms) {
        conn_wait(conn, CONN_NOT_WAITED_FOR);
        shutdown(conn->fd, SHUT_RDWR);
    }
}

static void expire_writing(struct front *front, uint64_t now)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&front->writing)) && now - conn->since_ms >= front->client_idle_ms) {
        conn_wait(conn, CONN_NOT_WAITED_FOR);
        conn_unwatch(conn);
        exchange_put(conn->x, &front->left);
    }
}

/* The connection that has waited longest for its first or next request, but not one that has just begun to wait. */
bool conn_give_way(void *ctx)
{
    struct front *front = ctx;
    uint64_t now = loop_now_ms(front->loop), least_ms = front->client_idle_ms / 4;
    struct conn *conn = TAILQ_FIRST(&front->reading);
    least_ms = least_ms < GIVE_WAY_MS ? least_ms : GIVE_WAY_MS;
    for (int i = 0; i < GIVE_WAY_LOOKS && conn && now - conn->since_ms >= least_ms; i++) {
        if (!conn->x && !conn->has_left) {
            conn->has_left = true;
            listener_leave(front->listener, &conn->key, conn->kind);
            conn_wait(conn, CONN_NOT_WAITED_FOR);
            shutdown(conn->fd, SHUT_RDWR);
            return true;
        }
        conn = TAILQ_NEXT(conn, waits);
    }
    return false;
}

void conn_expire_all(struct front *front)
{
    uint64_t now = loop_now_ms(front->loop);
    expire_reading(front, now);
    expire_writing(front, now);
}

/* ---- direct mode ------------------------------------------------------------------------------------------------- */

static void queue_flush(struct exchange *x)
{
    if (!x->in_flush)
        TAILQ_INSERT_TAIL(&x->front->flush, x, flushes);
    x->in_flush = true;
    front_wake(x->front);
}

static void flush(struct exchange *x)
{
    struct conn *conn = x->conn;
    assert(exchange_is_sound(x));
    if (x->state != X_DIRECT || x->todo == &x->front->left)
        return;
    bool was_slow = conn->wait == CONN_WRITING;
    /* At the end libmicrohttpd's last chunk follows at once: it can go out in the same packet. */
    enum chunk_sent sent = chunk_flush(&x->out, &x->front->blocks, conn->fd, x->ending && !x->aborted && !x->is_http10);
    switch (sent) {
    case CHUNK_GONE:
        conn_unwatch(conn);
        exchange_put(x, &x->front->left);
        return;
    case CHUNK_SOME:
    case CHUNK_NONE:
        if (!was_slow)
            watch_for(conn, UV_WRITABLE);
        if (!was_slow || sent == CHUNK_SOME)
            conn_wait(conn, CONN_WRITING);
        break;
    case CHUNK_ALL:
        if (was_slow) {
            watch_for(conn, 0);
            conn_wait(conn, CONN_NOT_WAITED_FOR);
        }
    }
    if (x->aborted) {
        exchange_shut(x);
        return;
    }
    size_t pending = chunk_pending(&x->out);
    if (x->too_high && pending <= x->front->write_low) {
        x->too_high = false;
        if (x->front->handler.on_drain && !x->ending)
            x->front->handler.on_drain(x->front->handler.ctx, x);
    }
    if (x->state == X_DIRECT && x->ending && chunk_pending(&x->out) == 0) {
        x->state = X_ENDING;
        front_resume(x);
    }
    assert(exchange_is_sound(x));
}

void exchange_flush_all(struct front *front)
{
    struct exchange *x;
    while ((x = TAILQ_FIRST(&front->flush))) {
        take_off_flush(x);
        flush(x);
    }
}

/* A reset connection is reported as an error without events, after which libuv has stopped watching. */
static void on_conn_event(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;
    struct exchange *x = conn->x;
    assert(conn_is_sound(conn) && (!x || exchange_is_sound(x)));
    if (status < 0 || (events & UV_DISCONNECT)) {
        conn_unwatch(conn); /* it would call back repeatedly */
        conn->has_hung_up = true;
        if (x && x->suspended)
            exchange_put(x, &conn->front->left);
        else if (!x || x->state == X_READING)
            shutdown(conn->fd,
                     SHUT_RDWR); /* libmicrohttpd waits for the rest of a body even after its end was cut off */
    } else if (x && (events & UV_WRITABLE)) {
        queue_flush(x);
    }
}

/* ---- leaving ----------------------------------------------------------------------------------------------------- */

/* If only the end of the connection ends a body, a proper end would look complete to the client. */
static void conn_reset(struct conn *conn)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    (void)connect(conn->fd, &nobody, sizeof nobody);
}

/* Ending the body with an error would leave the closed connection in libmicrohttpd until an older one moves. So the
 * socket is shut and the body ended normally: the last chunk can't be written, and the connection closes at once. */
void exchange_shut(struct exchange *x)
{
    bool may_look_whole = x->is_http10 && (x->state == X_DIRECT || x->state == X_STARTING);
    x->state = X_CUT;
    take_off_flush(x);
    conn_wait(x->conn, CONN_NOT_WAITED_FOR);
    conn_unwatch(x->conn);
    if (may_look_whole)
        conn_reset(x->conn);
    shutdown(x->conn->fd, SHUT_RDWR);
    if (x->suspended)
        front_resume(x);
}

void exchange_leave(struct exchange *x)
{
    assert(exchange_is_sound(x));
    exchange_put(x, NULL);
    x->gone = true;
    bool seen = x->seen;
    x->seen = false;
    exchange_shut(x);
    assert(exchange_is_sound(x));
    if (seen)
        x->front->handler.on_closed(x->front->handler.ctx, x, true);
}

/* ---- front.h: the request ---------------------------------------------------------------------------------------- */

const char *exchange_method(const struct exchange *x)
{
    return x->method;
}

const char *exchange_path(const struct exchange *x)
{
    return x->path;
}

const char *exchange_query(const struct exchange *x, const char *name)
{
    for (const struct front_header *q = x->queries; q->name; q++)
        if (strcmp(q->name, name) == 0)
            return q->value;
    return NULL;
}

const struct front_header *exchange_queries(const struct exchange *x)
{
    return x->queries;
}

const char *exchange_header(const struct exchange *x, const char *name)
{
    for (const struct front_header *h = x->headers; h->name; h++)
        if (front_is_name(h->name, name))
            return h->value;
    return NULL;
}

const char *exchange_bearer(const struct exchange *x)
{
    const char *authorization = exchange_header(x, "authorization");
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    return authorization + 7 + strspn(authorization + 7, " ");
}

size_t exchange_error_text(const struct exchange *x, const struct reply_error *error, char *out, size_t cap)
{
    return front_error_text(x->front, x->path, error, out, cap);
}

struct rein_source exchange_body(const struct exchange *x)
{
    return (struct rein_source){NULL, x->body.len > 0 ? x->body.data : "", x->body.len};
}

const char *exchange_peer(struct exchange *x)
{
    struct sockaddr_storage address;
    proxies_to_sockaddr(&x->address, &address);
    const void *ip = address.ss_family == AF_INET ? (const void *)&((struct sockaddr_in *)(void *)&address)->sin_addr
                                                  : (const void *)&((struct sockaddr_in6 *)(void *)&address)->sin6_addr;
    return inet_ntop(address.ss_family, ip, x->peer, sizeof x->peer);
}

void exchange_set_user(struct exchange *x, void *user)
{
    x->user = user;
}

void *exchange_user(const struct exchange *x)
{
    return x->user;
}

void exchange_grant(struct exchange *x, const struct front_grant *grant)
{
    assert(x->state == X_READING && !x->grant.owner);
    x->grant = *grant;
}

const struct front_grant *exchange_granted(const struct exchange *x)
{
    return &x->grant;
}

/* ---- front.h: a whole answer ------------------------------------------------------------------------------------- */

int exchange_reply(struct exchange *x, unsigned status, const struct front_header *headers, const char *body,
                   size_t len)
{
    char *copy = malloc(len + 1);
    return copy ? exchange_give(x, status, headers, memcpy(copy, body, len), len) : REIN_ENOMEM;
}

/* ---- front.h: a streamed answer ---------------------------------------------------------------------------------- */

int exchange_write(struct exchange *x, const char *data, size_t len)
{
    assert(exchange_is_sound(x));
    if (x->state == X_CUT || x->state == X_OVER || x->aborted)
        return 0; /* writing to a client that left always succeeds */
    if ((x->state != X_STARTING && x->state != X_DIRECT) || x->ending)
        return REIN_ESTATE;
    if (chunk_pending(&x->out) > x->front->write_high + WRITE_SLACK + x->largest)
        return REIN_ELIMIT;
    int rv = chunk_add(&x->out, &x->front->blocks, data, len, SIZE_MAX / 2);
    if (rv < 0)
        return rv;
    x->largest = len > x->largest ? len : x->largest;
    if (chunk_pending(&x->out) >= x->front->write_high)
        x->too_high = true;
    if (x->state == X_DIRECT && x->conn->wait != CONN_WRITING)
        queue_flush(x);
    return 0;
}

/* Only for the usual case; the pump's flush does everything else. */
void exchange_flush(struct exchange *x)
{
    bool is_plain = x->state == X_DIRECT && !x->ending && !x->aborted && !x->too_high && x->todo != &x->front->left;
    if (x->in_flush && is_plain && chunk_flush(&x->out, &x->front->blocks, x->conn->fd, false) == CHUNK_ALL)
        take_off_flush(x);
    assert(exchange_is_sound(x));
}

size_t exchange_pending(const struct exchange *x)
{
    return chunk_pending(&x->out);
}

void exchange_end(struct exchange *x)
{
    assert(exchange_is_sound(x));
    if ((x->state != X_STARTING && x->state != X_DIRECT) || x->ending)
        return;
    x->ending = true;
    exchange_note_answered(x);
    if (x->state == X_DIRECT && x->conn->wait != CONN_WRITING)
        queue_flush(x);
    assert(exchange_is_sound(x));
}

void exchange_abort(struct exchange *x)
{
    assert(exchange_is_sound(x));
    if (x->state == X_CUT || x->state == X_OVER)
        return;
    x->aborted = true;
    if (x->state == X_STARTING)
        return; /* when the head is out, flush continues */
    exchange_put(x, NULL);
    if (x->state == X_DIRECT)
        (void)chunk_flush(&x->out, &x->front->blocks, x->conn->fd, false);
    exchange_shut(x);
    assert(exchange_is_sound(x));
}
