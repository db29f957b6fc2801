/* The walk: which ends of an event are alike. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/walk.h"

static void test_ends_that_differ_in_blanks_alone(void **state)
{
    (void)state;
    static const struct {
        struct span a, b;
        bool alike;
    } cases[] = {
        {{"\"}}", 3}, {"\"}}", 3}, true},
        {{"\"}}", 3}, {"\"} }", 4}, true},
        {{"\"}    }\n\n", 9}, {"\" }}  \n\n", 8}, true},
        {{"\"}]}", 4}, {"\"] }}", 5}, false},
        {{"\"}}", 3}, {"\"}}}", 4}, false},
        {{"\"}}", 3}, {"\"}", 2}, false},
        {{"\"}}", 3}, {"", 0}, false},
        {{"\",\"a\":1}", 8}, {"\",\"a\": 1}", 9}, false}, /* there is more in them */
        {{"\"}\"}", 4}, {"\"}\" }", 5}, false},
        {{"\"}}\n", 4}, {"\"}}\r", 4}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(walk_closes_alike(cases[i].a, cases[i].b), cases[i].alike);
        assert_int_equal(walk_closes_alike(cases[i].b, cases[i].a), cases[i].alike);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends_that_differ_in_blanks_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
