/* Media types in header values: any case, any parameters, and no longer name taken for a shorter one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/media_type.h"

static void test_found_r4_case_and_parameters_do_not_matter(void **state)
{
    (void)state;
    static const char *const same[] = {
        "text/event-stream",
        "Text/Event-Stream",
        "TEXT/EVENT-STREAM;charset=utf-8",
        "text/event-stream ; charset=\"utf-8\"",
        "text/event-stream\t;x",
        " text/event-stream ",
        "text/event-stream;",
    };
    static const char *const others[] = {
        "",     "text/event-streams", "text/event-stream x",   "text/event",
        "text", "application/json",   "text/event-stream,a/b", "x text/event-stream",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!media_type_is(same[i], "text/event-stream"))
            fail_msg("not taken: \"%s\"", same[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (media_type_is(others[i], "text/event-stream"))
            fail_msg("taken: \"%s\"", others[i]);
    assert_false(media_type_is(NULL, "text/event-stream"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r4_case_and_parameters_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
