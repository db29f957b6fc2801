/* The upstream side's own structures: upstream.c (libcurl), upstream_pool.c (kept connections),
 * upstream_request.c (what is sent), upstream_call.c (calls). SPDX-License-Identifier: Apache-2.0
 *
 * A call borrows a kept connection, or dials: libcurl resolves, connects, and for https verifies and encrypts. A plain
 * connection's descriptor is then ours alone and libcurl's handle goes; an encrypted one keeps its handle, through
 * which its bytes pass. */
#ifndef SERVER_UPSTREAM_UPSTREAM_INTERNAL_H
#define SERVER_UPSTREAM_UPSTREAM_INTERNAL_H

#include <sys/queue.h>
#include <sys/types.h>

#include "upstream/http1.h"
#include "upstream/origin.h"
#include "upstream/upstream.h"

enum {
    UPSTREAM_READ = 64 * 1024,
    UPSTREAM_ORIGINS_MAX =
        2 * UPSTREAM_CONFIGURED_MAX, /* those of a config, and of the previous one while its calls run */
    UPSTREAM_IDLE_MAX = 512,
    UPSTREAM_DIALERS = 16
};

struct dial;
struct dialer; /* one of libcurl's multi handles; there are many because libcurl searches all connections of one */

struct upstream_conn {
    struct upstream_pool *pool;
    struct upstream_origin *origin;
    struct upstream_call *call; /* NULL: idle */
    int fd;
    struct dial *tls; /* libcurl's part of an encrypted connection; NULL: plain */
    uv_poll_t poll;
    uint64_t idle_since_ms;
    TAILQ_ENTRY(upstream_conn) idles;
};
TAILQ_HEAD(upstream_conns, upstream_conn);

/* Where connections go: scheme, host, port. */
struct upstream_origin {
    char *key;       /* "https://example.org:8443"; NULL: a free slot */
    bool is_wrapped; /* its bytes pass through libcurl: TLS, or a TLS connection to a proxy */
    struct reach reach;
    size_t users;               /* calls and connections */
    struct upstream_conns idle; /* newest first */
    size_t idle_len;
};

struct upstream_call {
    struct upstream_pool *pool;
    struct upstream_origin *origin;
    struct upstream_handler handler;
    void *ctx;
    struct upstream_conn *conn; /* one of these, or neither while it waits in `due` */
    struct dial *dial;
    char *out; /* the request; NULL once a response has begun */
    size_t out_len, out_sent;
    struct http1_reader reader;
    bool is_reused, is_retried, is_stream, is_paused;
    bool is_calling, is_over; /* inside one of the handler's functions; to be freed when that returns */
    unsigned connect_ms, first_byte_ms, idle_ms;
    size_t body_max, body_len;
    uv_timer_t timer;
    uint64_t since_ms; /* the last time that something moved */
    bool in_due, is_broken;
    TAILQ_ENTRY(upstream_call) dues;
};

struct upstream_pool {
    struct loop *loop;
    uint64_t keep_alive_ms;
    struct upstream_origin origins[UPSTREAM_ORIGINS_MAX];
    struct dialer *dialers;
    unsigned next_dialer;
    TAILQ_HEAD(, upstream_call) due; /* to be continued in the pump */
    size_t due_len;
    uv_timer_t tick;
    size_t handles; /* of libuv, open */
    bool closing;
    loop_fn closed;
    void *closed_ctx;
    char buffer[UPSTREAM_READ]; /* what any of the connections reads next */
};

/* ---- upstream.c ---- */
int dialers_start(struct upstream_pool *pool) REIN_MUST_USE;
/* Frees all dialers; their handles close soon. */
void dialers_close(struct upstream_pool *pool);
/* Continues with what libcurl wants done at once. */
void dialers_pump(struct upstream_pool *pool);
/* Begins to connect; ends in call_connected or call_not_connected, not before it returns. */
int dial_start(struct upstream_call *call) REIN_MUST_USE;
/* Cancels a connection attempt, or closes the encrypted connection that came from it. */
void dial_free(struct dial *dial);
/* Bytes moved; 0: the peer closed; -EAGAIN; another negative number: it failed. */
ssize_t dial_recv(struct dial *dial, char *data, size_t len);
ssize_t dial_send(struct dial *dial, const char *data, size_t len);

/* ---- upstream_pool.c ---- */
/* Finds or makes the origin; counts a user. NULL: too many. Borrows the key. */
struct upstream_origin *origin_get(struct upstream_pool *pool, const char *key, bool is_tls, const struct reach *reach);
void origin_put(struct upstream_origin *origin);
/* Takes the descriptor, and `tls` if it is not NULL, for the call's origin. NULL (and both closed) if libuv fails. */
struct upstream_conn *conn_new(struct upstream_call *call, int fd, struct dial *tls);
/* Keeps reading, and reports when it can write, if requested. */
void conn_poll(struct upstream_conn *conn, bool writable);
void conn_pause(struct upstream_conn *conn);
ssize_t conn_recv(struct upstream_conn *conn, char *data, size_t len);
ssize_t conn_send(struct upstream_conn *conn, const char *data, size_t len);
void conn_close(struct upstream_conn *conn);
/* A kept connection to that origin, or NULL. */
struct upstream_conn *conn_take(struct upstream_pool *pool, struct upstream_origin *origin);
/* Keeps the connection for another call, if there is room. */
void conn_keep(struct upstream_conn *conn);
/* A handle of libuv's was closed. */
void pool_handle_closed(struct upstream_pool *pool);

/* ---- upstream_request.c ---- */
/* Where a request goes; leads into its strings. */
struct upstream_url {
    bool is_tls;
    const char *host, *path; /* host and port, as in the Host header */
    size_t host_len, origin_len;
};
/* REIN_EINVAL: no URL that can be called. */
int url_parse(struct upstream_url *out, const struct upstream_request *request) REIN_MUST_USE;
/* The bytes to send, and to send again on a retry. *out is owned, also after REIN_EINVAL: a header that cannot be sent.
 */
int request_write(char **out, size_t *len, const struct upstream_request *request,
                  const struct upstream_url *url) REIN_MUST_USE;

/* ---- upstream_call.c ---- */
void call_connected(struct upstream_call *call, struct upstream_conn *conn);
void call_not_connected(struct upstream_call *call, const char *message);
/* The call's connection can be read (or has failed), can be written. */
void call_on_event(struct upstream_call *call, bool readable, bool writable);
void call_off_due(struct upstream_call *call);
/* From the pump: what could not be done in upstream_start or upstream_resume. */
void call_continue(struct upstream_call *call);

#endif
