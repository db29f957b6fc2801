/* The front: whole and streamed answers, backpressure, clients that leave, close.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Cases named m1 to m6 pin behaviour of libmicrohttpd that the front works around. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontkit.h"
#include "wirekit.h"

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

/* On the loop's thread: what was written before is out when exchange_flush returns, and is not sent a second time. */
static void write_and_flush(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(exchange_write(f->held, "second", 6), 0);
    assert_int_equal(exchange_pending(f->held), 6);
    exchange_flush(f->held);
    assert_int_equal(exchange_pending(f->held), 0);
    exchange_flush(f->held);
    assert_int_equal(exchange_write(f->held, "third", 5), 0);
    exchange_end(f->held);
    exchange_flush(f->held); /* ends are the pump's business */
    assert_int_equal(exchange_pending(f->held), 5);
}

static void ask_flushed(struct fixture *f)
{
    int fd = wire_connect(f->port);
    wire_say(fd, "GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    wire_read_until(fd, answer, sizeof answer, "first\r\n");
    post(f, write_and_flush);
    wire_read_all(fd, answer, sizeof answer);
    assert_string_equal(answer, "6\r\nsecond\r\n5\r\nthird\r\n0\r\n\r\n");
}

static void test_what_is_flushed_goes_out_at_once(void **state)
{
    (void)state;
    run(prepare(), ask_flushed);
}

/* Without chunks, and the end of the body is the connection's: a proper one only if the body has all. */
static void ask_http10(struct fixture *f)
{
    static const char *const keeps[] = {"", "Connection: keep-alive\r\n"};
    for (int i = 0; i < 4; i++) {
        char request[128];
        int fd = wire_connect(f->port);
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n%s\r\n", i < 2 ? "/stream" : "/cut", keeps[i % 2]);
        wire_say(fd, request);
        long len = wire_read_all(fd, answer, sizeof answer);
        same(len > 0, i < 2); /* else reset */
        has(answer, "HTTP/1.1 200 ");
        has(answer, "\r\nConnection: close\r\n");
        same(strstr(answer, "Transfer-Encoding") != NULL, false);
        const char *body = strstr(answer, "\r\n\r\n") + 4;
        same(strcmp(body, i < 2 ? "onetwo" : "abc"), 0);
        close(fd);
    }
    same(f->gone, 0);
    int fd = wire_connect(f->port);
    size_t body = 0;
    wire_say(fd, "GET /large HTTP/1.0\r\n\r\n");
    for (long got; (got = recv(fd, answer, sizeof answer, 0)) > 0;)
        for (long i = 0; i < got; i++)
            body += answer[i] == '#';
    same(body, LARGE);
    close(fd);
    /* flushed from within a turn */
    fd = wire_connect(f->port);
    wire_say(fd, "GET /open HTTP/1.0\r\n\r\n");
    wire_read_until(fd, answer, sizeof answer, "first");
    post(f, write_and_flush);
    wire_read_all(fd, answer, sizeof answer);
    same(strcmp(answer, "secondthird"), 0);
    close(fd);
    await_connections(f, 0);
}

static void test_found_r11_http10_is_streamed_to_and_a_cut_is_a_reset(void **state)
{
    (void)state;
    run(prepare(), ask_http10);
}

/* What was held is written as one piece of any size, and what ends the stream right behind it. */
static void write_much(void *ctx)
{
    static char much[3 * LARGE];
    struct fixture *f = ctx;
    memset(much, '#', sizeof much);
    assert_int_equal(exchange_write(f->held, much, sizeof much), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(exchange_write(f->held, "more", 4), 0);
    exchange_end(f->held);
}

/* A source that does not pause is stopped all the same. */
static void write_without_end(void *ctx)
{
    static char piece[64 * 1024];
    struct fixture *f = ctx;
    size_t written = 0;
    int rv = 0;
    while (rv == 0 && written < 64u << 20) {
        rv = exchange_write(f->held, piece, sizeof piece);
        written += rv == 0 ? sizeof piece : 0;
    }
    assert_int_equal(rv, REIN_ELIMIT);
    assert_in_range(written, 1 << 20, 2 << 20);
    exchange_abort(f->held);
}

static void ask_much(struct fixture *f)
{
    int fd = wire_connect(f->port);
    size_t body = 0;
    wire_say(fd, "GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    wire_read_until(fd, answer, sizeof answer, "first\r\n");
    post(f, write_much);
    for (long got; (got = recv(fd, answer, sizeof answer, 0)) > 0;)
        for (long i = 0; i < got; i++)
            body += answer[i] == '#';
    same(body, 3 * LARGE);
    close(fd);
    fd = wire_connect(f->port);
    wire_say(fd, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(fd, answer, sizeof answer, "first\r\n");
    post(f, write_without_end);
    await(&f->closed, 2);
    close(fd);
}

static void test_found_m3_a_piece_may_have_any_size(void **state)
{
    (void)state;
    run(prepare(), ask_much);
}

/* Closed while a stream is open: also a cut. */
static int old_fashioned;

static void leave_http10_open(struct fixture *f)
{
    old_fashioned = wire_connect(f->port);
    wire_say(old_fashioned, "GET /open HTTP/1.0\r\n\r\n");
    wire_read_until(old_fashioned, answer, sizeof answer, "first");
}

static void test_found_r11_a_stop_is_a_reset(void **state)
{
    (void)state;
    run(prepare(), leave_http10_open);
    assert_int_equal(wire_read_all(old_fashioned, answer, sizeof answer), -1);
    close(old_fashioned);
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
        post(f, answer_held);
        wire_read_until(fd, answer, sizeof answer, "late");
        has(answer, "late");
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
    if (by_reset)
        wire_reset(fd);
    else
        close(fd);
    await(&f->closed, closed + 1); /* no timer would do it: they are set to an hour */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_answers_and_keep_alive),
        cmocka_unit_test(test_streamed_answers_and_keep_alive),
        cmocka_unit_test(test_what_is_flushed_goes_out_at_once),
        cmocka_unit_test(test_found_r11_http10_is_streamed_to_and_a_cut_is_a_reset),
        cmocka_unit_test(test_found_r11_a_stop_is_a_reset),
        cmocka_unit_test(test_found_m3_a_piece_may_have_any_size),
        cmocka_unit_test(test_slow_clients_push_back),
        cmocka_unit_test(test_m1_resume_is_acted_on),
        cmocka_unit_test(test_m2_an_idle_stream_costs_no_turns),
        cmocka_unit_test(test_m3_leaving_is_seen_at_once),
        cmocka_unit_test(test_m3_leaving_before_the_request_is_whole),
        cmocka_unit_test(test_m4_aborted_answers_leave_nothing),
        cmocka_unit_test(test_m5_connection_limit),
        cmocka_unit_test(test_m6_close_with_open_exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
