/* The front on the wire: heads that two readers could take for different requests, and heads that are too large.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frontkit.h"
#include "wirekit.h"

/* ---- two readers --------------------------------------------------------------------------------------------------
 */

/* What follows each of them: served as a request of its own, it would be answered "yes". */
#define NEXT "GET /can HTTP/1.1\r\nHost: x\r\n\r\n"
#define LINE "POST /echo HTTP/1.1\r\nHost: x\r\n"
#define BODY "\r\n0\r\n\r\n"

struct wire_case {
    const char *bytes;
    size_t len;
};
#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }

static const struct wire_case ambiguous[] = {
    /* a blank before the colon */
    BYTES(LINE "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding : chunked\r\n" BODY),
    BYTES(LINE "Content-Length: 5\r\nTransfer-Encoding\t: chunked\r\n" BODY),
    BYTES(LINE "Content-Length : 5\r\n" BODY),
    BYTES(LINE " Transfer-Encoding: chunked\r\n" BODY),
    BYTES("POST /echo HTTP/1.1\r\n Host: x\r\nHost: y\r\n" BODY),
    BYTES("POST /echo HTTP/1.1\r\nHost : x\r\n" BODY),
    /* a line that goes on in the next one */
    BYTES(LINE "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding:\r\n\tchunked\r\n" BODY),
    BYTES(LINE "X: y\r\n Transfer-Encoding: chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked\r\n x\r\n" BODY),
    BYTES(LINE "Content-Length: 5\r\n 0\r\n" BODY),
    BYTES(LINE "Content-Length:\r\n 5\r\n" BODY),
    BYTES(LINE "X: y\r\n \r\n" BODY),
    /* several lengths, or odd ones */
    BYTES(LINE "Content-Length: 5\r\nContent-Length: 5\r\n" BODY),
    BYTES(LINE "Content-Length: 5\r\nContent-Length: 0\r\n" BODY),
    BYTES(LINE "Content-Length: 5\r\ncontent-length: 6\r\n" BODY),
    BYTES(LINE "Content-Length: 5, 5\r\n" BODY),
    BYTES(LINE "Content-Length: +5\r\n" BODY),
    BYTES(LINE "Content-Length: -5\r\n" BODY),
    BYTES(LINE "Content-Length: 0x5\r\n" BODY),
    BYTES(LINE "Content-Length: 5 \r\n" BODY),
    BYTES(LINE "Content-Length: 5;\r\n" BODY),
    BYTES(LINE "Content-Length: \r\n" BODY),
    BYTES(LINE "Content-Length: 5a\r\n" BODY),
    BYTES(LINE "Content-Length: 99999999999999999999\r\n" BODY),
    /* codings */
    BYTES(LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: gzip, chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked, chunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked,\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked;a=b\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: identity\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: xchunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: chunked \r\n" BODY),
    BYTES(LINE "Transfer-Encoding: \vchunked\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: \"chunked\"\r\n" BODY),
    BYTES(LINE "Transfer-Encoding: \r\n" BODY),
    BYTES("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" BODY),
    /* ends of lines, and bytes that end lines elsewhere */
    BYTES(LINE "X: y\nTransfer-Encoding: chunked\r\n" BODY),
    BYTES(LINE "X: y\rTransfer-Encoding: chunked\r\n" BODY),
    BYTES("POST /echo HTTP/1.1\nHost: x\nContent-Length: 0\n\n"),
    BYTES(LINE "Content-Length: 0\r\n\n"),
    BYTES(LINE "Content-Length: 0\n\r\n"),
    BYTES(LINE "X: y\r\r\nTransfer-Encoding: chunked\r\n" BODY),
    BYTES(LINE "X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    BYTES(LINE "X\0: a\r\nContent-Length: 0\r\n\r\n"),
    BYTES(LINE "Content-Length\0: 5\r\nContent-Length: 0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\0\r\n" BODY),
    BYTES(LINE "Content-Length: 0\r\n\0\r\n\r\n"),
    /* names */
    BYTES(LINE "X Y: z\r\n" BODY),
    BYTES(LINE ": z\r\n" BODY),
    BYTES(LINE "X\x01: z\r\n" BODY),
    BYTES(LINE "X(Y): z\r\n" BODY),
    BYTES(LINE "X\xe4: z\r\n" BODY),
    BYTES(LINE "no colon\r\n" BODY),
    BYTES(LINE "Host: y\r\nContent-Length: 0\r\n\r\n"),
    BYTES("POST /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    /* the first line */
    BYTES("POST  /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo  HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST\t/echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /ec ho HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /ec\tho HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /ec\rho HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo\0x HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("P\0ST /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("PO(ST /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo HTTP/1.1 \r\nHost: x\r\n\r\n"),
    BYTES("POST /echo HTTP/1.1\0\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo HTTP/1.2\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo HTTP/2.0\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo HTTP/0.9\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo http/1.1\r\nHost: x\r\n\r\n"),
    BYTES("POST /echo\r\nHost: x\r\n\r\n"),
    /* chunks */
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"),
    BYTES(LINE "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n"),
};

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    while ((text = strstr(text, part))) {
        n++;
        text++;
    }
    return n;
}

static void refused_alone(struct fixture *f, const struct wire_case *c, const char *before)
{
    int requests = f->requests;
    int fd = wire_connect(f->port);
    wire_say(fd, before);
    if (*before)
        wire_read_until(fd, answer, sizeof answer, "hi");
    wire_send(fd, c->bytes, c->len);
    wire_say(fd, NEXT);
    long len = wire_read_all(fd, answer, sizeof answer); /* a reset only where there was no answer */
    close(fd);
    bool is_refused = len <= 0 || strncmp(answer, "HTTP/1.1 400 ", 13) == 0 ||
                      strncmp(answer, "HTTP/1.1 505 ", 13) == 0 || strncmp(answer, "HTTP/1.1 413 ", 13) == 0;
    if (!is_refused || count(answer, "HTTP/1.1 ") > 1 || strstr(answer, "yes") ||
        f->requests != requests + (*before != '\0')) {
        fprintf(stderr, "sent:\n%.*s\nanswered (%ld):\n%s\n", (int)c->len, c->bytes, len, answer);
        abort();
    }
}

static void ask_ambiguous(struct fixture *f)
{
    for (size_t i = 0; i < sizeof ambiguous / sizeof ambiguous[0]; i++) {
        refused_alone(f, &ambiguous[i], "");
        refused_alone(f, &ambiguous[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    }
    await_connections(f, 0);
}

static void test_found_s10_what_is_ambiguous_is_refused_and_closed(void **state)
{
    (void)state;
    run(prepare(), ask_ambiguous);
}

/* What is said in the answer, where there is one of ours. */
static void ask_folded(struct fixture *f)
{
    has(ask(f, LINE "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n" BODY), "\"code\":\"malformed_request\"");
    has(answer, "Connection: close\r\n");
    has(ask(f, LINE "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n" BODY), "\"code\":\"malformed_request\"");
    has(ask(f, LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" BODY), "\"code\":\"bad_framing\"");
    has(ask(f, LINE "Host: y\r\n\r\n"), "\"code\":\"bad_host\"");
    has(ask(f, "POST /echo HTTP/1.1\r\n\r\n"), "\"code\":\"malformed_request\"");
    has(ask(f, LINE "Content-Length: x\r\n\r\n"), "\"code\":\"malformed_request\"");
    same(f->requests, 0);
}

static void test_found_s10_the_answer_says_why(void **state)
{
    (void)state;
    run(prepare(), ask_folded);
}

/* What is well formed stays so: no blank, several blanks or a tab behind the colon, an empty value, odd but proper
 * names, cut anywhere. */
static void ask_well_formed(struct fixture *f)
{
    static const char request[] =
        "POST /echo?q=a%20b HTTP/1.1\r\nHost:x\r\nX-A:\r\nX-B: \t \r\nx!#$%&'*+.^_`|~-: a, b\r\n"
        "X-C: \xc3\xa4 \t z\r\nContent-Length:\t 5\r\n\r\nhello";
    for (size_t cut = 0; cut < sizeof request - 6; cut++) {
        int fd = wire_connect(f->port);
        for (int again = 0; again < 2; again++) {
            wire_send(fd, request, cut);
            if (cut % 8 == 0)
                await_connections(f, 1);
            wire_send(fd, request + cut, sizeof request - 1 - cut);
            wire_read_until(fd, answer, sizeof answer, "hello");
            has(answer, "HTTP/1.1 200 ");
        }
        close(fd);
        await_connections(f, 0);
    }
}

static void test_found_s10_what_is_well_formed_passes(void **state)
{
    (void)state;
    run(prepare(), ask_well_formed);
}

/* Chunks may end in ways that readers disagree on, so nothing of the connection is read behind them. */
static void ask_chunked_and_more(struct fixture *f)
{
    static const char *const bodies[] = {"2\r\nhi\r\n0\r\n\r\n", "2\nhi\n0\n\n", "2;\n\r\nhi\r\n0\r\n\r\n",
                                         "2\r\nhi\r\n0\r\nX: y\r\n\r\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int fd = wire_connect(f->port);
        wire_say(fd, LINE "Transfer-Encoding: chunked\r\n\r\n");
        wire_say(fd, bodies[i]);
        wire_say(fd, NEXT);
        wire_read_all(fd, answer, sizeof answer);
        close(fd);
        same(count(answer, "HTTP/1.1 "), strstr(answer, "HTTP/1.1 200 ") ? 1 : count(answer, "HTTP/1.1 400 "));
        same(strstr(answer, "yes") != NULL, false);
    }
}

static void test_found_s10_nothing_is_read_behind_chunks(void **state)
{
    (void)state;
    run(prepare(), ask_chunked_and_more);
}

/* ---- large heads --------------------------------------------------------------------------------------------------
 */

static char large[2 * 1024 * 1024];

/* A request whose head is `size` bytes. */
static size_t with_head_of(size_t size, const char *begin)
{
    size_t len = (size_t)sprintf(large, "%s", begin);
    memset(large + len, 'y', size - len);
    return size + (size_t)sprintf(large + size, "\r\n\r\nhello");
}

static void ask_with_head_of(struct fixture *f, size_t size, const char *begin)
{
    int fd = wire_connect(f->port);
    wire_send(fd, large, with_head_of(size, begin));
    wire_read_all(fd, answer, sizeof answer);
    close(fd);
}

static const char *const begins[] = {
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\nAuthorization: Bearer ",
    "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\nX: ",
    "POST /echo?q=",
};

static void ask_large_heads(struct fixture *f)
{
    static const size_t fine[] = {8000, 10000, 12000, 20000, 24000, 24576, 33500, 36000};
    static const size_t too_large[] = {37000, 40000, 48000, 49000, 49152, 49200, 60000, 100000, 1000000, 2000000};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        ask_with_head_of(f, fine[i], begins[0]);
        has(answer, "HTTP/1.1 200 ");
        has(answer, "\r\n\r\nhello");
    }
    int served = f->requests;
    for (size_t i = 0; i < sizeof too_large / sizeof too_large[0]; i++)
        for (size_t k = 0; k < sizeof begins / sizeof begins[0]; k++) {
            ask_with_head_of(f, too_large[i], begins[k]);
            /* a target without a version behind it may be malformed before it is too large */
            has(answer, k == 2 && strstr(answer, " 400 ") ? "HTTP/1.1 400 " : "HTTP/1.1 431 ");
            has(answer, "\r\nContent-Type: application/json\r\n");
            has(answer, "\"type\":\"invalid_request_error\"");
        }
    same(f->requests, served);
}

static void test_found_r8_a_head_of_36_kb_and_json_beyond(void **state)
{
    (void)state;
    run(prepare(), ask_large_heads);
}

static void ask_many_fields(struct fixture *f)
{
    size_t len = (size_t)sprintf(large, "GET /can HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 5000; i++)
        len += (size_t)sprintf(large + len, "a:%d\r\n", i);
    sprintf(large + len, "\r\n");
    has(ask(f, large), "HTTP/1.1 431 ");
    has(answer, "\"code\":\"head_too_large\"");
}

static void test_found_r8_many_small_fields(void **state)
{
    (void)state;
    run(prepare(), ask_many_fields);
}

/* The one whose head is too large is told so, not another that is about to send its own on the same daemon. */
static void ask_beside_others(struct fixture *f)
{
    int others[20];
    for (int i = 0; i < 20; i++) {
        others[i] = wire_connect(f->port);
        if (i % 2 == 0) { /* a kept connection that has had large requests */
            wire_send(others[i], large,
                      with_head_of(33000, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX: "));
            wire_read_until(others[i], answer, sizeof answer, "hello");
        }
        if (i % 3 == 0)
            wire_say(others[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Le");
    }
    for (int i = 0; i < 10; i++) {
        ask_with_head_of(f, 60000, begins[0]);
        has(answer, "\"code\":\"head_too_large\"");
        wire_send(others[2 * i], large, 0);
    }
    for (int i = 0; i < 20; i++) {
        wire_say(others[i], i % 3 == 0 ? "ngth: 5\r\n\r\nhello"
                                       : "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        wire_read_until(others[i], answer, sizeof answer, "hello");
        has(answer, "HTTP/1.1 200 ");
    }
    /* on kept connections too */
    for (int i = 0; i < 20; i++) {
        wire_send(others[i], large, with_head_of(60000, begins[0]));
        wire_read_all(others[i], answer, sizeof answer);
        has(answer, "\"code\":\"head_too_large\"");
        close(others[i]);
    }
}

static void test_found_r8_only_who_sent_it_is_told(void **state)
{
    (void)state;
    run(prepare(), ask_beside_others);
}

static int leavers[24];

/* In the loop's thread, so that libmicrohttpd hears of all of it in one pass. */
static void leave_beside_errors(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 24; i++) {
        if (i % 2 == 0)
            wire_reset(leavers[i]);
        else
            wire_say(leavers[i], "no request\r\n\r\n");
    }
}

static void ask_beside_leavers(struct fixture *f)
{
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 24; i++) {
            leavers[i] = wire_connect(f->port);
            if (i % 2 == 0)
                wire_say(leavers[i], "POST /echo HTTP/1.1\r\nHost: x\r\nX-Field: y\r\nContent-Le");
        }
        for (int i = 0; i < 3; i++) /* what came is read by then */
            has(ask(f, "GET /can HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "\r\n\r\nyes");
        post(f, leave_beside_errors);
        for (int i = 1; i < 24; i += 2) {
            same(wire_read_all(leavers[i], answer, sizeof answer) >= 0, true);
            close(leavers[i]);
        }
        await_connections(f, 0);
    }
}

/* Whose head is at fault is looked for among all of a daemon; one that has just been closed has no fields any more. */
static void test_found_r8_a_closed_connection_is_not_looked_at(void **state)
{
    (void)state;
    run(prepare(), ask_beside_leavers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_s10_what_is_ambiguous_is_refused_and_closed),
        cmocka_unit_test(test_found_s10_the_answer_says_why),
        cmocka_unit_test(test_found_s10_what_is_well_formed_passes),
        cmocka_unit_test(test_found_s10_nothing_is_read_behind_chunks),
        cmocka_unit_test(test_found_r8_a_head_of_36_kb_and_json_beyond),
        cmocka_unit_test(test_found_r8_many_small_fields),
        cmocka_unit_test(test_found_r8_only_who_sent_it_is_told),
        cmocka_unit_test(test_found_r8_a_closed_connection_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
