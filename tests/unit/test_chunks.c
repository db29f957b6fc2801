/* Chunks: what goes out through a socket of any patience, taken apart again, is what was put in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chunks.h"

enum { MAX = 1 << 20, PLENTY = 4 << 20 };

struct fixture {
    struct chunk_store store;
    struct chunk_writer writer;
    int here, there;
};

static void start(struct fixture *f)
{
    int fds[2];
    memset(f, 0, sizeof *f);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    f->here = fds[0];
    f->there = fds[1];
}

static void finish(struct fixture *f)
{
    chunk_drop(&f->writer, &f->store);
    chunk_store_fini(&f->store);
    close(f->here);
    close(f->there);
}

static void test_one_chunk_for_all_that_was_added(void **state)
{
    (void)state;
    struct fixture f;
    char got[64] = "";
    start(&f);
    assert_int_equal(chunk_add(&f.writer, &f.store, "hello ", 6, MAX), 0);
    assert_int_equal(chunk_add(&f.writer, &f.store, "", 0, MAX), 0);
    assert_int_equal(chunk_add(&f.writer, &f.store, "world!", 6, MAX), 0);
    assert_int_equal(chunk_pending(&f.writer), 12);
    assert_int_equal(chunk_flush(&f.writer, &f.store, f.here, false), CHUNK_ALL);
    assert_int_equal(chunk_pending(&f.writer), 0);
    assert_null(f.writer.data); /* nothing waits: no memory */
    assert_int_equal(recv(f.there, got, sizeof got - 1, 0), 17);
    assert_string_equal(got, "c\r\nhello world!\r\n");
    assert_int_equal(chunk_flush(&f.writer, &f.store, f.here, false), CHUNK_ALL);
    assert_int_equal(recv(f.there, got, sizeof got, MSG_DONTWAIT), -1);
    finish(&f);
}

static void test_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    static char block[1001];
    start(&f);
    assert_int_equal(chunk_add(&f.writer, &f.store, block, 1001, 1000), REIN_ELIMIT);
    assert_int_equal(chunk_add(&f.writer, &f.store, block, 600, 1000), 0);
    assert_int_equal(chunk_add(&f.writer, &f.store, block, 401, 1000), REIN_ELIMIT);
    assert_int_equal(chunk_add(&f.writer, &f.store, block, 400, 1000), 0);
    assert_int_equal(chunk_pending(&f.writer), 1000);
    finish(&f);
}

static void test_gone(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    shutdown(f.there, SHUT_RDWR);
    assert_int_equal(chunk_add(&f.writer, &f.store, "x", 1, MAX), 0);
    assert_int_equal(chunk_flush(&f.writer, &f.store, f.here, false), CHUNK_GONE);
    finish(&f);
}

/* Takes chunks apart in place; returns the body's length. */
static size_t dechunk(char *text, size_t len)
{
    size_t at = 0, out = 0;
    while (at < len) {
        char *end;
        size_t size = strtoul(text + at, &end, 16);
        assert_true(size > 0);
        assert_memory_equal(end, "\r\n", 2);
        at = (size_t)(end - text) + 2;
        assert_true(at + size + 2 <= len);
        memmove(text + out, text + at, size);
        out += size;
        at += size;
        assert_memory_equal(text + at, "\r\n", 2);
        at += 2;
    }
    return out;
}

/* A reader that takes odd amounts at odd times, and a writer that adds while an earlier chunk still waits. */
static void test_any_patience(void **state)
{
    (void)state;
    struct fixture f;
    static char in[PLENTY], out[2 * PLENTY];
    size_t added = 0, got = 0;
    uint32_t random = 7;
    int partial = 0;
    start(&f);
    int small = 8 * 1024;
    setsockopt(f.here, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)('a' + (i * i + i / 251) % 26);
    while (added < sizeof in || chunk_pending(&f.writer) > 0) {
        random = random * 1664525 + 1013904223;
        size_t want = random >> 24 < 3 ? 70000 : (random >> 16) % 900 + 1;
        want = want < sizeof in - added ? want : sizeof in - added;
        if (chunk_add(&f.writer, &f.store, in + added, want, MAX) == 0)
            added += want;
        if (random & 0x100)
            partial += chunk_flush(&f.writer, &f.store, f.here, false) == CHUNK_SOME;
        long more = recv(f.there, out + got, (random >> 12) % 3000 + 1, MSG_DONTWAIT);
        got += more > 0 ? (size_t)more : 0;
    }
    for (long more; (more = recv(f.there, out + got, sizeof out - got, MSG_DONTWAIT)) > 0;)
        got += (size_t)more;
    assert_in_range(partial, 10, PLENTY);
    assert_int_equal(dechunk(out, got), sizeof in);
    assert_memory_equal(out, in, sizeof in);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_chunk_for_all_that_was_added),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_any_patience),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
