/* The reader of HTTP/1.1 responses: good and bad ones, cut at every place.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/http1.h"

#define OK "HTTP/1.1 200 OK\r\n"

struct outcome {
    enum http1_event event; /* the last one */
    unsigned status;
    char body[512];
    size_t body_len, consumed;
    bool keep_alive;
    const char *problem;
};

/* Reads `len` bytes in pieces of at most `step`, then, if nothing ended it, the peer closes. */
static struct outcome read_in_steps(const char *in, size_t len, size_t step, bool to_head)
{
    struct outcome out = {.event = HTTP1_MORE};
    struct http1_reader r;
    http1_init(&r, to_head);
    while (out.consumed < len && (out.event == HTTP1_MORE || out.event == HTTP1_HEAD || out.event == HTTP1_DATA)) {
        size_t left = len - out.consumed, data_len = 0;
        const char *data = NULL;
        out.consumed += http1_read(&r, in + out.consumed, left < step ? left : step, &out.event, &data, &data_len);
        if (out.event == HTTP1_DATA) {
            assert_true(out.body_len + data_len <= sizeof out.body);
            memcpy(out.body + out.body_len, data, data_len);
            out.body_len += data_len;
        }
    }
    if (out.event != HTTP1_END && out.event != HTTP1_BAD)
        out.event = http1_close(&r);
    out.status = r.status;
    out.keep_alive = r.keep_alive;
    out.problem = r.problem;
    return out;
}

struct good {
    const char *name, *in, *body;
    unsigned status;
    bool keep_alive;
    size_t rest; /* bytes behind the response */
    bool to_head;
};

static const struct good goods[] = {
    {"a length", OK "Content-Length: 5\r\n\r\nhello", "hello", 200, true, 0, false},
    {"a length of 0", OK "Content-Length: 0\r\n\r\n", "", 200, true, 0, false},
    {"bytes behind", OK "Content-Length: 2\r\n\r\nhiHTTP", "hi", 200, true, 4, false},
    {"chunks", OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", 200,
     true, 0, false},
    {"chunk sizes with leading zeros", OK "Transfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n", "abc", 200,
     true, 0, false},
    {"chunk extensions", OK "Transfer-Encoding: Chunked\r\n\r\n3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", "abc", 200, true,
     0, false},
    {"blanks behind a chunk size", OK "Transfer-Encoding: chunked\r\n\r\n3  \r\nabc\r\n0\r\n\r\n", "abc", 200, true, 0,
     false},
    {"trailers", OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", "a", 200, true, 0,
     false},
    {"to the close", OK "Content-Type: text/plain\r\n\r\nall of it", "all of it", 200, false, 0, false},
    {"no reason", "HTTP/1.1 404\r\nContent-Length: 1\r\n\r\nx", "x", 404, true, 0, false},
    {"an empty reason", "HTTP/1.1 404 \r\nContent-Length: 1\r\n\r\nx", "x", 404, true, 0, false},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x", 200, false, 0, false},
    {"HTTP/1.0 kept", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\nx", "x", 200, true, 0,
     false},
    {"asked to close", OK "Content-Length: 1\r\nConnection: foo, close\r\n\r\nx", "x", 200, false, 0, false},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", "", 204, true, 0, false},
    {"no content that says chunked", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "", 204, false, 0,
     false},
    {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", 304, true, 0, false},
    {"to HEAD", OK "Content-Length: 9\r\n\r\n", "", 200, true, 0, true},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
     "x", 200, true, 0, false},
    {"an interim's length does not count",
     "HTTP/1.1 102 Processing\r\nContent-Length: 7\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", "x", 200, true, 0, false},
    {"identity", OK "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "x", 200, true, 0, false},
    {"blanks around a value", OK "Content-Length: \t 1 \t\r\n\r\nx", "x", 200, true, 0, false},
    {"no blank before a value", OK "Content-Length:1\r\n\r\nx", "x", 200, true, 0, false},
    {"bytes beyond ASCII in a value", OK "X: \xc3\xa9\r\nContent-Length: 1\r\n\r\nx", "x", 200, true, 0, false},
    {"a long name", OK "X-0123456789-0123456789-0123456789-0123456789: 1\r\nContent-Length: 1\r\n\r\nx", "x", 200, true,
     0, false},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        const struct good *g = &goods[i];
        size_t len = strlen(g->in);
        for (size_t step = 1; step <= len; step++) {
            struct outcome out = read_in_steps(g->in, len, step, g->to_head);
            if (out.event != HTTP1_END)
                fail_msg("%s, steps of %zu: ends with %d (%s)", g->name, step, out.event,
                         out.problem ? out.problem : "");
            assert_int_equal(out.status, g->status);
            assert_int_equal(out.body_len, strlen(g->body));
            assert_memory_equal(out.body, g->body, out.body_len);
            if (out.keep_alive != g->keep_alive)
                fail_msg("%s: keep_alive is %d", g->name, out.keep_alive);
            assert_int_equal(len - out.consumed, g->rest);
        }
    }
}

struct bad {
    const char *in, *problem;
};

static const struct bad bads[] = {
    {"HTTP/2 200\r\n\r\n", "no HTTP/1 status line"},
    {"SSH-2.0-x\r\n", "no HTTP/1 status line"},
    {"HTTP/1.2 200 OK\r\n\r\n", "an unknown HTTP version"},
    {"HTTP/1.1  200 OK\r\n\r\n", "a bad status"},
    {"HTTP/1.1 20 OK\r\n\r\n", "a bad status"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "a bad status"},
    {"HTTP/1.1 099 OK\r\n\r\n", "a bad status"},
    {"HTTP/1.1 600 OK\r\n\r\n", "a bad status"},
    {"HTTP/1.1 101 Switching\r\n\r\n", "it switches protocols"},
    {"HTTP/1.1 200 OK\n\n", "a bad byte in the status line"},
    {"HTTP/1.1 200\n\n", "a bad status"},
    {"HTTP/1.1 200 OK\rX", "a CR without LF"},
    {OK "Content-Length: 1\n\r\nx", "a bad byte in a header's value"},
    {OK "X: a\r\n\nx", "a bad byte in a header's name"},
    {OK "Content-Length: 1\r\n folded\r\n\r\nx", "a bad byte in a header's name"},
    {OK "Content-Length : 1\r\n\r\nx", "a bad byte in a header's name"},
    {OK "Content-Length\r\n\r\nx", "a bad byte in a header's name"},
    {OK ": 1\r\n\r\nx", "a header line without a name"},
    {OK "X: a\x01\r\n\r\n", "a bad byte in a header's value"},
    {OK "X: a\x7f\r\n\r\n", "a bad byte in a header's value"},
    {OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "more than one Content-Length"},
    {OK "Content-Length: 1, 1\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length: +1\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length: -1\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length: 0x1\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length:\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length: 99999999999999999999\r\n\r\nx", "bad Content-Length"},
    {OK "Content-Length: 9007199254740993\r\n\r\nx", "bad Content-Length"},
    {OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx", "both Transfer-Encoding and Content-Length"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "a Transfer-Encoding other than chunked"},
    {OK "Transfer-Encoding: identity\r\n\r\n", "a Transfer-Encoding other than chunked"},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "a Transfer-Encoding other than chunked"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in HTTP/1.0"},
    {OK "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "an encoded body"},
    {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n;x\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3x\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0x3\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n", "a bad chunk size"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "a chunk that does not end where it says"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n", "a chunk that does not end where it says"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\rabc", "a CR without LF"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\rx", "a CR without LF"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n x: y\r\n\r\n", "a bad trailer"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n", "a bad trailer"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nx: y\n\r\n", "a bad trailer"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3;\x01\r\n", "a bad byte in a chunk's extension"},
    {OK "Content-Length: 5\r\n\r\nhel", "it ended early"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "it ended early"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "it ended early"},
    {OK "Content-Le", "it ended early"},
    {"", "it ended early"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        size_t len = strlen(bads[i].in);
        for (size_t step = 1; step <= len + 1; step++) {
            struct outcome out = read_in_steps(bads[i].in, len, step, false);
            if (out.event != HTTP1_BAD)
                fail_msg("%s: ends with %d instead of \"%s\"", bads[i].in, out.event, bads[i].problem);
            assert_string_equal(out.problem, bads[i].problem);
        }
    }
}

/* `repeat` times the line between head and tail. */
static struct outcome read_repeated(const char *head, const char *line, size_t repeat, const char *tail)
{
    static char text[256 * 1024];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", head), line_len = strlen(line);
    for (size_t i = 0; i < repeat; i++, len += line_len)
        memcpy(text + len, line, line_len);
    len += (size_t)snprintf(text + len, sizeof text - len, "%s", tail);
    return read_in_steps(text, len, len, false);
}

static void test_ceilings(void **state)
{
    (void)state;
    struct outcome out = read_repeated(OK, "X: y\r\n", HTTP1_HEADERS_MAX - 1, "Content-Length: 1\r\n\r\nx");
    assert_int_equal(out.event, HTTP1_END);
    out = read_repeated(OK, "X: y\r\n", HTTP1_HEADERS_MAX + 1, "\r\n");
    assert_string_equal(out.problem, "too many header lines");
    out = read_repeated(OK "X: ", "y", HTTP1_HEAD_MAX, "\r\n\r\n");
    assert_string_equal(out.problem, "the head is too long");
    out = read_repeated("", "HTTP/1.1 100 Continue\r\n\r\n", HTTP1_INTERIM_MAX, OK "Content-Length: 0\r\n\r\n");
    assert_int_equal(out.event, HTTP1_END);
    out = read_repeated("", "HTTP/1.1 100 Continue\r\n\r\n", HTTP1_INTERIM_MAX + 1, OK "Content-Length: 0\r\n\r\n");
    assert_string_equal(out.problem, "too many interim responses");
    out = read_repeated(OK "Transfer-Encoding: chunked\r\n\r\n1;", "e", HTTP1_EXTENSION_MAX, "\r\n");
    assert_string_equal(out.problem, "a chunk's size line is too long");
    out = read_repeated(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", HTTP1_TRAILER_MAX / 6 + 1, "\r\n");
    assert_string_equal(out.problem, "the trailer is too long");
    out = read_repeated(OK "Content-Length: ", "0", HTTP1_VALUE_KEPT, "\r\n\r\n");
    assert_string_equal(out.problem, "a header line that frames the body is too long");
}

static void test_fields(void **state)
{
    (void)state;
    static const char in[] = OK "content-TYPE: text/event-stream; charset=utf-8\r\nRetry-After: 7\r\n"
                                "X-Request-ID: req_1\r\nContent-Length: 3\r\n\r\n";
    struct http1_reader r;
    enum http1_event event;
    const char *data;
    size_t data_len;
    http1_init(&r, false);
    assert_false(http1_has_begun(&r));
    assert_int_equal(http1_read(&r, in, sizeof in - 1, &event, &data, &data_len), sizeof in - 1);
    assert_int_equal(event, HTTP1_HEAD);
    assert_true(http1_has_begun(&r));
    assert_string_equal(r.content_type, "text/event-stream; charset=utf-8");
    assert_string_equal(r.retry_after, "7");
    assert_int_equal(r.body, HTTP1_LENGTH);
    assert_int_equal(r.length, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
