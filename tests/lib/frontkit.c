/* See frontkit.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "frontkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/api.h"
#include "wirekit.h"

/* ---- the server ------------------------------------------------------------------------------------------------- */

const struct front_header plain[] = {{"Content-Type", "text/plain"}, {NULL, NULL}};

static bool on_head(void *ctx, struct exchange *x)
{
    (void)ctx;
    if (strcmp(exchange_path(x), "/secret") != 0)
        return true;
    assert_int_equal(exchange_reply(x, 401, plain, "who?", 4), 0);
    return false;
}

static void go_on(struct fixture *f, struct exchange *x)
{
    static char block[16 * 1024];
    memset(block, '#', sizeof block);
    while (f->left > 0 && exchange_pending(x) < f->options.write_high) {
        assert_int_equal(exchange_write(x, block, sizeof block), 0);
        f->left -= sizeof block;
    }
    if (f->left == 0)
        exchange_end(x);
}

static void begin(struct exchange *x, const char *text)
{
    assert_int_equal(exchange_begin(x, 200, plain), 0);
    assert_int_equal(exchange_write(x, text, strlen(text)), 0);
}

static void on_request(void *ctx, struct exchange *x)
{
    struct fixture *f = ctx;
    const char *path = exchange_path(x);
    struct rein_source body = exchange_body(x);
    f->requests++;
    snprintf(f->peer, sizeof f->peer, "%s", exchange_peer(x));
    snprintf(f->query, sizeof f->query, "%s", exchange_query(x, "q") ? exchange_query(x, "q") : "none");
    if (strcmp(path, "/echo") == 0) {
        assert_int_equal(exchange_reply(x, 200, plain, body.text, body.len), 0);
    } else if (strcmp(path, "/stream") == 0) {
        begin(x, "one");
        assert_int_equal(exchange_write(x, "two", 3), 0);
        exchange_end(x);
    } else if (strcmp(path, "/cut") == 0) {
        begin(x, "abc");
        exchange_abort(x);
    } else if (strcmp(path, "/large") == 0) {
        f->left = LARGE;
        assert_int_equal(exchange_begin(x, 200, plain), 0);
        go_on(f, x);
    } else if (strcmp(path, "/open") == 0) {
        begin(x, "first");
        f->held = x;
    } else if (strcmp(path, "/can") == 0) {
        assert_int_equal(exchange_reply(x, 200, plain, "yes", 3), 0);
    } else {
        f->held = x; /* /hold */
    }
}

static void on_closed(void *ctx, struct exchange *x, bool gone)
{
    struct fixture *f = ctx;
    if (f->held == x)
        f->held = NULL;
    f->gone += gone;
    f->closed++;
}

static void on_drain(void *ctx, struct exchange *x)
{
    struct fixture *f = ctx;
    f->drained++;
    go_on(f, x);
}

/* ---- the frame of a test ----------------------------------------------------------------------------------------- */

static void stop_loop(void *ctx)
{
    struct fixture *f = ctx;
    loop_stop(f->loop);
}

static void close_front(void *ctx)
{
    struct fixture *f = ctx;
    front_close(f->front, stop_loop, f);
    f->front = NULL;
}

void post(struct fixture *f, loop_fn fn)
{
    assert_int_equal(loop_post(f->loop, fn, f), 0);
}

static void *run_client(void *arg)
{
    struct fixture *f = arg;
    f->client(f);
    post(f, close_front);
    return NULL;
}

static void count_turn(void *ctx)
{
    struct fixture *f = ctx;
    f->turns++;
    if (f->front)
        f->connections = (int)front_connections(f->front);
}

struct fixture *prepare(void)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.options = (struct front_options){.host = "127.0.0.1",
                                       .body_max = 1000,
                                       .connections_max = 100,
                                       .client_idle_ms = 3600000, /* what ends earlier was not ended by it */
                                       .write_low = 16 * 1024,
                                       .write_high = 64 * 1024};
    return &f;
}

void run(struct fixture *f, void (*client)(struct fixture *f))
{
    const struct front_handler handler = {f, on_head, on_request, on_closed, on_drain, api_error_text, NULL};
    f->client = client;
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_pump(f->loop, count_turn, f), 0);
    assert_int_equal(front_start(&f->front, f->loop, &f->options, &handler), 0);
    f->port = front_port(f->front);
    assert_int_equal(pthread_create(&f->thread, NULL, run_client, f), 0);
    loop_run(f->loop);
    pthread_join(f->thread, NULL);
    loop_free(f->loop);
}

void has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fprintf(stderr, "no \"%s\" in: %s\n", part, text);
        abort();
    }
}

void under(uint64_t value, uint64_t limit, const char *what)
{
    if (value >= limit) {
        fprintf(stderr, "%s: %llu, not under %llu\n", what, (unsigned long long)value, (unsigned long long)limit);
        abort();
    }
}

void await(_Atomic int *counter, int value)
{
    uint64_t until = wire_now_ms() + WIRE_HANGS_MS;
    while (*counter < value && wire_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    same(*counter, value);
}

char answer[ANSWER_MAX];

const char *ask(struct fixture *f, const char *request)
{
    int fd = wire_connect(f->port);
    wire_say(fd, request);
    wire_read_all(fd, answer, sizeof answer);
    close(fd);
    return answer;
}

void await_connections(struct fixture *f, int count)
{
    uint64_t until = wire_now_ms() + WIRE_HANGS_MS;
    while (f->connections != count && wire_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    same(f->connections, count);
}
