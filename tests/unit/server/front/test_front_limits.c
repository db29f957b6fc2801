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

#include "front/proxies.h"
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

static void end_held(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(exchange_write(f->held, "last", 4), 0);
    exchange_end(f->held);
}

static void crowd_idle(struct fixture *f)
{
    int idle[4], busy;
    for (int i = 0; i < 3; i++)
        idle[i] = wire_connect(f->port); /* never say a word */
    busy = wire_connect(f->port);
    wire_say(busy, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(busy, answer, sizeof answer, "first\r\n");
    await_connections(f, 4);
    /* As long as they have only just come they are not turned out. */
    uint64_t until = wire_now_ms() + 20000;
    for (int served = 0; served < 8;) {
        ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        bool is_served = strstr(answer, "\r\n\r\nyes") != NULL;
        if (!is_served)
            has(answer, "HTTP/1.1 503 ");
        served += is_served;
        under(wire_now_ms(), until, "milliseconds that idle connections kept others out");
    }
    same(wire_read_all(idle[0], answer, sizeof answer), 0); /* the oldest went */
    post(f, end_held);
    wire_read_until(busy, answer, sizeof answer, "last\r\n0\r\n\r\n"); /* who is served is left alone */
    has(answer, "last");
    for (int i = 0; i < 3; i++)
        close(idle[i]);
    close(busy);
    await_connections(f, 0);
}

static void test_found_s7_idle_connections_give_way(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_max = 4;
    f->options.client_idle_ms = 30000;
    run(f, crowd_idle);
}

static void crowd_busy(struct fixture *f)
{
    int first = wire_connect(f->port), second = wire_connect(f->port);
    wire_say(first, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(first, answer, sizeof answer, "first\r\n");
    wire_say(second, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nh");
    await_connections(f, 2);
    for (int i = 0; i < 20; i++)
        has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 503 ");
    wire_say(second, "i");
    wire_read_until(second, answer, sizeof answer, "hi");
    has(answer, "HTTP/1.1 200 ");
    close(first);
    close(second);
}

static void test_found_s7_busy_connections_do_not(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_max = 2;
    f->options.client_idle_ms = 8000;
    run(f, crowd_busy);
}

/* ---- bodies in memory -------------------------------------------------------------------------------------------- */

enum { HALF_BODY = 400 * 1024, BODIES_MAX = 10000000, BODIES_FIT = BODIES_MAX / HALF_BODY };
static char half[HALF_BODY];

/* Clients that begin large bodies and do not end them; how many of `count` are refused, and how. */
static int begin_bodies(struct fixture *f, int *fds, int count, const char *status, const char *code)
{
    int refused = 0;
    for (int i = 0; i < count; i++) {
        fds[i] = wire_connect(f->port);
        if (i % 2 == 0) {
            wire_say(fds[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
        } else {
            wire_say(fds[i], "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n");
        }
        wire_send(fds[i], half, sizeof half);
        struct timeval wait = {.tv_usec = 1000};
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    }
    /* The front reads them all in its own time: it is done when what came after them is answered too. */
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
    uint64_t until = wire_now_ms() + 5000;
    while (refused < count - BODIES_FIT && wire_now_ms() < until)
        for (int i = 0; i < count; i++) {
            char first[16] = "";
            if (fds[i] < 0 || recv(fds[i], first, sizeof first - 1, MSG_PEEK) <= 0)
                continue;
            wire_read_until(fds[i], answer, sizeof answer, "}}");
            has(answer, status);
            has(answer, code);
            has(answer, "\r\nRetry-After: 1\r\n");
            has(answer, "\r\nConnection: close\r\n");
            close(fds[i]);
            fds[i] = -1;
            refused++;
        }
    return refused;
}

static int bodies[64];

static void fill_memory(struct fixture *f)
{
    bool is_of_one = f->options.bodies_per_address_max > 0;
    for (int round = 0; round < 3; round++) {
        int refused = begin_bodies(f, bodies, 64, is_of_one ? "HTTP/1.1 429 " : "HTTP/1.1 503 ",
                                   is_of_one ? "\"too_many_bytes\"" : "\"overloaded\"");
        same(refused >= 64 - BODIES_FIT, true);
        same(refused < 64, true);
        for (int i = 0; i < 64; i++)
            if (bodies[i] >= 0)
                close(bodies[i]);
        await_connections(f, 0);
        /* All is given back. */
        static char request[1000 * 1000 + 200];
        size_t len = (size_t)sprintf(
            request, "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n");
        memset(request + len, 'b', 1000000);
        int fd = wire_connect(f->port);
        same(wire_send(fd, request, len + 1000000), true);
        wire_read_until(fd, answer, 4096, "\r\n\r\n");
        has(answer, "HTTP/1.1 200 ");
        close(fd);
        await_connections(f, 0);
    }
}

static void test_found_s5_bodies_of_all(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.body_max = 1000000;
    f->options.bodies_max = BODIES_MAX;
    run(f, fill_memory);
}

static void test_found_s5_bodies_of_one_address(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.body_max = 1000000;
    f->options.bodies_per_address_max = BODIES_MAX;
    run(f, fill_memory);
}

/* ---- behind proxies ---------------------------------------------------------------------------------------------- */

static int via_proxy(struct fixture *f, const char *path, const char *headers)
{
    char request[512];
    int fd = wire_connect(f->port);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, headers);
    wire_say(fd, request);
    return fd;
}

/* Each client has its own count, the proxy's connections have none. */
static void ask_via_proxy(struct fixture *f)
{
    static const char *const clients[] = {"X-Forwarded-For: 50.0.0.1\r\n", "Forwarded: for=50.0.0.2\r\n",
                                          "X-Forwarded-For: 6.6.6.6, 50.0.0.3\r\n", "X-Forwarded-For: 2a00::7\r\n"};
    int held[4][2];
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 2; k++) {
            held[i][k] = via_proxy(f, "/open", clients[i]);
            wire_read_until(held[i][k], answer, sizeof answer, "first\r\n");
            has(answer, "HTTP/1.1 200 ");
        }
        int fd = via_proxy(f, "/open", clients[i]);
        wire_read_all(fd, answer, sizeof answer);
        has(answer, "HTTP/1.1 429 ");
        has(answer, "\"code\":\"too_many_connections\"");
        close(fd);
    }
    same(strcmp(f->peer, "2a00::7"), 0);
    close(held[0][0]);
    await(&f->closed, 1);
    held[0][0] = via_proxy(f, "/open", clients[0]);
    wire_read_until(held[0][0], answer, sizeof answer, "first\r\n");
    has(answer, "HTTP/1.1 200 ");
    same(strcmp(f->peer, "50.0.0.1"), 0);
    /* A word that can't be read is the proxy's own request. */
    int fd = via_proxy(f, "/can", "X-Forwarded-For: somebody\r\nConnection: close\r\n");
    wire_read_all(fd, answer, sizeof answer);
    has(answer, "\r\n\r\nyes");
    same(strcmp(f->peer, "127.0.0.1"), 0);
    close(fd);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            close(held[i][k]);
    await_connections(f, 0);
}

static void test_found_u15_clients_behind_a_proxy_are_counted_apart(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    struct proxies_network network;
    struct proxies *proxies = NULL;
    assert_true(proxies_read_network("127.0.0.0/8", &network));
    assert_int_equal(proxies_new(&proxies, &network, 1), 0);
    f->options.connections_per_address_max = 2;
    f->options.proxies = proxies;
    run(f, ask_via_proxy);
    free(proxies);
}

static void ask_directly(struct fixture *f)
{
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = via_proxy(f, "/open", i ? "X-Forwarded-For: 50.0.0.1\r\n" : "Forwarded: for=50.0.0.2\r\n");
        wire_read_until(fds[i], answer, sizeof answer, "first\r\n");
        same(strcmp(f->peer, "127.0.0.1"), 0);
    }
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 50.0.0.3\r\n\r\n"), "HTTP/1.1 429 ");
    close(fds[0]);
    close(fds[1]);
}

static void test_found_u15_the_word_of_others_counts_for_nothing(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_per_address_max = 2;
    run(f, ask_directly);
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
        cmocka_unit_test(test_found_s7_idle_connections_give_way),
        cmocka_unit_test(test_found_s7_busy_connections_do_not),
        cmocka_unit_test(test_found_s5_bodies_of_all),
        cmocka_unit_test(test_found_s5_bodies_of_one_address),
        cmocka_unit_test(test_found_u15_clients_behind_a_proxy_are_counted_apart),
        cmocka_unit_test(test_found_u15_the_word_of_others_counts_for_nothing),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_body_limit_without_a_length),
        cmocka_unit_test(test_clients_that_do_not_send),
        cmocka_unit_test(test_clients_that_do_not_read),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_taken_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
