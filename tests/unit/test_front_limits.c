/* The front's limits: too many connections, bad requests, clients that stall, drain.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
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

/* ---- limits ---------------------------------------------------------------------------------------------------- */

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
    send_chunks(f, 100);
    has(answer, "HTTP/1.1 413 ");
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
        int fd = wire_connect(f->port);
        wire_say(fd, starts[i]);
        errno = 0;
        wire_read_all(fd, answer, sizeof answer);
        same(errno == EAGAIN, 0); /* closed, and not given up here */
        close(fd);
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
    await(&f->closed, 1);
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
    const struct front_handler handler = {.ctx = f};
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
        cmocka_unit_test(test_connection_limit_per_address),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_body_limit_without_a_length),
        cmocka_unit_test(test_clients_that_do_not_send),
        cmocka_unit_test(test_clients_that_do_not_read),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
