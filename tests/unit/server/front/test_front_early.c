/* The front: answers before the request is complete, refused clients that continue to send, connections that cannot be
 * watched.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "front/linger.h"
#include "frontkit.h"
#include "wirekit.h"

#define LINE "POST /echo HTTP/1.1\r\nHost: x\r\n"

static void end_held(void *ctx)
{
    struct fixture *f = ctx;
    assert_int_equal(exchange_write(f->held, "last", 4), 0);
    exchange_end(f->held);
}

/* ---- answers before the request is whole --------------------------------------------------------------------------
 */

static void send_all_then_read(struct fixture *f, const char *head, size_t body, const char *status)
{
    static char block[64 * 1024];
    int fd = wire_connect(f->port);
    memset(block, 'b', sizeof block);
    wire_say(fd, head);
    for (size_t sent = 0; sent < body; sent += sizeof block)
        same(wire_send(fd, block, sizeof block), true);
    same(wire_read_all(fd, answer, sizeof answer) > 0, true);
    has(answer, status);
    close(fd);
}

static void ask_early(struct fixture *f)
{
    for (size_t mb = 1; mb <= 8; mb *= 2) {
        send_all_then_read(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n", mb << 20,
                           "HTTP/1.1 413 ");
        send_all_then_read(f, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", mb << 20,
                           "HTTP/1.1 401 ");
        send_all_then_read(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nContent-Length: 9\r\n\r\n",
                           mb << 20, "HTTP/1.1 400 ");
        send_all_then_read(f, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n",
                           mb << 20, "HTTP/1.1 413 ");
    }
    same(f->requests, 0);
}

static void test_found_r2_an_early_answer_arrives(void **state)
{
    (void)state;
    run(prepare(), ask_early);
}

/* Sends without end; what was taken until it was closed. */
static size_t flood(int fd)
{
    static char block[64 * 1024];
    size_t sent = 0;
    while (sent < 8 * (size_t)LINGER_BYTES && wire_send(fd, block, sizeof block))
        sent += sizeof block;
    return sent;
}

enum { SOCKET_MOST = 16 * 1024 * 1024 }; /* what two sockets may hold */

static void flood_early(struct fixture *f)
{
    int fd = wire_connect(f->port);
    wire_say(fd, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
    under(flood(fd), (size_t)LINGER_BYTES + SOCKET_MOST, "bytes that an early answer was followed by");
    close(fd);
    /* and it is not waited for without end */
    fd = wire_connect(f->port);
    wire_say(fd, "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
    wire_read_all(fd, answer, sizeof answer);
    has(answer, "HTTP/1.1 401 ");
    for (uint64_t until = wire_now_ms() + 20000; wire_say(fd, "") && wire_now_ms() < until;) {
        char byte = 'b';
        struct timeval wait = {.tv_usec = 100000};
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
        (void)recv(fd, &byte, 1, MSG_PEEK);
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error)
            break;
        if (until - wire_now_ms() < 20000 - LINGER_IDLE_MS - 2000 && !wire_send(fd, "b", 1))
            break;
    }
    same(wire_send(fd, "b", 1), false);
    close(fd);
}

static void test_found_r2_waiting_has_an_end(void **state)
{
    (void)state;
    run(prepare(), flood_early);
}

/* A refused client may send as much and as fast as it likes: it is dropped after a while, and others are served
 * meanwhile. */
static void flood_refused(struct fixture *f)
{
    int first = wire_connect(f->port);
    wire_say(first, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(first, answer, sizeof answer, "first\r\n");
    int fd = wire_connect(f->port);
    under(flood(fd), (size_t)LINGER_BYTES + SOCKET_MOST, "bytes that a refused client could send");
    close(fd);
    send_all_then_read(f, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n", 1 << 20,
                       "HTTP/1.1 429 ");
    close(first);
    await_connections(f, 0);
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
}

static void test_found_m9_a_refused_client_is_drained_within_bounds(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_per_address_max = 1;
    run(f, flood_refused);
}

/* A client that sends faster than anyone can read: there is always more. */
static atomic_bool is_endless;
static atomic_size_t dropped;

ssize_t __real_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    if (!is_endless || flags != MSG_DONTWAIT)
        return __real_recv(fd, buffer, size, flags);
    dropped += size;
    return (ssize_t)size;
}

static void refuse_endless(struct fixture *f)
{
    int first = wire_connect(f->port);
    wire_say(first, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_until(first, answer, sizeof answer, "first\r\n");
    is_endless = true;
    int fd = wire_connect(f->port);
    wire_say(fd, "x");
    wire_read_until(fd, answer, sizeof answer, "}}");
    has(answer, "HTTP/1.1 429 ");
    post(f, end_held); /* the others go on */
    wire_read_until(first, answer, sizeof answer, "last\r\n0\r\n\r\n");
    has(answer, "last");
    uint64_t until = wire_now_ms() + 5000;
    while (dropped < LINGER_BYTES && wire_now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    same(dropped, LINGER_BYTES);
    is_endless = false;
    close(fd);
    close(first);
    await_connections(f, 0);
}

static void test_found_m9_a_client_that_always_has_more(void **state)
{
    (void)state;
    struct fixture *f = prepare();
    f->options.connections_per_address_max = 1;
    run(f, refuse_endless);
    assert_int_equal(dropped, LINGER_BYTES);
}

/* More than may linger at once: the oldest go, and all is given back. */
static void refuse_many(struct fixture *f)
{
    static int fds[LINGER_MAX + 50];
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        fds[i] = wire_connect(f->port);
        wire_say(fds[i], "POST /secret HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n");
        wire_read_until(fds[i], answer, sizeof answer, "who?");
        has(answer, "HTTP/1.1 401 ");
    }
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
    has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
}

static void test_found_r2_many_at_once(void **state)
{
    (void)state;
    run(prepare(), refuse_many);
}

/* ---- a call that fails in the middle -------------------------------------------------------------------------------
 */

static _Atomic int epoll_failures;

/* libmicrohttpd's calls come here: it looks the name up in the binary first. */
__attribute__((visibility("default"))) int epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD && event && (event->events & EPOLLET) && epoll_failures > 0) {
        epoll_failures--;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, set, op, fd, event);
}

static _Atomic int response_failures;

__attribute__((visibility("default"))) struct MHD_Response *
MHD_create_response_from_buffer(size_t size, void *data, enum MHD_ResponseMemoryMode mode)
{
    if (mode == MHD_RESPMEM_PERSISTENT && response_failures > 0) { /* an answer of libmicrohttpd's own */
        response_failures--;
        return NULL;
    }
    static __typeof__(MHD_create_response_from_buffer) *real;
    if (!real)
        real = (__typeof__(real))dlsym(RTLD_NEXT, "MHD_create_response_from_buffer");
    return real(size, data, mode);
}

static void break_off_while_it_fails(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        response_failures = 1;
        ask(f, LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n\r\n");
        has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
        same(response_failures, 0);
    }
    await_connections(f, 0);
}

/* Without memory for an error of its own libmicrohttpd closes in the middle of a request, and does not say that the
 * request is over. */
static void test_found_s9_a_request_whose_error_can_not_be_said(void **state)
{
    (void)state;
    run(prepare(), break_off_while_it_fails);
}

static void connect_while_it_fails(struct fixture *f)
{
    for (int i = 0; i < 50; i++) {
        epoll_failures = 1;
        int fd = wire_connect(f->port);
        same(wire_read_all(fd, answer, sizeof answer) <= 0, true); /* closed */
        close(fd);
        same(epoll_failures, 0);
        has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
    }
    await_connections(f, 0);
}

/* A connection that was announced and then could not be watched is freed once, and not used after that. */
static void test_found_s9_a_connection_that_can_not_be_watched(void **state)
{
    (void)state;
    run(prepare(), connect_while_it_fails);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r2_an_early_answer_arrives),
        cmocka_unit_test(test_found_r2_waiting_has_an_end),
        cmocka_unit_test(test_found_r2_many_at_once),
        cmocka_unit_test(test_found_m9_a_client_that_always_has_more),
        cmocka_unit_test(test_found_m9_a_refused_client_is_drained_within_bounds),
        cmocka_unit_test(test_found_s9_a_connection_that_can_not_be_watched),
        cmocka_unit_test(test_found_s9_a_request_whose_error_can_not_be_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
