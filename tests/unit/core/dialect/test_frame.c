/* Framing: what is an event, under every chunking.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "dialect/sse.h"

enum { LIMIT = 4096, TEXT_MAX = 8192 };

/* Frames written out as text, one line each: kind, flags, raw bytes, payload. */
struct transcript {
    char text[4 * TEXT_MAX];
    size_t len, raw_len;
    char raw[TEXT_MAX];
    int rv;
};

static void note_bytes(struct transcript *t, struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len,
                                   s.data[i] >= 0x20 && s.data[i] < 0x7F ? "%c" : "<%02X>", (unsigned char)s.data[i]);
}

static void note(struct transcript *t, const struct frame *f)
{
    static const char *const kinds[] = {"data", "multi", "comment"};
    t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s%s%s%s|", kinds[f->kind],
                               f->has_extras ? "+" : "", f->head_repeats ? "=" : "", f->unterminated ? "!" : "");
    note_bytes(t, f->raw);
    t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "|");
    note_bytes(t, f->payload);
    t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "\n");
    memcpy(t->raw + t->raw_len, f->raw.data, f->raw.len);
    t->raw_len += f->raw.len;
}

/* Takes all frames that are there. */
static void drain(struct framer *f, struct bytes *buf, bool at_end, struct transcript *t)
{
    struct frame frame;
    while ((t->rv = framer_next(f, bytes_span(buf), at_end, &frame)) == 1) {
        note(t, &frame);
        bytes_consume(buf, frame.raw.len);
    }
}

/* Feeds the input cut by `cut`, which is asked for the length of each next chunk. */
static void run(struct span input, size_t (*cut)(void *ctx), void *ctx, size_t limit, struct transcript *t)
{
    struct framer f;
    struct bytes buf;
    framer_init(&f, &framing_sse, limit);
    bytes_init(&buf, TEXT_MAX);
    memset(t, 0, sizeof(*t));
    for (size_t at = 0; at < input.len && t->rv >= 0;) {
        size_t len = cut(ctx);
        if (len > input.len - at)
            len = input.len - at;
        assert_int_equal(bytes_append(&buf, input.data + at, len), 0);
        at += len;
        drain(&f, &buf, false, t);
    }
    if (t->rv >= 0)
        drain(&f, &buf, true, t);
    bytes_fini(&buf);
    framer_fini(&f);
}

static size_t cut_whole(void *ctx)
{
    (void)ctx;
    return SIZE_MAX;
}

static size_t cut_fixed(void *ctx)
{
    return *(size_t *)ctx;
}

static size_t cut_random(void *ctx)
{
    unsigned *seed = ctx;
    *seed = *seed * 1103515245u + 12345u;
    return 1 + (*seed >> 16) % 7;
}

/* Two chunks, cut at *ctx, which is spent. */
static size_t cut_once(void *ctx)
{
    size_t *at = ctx, len = *at > 0 ? *at : SIZE_MAX;
    *at = 0;
    return len;
}

static void check_same(struct span input, const struct transcript *whole, const struct transcript *cut)
{
    assert_string_equal(cut->text, whole->text);
    assert_int_equal(cut->rv, whole->rv);
    if (whole->rv < 0)
        return;
    assert_int_equal(cut->raw_len, input.len);
    assert_memory_equal(cut->raw, input.data, input.len);
}

/* Every chunking gives what the whole gives, and the frames laid end to end are the input. */
static void check_chunkings(struct span input, size_t limit)
{
    static struct transcript whole, cut;
    run(input, cut_whole, NULL, limit, &whole);
    check_same(input, &whole, &whole);
    for (size_t size = 1; size <= 9; size++) {
        run(input, cut_fixed, &size, limit, &cut);
        check_same(input, &whole, &cut);
    }
    for (size_t at = 1; at < input.len && at < 300; at++) {
        size_t once = at;
        run(input, cut_once, &once, limit, &cut);
        check_same(input, &whole, &cut);
    }
    unsigned seed = 7;
    run(input, cut_random, &seed, limit, &cut);
    check_same(input, &whole, &cut);
}

struct row {
    const char *input, *expected;
};

static void test_rows(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"data: a\n\n", "data|data: a<0A><0A>|a\n"},
        {"data: a\n\ndata: b\n\n", "data|data: a<0A><0A>|a\ndata|data: b<0A><0A>|b\n"},
        {"data:a\r\n\r\n", "data|data:a<0D><0A><0D><0A>|a\n"},
        {"data: a\r\rdata: b\r\r", "data|data: a<0D><0D>|a\ndata|data: b<0D><0D>|b\n"},
        {"data:  a\n\n", "data|data:  a<0A><0A>| a\n"},
        {"data\n\n", "data|data<0A><0A>|\n"},
        {"data: \n\n", "data|data: <0A><0A>|\n"},
        {"data: a\ndata: b\n\n", "multi|data: a<0A>data: b<0A><0A>|a<0A>b\n"},
        {"data: a\ndata\ndata:c\n\n", "multi|data: a<0A>data<0A>data:c<0A><0A>|a<0A><0A>c\n"},
        {": hello\n\n", "comment|: hello<0A><0A>|\n"},
        {"\n", "comment|<0A>|\n"},
        {"\xEF\xBB\xBF"
         "data: a\n\n",
         "data|<EF><BB><BF>data: a<0A><0A>|a\n"},
        {"data: a\n\n\xEF\xBB\xBF"
         "data: b\n\n",
         "data|data: a<0A><0A>|a\ncomment|<EF><BB><BF>data: b<0A><0A>|\n"},
        {"\xEF\xBB\xBF\r\n", "comment|<EF><BB><BF><0D><0A>|\n"},
        {"event: x\ndata: a\nid: 1\nretry: 5\nother: y\n\n",
         "data+|event: x<0A>data: a<0A>id: 1<0A>retry: 5<0A>other: y<0A><0A>|a\n"},
        {"event: x\ndata: a\n\nevent: x\ndata: b\n\nevent: x\ndata:c\n\n",
         "data+|event: x<0A>data: a<0A><0A>|a\ndata+=|event: x<0A>data: b<0A><0A>|b\n"
         "data+|event: x<0A>data:c<0A><0A>|c\n"},
        {"event: x\ndata: a\n\ndata: b\n\nevent: x\ndata: c\n\n",
         "data+|event: x<0A>data: a<0A><0A>|a\ndata|data: b<0A><0A>|b\ndata+=|event: x<0A>data: c<0A><0A>|c\n"},
        {"event: x\ndata: a\n\nevent: x\ndata: b\ndata: c\n\nevent: x\ndata: d",
         "data+|event: x<0A>data: a<0A><0A>|a\nmulti+=|event: x<0A>data: b<0A>data: c<0A><0A>|b<0A>c\n"
         "data+=!|event: x<0A>data: d|d\n"},
        {"event: x\r\ndata: a\n\nevent: x\r\ndata: b\n\n",
         "data+|event: x<0D><0A>data: a<0A><0A>|a\ndata+|event: x<0D><0A>data: b<0A><0A>|b\n"},
        {"event: x\ndata: a\n\nevent: x\ndata\n\nevent: x\n\n",
         "data+|event: x<0A>data: a<0A><0A>|a\ndata+|event: x<0A>data<0A><0A>|\ncomment|event: x<0A><0A>|\n"},
        {"databases: a\n\n", "comment|databases: a<0A><0A>|\n"},
        {" data: a\n\n", "comment| data: a<0A><0A>|\n"},
        {"data: a", "data!|data: a|a\n"},
        {"data: a\n", "data!|data: a<0A>|a\n"},
        {"data: a\r", "data!|data: a<0D>|a\n"},
        {"data: a\r\n\r", "data|data: a<0D><0A><0D>|a\n"},
        {"data: a\r\r\ndata: b\r\r\n", "data|data: a<0D><0D>|a\ndata|<0A>data: b<0D><0D>|b\ncomment!|<0A>|\n"},
        {"data: a\n\r\ndata: b\r\n\n", "data|data: a<0A><0D><0A>|a\ndata|data: b<0D><0A><0A>|b\n"},
        {"data: a\n\rdata: b\n\n", "data|data: a<0A><0D>|a\ndata|data: b<0A><0A>|b\n"},
        {"data: a\r\ndata: b\rdata: c\ndata: d\r\n\r\n",
         "multi|data: a<0D><0A>data: b<0D>data: c<0A>data: d<0D><0A><0D><0A>|a<0A>b<0A>c<0A>d\n"},
    };
    static struct transcript t;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct span input = {rows[i].input, strlen(rows[i].input)};
        run(input, cut_whole, NULL, LIMIT, &t);
        assert_int_equal(t.rv, 0);
        assert_string_equal(t.text, rows[i].expected);
        check_chunkings(input, LIMIT);
    }
}

/* Random lines with random ends. */
static void test_random_streams(void **state)
{
    (void)state;
    static const char *const lines[] = {"data: x", "data:",        "data",   ": c",      "event: e",         "",
                                        "",        "\xEF\xBB\xBF", "datab:", "data:  y", "event: e\ndata: z"};
    static const char *const ends[] = {"\n", "\r\n", "\r", "\n", "\r\n", "\r", "\n\n", "\r\r", ""};
    for (unsigned seed = 1; seed <= 3000; seed++) {
        char text[512];
        size_t len = 0;
        unsigned x = seed;
        for (int i = 0; i < 12; i++) {
            x = x * 1103515245u + 12345u;
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", lines[(x >> 16) % 11], ends[(x >> 20) % 9]);
        }
        check_chunkings((struct span){text, len}, seed % 10 == 0 ? 16 : LIMIT);
    }
}

static void test_limit(void **state)
{
    (void)state;
    static struct transcript t;
    struct span input = SPAN("data: 123456\n\n");
    run(input, cut_whole, NULL, input.len, &t);
    assert_int_equal(t.rv, 0);
    run(input, cut_whole, NULL, input.len - 1, &t);
    assert_int_equal(t.rv, REIN_ELIMIT);
    check_chunkings(input, input.len - 1);
}

/* An event whose lines end in bare CRs is there as soon as its own bytes are. */
static void test_no_event_waits_for_the_next(void **state)
{
    (void)state;
    static const struct span inputs[] = {{"data: a\n\n", 9}, {"data: a\r\r", 9}, {"data: a\r\n\r\n", 11}};
    for (int i = 0; i < 3; i++) {
        struct framer f;
        struct frame frame;
        framer_init(&f, &framing_sse, LIMIT);
        assert_int_equal(framer_next(&f, inputs[i], false, &frame), 1);
        assert_int_equal(frame.raw.len, inputs[i].len);
        framer_fini(&f);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct framer f;
    struct frame frame;
    framer_init(&f, &framing_sse, LIMIT);
    assert_int_equal(framer_next(&f, SPAN("data: half\r"), false, &frame), 0);
    framer_reset(&f);
    assert_int_equal(framer_next(&f,
                                 SPAN("\xEF\xBB\xBF"
                                      "data: b\n\n"),
                                 false, &frame),
                     1);
    assert_int_equal(frame.kind, FRAME_DATA);
    assert_memory_equal(frame.payload.data, "b", 1);
    framer_fini(&f);
}

/* What is written is read again as one event with one payload, in one line. */
static void test_written_events_are_read_again(void **state)
{
    (void)state;
    struct bytes out;
    size_t payload_at;
    bytes_init(&out, LIMIT);
    assert_int_equal(framing_sse.open(&out, &payload_at), 0);
    assert_int_equal(bytes_append_span(&out, SPAN("{\"a\":\r\n1}")), 0);
    assert_int_equal(framing_sse.close(&out, payload_at), 0);
    struct span written = bytes_span(&out);
    assert_true(span_is(written, SPAN("data: {\"a\":  1}\n\n")));
    struct framer f;
    struct frame frame;
    framer_init(&f, &framing_sse, LIMIT);
    assert_int_equal(framer_next(&f, written, false, &frame), 1);
    assert_int_equal(frame.kind, FRAME_DATA);
    assert_int_equal(frame.raw.len, written.len);
    assert_true(span_is(frame.payload, SPAN("{\"a\":  1}")));
    framer_fini(&f);
    bytes_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_random_streams),
        cmocka_unit_test(test_limit), cmocka_unit_test(test_no_event_waits_for_the_next),
        cmocka_unit_test(test_reset), cmocka_unit_test(test_written_events_are_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
