/* What is dropped of a response that is corrected while it runs, however it is cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/llamacpp_in_flight.h"
#include "rein/rein.h"

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

/* The first piece ends at `cut`, the others are `size` long. */
static void check(size_t i, size_t cut, size_t size)
{
    struct control *control = control_new(WORDS);
    struct buffer rest = {0};
    enum control_state state = CONTROL_WAITS;
    const char *stream = cases[i].stream;
    size_t len = strlen(stream), at = 0;
    control_note(control, "data: {\"id\":\"c-1\"}\n\ndata: {\"cho", 32);
    assert_string_equal(control_id(control), "c-1");
    while (at < len && state == CONTROL_WAITS) {
        size_t n = at < cut ? cut - at : size;
        n = n < len - at ? n : len - at;
        assert_int_equal(control_feed(control, stream + at, n, &rest, &state), 0);
        at += n;
    }
    if (state != (cases[i].rest != NULL ? CONTROL_TAKEN : CONTROL_LOST))
        fail_msg("%s, cut at %zu, then every %zu: state %d", cases[i].name, cut, size, (int)state);
    if (cases[i].rest != NULL) {
        assert_int_equal(buffer_add(&rest, stream + at, len - at, SIZE_MAX / 4), 0);
        assert_string_equal(rest.data, cases[i].rest);
    }
    buffer_clear(&rest);
    control_free(control);
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
        struct control *control = control_new(WORDS);
        assert_null(control_id(control));
        control_note(control, head, cut);
        control_note(control, head + cut, sizeof head - 1 - cut);
        assert_string_equal(control_id(control), "c-7");
        control_note(control, "data: {\"id\":\"c-8\"}\n\n", 20);
        assert_string_equal(control_id(control), "c-7");
        control_free(control);
    }
    struct control *control = control_new(WORDS);
    for (int i = 0; i < 1000; i++)
        control_note(control, "data: {}\n\n", 10);
    control_note(control, "data: {\"id\":\"c-8\"}\n\n", 20);
    assert_null(control_id(control)); /* nobody searches for ever */
    control_free(control);
}

static void reasoning_that_does_not_end_is_left(void **state)
{
    (void)state;
    struct control *control = control_new(WORDS);
    struct buffer rest = {0};
    enum control_state now = CONTROL_WAITS;
    int rv = 0;
    size_t fed = 0;
    for (; rv == 0 && fed < 1 << 20; fed += 10)
        rv = control_feed(control, THINK("0123456789"), strlen(THINK("0123456789")), &rest, &now);
    assert_int_equal(rv, REIN_ELIMIT);
    assert_in_range(fed, 1 << 18, (1 << 18) + 20);
    control_free(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_on_behind_the_words_alone),
        cmocka_unit_test(the_id_is_the_first_events),
        cmocka_unit_test(reasoning_that_does_not_end_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
