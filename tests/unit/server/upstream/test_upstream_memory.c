/* Calls to upstreams when memory is short: each allocation of ours fails in turn, and each call ends once, as it says.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What Rein's own objects ask for is led here by the linker, and so is what libcurl asks of the heap that Rein lends
 * it: small blocks come from its reserve then, and a large one that is missing fails the call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "upstream/curl_heap.h"
#include "upstream/upstream.h"
#include "wirekit.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);

static _Thread_local bool is_armed; /* of the loop's thread alone, and while it makes a call */
static size_t asked, fails_at;

static bool fails(void)
{
    return is_armed && ++asked == fails_at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

enum { CALLS_AFTER = 20 };

struct fixture {
    struct loop *loop;
    struct upstream_pool *pool;
    struct upstream_call *call;
    size_t ends;
    enum upstream_end end;
};

static void on_head(void *ctx, const struct upstream_response *response)
{
    (void)ctx, (void)response;
}

static void on_data(void *ctx, const char *data, size_t len)
{
    (void)ctx, (void)data, (void)len;
}

static void on_end(void *ctx, enum upstream_end end, const char *message)
{
    struct fixture *f = ctx;
    (void)message;
    f->ends++;
    f->end = end;
    loop_stop(f->loop);
}

/* Ends each connection after one answer: the second call is made on a stale one, and then dials as well. */
static void serve_once(void *ctx, int fd, int number)
{
    char request[4096];
    (void)ctx, (void)number;
    wire_read_until(fd, request, sizeof request, "{}");
    wire_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    shutdown(fd, SHUT_WR);
    recv(fd, request, sizeof request, 0);
}

/* False: it could not be started. */
static bool call(struct fixture *f, const char *url)
{
    static const struct upstream_handler handler = {on_head, on_data, on_end};
    struct upstream_request request = {"POST", url, NULL, "{}", 2, 600000, 600000, 600000, 0, NULL, NULL};
    f->ends = 0;
    is_armed = true;
    int rv = upstream_start(&f->call, f->pool, &request, &handler, f);
    if (rv == 0)
        loop_run(f->loop);
    is_armed = false;
    assert_int_equal(f->ends, rv == 0 ? 1 : 0);
    return rv == 0 && f->end == UPSTREAM_WHOLE;
}

static void stop_loop(void *ctx)
{
    loop_stop(((struct fixture *)ctx)->loop);
}

static size_t make_calls(const char *url, size_t at)
{
    struct fixture f = {0};
    size_t good = 0;
    assert_int_equal(loop_new(&f.loop), 0);
    assert_int_equal(upstream_pool_new(&f.pool, f.loop, 60000), 0);
    asked = 0;
    fails_at = at;
    for (int i = 0; i < 3; i++)
        good += call(&f, url);
    fails_at = 0;
    for (int i = 0; i < CALLS_AFTER; i++) /* none of the pool's handles has suffered */
        assert_true(call(&f, url));
    upstream_pool_close(f.pool, stop_loop, &f);
    loop_run(f.loop);
    loop_free(f.loop);
    return good;
}

static void test_found_m6_each_allocation_of_a_call_fails(void **state)
{
    (void)state;
    struct wire_peer peer;
    char url[64];
    wire_peer_start(&peer, serve_once, NULL);
    snprintf(url, sizeof url, "http://localhost:%u/", peer.port);
    assert_int_equal(make_calls(url, 0), 3);
    size_t all = asked, used = curl_heap_reserve_used();
    assert_in_range(all, 300, 5000); /* call, request, dial, connection, and what libcurl wants for itself */
    for (size_t at = 1; at <= all; at++) {
        assert_in_range(make_calls(url, at), 2, 3);       /* only the call that it hit has failed */
        assert_int_equal(curl_heap_reserve_used(), used); /* what was lent came back */
    }
    wire_peer_stop(&peer);
}

/* A reserve that is used up is an answer too; what it lends is apart from everything else. */
static void test_found_m6_the_reserve_of_libcurl(void **state)
{
    (void)state;
    static char *blocks[CURL_HEAP_BLOCKS];
    size_t before = curl_heap_reserve_used();
    is_armed = true;
    for (size_t i = 0; i < CURL_HEAP_BLOCKS - before; i++) {
        asked = 0;
        fails_at = 1;
        blocks[i] = curl_heap_malloc(CURL_HEAP_BLOCK);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)(i & 0xFF), CURL_HEAP_BLOCK);
    }
    asked = 0;
    assert_null(curl_heap_malloc(1));
    asked = 0;
    assert_null(curl_heap_calloc(1, CURL_HEAP_BLOCK + 1));
    asked = 0;
    assert_ptr_equal(curl_heap_realloc(blocks[0], 10), blocks[0]);
    is_armed = false;
    fails_at = 0;
    for (size_t i = 0; i < CURL_HEAP_BLOCKS - before; i++) {
        for (size_t k = 0; k < CURL_HEAP_BLOCK; k++)
            assert_int_equal((unsigned char)blocks[i][k], i & 0xFF);
        char *moved = curl_heap_realloc(blocks[i], 2 * CURL_HEAP_BLOCK);
        assert_int_equal((unsigned char)moved[CURL_HEAP_BLOCK - 1], i & 0xFF);
        curl_heap_free(moved);
    }
    assert_int_equal(curl_heap_reserve_used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_m6_each_allocation_of_a_call_fails),
        cmocka_unit_test(test_found_m6_the_reserve_of_libcurl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
