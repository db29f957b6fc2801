/* Kept connections that the peer has ended: each way to end one, and what a pause holds back.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A scripted peer answers in a thread; the test's own thread runs the loop until the call has ended. The loop stands
 * still between two calls, so the second one begins before it could see how the peer ended the connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"
#include "upstream/upstream.h"
#include "wirekit.h"

enum { LARGE = 4 * 1024 * 1024, MOMENT_MS = 100 };

enum how {
    FIN_BEFORE,    /* it sends no more, and reads what still comes */
    CLOSED_BEFORE, /* a FIN; what is sent then is answered by a RST */
    RST_BEFORE,
    FIN_AFTER,    /* all of the request was read */
    UNREAD_AFTER, /* one byte was not: a RST */
    RST_AFTER,
    HALF_A_LINE, /* a FIN behind the first bytes of a response */
    WAYS,
};

struct fixture {
    struct loop *loop;
    struct upstream_pool *pool;
    struct wire_peer peer;
    struct upstream_request request;
    char url[64];
    enum how how;
    sem_t kept_ended, said_all;
    struct upstream_call *call;
    char body[64], message[128];
    size_t body_len, heads, ends;
    enum upstream_end end;
    void (*on_bytes)(struct fixture *f);
    uv_timer_t timer;
    bool held; /* nothing came while it was paused */
};

/* ---- the caller -------------------------------------------------------------------------------------------------- */

static void on_head(void *ctx, const struct upstream_response *response)
{
    (void)response;
    ((struct fixture *)ctx)->heads++;
}

static void on_data(void *ctx, const char *data, size_t len)
{
    struct fixture *f = ctx;
    assert_true(f->body_len + len < sizeof f->body);
    memcpy(f->body + f->body_len, data, len);
    f->body_len += len;
    f->body[f->body_len] = '\0';
    if (f->on_bytes)
        f->on_bytes(f);
}

static void on_end(void *ctx, enum upstream_end end, const char *message)
{
    struct fixture *f = ctx;
    f->ends++;
    f->end = end;
    f->call = NULL;
    snprintf(f->message, sizeof f->message, "%s", message);
    loop_stop(f->loop);
}

static const struct upstream_handler handler = {on_head, on_data, on_end};

static void setup(struct fixture *f, void (*serve)(void *, int, int))
{
    *f = (struct fixture){0};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(upstream_pool_new(&f->pool, f->loop, 60000), 0);
    assert_int_equal(sem_init(&f->kept_ended, 0, 0), 0);
    assert_int_equal(sem_init(&f->said_all, 0, 0), 0);
    wire_peer_start(&f->peer, serve, f);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/", f->peer.port);
    f->request = (struct upstream_request){"POST", f->url, NULL, "{}", 2, 5000, 5000, 5000, 0, NULL, NULL};
}

static void begin(struct fixture *f)
{
    f->body_len = f->heads = f->ends = 0;
    assert_int_equal(upstream_start(&f->call, f->pool, &f->request, &handler, f), 0);
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static void teardown(struct fixture *f)
{
    upstream_pool_close(f->pool, stop_loop, f);
    loop_run(f->loop);
    loop_free(f->loop);
    wire_peer_stop(&f->peer);
    sem_destroy(&f->kept_ended);
    sem_destroy(&f->said_all);
}

static void expect(const struct fixture *f, enum upstream_end end, const char *body)
{
    if (f->end != end)
        fail_msg("way %d: ended with %d instead of %d: %s", f->how, f->end, end, f->message);
    assert_int_equal(f->ends, 1);
    assert_int_equal(f->body_len, strlen(body));
    assert_memory_equal(f->body, body, f->body_len);
}

/* ---- connections that were kept too long ------------------------------------------------------------------------- */

static size_t read_head(int fd, char *head, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && recv(fd, head + len, 1, 0) == 1) {
        head[++len] = '\0';
        if (len >= 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
            return len;
    }
    return 0;
}

/* Reads a request but for `unread` bytes at its end; false: none came whole. */
static bool read_request(int fd, size_t unread)
{
    static char block[64 * 1024];
    char head[1024];
    const char *length = read_head(fd, head, sizeof head) > 0 ? strstr(head, "Content-Length: ") : NULL;
    size_t want = length ? (size_t)atol(length + 16) - unread : 0, had = 0;
    while (had < want) {
        ssize_t got = recv(fd, block, want - had < sizeof block ? want - had : sizeof block, 0);
        if (got <= 0)
            break;
        had += (size_t)got;
    }
    return length && had == want;
}

/* Here and now, though the number is closed later. */
static void close_here(int fd, bool reset)
{
    struct linger now = {1, 0};
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, fd);
    close(nothing);
}

static void end_kept(enum how how, int fd)
{
    if (how == FIN_BEFORE)
        shutdown(fd, SHUT_WR);
    else if (how == CLOSED_BEFORE || how == RST_BEFORE)
        close_here(fd, how == RST_BEFORE);
}

/* The first connection answers one request and is ended, all others answer one. */
static void serve_kept_once(void *ctx, int fd, int number)
{
    struct fixture *f = ctx;
    char answer[128];
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", number);
    if (!read_request(fd, 0) || !wire_say(fd, answer) || number > 0)
        return;
    end_kept(f->how, fd);
    sem_post(&f->kept_ended);
    if (f->how >= FIN_AFTER)
        read_request(fd, f->how == UNREAD_AFTER ? 1 : 0);
    if (f->how == RST_AFTER)
        close_here(fd, true);
    if (f->how == HALF_A_LINE)
        wire_say(fd, "HTT");
    char rest[4096];
    while (f->how == FIN_BEFORE && recv(fd, rest, sizeof rest, 0) > 0)
        continue;
}

static void wait_for(sem_t *what)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    assert_int_equal(sem_timedwait(what, &until), 0);
}

static void check_retry(enum how how, size_t body_len)
{
    struct fixture f;
    setup(&f, serve_kept_once);
    f.how = how;
    char *body = calloc(1, body_len);
    f.request.body = body;
    f.request.body_len = body_len;
    begin(&f);
    loop_run(f.loop);
    expect(&f, UPSTREAM_WHOLE, "0");
    wait_for(&f.kept_ended);
    begin(&f);
    loop_run(f.loop);
    if (how == HALF_A_LINE)
        expect(&f, UPSTREAM_BROKE, "");
    else
        expect(&f, UPSTREAM_WHOLE, "1");
    free(body);
    teardown(&f);
}

static void test_found_r1_every_end_of_a_kept_connection_is_tried_again(void **state)
{
    (void)state;
    for (int how = 0; how < WAYS; how++)
        check_retry((enum how)how, 2);
}

/* The request is still being written when the connection ends. */
static void test_found_r1_an_end_in_the_middle_of_the_request(void **state)
{
    (void)state;
    for (int how = 0; how < HALF_A_LINE; how++)
        check_retry((enum how)how, LARGE);
}

/* ---- pauses ------------------------------------------------------------------------------------------------------ */

static void serve_whole(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    if (read_request(fd, 0))
        wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole");
}

static void go_on(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    f->held = f->ends == 0 && f->body_len == (f->on_bytes ? 4 : 0) && f->heads == (f->on_bytes ? 1 : 0);
    uv_close((uv_handle_t *)timer, NULL);
    if (f->on_bytes)
        wait_for(&f->said_all); /* so that what is left of the deadline is no matter of luck */
    if (f->call)
        upstream_resume(f->call);
}

static void go_on_in_a_moment(struct fixture *f)
{
    uv_timer_init(loop_uv(f->loop), &f->timer);
    f->timer.data = f;
    uv_timer_start(&f->timer, go_on, MOMENT_MS, 0);
}

static void test_found_m2_a_call_that_still_dials_can_be_paused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, serve_whole);
    begin(&f);
    upstream_pause(f.call);
    go_on_in_a_moment(&f);
    loop_run(f.loop);
    if (f.ends == 0 || !f.held)
        fail_msg("it was not held back: heads %zu, bytes %zu", f.heads, f.body_len);
    expect(&f, UPSTREAM_WHOLE, "whole");
    teardown(&f);
}

static void serve_in_two(void *ctx, int fd, int number)
{
    (void)number;
    struct fixture *f = ctx;
    char byte;
    if (!read_request(fd, 0))
        return;
    wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
    wait_for(&f->kept_ended);
    wire_say(fd, "half");
    sem_post(&f->said_all);
    recv(fd, &byte, 1, 0);
}

static void pause_first(struct fixture *f)
{
    if (f->body_len != 4)
        return;
    upstream_pause(f->call);
    sem_post(&f->kept_ended); /* the peer may go on */
    go_on_in_a_moment(f);
}

static void test_found_m5_no_deadline_runs_while_paused(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f, serve_in_two);
    f.request.idle_ms = MOMENT_MS / 2;
    f.on_bytes = pause_first;
    begin(&f);
    loop_run(f.loop);
    assert_true(f.held);
    expect(&f, UPSTREAM_WHOLE, "halfhalf");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r1_every_end_of_a_kept_connection_is_tried_again),
        cmocka_unit_test(test_found_r1_an_end_in_the_middle_of_the_request),
        cmocka_unit_test(test_found_m2_a_call_that_still_dials_can_be_paused),
        cmocka_unit_test(test_found_m5_no_deadline_runs_while_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
