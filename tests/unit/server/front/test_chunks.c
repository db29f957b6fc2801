/* Chunks: whatever the socket accepts at a time, the client decodes exactly what was added.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/chunks.h"

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

/* Without framing: the bytes alone, in their order, with any patience of the reader. */
static void test_found_r11_plain(void **state)
{
    (void)state;
    struct fixture f;
    static char in[PLENTY], out[PLENTY + 1];
    size_t added = 0, got = 0;
    uint32_t random = 5;
    start(&f);
    f.writer.is_plain = true;
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
            assert_true(chunk_flush(&f.writer, &f.store, f.here, false) != CHUNK_GONE);
        long more = recv(f.there, out + got, (random >> 12) % 3000 + 1, MSG_DONTWAIT);
        got += more > 0 ? (size_t)more : 0;
    }
    for (long more; (more = recv(f.there, out + got, sizeof out - got, MSG_DONTWAIT)) > 0;)
        got += (size_t)more;
    assert_int_equal(got, sizeof in);
    assert_memory_equal(out, in, sizeof in);
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

/* ---- a scripted socket and heap ---------------------------------------------------------------------------------- */

/* Each step does one thing. The flushes name what `send` does (with the script on, no real socket is touched); LACK is
 * a `send` that takes a byte, after which no memory is to be had. */
enum step { ADD_FEW, ADD_MANY, FLUSH_ALL, FLUSH_SOME, FLUSH_NONE, FLUSH_RESET, FLUSH_LACK, STEPS };

static struct {
    bool is_on, lacks_memory;
    enum step step;
    size_t sends, len;
    char wire[1 << 17];
} script;

ssize_t __real_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
    if (!script.is_on)
        return __real_send(fd, data, len, flags);
    script.sends++;
    if (script.step == FLUSH_NONE || script.step == FLUSH_RESET) {
        errno = script.step == FLUSH_RESET ? ECONNRESET : script.sends & 1 ? EAGAIN : EINTR;
        return -1;
    }
    size_t taken = script.step == FLUSH_ALL ? len : script.step == FLUSH_LACK ? 1 : (len + 1) / 2;
    assert_true(script.len + taken <= sizeof script.wire);
    memcpy(script.wire + script.len, data, taken);
    script.len += taken;
    return (ssize_t)taken;
}

void *__wrap_realloc(void *block, size_t size)
{
    return script.is_on && script.lacks_memory ? NULL : __real_realloc(block, size);
}

/* The bytes of chunks that may be cut off anywhere; also the framing's own bytes are checked as far as they are there.
 */
static size_t dechunk_cut(const char *wire, size_t len, char *out)
{
    size_t at = 0, got = 0;
    while (at < len) {
        const char *end = memchr(wire + at, '\n', len - at);
        if (!end)
            return got;
        size_t size = strtoul(wire + at, NULL, 16);
        assert_true(size > 0 && end[-1] == '\r');
        at = (size_t)(end - wire) + 1;
        size_t there = size < len - at ? size : len - at;
        memcpy(out + got, wire + at, there);
        got += there;
        at += there;
        for (const char *tail = "\r\n"; there == size && at < len && *tail; tail++)
            assert_int_equal(wire[at++], *tail);
    }
    return got;
}

struct trial {
    struct chunk_writer writer;
    size_t added;
    bool gone;
};

/* What is added is the alphabet, over and over, so that a byte's place shows. */
static void trial_add(struct trial *t, struct chunk_store *store, size_t len)
{
    static char text[4096];
    if (!text[0])
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)('a' + i % 26);
    int rv = chunk_add(&t->writer, store, text + t->added % 26, len, MAX);
    assert_true(rv == 0 || (rv == REIN_ENOMEM && script.lacks_memory));
    t->added += rv == 0 && !t->gone ? len : 0;
}

static void trial_step(struct trial *t, struct chunk_store *store, enum step step)
{
    size_t sends = script.sends;
    script.step = step;
    script.lacks_memory = step == FLUSH_LACK;
    if (step == ADD_FEW || step == ADD_MANY) {
        trial_add(t, store, step == ADD_FEW ? 40 : 4060);
    } else {
        enum chunk_sent sent = chunk_flush(&t->writer, store, -1, false);
        if (t->gone)
            assert_int_equal(sent, CHUNK_GONE);
        t->gone = sent == CHUNK_GONE;
    }
    assert_true(chunk_is_sound(&t->writer));
    if (t->writer.is_gone) {
        assert_true(t->gone);
        assert_null(t->writer.data);
        assert_int_equal(chunk_pending(&t->writer), 0);
    }
    if (t->gone && step < FLUSH_ALL)
        assert_int_equal(script.sends, sends);
}

/* What has reached the wire is the beginning of what was added; all of it if the client stayed. */
static void trial_check(struct trial *t, struct chunk_store *store)
{
    static char out[sizeof script.wire];
    trial_step(t, store, FLUSH_ALL);
    size_t got = dechunk_cut(script.wire, script.len, out);
    if (!t->gone)
        assert_int_equal(got, t->added);
    assert_true(got <= t->added);
    for (size_t i = 0; i < got; i++)
        if (out[i] != (char)('a' + i % 26))
            fail_msg("byte %zu is '%c', not '%c'", i, out[i], (char)('a' + i % 26));
    chunk_drop(&t->writer, store);
}

static void trial_begin(struct trial *t)
{
    *t = (struct trial){0};
    script.is_on = true;
    script.len = script.sends = 0;
}

/* All orders of six steps. A writer that framed and could not send used to frame again with stale positions. */
static void test_found_s0_every_outcome_in_every_order(void **state)
{
    (void)state;
    static struct chunk_store store;
    struct trial t;
    size_t orders = 1;
    for (int i = 0; i < 6; i++)
        orders *= STEPS;
    for (size_t order = 0; order < orders; order++) {
        trial_begin(&t);
        for (size_t rest = order, i = 0; i < 6; i++, rest /= STEPS)
            trial_step(&t, &store, (enum step)(rest % STEPS));
        trial_check(&t, &store);
    }
    script.is_on = false;
    chunk_store_fini(&store);
}

static void test_found_s0_long_random_orders(void **state)
{
    (void)state;
    static struct chunk_store store;
    struct trial t;
    uint32_t random = 11;
    for (int round = 0; round < 20000; round++) {
        trial_begin(&t);
        for (int i = 0; i < 24; i++) {
            random = random * 1664525 + 1013904223;
            unsigned dice = random >> 24;
            trial_step(&t, &store, dice < 3 ? FLUSH_RESET : dice < 5 ? FLUSH_LACK : (enum step)(dice % FLUSH_RESET));
        }
        trial_check(&t, &store);
    }
    script.is_on = false;
    chunk_store_fini(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_chunk_for_all_that_was_added),
        cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_found_r11_plain),
        cmocka_unit_test(test_any_patience),
        cmocka_unit_test(test_found_s0_every_outcome_in_every_order),
        cmocka_unit_test(test_found_s0_long_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
