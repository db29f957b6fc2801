/* Which bytes of a response are dropped while it is corrected in flight, under every chunking.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/backend.h"
#include "backends/llamacpp_in_flight.h"
#include "base/buffer.h"

#define WORDS "Wait. I stop \"here\"."
#define EVENT(delta, finish)                                                                                           \
    "data: {\"id\":\"c-1\",\"choices\":[{\"delta\":{" delta "},\"finish_reason\":" finish "}]}\n\n"
#define THINK(text) EVENT("\"reasoning_content\":\"" text "\"", "null")
#define SAY EVENT("\"content\":\"So.\"", "null")
#define STOP EVENT("", "\"stop\"")
#define DONE "data: [DONE]\n\n"

static const struct {
    const char *name, *stream;
    const char *rest; /* what goes on; NULL: it is lost */
} cases[] = {
    {"at once", THINK("\\n\\nWait. I stop \\\"here\\\".") SAY DONE, SAY DONE},
    {"in pieces, after more",
     THINK(" and so on") THINK("Wait. I") THINK(" stop \\\"he") THINK("re\\\".\\n") SAY STOP DONE, SAY STOP DONE},
    {"the rest of an event first", "\"}}]}\n\n" THINK("x") ": ping\n\n" THINK("Wait. I stop \\\"here\\\".") SAY, SAY},
    {"no answer", THINK("Wait. I stop \\\"here\\\".") STOP DONE, STOP DONE},
    {"a call", THINK("Wait. I stop \\\"here\\\".") EVENT("\"tool_calls\":[{}]", "null"),
     EVENT("\"tool_calls\":[{}]", "null")},
    {"no words", SAY DONE, NULL},
    {"other words", THINK("Wait. I go on.") SAY DONE, NULL},
    {"words that were not the last", THINK("Wait. I stop \\\"here\\\".") THINK(" No.") SAY DONE, NULL},
    {"only some of them", THINK("I stop \\\"here\\\".") SAY DONE, NULL},
    {"an error", "data: {\"error\":{\"message\":\"x\"}}\n\n", NULL},
};

#define PATH "/v1/chat/completions/control"

static struct stream_filter *filter_new(void)
{
    struct stream_filter *filter = llamacpp_in_flight_new(WORDS, PATH);
    assert_non_null(filter);
    return filter;
}

/* Before the response is steered everything goes on as it came. */
static void watch(struct stream_filter *filter, const char *data, size_t len)
{
    struct stream_piece piece = {.data = data, .len = len};
    assert_int_equal(stream_filters_feed(filter, &piece), 0);
    assert_ptr_equal(piece.data, data);
    assert_int_equal(piece.len, len);
    assert_int_equal(piece.turn, STREAM_GOES_ON);
}

/* The response with this id is to be corrected; NULL: it cannot be. */
static void expect_correct(struct stream_filter *filter, const char *id)
{
    struct backend_call call = {0};
    assert_int_equal(stream_filters_correct(filter, &call), id != NULL);
    if (id == NULL)
        return;
    assert_string_equal(call.path, PATH);
    assert_string_equal(json_string_value(json_object_get(call.body, "id")), id);
    assert_string_equal(json_string_value(json_object_get(call.body, "action")), "reasoning_end");
    json_decref(call.body);
}

/* The first piece ends at `cut`, the others are `size` long. */
static void check(size_t i, size_t cut, size_t size)
{
    struct stream_filter *filter = filter_new();
    struct buffer rest = {0};
    enum stream_turn turn = STREAM_GOES_ON;
    const char *stream = cases[i].stream;
    size_t len = strlen(stream), at = 0;
    watch(filter, "data: {\"id\":\"c-1\"}\n\ndata: {\"cho", 32);
    expect_correct(filter, "c-1");
    expect_correct(filter, NULL); /* once */
    while (at < len && turn != STREAM_LOST) {
        size_t n = at < cut ? cut - at : size;
        n = n < len - at ? n : len - at;
        struct stream_piece piece = {.data = stream + at, .len = n};
        assert_int_equal(stream_filters_feed(filter, &piece), 0);
        assert_true(turn == STREAM_GOES_ON || piece.turn == STREAM_GOES_ON);
        turn = piece.turn != STREAM_GOES_ON ? piece.turn : turn;
        assert_true(turn == STREAM_CORRECTED || piece.len == 0);
        if (piece.len > 0)
            assert_int_equal(buffer_add(&rest, piece.data, piece.len, BUFFER_NO_LIMIT), 0);
        at += n;
    }
    if (turn != (cases[i].rest != NULL ? STREAM_CORRECTED : STREAM_LOST))
        fail_msg("%s, cut at %zu, then every %zu: turn %d", cases[i].name, cut, size, (int)turn);
    if (cases[i].rest != NULL)
        assert_string_equal(rest.data, cases[i].rest);
    buffer_clear(&rest);
    stream_filters_free(&filter);
}

static void it_goes_on_behind_the_words_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 1; cut < strlen(cases[i].stream); cut++)
            for (size_t size = 1; size < 1000; size = size * 5 + 1)
                check(i, cut, size);
}

static void the_id_is_the_first_events(void **state)
{
    (void)state;
    static const char head[] = ": ping\n\ndata: {\"id\":\"c-7\"}\n\n";
    for (size_t cut = 0; cut < sizeof head - 1; cut++) {
        struct stream_filter *filter = filter_new();
        expect_correct(filter, NULL);
        watch(filter, head, cut);
        watch(filter, head + cut, sizeof head - 1 - cut);
        watch(filter, "data: {\"id\":\"c-8\"}\n\n", 20);
        expect_correct(filter, "c-7");
        stream_filters_free(&filter);
    }
    struct stream_filter *filter = filter_new();
    for (int i = 0; i < 1000; i++)
        watch(filter, "data: {}\n\n", 10);
    watch(filter, "data: {\"id\":\"c-8\"}\n\n", 20);
    expect_correct(filter, NULL); /* nobody searches for ever */
    stream_filters_free(&filter);
}

static void reasoning_that_does_not_end_is_left(void **state)
{
    (void)state;
    struct stream_filter *filter = filter_new();
    struct stream_piece piece = {0};
    size_t fed = 0;
    watch(filter, "data: {\"id\":\"c-1\"}\n\n", 20);
    expect_correct(filter, "c-1");
    for (; piece.turn == STREAM_GOES_ON && fed < 1 << 20; fed += 10) {
        piece = (struct stream_piece){.data = THINK("0123456789"), .len = strlen(THINK("0123456789"))};
        assert_int_equal(stream_filters_feed(filter, &piece), 0);
    }
    assert_int_equal(piece.turn, STREAM_LOST);
    assert_string_equal(piece.why, "no end");
    assert_in_range(fed, 1 << 18, (1 << 18) + 20);
    stream_filters_free(&filter);
}

/* Only a response that waits for its correction is lost with its end. */
static void an_end_is_lost_while_it_waits(void **state)
{
    (void)state;
    for (int is_steered = 0; is_steered < 2; is_steered++) {
        struct stream_filter *filter = filter_new();
        struct stream_piece last = {0};
        watch(filter, "data: {\"id\":\"c-1\"}\n\n", 20);
        if (is_steered)
            expect_correct(filter, "c-1");
        assert_int_equal(stream_filters_end(filter, true, &last), 0);
        assert_int_equal(last.turn, is_steered ? STREAM_LOST : STREAM_GOES_ON);
        stream_filters_free(&filter);
    }
}

static void only_success_is_a_promise(void **state)
{
    (void)state;
    struct stream_filter *filter = filter_new();
    json_t *yes = json_pack("{sb}", "success", 1), *no = json_pack("{sb}", "success", 0);
    assert_true(stream_filters_are_promised(filter, yes));
    assert_false(stream_filters_are_promised(filter, no));
    assert_false(stream_filters_are_promised(filter, NULL));
    json_decref(yes);
    json_decref(no);
    stream_filters_free(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_behind_the_words_alone),   cmocka_unit_test(the_id_is_the_first_events),
        cmocka_unit_test(reasoning_that_does_not_end_is_left), cmocka_unit_test(an_end_is_lost_while_it_waits),
        cmocka_unit_test(only_success_is_a_promise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
