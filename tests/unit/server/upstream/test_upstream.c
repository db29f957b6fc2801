/* Calls to upstreams: kept connections, retries, deadlines, pausing, cancelling, and what is refused.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A scripted peer answers in a thread; the test's own thread runs the loop until the call has ended. */
#include <errno.h>
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

#include "base/loop.h"
#include "upstream/upstream.h"
#include "wirekit.h"

enum { BODY_MAX = 64 * 1024 };

struct fixture {
    struct loop *loop;
    struct upstream_pool *pool;
    struct wire_peer peer;
    char url[64];
    struct upstream_request request;
    const char *answer; /* of serve_failure; set before the call */
    /* the last call's outcome */
    struct upstream_call *call;
    unsigned status;
    char content_type[64], retry_after[16];
    char body[BODY_MAX];
    size_t body_len, heads, ends, turns;
    enum upstream_end end;
    char message[256];
    uint64_t ended_ms;
    void (*on_bytes)(struct fixture *f);
};

static void on_head(void *ctx, const struct upstream_response *response)
{
    struct fixture *f = ctx;
    f->heads++;
    f->status = response->status;
    snprintf(f->content_type, sizeof f->content_type, "%s", response->content_type);
    snprintf(f->retry_after, sizeof f->retry_after, "%s", response->retry_after ? response->retry_after : "");
}

static void on_data(void *ctx, const char *data, size_t len)
{
    struct fixture *f = ctx;
    size_t room = sizeof f->body - f->body_len % sizeof f->body;
    memcpy(f->body + f->body_len % sizeof f->body, data, len < room ? len : room);
    f->body_len += len;
    if (f->on_bytes)
        f->on_bytes(f);
}

static void on_end(void *ctx, enum upstream_end end, const char *message)
{
    struct fixture *f = ctx;
    f->ends++;
    f->end = end;
    f->call = NULL;
    f->ended_ms = wire_now_ms();
    snprintf(f->message, sizeof f->message, "%s", message);
    loop_stop(f->loop);
}

static const struct upstream_handler handler = {on_head, on_data, on_end};

static void count_turn(void *ctx)
{
    ((struct fixture *)ctx)->turns++;
}

static void start(struct fixture *f, void (*serve)(void *, int, int))
{
    *f = (struct fixture){0};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_pump(f->loop, count_turn, f), 0);
    assert_int_equal(upstream_pool_new(&f->pool, f->loop, 10000), 0);
    if (serve)
        wire_peer_start(&f->peer, serve, f);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u/v1/x?y=1", f->peer.port);
    f->request = (struct upstream_request){"POST", f->url, NULL, "{}", 2, 60000, 60000, 60000, 0, NULL, NULL};
}

static void call(struct fixture *f)
{
    f->body_len = f->heads = f->ends = f->status = 0;
    uint64_t before = wire_now_ms();
    assert_int_equal(upstream_start(&f->call, f->pool, &f->request, &handler, f), 0);
    assert_int_equal(f->ends, 0); /* never before it returns */
    loop_run(f->loop);
    f->ended_ms -= before;
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static void finish(struct fixture *f)
{
    upstream_pool_close(f->pool, stop_loop, f);
    loop_run(f->loop);
    loop_free(f->loop);
    if (f->peer.port)
        wire_peer_stop(&f->peer);
}

static void expect(struct fixture *f, enum upstream_end end, unsigned status, const char *body)
{
    if (f->end != end)
        fail_msg("ended with %d instead of %d: %s", f->end, end, f->message);
    assert_int_equal(f->status, status);
    assert_int_equal(f->body_len, strlen(body));
    assert_memory_equal(f->body, body, f->body_len);
}

/* Reads a request's head and its body "{}". */
static bool read_request(int fd)
{
    char buffer[4096];
    return wire_read_until(fd, buffer, sizeof buffer, "\r\n\r\n{}") > 0 && strstr(buffer, "{}");
}

/* ---- whole responses --------------------------------------------------------------------------------------------- */

static void serve_kept(void *ctx, int fd, int number)
{
    (void)ctx;
    char answer[256];
    for (int i = 0; read_request(fd); i++) {
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nRetry-After: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\n%d-%d\r\n1\r\n.\r\n0\r\n\r\n",
                 number, i);
        wire_say(fd, answer);
    }
}

static void test_connections_are_kept(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_kept);
    call(&f);
    expect(&f, UPSTREAM_WHOLE, 200, "0-0.");
    assert_string_equal(f.content_type, "text/plain");
    assert_string_equal(f.retry_after, "3");
    call(&f);
    expect(&f, UPSTREAM_WHOLE, 200, "0-1.");
    finish(&f);
}

/* The request as it goes out: what was asked for, and what is added. */
static void serve_echo(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    char request[4096], answer[4096 + 128];
    size_t len = wire_read_until(fd, request, sizeof request, "{}");
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", len, request);
    wire_say(fd, answer);
}

static void test_request_on_the_wire(void **state)
{
    (void)state;
    struct fixture f;
    char expected[512];
    const struct upstream_header headers[] = {{"Content-Type", "application/json"}, {"Authorization", "Bearer k"}, {0}};
    start(&f, serve_echo);
    f.request.headers = headers;
    call(&f);
    snprintf(expected, sizeof expected,
             "POST /v1/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept-Encoding: identity\r\n"
             "Content-Type: application/json\r\nAuthorization: Bearer k\r\nContent-Length: 2\r\n\r\n{}",
             f.peer.port);
    expect(&f, UPSTREAM_WHOLE, 200, expected);
    finish(&f);
}

static void test_path_beside_the_url(void **state)
{
    (void)state;
    struct fixture f;
    char root[64], expected[512];
    start(&f, serve_echo);
    snprintf(root, sizeof root, "http://127.0.0.1:%u", f.peer.port);
    f.request.url = root;
    f.request.path = "/v2/z";
    call(&f);
    snprintf(expected, sizeof expected,
             "POST /v2/z HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
             f.peer.port);
    expect(&f, UPSTREAM_WHOLE, 200, expected);
    f.request.path = "v2";
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), REIN_EINVAL);
    f.request.path = "/a b";
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), REIN_EINVAL);
    f.request.path = "/v2/z";
    f.request.url = f.url; /* has a path already */
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), REIN_EINVAL);
    finish(&f);
}

static void test_bad_requests_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    const struct upstream_header split[] = {{"X", "a\r\nY: b"}, {0}}, named[] = {{"X: y", "a"}, {0}};
    const char *const urls[] = {"ftp://h/", "http://", "http://u:p@h/", "http://h/a b", "http://h/a\r\nX: y",
                                "h/x",      ""};
    start(&f, serve_echo);
    f.request.headers = split;
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), REIN_EINVAL);
    f.request.headers = named;
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), REIN_EINVAL);
    f.request.headers = NULL;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        f.request.url = urls[i];
        if (upstream_start(&f.call, f.pool, &f.request, &handler, &f) != REIN_EINVAL)
            fail_msg("taken: %s", urls[i]);
    }
    finish(&f);
}

static void serve_to_close(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    if (read_request(fd))
        wire_say(fd, "HTTP/1.1 200 OK\r\n\r\nuntil the end");
}

static void test_body_to_the_close(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_to_close);
    call(&f);
    expect(&f, UPSTREAM_WHOLE, 200, "until the end");
    finish(&f);
}

/* Closes each connection at its second request, as a server does whose keep-alive ran out just then. */
static void serve_once(void *ctx, int fd, int number)
{
    (void)ctx;
    char answer[128];
    if (!read_request(fd))
        return;
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d", number);
    wire_say(fd, answer);
    char byte;
    recv(fd, &byte, 1, 0);
}

static void test_stale_connection_is_tried_once_more(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_once);
    call(&f);
    expect(&f, UPSTREAM_WHOLE, 200, "0");
    call(&f);
    expect(&f, UPSTREAM_WHOLE, 200, "1");
    finish(&f);
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static void serve_failure(void *ctx, int fd, int number)
{
    (void)number;
    if (read_request(fd))
        wire_say(fd, ((struct fixture *)ctx)->answer);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum upstream_end end;
        const char *message;
    } cases[] = {
        {"", UPSTREAM_BROKE, "the upstream closed the connection"},
        {"HTTP/1.1 200", UPSTREAM_BROKE, "the upstream closed the connection"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nshort", UPSTREAM_BROKE, "the upstream closed the connection"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", UPSTREAM_BROKE,
         "the upstream closed the connection"},
        {"rubbish\r\n\r\n", UPSTREAM_MALFORMED, "no HTTP/1 status line"},
        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", UPSTREAM_MALFORMED,
         "an encoded body"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789", UPSTREAM_TOO_LARGE, "the response is too large"},
        {"HTTP/1.1 200 OK\r\n\r\n123456789", UPSTREAM_TOO_LARGE, "the response is too large"},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n123456789", UPSTREAM_WHOLE, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        start(&f, serve_failure);
        f.answer = cases[i].answer;
        f.request.body_max = 8;
        call(&f);
        if (f.end != cases[i].end)
            fail_msg("case %zu: ended with %d: %s", i, f.end, f.message);
        assert_string_equal(f.message, cases[i].message);
        assert_int_equal(f.ends, 1);
        finish(&f);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_echo);
    wire_peer_stop(&f.peer);
    f.peer.port = 0;
    call(&f);
    expect(&f, UPSTREAM_NO_CONNECT, 0, "");
    assert_non_null(strstr(f.message, "http://127.0.0.1:"));
    finish(&f);
}

/* C3: a reset comes as an error without events. */
static void serve_reset(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    if (!read_request(fd))
        return;
    wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    int copy = dup(fd);
    struct linger now = {1, 0};
    setsockopt(copy, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(copy);
}

static void test_c3_reset(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_reset);
    call(&f);
    assert_int_equal(f.end, UPSTREAM_BROKE);
    finish(&f);
}

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

static void serve_silence(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    char byte;
    if (read_request(fd))
        recv(fd, &byte, 1, 0); /* until the caller gives up */
}

static void serve_half(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    char byte;
    if (!read_request(fd))
        return;
    wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    recv(fd, &byte, 1, 0);
}

static void test_deadlines(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_silence);
    f.request.first_byte_ms = 60;
    call(&f);
    expect(&f, UPSTREAM_TIMEOUT, 0, "");
    assert_in_range(f.ended_ms, 55, UINT64_MAX);
    assert_non_null(strstr(f.message, "no answer for 60 ms"));
    finish(&f);
    start(&f, serve_half);
    f.request.idle_ms = 60;
    call(&f);
    expect(&f, UPSTREAM_TIMEOUT, 200, "half");
    assert_in_range(f.ended_ms, 55, UINT64_MAX);
    finish(&f);
}

/* C1, C2: what libcurl wants "at once" becomes neither a spinning loop nor a starved one. */
static void test_c2_waiting_costs_no_turns(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_silence);
    f.request.first_byte_ms = 200;
    call(&f);
    assert_int_equal(f.end, UPSTREAM_TIMEOUT);
    assert_in_range(f.turns, 1, 50);
    finish(&f);
}

/* ---- cancelling, pausing, large bodies --------------------------------------------------------------------------- */

static atomic_bool peer_saw_end;

static void serve_until_end(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    char byte;
    if (!read_request(fd))
        return;
    wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    peer_saw_end = recv(fd, &byte, 1, 0) == 0 || errno == ECONNRESET;
}

static void cancel_now(struct fixture *f)
{
    upstream_cancel(f->call);
    f->call = NULL;
    loop_stop(f->loop);
}

static void test_cancel_closes_at_once(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_until_end);
    f.on_bytes = cancel_now;
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), 0);
    loop_run(f.loop);
    /* The loop does not run any more and the pool is still there: it was the cancel that closed. */
    for (uint64_t until = wire_now_ms() + WIRE_HANGS_MS; !peer_saw_end && wire_now_ms() < until;)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    assert_true(peer_saw_end);
    finish(&f);
    assert_int_equal(f.ends, 0);
}

static void test_cancel_while_connecting(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_silence);
    assert_int_equal(upstream_start(&f.call, f.pool, &f.request, &handler, &f), 0);
    upstream_cancel(f.call);
    finish(&f);
    assert_int_equal(f.ends, 0);
}

enum { LARGE = 8 * 1024 * 1024 };

static void serve_large(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    static char block[64 * 1024];
    if (!read_request(fd))
        return;
    memset(block, 'x', sizeof block);
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
    wire_say(fd, head);
    for (int left = LARGE; left > 0; left -= (int)sizeof block)
        if (!wire_send(fd, block, sizeof block))
            return;
}

static size_t paused_at, most_after_pause;

static void resume_now(uv_timer_t *timer)
{
    struct fixture *f = timer->data;
    most_after_pause = f->body_len - paused_at > most_after_pause ? f->body_len - paused_at : most_after_pause;
    uv_close((uv_handle_t *)timer, (uv_close_cb)free);
    if (f->call)
        upstream_resume(f->call);
}

static void pause_now(struct fixture *f)
{
    if (f->body_len / (LARGE / 16) == paused_at / (LARGE / 16))
        return;
    paused_at = f->body_len;
    upstream_pause(f->call);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    uv_timer_init(loop_uv(f->loop), timer);
    timer->data = f;
    uv_timer_start(timer, resume_now, 5, 0);
}

/* C7: what was paused for comes later, whole, and nothing comes meanwhile. */
static void test_c7_pause(void **state)
{
    (void)state;
    struct fixture f;
    paused_at = most_after_pause = 0;
    start(&f, serve_large);
    f.on_bytes = pause_now;
    call(&f);
    assert_int_equal(f.end, UPSTREAM_WHOLE);
    assert_int_equal(f.body_len, LARGE);
    assert_in_range(paused_at, LARGE / 2, LARGE);
    assert_int_equal(most_after_pause, 0);
    finish(&f);
}

/* Reads slowly, a block at a time, and says how much it got. */
static void serve_count(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    static char block[64 * 1024];
    char answer[128];
    /* Whatever follows the head in this first, full block is body. */
    size_t len = wire_read_until(fd, block, sizeof block, "no such end");
    const char *head_end = strstr(block, "\r\n\r\n");
    size_t got = head_end ? len - (size_t)(head_end + 4 - block) : 0;
    while (head_end && got < LARGE) {
        ssize_t more = recv(fd, block, sizeof block, 0);
        if (more <= 0)
            return;
        got += (size_t)more;
    }
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n%zu", got);
    wire_say(fd, answer);
}

static void test_large_request(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_count);
    char *body = calloc(1, LARGE);
    f.request.body = body;
    f.request.body_len = LARGE;
    call(&f);
    free(body);
    expect(&f, UPSTREAM_WHOLE, 200, "8388608");
    finish(&f);
}

static void serve_early(void *ctx, int fd, int number)
{
    (void)ctx, (void)number;
    static char block[64 * 1024];
    wire_read_until(fd, block, 2048, "\r\n\r\n");
    wire_say(fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    shutdown(fd, SHUT_WR);
    while (recv(fd, block, sizeof block, 0) > 0)
        continue;
}

/* An answer that comes before the request is out counts, and its connection is not kept. */
static void test_answer_before_the_request_is_out(void **state)
{
    (void)state;
    struct fixture f;
    start(&f, serve_early);
    char *body = calloc(1, LARGE);
    f.request.body = body;
    f.request.body_len = LARGE;
    call(&f);
    free(body);
    expect(&f, UPSTREAM_WHOLE, 413, "no");
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_kept),
        cmocka_unit_test(test_request_on_the_wire),
        cmocka_unit_test(test_path_beside_the_url),
        cmocka_unit_test(test_bad_requests_are_refused),
        cmocka_unit_test(test_body_to_the_close),
        cmocka_unit_test(test_stale_connection_is_tried_once_more),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_c3_reset),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_c2_waiting_costs_no_turns),
        cmocka_unit_test(test_cancel_closes_at_once),
        cmocka_unit_test(test_cancel_while_connecting),
        cmocka_unit_test(test_c7_pause),
        cmocka_unit_test(test_large_request),
        cmocka_unit_test(test_answer_before_the_request_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
