/* See desk.h: one GET at a time, on a loop of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "desk/desk.h"
#include "upstream/upstream.h"

enum { CONNECT_MS = 5000, FIRST_BYTE_MS = 70000, IDLE_MS = 60000, KEEP_MS = 1000 };

struct http {
    struct loop *loop;
    struct upstream_pool *pool;
    struct upstream_call *call;
    const char *url;
    desk_on_bytes on_bytes;
    void *ctx;
    unsigned status;
    bool is_enough; /* the caller wants no more */
    int rv;
};

static void on_pool_closed(void *ctx)
{
    loop_stop(((struct http *)ctx)->loop);
}

static void http_over(void *ctx)
{
    struct http *h = ctx;
    upstream_pool_close(h->pool, on_pool_closed, h);
}

static void on_http_head(void *ctx, const struct upstream_response *response)
{
    ((struct http *)ctx)->status = response->status;
}

static void on_http_data(void *ctx, const char *data, size_t len)
{
    struct http *h = ctx;
    if (h->is_enough || h->on_bytes(h->ctx, data, len))
        return;
    h->is_enough = true;
    upstream_cancel(h->call);
    if (loop_post(h->loop, http_over, h) != 0)
        loop_stop(h->loop);
}

static void on_http_end(void *ctx, enum upstream_end end, const char *message)
{
    struct http *h = ctx;
    if (end != UPSTREAM_WHOLE) {
        /* Most messages begin with the address. */
        size_t len = strlen(h->url);
        bool is_named = message != NULL && strncmp(message, h->url, len) == 0;
        fprintf(stderr, "rein: %s%s%s\n", is_named ? "" : h->url, is_named ? "" : ": ",
                message != NULL ? message : "no answer");
        if (end == UPSTREAM_NO_CONNECT)
            fprintf(stderr,
                    "rein: does the server run, and is this its admin address? --url or REIN_ADMIN_URL says it; "
                    "--db FILE needs no server\n");
        h->rv = CLI_FAILED;
    }
    if (loop_post(h->loop, http_over, h) != 0)
        loop_stop(h->loop);
}

static int http_start(struct http *h, const char *token, const char *path)
{
    static const struct upstream_handler handler = {on_http_head, on_http_data, on_http_end};
    char authorization[512];
    struct upstream_header headers[] = {{NULL, NULL}, {NULL, NULL}};
    snprintf(authorization, sizeof authorization, "Bearer %s", token != NULL ? token : "");
    if (token != NULL && *token != '\0')
        headers[0] = (struct upstream_header){"authorization", authorization};
    const struct upstream_request request = {.method = "GET",
                                             .url = h->url,
                                             .path = path,
                                             .headers = headers,
                                             .connect_ms = CONNECT_MS,
                                             .first_byte_ms = FIRST_BYTE_MS,
                                             .idle_ms = IDLE_MS};
    return upstream_start(&h->call, h->pool, &request, &handler, h);
}

int desk_http_get(const char *url, const char *token, const char *path, desk_on_bytes on_bytes, void *ctx,
                  unsigned *status)
{
    struct http h = {.on_bytes = on_bytes, .ctx = ctx};
    char *base = strdup(url);
    size_t len = base != NULL ? strlen(base) : 0;
    while (len > 0 && base[len - 1] == '/')
        base[--len] = '\0';
    h.url = base;
    int rv = base != NULL ? loop_new(&h.loop) : REIN_ENOMEM;
    if (rv == 0)
        rv = upstream_pool_new(&h.pool, h.loop, KEEP_MS);
    if (rv == 0 && (rv = http_start(&h, token, path)) != 0) {
        fprintf(stderr, "rein: %s: not a URL such as http://127.0.0.1:8081\n", url);
        if (loop_post(h.loop, http_over, &h) != 0)
            rv = REIN_ENOMEM;
    }
    if (h.pool != NULL)
        loop_run(h.loop);
    loop_free(h.loop);
    free(base);
    *status = h.status;
    return rv == 0 ? h.rv : CLI_FAILED;
}
