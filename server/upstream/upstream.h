/* The upstream side: HTTP/1.1 calls to LRM backends on a loop.
 * SPDX-License-Identifier: Apache-2.0
 *
 * libcurl resolves, connects, verifies TLS and goes through proxies; the response is read by our own strict parser
 * (http1.h), which costs a third of curl's receive path. <curl/curl.h> is included in upstream.c alone;
 * calls are in upstream_call.c, kept connections in upstream_pool.c.
 *
 * Thread: the loop's. */
#ifndef SERVER_UPSTREAM_UPSTREAM_H
#define SERVER_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "rein/rein.h"
#include "upstream/reach.h"

enum { UPSTREAM_CONFIGURED_MAX = 256 }; /* of a config: a pool has room for those of two */

struct upstream_pool; /* connections of one loop to all upstreams */
struct upstream_call;

struct upstream_header {
    const char *name, *value;
};

struct upstream_request {
    const char *method;                    /* "POST", "GET" */
    const char *url;                       /* complete; or only scheme, host and port, if there is a `path` */
    const struct upstream_header *headers; /* ends with a NULL name; Host, Content-Length, Accept-Encoding: identity are
                                              added. Copied by upstream_start, like all of this */
    const char *body;
    size_t body_len;
    unsigned connect_ms, first_byte_ms, idle_ms;
    size_t
        body_max; /* of a response that is not an event stream (text/event-stream, application/x-ndjson); 0: no limit */
    const char *path;          /* NULL: the URL has its own */
    const struct reach *reach; /* NULL: direct. Calls that reach their upstream in the same way share connections */
};

enum upstream_end {
    UPSTREAM_WHOLE,      /* the response ended as HTTP says */
    UPSTREAM_NO_CONNECT, /* refused, unresolved, TLS failed, connect timeout */
    UPSTREAM_TIMEOUT,    /* first byte or idle deadline */
    UPSTREAM_BROKE,      /* closed before the end */
    UPSTREAM_MALFORMED,  /* not HTTP as we accept it, or an encoded body */
    UPSTREAM_TOO_LARGE,
};

struct upstream_response {
    unsigned status;
    const char *content_type; /* "" if absent */
    const char *retry_after;  /* NULL if absent */
    const char *decision;     /* of another Rein that answers; NULL if absent */
};

struct upstream_handler {
    /* Each may be called only from the loop, never before upstream_start has returned. */
    void (*on_head)(void *ctx, const struct upstream_response *response);
    void (*on_data)(void *ctx, const char *data, size_t len);
    /* Exactly once, last. `message` may be logged; it contains no secret. */
    void (*on_end)(void *ctx, enum upstream_end end, const char *message);
};

int upstream_pool_new(struct upstream_pool **out, struct loop *loop, unsigned keep_alive_ms) REIN_MUST_USE;
/* No call may be running. `done` is called once from the loop. */
void upstream_pool_close(struct upstream_pool *pool, loop_fn done, void *ctx);

/* Either an error and no callback, or 0 and on_end exactly once later (unless cancelled). The call is freed when on_end
 * returns. REIN_EINVAL: a URL or header that can't be sent. */
int upstream_start(struct upstream_call **out, struct upstream_pool *pool, const struct upstream_request *request,
                   const struct upstream_handler *handler, void *ctx) REIN_MUST_USE;
/* No callback after this; the connection is closed at once unless the response was complete. May be called in a
 * callback.
 */
void upstream_cancel(struct upstream_call *call);
/* Stops reading and writing (the kernel's buffers push back); deadlines stand still meanwhile, except for that of
 * connecting: a call that is still connecting continues until it is connected. What was read already, at most 64 KiB,
 * is still handed on, and so is the end if it was read. Resuming never calls back before it returns. */
void upstream_pause(struct upstream_call *call);
void upstream_resume(struct upstream_call *call);

#endif
