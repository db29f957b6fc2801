/* The front: libmicrohttpd on a loop, for the client listener and the admin listener alike.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libmicrohttpd parses requests and writes response heads; streamed bodies are then written straight to the connection
 * (docs/IO.md, "Direct mode"). <microhttpd.h> is included in front.c and front_head.c alone.
 *
 * Thread: the loop's, all of it. An exchange is one request and its response; it is good from on_request until
 * on_closed has been called, exactly once, whatever happened. */
#ifndef SERVER_FRONT_FRONT_H
#define SERVER_FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "rein/rein.h"

struct front;
struct exchange;
struct client_limits;
struct proxies;

struct reply_error;
struct front_header {
    const char *name, *value;
};

enum { FRONT_HEADERS_MAX = 4 }; /* with the NULL that ends them */

struct front_handler {
    void *ctx;
    /* The head has arrived, the body has not. Return false after exchange_reply() to refuse early (401, 413, 429); the
     * body is then not read. Runs inside the HTTP library: inspect the request and reply, nothing else. Sizes and
     * encodings (413, 415, 431) have been checked before. May be NULL. */
    bool (*on_head)(void *ctx, struct exchange *x);
    /* The whole request has arrived. Reply now or later, exactly once. */
    void (*on_request)(void *ctx, struct exchange *x);
    /* The exchange has ended: the response is out, or the client left before (`gone`). Last call. A client that closes
     * its sending side counts as gone. Called for each exchange that on_head or on_request has seen. */
    void (*on_closed)(void *ctx, struct exchange *x, bool gone);
    /* The waiting output has fallen below the low mark again. May be NULL. */
    void (*on_drain)(void *ctx, struct exchange *x);
    /* An error as a client of this path expects it; NULL: the path is not known. Like snprintf: at most `cap` bytes
     * with a NUL at their end; returns the whole length. Takes no memory. NULL: errors have no body. */
    size_t (*error_text)(const char *path, const struct reply_error *error, char *out, size_t cap);
    /* Headers of every answer to this request, also of the front's own; `out` ends with a NULL name. Not of answers to
     * a head that could not be read, or to a body that is too large without saying so. NULL: none. */
    void (*headers)(void *ctx, const struct exchange *x, struct front_header out[FRONT_HEADERS_MAX]);
};

struct front_options {
    const char *host; /* numeric */
    uint16_t port;    /* 0: chosen by the system */
    bool reuse_port;  /* several workers share the port */
    size_t body_max, connections_max, connections_per_address_max;
    size_t bodies_max, bodies_per_address_max; /* bytes held at once, without `client_limits`; 0: no limit */
    struct client_limits
        *client_limits;            /* counts clients for both limits, shared by fronts; NULL: only this front's own */
    const struct proxies *proxies; /* as in front_limit */
    unsigned client_idle_ms;       /* a client that neither sends nor reads for so long is disconnected */
    size_t write_low, write_high;  /* limits of the output that waits for one client; 0: 16 KiB and 64 KiB */
};

/* Returns owned. Errors are logged once. */
int front_start(struct front **out, struct loop *loop, const struct front_options *options,
                const struct front_handler *handler) REIN_MUST_USE;
uint16_t front_port(const struct front *front);
size_t front_connections(const struct front *front);
/* Sets new limits; a request whose head was read keeps its body_max. `proxies` are borrowed until the next
 * front_limit or the front's end; NULL: none are trusted. */
void front_limit(struct front *front, size_t body_max, unsigned client_idle_ms, const struct proxies *proxies);
/* Stops accepting; idle keep-alive connections are closed, running exchanges continue. */
void front_drain(struct front *front);
/* Closes everything that is left (clients see a truncation) and frees the front; `done` is called once from the loop.
 */
void front_close(struct front *front, loop_fn done, void *ctx);

/* ---- the request: strings are good until on_closed ---- */
const char *exchange_method(const struct exchange *x);
const char *exchange_path(const struct exchange *x);
const char *exchange_query(const struct exchange *x, const char *name);  /* decoded; NULL if absent */
const struct front_header *exchange_queries(const struct exchange *x);   /* all, decoded; ends with a NULL name */
const char *exchange_header(const struct exchange *x, const char *name); /* NULL if absent */
const char *exchange_bearer(const struct exchange *x);                   /* of Authorization; NULL if there is none */
struct rein_source exchange_body(const struct exchange *x);              /* `name` unused */
const char *exchange_peer(struct exchange *x); /* the client's numeric address, also after trusted proxies */

void exchange_set_user(struct exchange *x, void *user);
void *exchange_user(const struct exchange *x);

/* What a request is granted at its head: who its caller is, and which config serves it. Decided in on_head; stays the
 * same until the exchange is freed, whatever changes in the meantime. */
struct front_grant {
    const char *caller;   /* the name of its key, "" for none; good as long as `owner` */
    const void *identity; /* what the handler knows of it besides; NULL: nothing */
    void *owner;          /* NULL: the request needs no grant */
    void *counted;        /* where the handler counts it; NULL: nowhere */
    /* Called once, when the answer is complete and before its end goes out, so that a client that has it all is not
     * counted any more; or at the release. NULL: nothing is counted. */
    void (*answered)(const struct front_grant *grant);
    void (*release)(const struct front_grant *grant); /* called once, after on_closed */
};
/* Takes the grant. In on_head, once. */
void exchange_grant(struct exchange *x, const struct front_grant *grant);
const struct front_grant *exchange_granted(const struct exchange *x);

/* ---- the response ---- */
/* The handler's error_text for this request. */
size_t exchange_error_text(const struct exchange *x, const struct reply_error *error, char *out, size_t cap);
/* The whole answer at once; copies everything. `headers` ends with a NULL name, or is NULL; a header with an empty
 * value is omitted. */
int exchange_reply(struct exchange *x, unsigned status, const struct front_header *headers, const char *body,
                   size_t len) REIN_MUST_USE;
/* The same, but takes `body` (free()), also when it fails. */
int exchange_give(struct exchange *x, unsigned status, const struct front_header *headers, char *body,
                  size_t len) REIN_MUST_USE;
/* Begins a streamed answer: chunked, or with HTTP/1.0 up to the connection's end. */
int exchange_begin(struct exchange *x, unsigned status, const struct front_header *headers) REIN_MUST_USE;
/* Sends bytes of a streamed answer; copies them. Everything until exchange_flush, or in a loop turn, goes out with one
 * send. A piece may have any size. REIN_ELIMIT when more than write_high + 1 MiB and the largest piece so far are
 * waiting already; pause the source long before that. */
int exchange_write(struct exchange *x, const char *data, size_t len) REIN_MUST_USE;
/* Sends what was written at once, as far as the client accepts it. */
void exchange_flush(struct exchange *x);
/* Bytes that wait for the client. From write_high on the caller should pause its source; on_drain says when to
 * continue.
 */
size_t exchange_pending(const struct exchange *x);
/* A proper end of a streamed answer: everything written goes out first. */
void exchange_end(struct exchange *x);
/* A failure: the client sees a truncated body, never a clean end (with HTTP/1.0, a reset). What is still waiting may be
 * lost. Without a begun answer the connection is closed. */
void exchange_abort(struct exchange *x);

#endif
