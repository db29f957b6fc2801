/* The bar: shares, rates, times.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asking/progress.h"

static void expect(size_t had, size_t asked, size_t failed, unsigned long long elapsed_ms, const char *wanted)
{
    char text[ASKING_PROGRESS_MAX];
    asking_progress_text(text, 100, had, asked, failed, elapsed_ms);
    assert_string_equal(text, wanted);
}

static void test_lines(void **state)
{
    (void)state;
    expect(0, 0, 0, 0, "[                              ] 0/100, 0 failed");
    expect(20, 0, 1, 5000, "[######                        ] 20/100, 1 failed");
    /* What was there before is no work of this run: 20 in 10 s, 60 to go. */
    expect(20, 20, 0, 10000, "[############                  ] 40/100, 0 failed, 2.0 a second, 30s left");
    expect(0, 1, 0, 60000, "[                              ] 1/100, 0 failed, 0.0 a second, 1h 39m left");
    expect(0, 100, 2, 200000, "[##############################] 100/100, 2 failed, 0.5 a second, 3m 20s in all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
