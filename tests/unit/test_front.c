/* The front: whole and streamed answers, clients that leave or stall, limits, drain and close.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Clients are raw sockets in a thread; the test's own thread runs the loop until the client is done. What is answered
 * depends on the path. Cases named m1 to m6 pin behaviour of libmicrohttpd that the front works around. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "front.h"
#include "loop.h"
#include "wirekit.h"

enum { ANSWER_MAX = 256 * 1024, LARGE = 4 * 1024 * 1024 };

struct fixture {
    struct loop *loop;
    struct front *front;
    uint16_t port;
    struct front_options options;
    void (*client)(struct fixture *f);
    pthread_t thread;
    struct exchange *held; /* what /hold and /open wait with */
    size_t left;           /* of /large, to write */
    _Atomic int requests, closed, gone, drained, turns, connections;
    _Atomic uint64_t closed_ms;
    char peer[64], query[64];
};

/* ---- the server ------------------------------------------------------------------------------------------------- */

static const struct front_header plain[] = {{"Content-Type", "text/plain"}, {NULL, NULL}};

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
        const char *answer = exchange_can_stream(x) ? "yes" : "no";
        assert_int_equal(exchange_reply(x, 200, plain, answer, strlen(answer)), 0);
    } else {
        f->held = x; /* /hold */
    }
}

static void on_closed(void *ctx, struct exchange *x, bool gone)
{
    struct fixture *f = ctx;
    if (f->held == x)
        f->held = NULL;
    f->closed_ms = wire_now_ms();
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

static void post(struct fixture *f, loop_fn fn)
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

static struct fixture *prepare(void)
{
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.options = (struct front_options){.host = "127.0.0.1",
                                       .body_max = 1000,
                                       .connections_max = 100,
                                       .client_idle_ms = 20000,
                                       .write_low = 16 * 1024,
                                       .write_high = 64 * 1024};
    return &f;
}

static void run(struct fixture *f, void (*client)(struct fixture *f))
{
    const struct front_handler handler = {f, on_head, on_request, on_closed, on_drain};
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

/* Fails, in the client's thread, with both values. */
#define same(got, want)                                                                                                \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_) {                                                                                           \
            fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_);                   \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void has(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fprintf(stderr, "no \"%s\" in: %s\n", part, text);
        abort();
    }
}

static void under(uint64_t value, uint64_t limit, const char *what)
{
    if (value >= limit) {
        fprintf(stderr, "%s: %llu, not under %llu\n", what, (unsigned long long)value, (unsigned long long)limit);
        abort();
    }
}

/* Waits, at most two seconds, until a counter of the server's reaches a value. */
static void await(_Atomic int *counter, int value)
{
    uint64_t until = wire_now_ms() + 2000;
    while (*counter < value && wire_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    same(*counter, value);
}

static char answer[ANSWER_MAX];

/* One request on a connection of its own; the whole answer, until the server closes. */
static const char *ask(struct fixture *f, const char *request)
{
    int fd = wire_connect(f->port);
    wire_say(fd, request);
    wire_read_all(fd, answer, sizeof answer);
    close(fd);
    return answer;
}

/* ---- answers ------------------------------------------------------------------------------------------------------
 */

static void ask_whole(struct fixture *f)
{
    int fd = wire_connect(f->port);
    for (int i = 0; i < 3; i++) {
        wire_say(fd, "POST /echo?q=a%20b%00c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        wire_read_until(fd, answer, sizeof answer, "hello");
        has(answer, "HTTP/1.1 200 OK\r\n");
        has(answer, "Content-Type: text/plain\r\n");
        has(answer, "Content-Length: 5\r\n");
    }
    close(fd);
    await(&f->closed, 3);
    same(f->gone, 0);
}

static void test_whole_answers_and_keep_alive(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    run(f, ask_whole);
    assert_string_equal(f->peer, "127.0.0.1");
    assert_string_equal(f->query, "a b%00c");
}

static void ask_stream(struct fixture *f)
{
    int fd = wire_connect(f->port);
    for (int i = 0; i < 3; i++) {
        wire_say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        wire_read_until(fd, answer, sizeof answer, "0\r\n\r\n");
        has(answer, "Transfer-Encoding: chunked\r\n");
        has(answer, "\r\n\r\n6\r\nonetwo\r\n0\r\n\r\n"); /* what came in one turn is one chunk */
    }
    close(fd);
    await(&f->closed, 3);
    same(f->gone, 0);
}

static void test_streamed_answers_and_keep_alive(void **state)
{
    (void)state;
    run(prepare(), ask_stream);
}

static void ask_http10(struct fixture *f)
{
    has(ask(f, "GET /can HTTP/1.0\r\n\r\n"), "\r\n\r\nno");
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
}

static void test_http10_is_not_streamed_to(void **state)
{
    (void)state;
    run(prepare(), ask_http10);
}

static void ask_large(struct fixture *f)
{
    int fd = wire_connect(f->port);
    size_t body = 0;
    wire_say(fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await(&f->requests, 1);
    for (long got; (got = recv(fd, answer, sizeof answer, 0)) > 0;)
        for (long i = 0; i < got; i++)
            body += answer[i] == '#';
    same(body, LARGE);
    close(fd);
}

static void test_slow_clients_push_back(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    run(f, ask_large);
    assert_in_range(f->drained, 1, LARGE / 1024);
}

/* ---- libmicrohttpd's quirks ---------------------------------------------------------------------------------------
 */

static void answer_held(void *ctx)
{
    struct fixture *f = ctx;
    assert_non_null(f->held);
    assert_int_equal(exchange_reply(f->held, 200, plain, "late", 4), 0);
}

static void ask_late(struct fixture *f)
{
    int fd = wire_connect(f->port);
    for (int i = 1; i <= 20; i++) {
        wire_say(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        await(&f->requests, i);
        uint64_t before = wire_now_ms();
        post(f, answer_held);
        wire_read_until(fd, answer, sizeof answer, "late");
        under(wire_now_ms() - before, 100, "milliseconds until a late answer");
    }
    close(fd);
}

/* Without a thread of its own, libmicrohttpd does not notice a resume. */
static void test_m1_resume_is_acted_on(void **state)
{
    (void)state;
    run(prepare(), ask_late);
}

static void ask_open(struct fixture *f)
{
    int fd = wire_connect(f->port);
    wire_say(fd, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(fd, answer, sizeof answer, "first\r\n");
    int before = f->turns;
    struct timeval patience = {.tv_usec = 200000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char byte;
    same(recv(fd, &byte, 1, 0), -1); /* nothing comes for 200 ms */
    under((uint64_t)(f->turns - before), 20, "turns of the loop while nothing happened");
    close(fd);
    await(&f->closed, 1);
}

/* A reader that returns 0 without suspending is called again at once, without end. */
static void test_m2_an_idle_stream_costs_no_turns(void **state)
{
    (void)state;
    run(prepare(), ask_open);
}

static void leave(struct fixture *f, const char *request, const char *until, bool by_reset)
{
    int closed = f->closed, requests = f->requests;
    int fd = wire_connect(f->port);
    wire_say(fd, request);
    if (until)
        wire_read_until(fd, answer, sizeof answer, until);
    await(&f->requests, requests + 1);
    uint64_t before = wire_now_ms();
    if (by_reset)
        wire_reset(fd);
    else
        close(fd);
    await(&f->closed, closed + 1);
    under(f->closed_ms - before, 50, "milliseconds until a client's leaving was seen");
}

static void leave_all_ways(struct fixture *f)
{
    for (int by_reset = 0; by_reset < 2; by_reset++) {
        leave(f, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n", NULL, by_reset);
        leave(f, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n", "first\r\n", by_reset);
    }
    same(f->gone, 4);
}

/* A suspended connection's end is invisible to libmicrohttpd. */
static void test_m3_leaving_is_seen_at_once(void **state)
{
    (void)state;
    run(prepare(), leave_all_ways);
}

static void await_connections(struct fixture *f, int count)
{
    uint64_t until = wire_now_ms() + 1000;
    while (f->connections != count && wire_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    same(f->connections, count);
}

static void leave_early(struct fixture *f)
{
    static const char *const parts[] = {"", "POST /ec",
                                        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int fd = wire_connect(f->port);
        wire_say(fd, parts[i]);
        await_connections(f, 1);
        shutdown(fd, SHUT_WR);
        await_connections(f, 0);
        close(fd);
    }
    same(f->requests, 0);
}

/* A body whose sender hung up would be waited for. */
static void test_m3_leaving_before_the_request_is_whole(void **state)
{
    (void)state;
    run(prepare(), leave_early);
}

static void ask_cut(struct fixture *f)
{
    int idle = wire_connect(f->port); /* older, and lives on */
    wire_say(idle, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(idle, answer, sizeof answer, "0\r\n\r\n");
    for (int i = 0; i < 70; i++) { /* more than there are daemons */
        ask(f, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
        has(answer, "\r\n\r\n3\r\nabc\r\n");
        same(strstr(answer, "0\r\n\r\n") != NULL, false);
    }
    await_connections(f, 1);
    same(f->gone, 0);
    close(idle);
}

/* Ended with an error, a connection would stay until an older one moves. */
static void test_m4_aborted_answers_leave_nothing(void **state)
{
    (void)state;
    run(prepare(), ask_cut);
}

static void fill_the_house(struct fixture *f)
{
    int first = wire_connect(f->port), second = wire_connect(f->port);
    wire_say(first, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(first, answer, sizeof answer, "first\r\n");
    wire_say(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    wire_read_until(second, answer, sizeof answer, "hi");
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 503 ");
    has(answer, "\"code\":\"overloaded\"");
    close(second);
    await_connections(f, 1);
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
    close(first);
}

/* Who comes when the house is full is answered; who comes when a place is free again is served. */
static void test_m5_connection_limit(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_max = 2;
    run(f, fill_the_house);
}

static void crowd(struct fixture *f)
{
    int first = wire_connect(f->port);
    wire_say(first, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(first, answer, sizeof answer, "first\r\n");
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 429 ");
    has(answer, "\"code\":\"too_many_connections\"");
    close(first);
    await_connections(f, 0);
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
}

static void test_connection_limit_per_address(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_per_address_max = 1;
    run(f, crowd);
}

static int kept[3];

static void leave_open(struct fixture *f)
{
    static const char *const requests[] = {"GET /open HTTP/1.1\r\nHost: x\r\n\r\n",
                                           "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n", "GET /ho"};
    for (int i = 0; i < 3; i++) {
        kept[i] = wire_connect(f->port);
        wire_say(kept[i], requests[i]);
    }
    wire_read_until(kept[0], answer, sizeof answer, "first\r\n");
    await(&f->requests, 2);
}

/* Stopped with a suspended connection, libmicrohttpd aborts the process. */
static void test_m6_close_with_open_exchanges(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    run(f, leave_open);
    assert_int_equal(f->closed, 2);
    assert_int_equal(f->gone, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wire_read_all(kept[i], answer, sizeof answer), 0); /* closed, without a last chunk */
        close(kept[i]);
    }
}

/* ---- what is refused ----------------------------------------------------------------------------------------------
 */

static void ask_bad(struct fixture *f)
{
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"),
        "HTTP/1.1 413 ");
    has(answer, "{\"error\":{\"message\":\"The request body is too large.\",\"type\":\"invalid_request_error\","
                "\"param\":null,\"code\":\"body_too_large\"}}");
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nhi"),
        "HTTP/1.1 415 ");
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "HTTP/1.1 400 ");
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi"), "HTTP/1.1 400 ");
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nhi"), "HTTP/1.1 400 ");
    has(ask(f, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nhi"), "HTTP/1.1 417 ");
    same(f->requests, 0);
    same(f->closed, 0);
    has(ask(f, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"),
        "HTTP/1.1 401 ");
    has(answer, "\r\n\r\nwho?");
    same(f->requests, 0);
    await(&f->closed, 1);
}

static void test_bad_requests(void **state)
{
    (void)state;
    run(prepare(), ask_bad);
}

static const char *ask_with_head_of(struct fixture *f, size_t size)
{
    static char request[48 * 1024];
    size_t len = (size_t)snprintf(request, sizeof request,
                                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\nX: ");
    memset(request + len, 'y', size - len);
    snprintf(request + size, sizeof request - size, "\r\n\r\nhello");
    return ask(f, request);
}

static void ask_large_head(struct fixture *f)
{
    has(ask_with_head_of(f, 8000), "HTTP/1.1 200 ");
    has(answer, "\r\n\r\nhello");
    has(ask_with_head_of(f, 8500), "HTTP/1.1 431 ");
    has(answer, "\"code\":\"head_too_large\"");
    has(ask_with_head_of(f, 40000), "HTTP/1.1 431 "); /* libmicrohttpd's own */
}

static void test_large_head(void **state)
{
    (void)state;
    run(prepare(), ask_large_head);
}

static void send_chunks(struct fixture *f, int count)
{
    int fd = wire_connect(f->port);
    char chunk[128] = "64\r\n";
    memset(chunk + 4, 'b', 100);
    memcpy(chunk + 104, "\r\n", 3);
    wire_say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < count; i++)
        wire_say(fd, chunk);
    wire_say(fd, "0\r\n\r\n");
    wire_read_all(fd, answer, sizeof answer);
    close(fd);
}

static void ask_chunked(struct fixture *f)
{
    send_chunks(f, 10);
    has(answer, "HTTP/1.1 200 ");
    has(answer, "Content-Length: 1000\r\n");
    send_chunks(f, 11);
    has(answer, "HTTP/1.1 413 ");
    same(f->requests, 1);
    send_chunks(f, 100); /* read no further than twice the limit */
    same(f->requests, 1);
}

static void test_body_limit_without_a_length(void **state)
{
    (void)state;
    run(prepare(), ask_chunked);
}

/* ---- clients that stall ---------------------------------------------------------------------------------------------
 */

static void stall(struct fixture *f)
{
    static const char *const starts[] = {"", "GET /ca",
                                         "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
                                         "GET /can HTTP/1.1\r\nHost: x\r\n\r\n"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        uint64_t before = wire_now_ms();
        ask(f, starts[i]);
        under(wire_now_ms() - before, 1000, "milliseconds until a stalled client was closed");
    }
    same(f->requests, 1);
}

static void test_clients_that_do_not_send(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.client_idle_ms = 100;
    run(f, stall);
}

static void do_not_read(struct fixture *f)
{
    int fd = wire_connect(f->port);
    wire_say(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    await(&f->closed, 1); /* within two seconds */
    same(f->gone, 1);
    close(fd);
}

static void test_clients_that_do_not_read(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.client_idle_ms = 100;
    f->options.write_high = LARGE * 2; /* all of it at once, more than a socket holds */
    run(f, do_not_read);
}

/* ---- drain
 * ------------------------------------------------------------------------------------------------------------ */

static void drain(void *ctx)
{
    struct fixture *f = ctx;
    front_drain(f->front);
}

static void end_held(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(exchange_write(f->held, "last", 4), 0);
    exchange_end(f->held);
}

static void ask_while_draining(struct fixture *f)
{
    int idle = wire_connect(f->port), open = wire_connect(f->port), waiting = wire_connect(f->port);
    wire_say(idle, "GET /can HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(idle, answer, sizeof answer, "yes");
    wire_say(open, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(open, answer, sizeof answer, "first\r\n");
    post(f, drain);
    same(wire_read_all(idle, answer, sizeof answer), 0); /* closed */
    wire_say(waiting, "GET /can HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_all(waiting, answer, sizeof answer);
    has(answer, "Connection: close\r\n"); /* served, and then closed */
    post(f, end_held);
    wire_read_all(open, answer, sizeof answer);
    has(answer, "4\r\nlast\r\n0\r\n\r\n");
    await_connections(f, 0);
    same(f->gone, 0);
    close(idle), close(open), close(waiting);
}

static void test_drain(void **state)
{
    (void)state;
    run(prepare(), ask_while_draining);
}

static void test_taken_port(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    struct wire_peer peer;
    struct front *front;
    const struct front_handler handler = {f, on_head, on_request, on_closed, on_drain};
    wire_peer_start(&peer, NULL, NULL);
    f->options.port = peer.port;
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(front_start(&front, f->loop, &f->options, &handler), REIN_ESTATE);
    loop_free(f->loop); /* nothing of it is left */
    wire_peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers_and_keep_alive),
        cmocka_unit_test(test_streamed_answers_and_keep_alive),
        cmocka_unit_test(test_http10_is_not_streamed_to),
        cmocka_unit_test(test_slow_clients_push_back),
        cmocka_unit_test(test_m1_resume_is_acted_on),
        cmocka_unit_test(test_m2_an_idle_stream_costs_no_turns),
        cmocka_unit_test(test_m3_leaving_is_seen_at_once),
        cmocka_unit_test(test_m3_leaving_before_the_request_is_whole),
        cmocka_unit_test(test_m4_aborted_answers_leave_nothing),
        cmocka_unit_test(test_m5_connection_limit),
        cmocka_unit_test(test_connection_limit_per_address),
        cmocka_unit_test(test_m6_close_with_open_exchanges),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_large_head),
        cmocka_unit_test(test_body_limit_without_a_length),
        cmocka_unit_test(test_clients_that_do_not_send),
        cmocka_unit_test(test_clients_that_do_not_read),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
