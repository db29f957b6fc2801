/* A bare proxy of the front and the upstream side alone: what our own plumbing costs, without judging anything.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Usage: bench_proxy PORT http://HOST:PORT   (127.0.0.1; port 0: chosen by the system; prints "listening PORT") */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "front/front.h"
#include "upstream/upstream.h"

struct proxy {
    struct loop *loop;
    struct front *front;
    struct upstream_pool *pool;
    const char *origin;
};

struct relay {
    struct proxy *proxy;
    struct exchange *x;
    struct upstream_call *call;
    bool has_begun;
    unsigned status; /* of an answer that is gathered, not streamed; 0: it is streamed */
    char type[128], *whole;
    size_t whole_len;
};

static void fail(struct relay *relay)
{
    static const struct front_header headers[] = {{"Content-Type", "application/json"}, {NULL, NULL}};
    if (relay->has_begun)
        exchange_abort(relay->x);
    else if (exchange_reply(relay->x, 502, headers, "{}", 2) < 0)
        exchange_abort(relay->x);
}

static void on_head(void *ctx, const struct upstream_response *response)
{
    struct relay *relay = ctx;
    struct front_header headers[] = {{"Content-Type", response->content_type}, {NULL, NULL}};
    if (strncmp(response->content_type, "text/event-stream", 17) != 0) {
        relay->status = response->status;
        snprintf(relay->type, sizeof relay->type, "%s", response->content_type);
        return;
    }
    relay->has_begun = true;
    if (exchange_begin(relay->x, response->status, headers) < 0)
        exchange_abort(relay->x);
}

static void gather(struct relay *relay, const char *data, size_t len)
{
    relay->whole = realloc(relay->whole, relay->whole_len + len);
    if (!relay->whole)
        abort();
    memcpy(relay->whole + relay->whole_len, data, len);
    relay->whole_len += len;
}

static void reply_whole(struct relay *relay)
{
    struct front_header headers[] = {{"Content-Type", relay->type}, {NULL, NULL}};
    if (exchange_reply(relay->x, relay->status, headers, relay->whole, relay->whole_len) < 0)
        exchange_abort(relay->x);
}

static void on_data(void *ctx, const char *data, size_t len)
{
    struct relay *relay = ctx;
    if (relay->status) {
        gather(relay, data, len);
        return;
    }
    if (exchange_write(relay->x, data, len) < 0)
        exchange_abort(relay->x);
    if (exchange_pending(relay->x) > 64 * 1024)
        upstream_pause(relay->call);
}

static void on_end(void *ctx, enum upstream_end end, const char *message)
{
    struct relay *relay = ctx;
    relay->call = NULL;
    if (end == UPSTREAM_WHOLE) {
        if (relay->status)
            reply_whole(relay);
        else
            exchange_end(relay->x);
    } else {
        fprintf(stderr, "bench_proxy: %s\n", message);
        fail(relay);
    }
}

static void on_request(void *ctx, struct exchange *x)
{
    static const struct upstream_handler handler = {on_head, on_data, on_end};
    struct proxy *proxy = ctx;
    struct relay *relay = calloc(1, sizeof *relay);
    char url[1024];
    if (!relay)
        abort();
    relay->proxy = proxy;
    relay->x = x;
    exchange_set_user(x, relay);
    snprintf(url, sizeof url, "%s%s", proxy->origin, exchange_path(x));
    struct rein_source body = exchange_body(x);
    const char *type = exchange_header(x, "Content-Type");
    struct upstream_header headers[] = {{type ? "Content-Type" : NULL, type}, {NULL, NULL}};
    struct upstream_request request = {
        exchange_method(x), url, headers, body.text, body.len, 5000, 60000, 60000, 0, NULL, NULL,
    };
    if (upstream_start(&relay->call, proxy->pool, &request, &handler, relay) < 0)
        fail(relay);
}

static void on_drain(void *ctx, struct exchange *x)
{
    (void)ctx;
    struct relay *relay = exchange_user(x);
    if (relay->call)
        upstream_resume(relay->call);
}

static void on_closed(void *ctx, struct exchange *x, bool gone)
{
    (void)ctx, (void)gone;
    struct relay *relay = exchange_user(x);
    if (relay->call)
        upstream_cancel(relay->call);
    free(relay->whole);
    free(relay);
}

static void on_pool_closed(void *ctx)
{
    struct proxy *proxy = ctx;
    loop_stop(proxy->loop);
}

static void on_front_closed(void *ctx)
{
    struct proxy *proxy = ctx;
    upstream_pool_close(proxy->pool, on_pool_closed, proxy);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    struct proxy *proxy = signal->data;
    uv_close((uv_handle_t *)signal, NULL);
    front_close(proxy->front, on_front_closed, proxy);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_proxy PORT http://HOST:PORT\n");
        return 2;
    }
    struct proxy proxy = {.origin = argv[2]};
    struct front_handler handler = {&proxy, NULL, on_request, on_closed, on_drain, NULL, NULL};
    struct front_options options = {.host = "127.0.0.1",
                                    .port = (uint16_t)atoi(argv[1]),
                                    .body_max = 16 << 20,
                                    .connections_max = 16384,
                                    .client_idle_ms = 60000};
    uv_signal_t term;
    if (loop_new(&proxy.loop) < 0 || upstream_pool_new(&proxy.pool, proxy.loop, 60000) < 0 ||
        front_start(&proxy.front, proxy.loop, &options, &handler) < 0)
        return 1;
    uv_signal_init(loop_uv(proxy.loop), &term);
    term.data = &proxy;
    uv_signal_start_oneshot(&term, on_signal, SIGTERM);
    printf("listening %u\n", front_port(proxy.front));
    fflush(stdout);
    loop_run(proxy.loop);
    loop_free(proxy.loop);
    return 0;
}
