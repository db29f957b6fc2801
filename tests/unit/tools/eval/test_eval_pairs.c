/* Paired differences and McNemar's test, against values worked out by other means.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/eval_pairs.h"

static const double CLOSE = 5e-5;

static void expect(struct eval_difference have, double value, double low, double high)
{
    assert_float_equal(have.value, value, CLOSE);
    assert_float_equal(have.low, low, CLOSE);
    assert_float_equal(have.high, high, CLOSE);
}

static struct eval_pairs pairs_of(size_t both, size_t only_first, size_t only_second, size_t neither)
{
    struct eval_pairs pairs = {0};
    for (size_t i = 0; i < both + only_first + only_second + neither; i++) {
        int is_both = i < both, is_first = !is_both && i < both + only_first;
        int is_second = !is_both && !is_first && i < both + only_first + only_second;
        eval_pairs_add(&pairs, is_both || is_first, is_both || is_second);
    }
    return pairs;
}

static void test_pairs_are_counted(void **state)
{
    (void)state;
    struct eval_pairs pairs = pairs_of(4, 9, 2, 5);
    assert_int_equal(pairs.n, 20);
    assert_int_equal(pairs.first, 13);
    assert_int_equal(pairs.second, 6);
    assert_int_equal(pairs.only_first, 9);
    assert_int_equal(pairs.only_second, 2);
}

static void test_difference(void **state)
{
    (void)state;
    struct eval_pairs pairs = pairs_of(4, 9, 2, 5), same = pairs_of(1, 0, 0, 1), none = {0};
    /* (2 - 9) / 20; then (2.5 - 9.5) / 22 -+ 1.96 sqrt(12 - 49 / 22) / 22 */
    expect(eval_pairs_difference(&pairs), -0.35, -0.596679, -0.039685);
    expect(eval_pairs_difference(&same), 0, -0.489991, 0.489991);
    expect(eval_pairs_difference(&none), 0, 0, 0);
}

static void test_mcnemar(void **state)
{
    (void)state;
    struct eval_pairs uneven = pairs_of(4, 9, 0, 5), less = pairs_of(4, 9, 2, 5), even = pairs_of(0, 3, 3, 0);
    struct eval_pairs many = pairs_of(0, 40000, 0, 0), none = {0};
    assert_float_equal(eval_pairs_p(&uneven), 2.0 / 512, 1e-9);
    assert_float_equal(eval_pairs_p(&less), 2 * (1.0 + 11 + 55) / 2048, 1e-9);
    assert_float_equal(eval_pairs_p(&even), 1, 1e-9);
    assert_float_equal(eval_pairs_p(&many), 0, 1e-9);
    assert_float_equal(eval_pairs_p(&none), 1, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_are_counted),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_mcnemar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
