/* The front's own structures, for front*.c and exchange.c alone: front.c has libmicrohttpd, front_head.c reads
 * heads, front_pump.c has the order of a turn, front_request.c what is checked of requests, exchange.c what answers do.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The states of an exchange; every state except CUT and OVER may also lead to CUT:
 *
 *     READING -> WAITING -> REPLYING ------------------> OVER
 *                       `-> STARTING -> DIRECT -> ENDING -'
 *
 * WAITING and DIRECT are the states in which libmicrohttpd has suspended the connection and we own its descriptor. */
#ifndef SERVER_FRONT_FRONT_INTERNAL_H
#define SERVER_FRONT_FRONT_INTERNAL_H

#include <arpa/inet.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/buffer.h"
#include "front/chunks.h"
#include "front/front.h"
#include "front/listener.h"
#include "front/reply.h"

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

/* After a resume libmicrohttpd walks all suspended connections of a daemon, so there are many daemons. */
enum { FRONT_SHARDS = 64 };

enum conn_wait { CONN_NOT_WAITED_FOR, CONN_READING, CONN_WRITING };

/* A client's connection, from accept to close. */
struct conn {
    struct front *front;
    struct MHD_Connection *mhd;
    struct exchange *x; /* the one being served, or NULL */
    unsigned shard;
    int fd; /* libmicrohttpd's; ours to write to while x is DIRECT */
    bool has_poll, is_watched, has_hung_up, has_served;
    bool has_left;             /* it no longer counts, and libmicrohttpd will notice its end soon */
    bool is_answered;          /* before its request was complete: it lingers once libmicrohttpd is done with it */
    bool is_odd;               /* the request line of the next request is malformed */
    const char *version_place; /* where its version must be; only compared, never dereferenced */
    uint64_t taken;            /* bytes of all requests except the next one */
    uv_poll_t poll;            /* for UV_DISCONNECT, and UV_WRITABLE when the client is slow */
    enum conn_wait wait;
    uint64_t since_ms; /* of the wait */
    TAILQ_ENTRY(conn) waits;
    LIST_ENTRY(conn) all;  /* of its shard */
    struct client_key key; /* as it is counted */
    enum client_kind kind;
    struct proxies_address address;
};
TAILQ_HEAD(conn_queue, conn);

enum exchange_state { X_READING, X_WAITING, X_REPLYING, X_STARTING, X_DIRECT, X_ENDING, X_CUT, X_OVER };

struct exchange {
    struct front *front;
    struct conn *conn; /* NULL when OVER */
    enum exchange_state state;
    bool suspended;                 /* in libmicrohttpd */
    bool seen;                      /* seen by the handler, so on_closed must be called */
    bool gone, aborted;             /* the client left; we gave up */
    bool ending;                    /* exchange_end was called */
    bool is_http10, too_high;       /* above write_high since the last on_drain */
    bool is_chunked;                /* the request */
    bool is_counted;                /* counted for `client`, which came through a proxy */
    struct client_key client;       /* whose body it is */
    struct proxies_address address; /* the client's, also after trusted proxies */
    bool in_flush;
    TAILQ_ENTRY(exchange) flushes;
    struct exchange_queue *todo; /* the list it is on, or NULL */
    TAILQ_ENTRY(exchange) todos;
    struct MHD_Response *response; /* until it is queued */
    unsigned status;
    struct chunk_writer out;
    size_t largest; /* piece that was written to it */
    void *user;
    struct front_grant grant;
    bool is_answered;   /* and grant.answered was called */
    uint64_t head_ms;   /* when the head had arrived */
    struct buffer body; /* its room is counted in the limits of the client */
    size_t body_max;    /* its value when the head arrived */
    const char *method, *path;
    char peer[INET6_ADDRSTRLEN];                  /* of `address`, made on first use */
    const struct front_header *headers, *queries; /* end with a NULL name; in `head` with all they point to */
    struct front_header head[];
};
TAILQ_HEAD(exchange_queue, exchange);

struct shard {
    struct front *front;
    struct MHD_Daemon *daemon;
    uv_poll_t poll; /* of its epoll descriptor */
    unsigned index;
    size_t connections;
    LIST_HEAD(, conn) conns;
};

struct front {
    struct loop *loop;
    struct front_handler handler;
    struct listener *listener;
    struct shard shards[FRONT_SHARDS];
    uint64_t due;         /* a bit for each shard that libmicrohttpd has to run */
    uint64_t due_next;    /* in the next turn, not before */
    bool has_completed;   /* an exchange, since this was last set to false */
    struct conn *adopted; /* while MHD_add_connection runs */
    struct client_limits *counts,
        *client_limits;            /* where all clients are counted; the same if we own it, otherwise NULL */
    const struct proxies *proxies; /* borrowed; NULL: none are trusted */
    size_t body_max, write_low, write_high;
    uint64_t client_idle_ms;
    unsigned idle_s, daemon_idle_s; /* libmicrohttpd's own deadline; that of new connections until they get their own */
    uv_timer_t tick;
    struct chunk_store blocks;
    struct conn_queue reading, writing; /* by since_ms, oldest first */
    struct exchange_queue flush, whole, left, over;
    bool pumping, draining, closing, stopped;
    size_t handles; /* of libuv, open */
    loop_fn closed;
    void *closed_ctx;
};

/* ---- front.c ---- */
/* Continues where libmicrohttpd suspended the exchange. Not inside libmicrohttpd. */
void front_resume(struct exchange *x);
/* Takes a connection from the listener (a listener_take). */
int front_take(void *ctx, int fd, const struct sockaddr *address, socklen_t len, const struct client_key *key,
               enum client_kind kind);
int shards_start(struct front *front, const struct front_options *options) REIN_MUST_USE;
/* Sets libmicrohttpd's own deadline for clients that neither send nor read. */
void front_set_idle(struct front *front, uint64_t client_idle_ms);
/* Runs those that are due. */
void shards_run(struct front *front);
/* Closes all connections. None may be suspended. */
void shards_stop(struct front *front);

/* Answers a connection whose request is incomplete, without libmicrohttpd, which then has to close it: nothing else is
 * sent on it. May be called anywhere. */
struct front_problem;
void conn_answer(struct conn *conn, const struct front_problem *problem);

/* ---- front_head.c ---- */
/* libmicrohttpd's first call for a request, with its raw target. Returns NULL: the request has no exchange yet. */
void *front_see_target(void *cls, const char *target, struct MHD_Connection *mhd);
/* Could another reader interpret the bytes of this head differently? */
bool front_head_is_odd(struct conn *conn, const char *method, const char *path, const char *version);
/* Copies what is needed of a request later, because libmicrohttpd's own strings end before on_closed. A head that is
 * not `kept`, or is too large, is omitted (the method is then empty). NULL: out of memory. */
struct exchange *front_copy_head(struct conn *conn, const char *method, const char *path, bool kept);

/* ---- front_pump.c ---- */
/* Makes the pump run once more before the loop blocks, unless it will run in this turn anyway. */
void front_wake(struct front *front);
/* Marks a shard that libmicrohttpd has to run in this turn or the next. */
void front_mark_due(struct front *front, unsigned shard);
/* A handle of libuv's was closed; the last one frees the front. */
void front_handle_closed(struct front *front);

/* ---- front_request.c ---- */
/* Names and values of a request's head, together. */
enum { FRONT_HEAD_MAX = 36 * 1024 };
/* Why a request is refused before the handler sees it. Static strings. */
struct front_problem {
    struct reply_error error;
    bool comes_again; /* the client may try again in a moment */
};
extern const struct front_problem front_head_too_large, front_body_too_large, front_malformed, front_version_unknown;
enum { FRONT_ANSWER_MAX = 512 };
/* The body of an error: the handler's error_text, cut to fit. `path` NULL: unknown. The length. */
size_t front_error_text(const struct front *front, const char *path, const struct reply_error *error, char *out,
                        size_t cap);
/* Is all of it a valid header name? */
bool front_is_token(const char *name);
/* Are both the same header's name? Nearly always the first letter already decides. */
static inline bool front_is_name(const char *a, const char *b)
{
    return ((a[0] ^ b[0]) & ~0x20) == 0 && strcasecmp(a, b) == 0;
}
/* Checks the headers that frame and encode the body. */
bool front_head_is_fine(const struct exchange *x, struct front_problem *problem);
/* Takes bytes of the body. Negative: the connection has to be closed. */
int front_take_body(struct exchange *x, const char *data, size_t len) REIN_MUST_USE;
/* Finds the request's client, and counts the request. */
bool front_may_client_ask(struct exchange *x, struct front_problem *problem);
/* Decodes %XX in place; returns the new length. */
size_t front_unescape(char *text);

/* ---- exchange.c ---- */
/* What always holds between two calls of states, lists and pointers. Asserted at entry and exit of the exchange's
 * functions and of libmicrohttpd's callbacks. */
bool conn_is_sound(const struct conn *conn);
bool exchange_is_sound(const struct exchange *x);
/* With room for the copy of a head. */
struct exchange *exchange_new(struct conn *conn, size_t head_size);
/* The answer is complete, its end is about to go out. */
void exchange_note_answered(struct exchange *x);
/* Calls on_closed if the handler has seen the exchange, and frees it. */
void exchange_finish(struct exchange *x);
/* Puts the exchange on a list (and off the one it was on). */
void exchange_put(struct exchange *x, struct exchange_queue *list);
/* The client cannot be served any more: shuts its connection; the pump informs the handler. */
void exchange_leave(struct exchange *x);
void exchange_shut(struct exchange *x);
/* Writes the output of the exchanges on the flush list. */
void exchange_flush_all(struct front *front);
/* Watches a connection for its client's end, for its whole life: starting and stopping for each request would cost
 * three system calls. Negative if libuv fails. */
int conn_watch(struct conn *conn) REIN_MUST_USE;
void conn_unwatch(struct conn *conn);
void conn_wait(struct conn *conn, enum conn_wait wait);
/* Closes an idle connection. A listener_make_room. */
bool conn_give_way(void *front);
/* Disconnects clients that neither send nor read. */
void conn_expire_all(struct front *front);

#endif
