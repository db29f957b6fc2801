/* Operating points and calibration, against values worked out by hand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "eval/eval_curve.h"

static void expect(double got, double wanted)
{
    if (fabs(got - wanted) > 1e-9)
        fail_msg("got %.9f, wanted %.9f", got, wanted);
}

static const double YES[] = {0.2, 0.6, 0.7, 0.9}, NO[] = {0.1, 0.1, 0.3, 0.65, 0.65};

static void a_point_finds_most_for_its_price(void **state)
{
    (void)state;
    struct operating_point free_of_charge = operating_point_at(YES, 4, NO, 5, 0);
    expect(free_of_charge.threshold, 0.7);
    assert_int_equal(free_of_charge.found.k, 2);
    assert_int_equal(free_of_charge.wrong.k, 0);
    struct operating_point some = operating_point_at(YES, 4, NO, 5, 0.4);
    expect(some.threshold, 0.6);
    assert_int_equal(some.found.k, 3);
    assert_int_equal(some.wrong.k, 2);
    struct operating_point any = operating_point_at(YES, 4, NO, 5, 1);
    expect(any.threshold, 0.2);
    assert_int_equal(any.found.k, 4);
    assert_int_equal(any.wrong.k, 3);
}

static void equal_scores_stand_on_one_side(void **state)
{
    (void)state;
    const double yes[] = {0.5, 0.5}, no[] = {0.4, 0.5};
    struct operating_point p = operating_point_at(yes, 2, no, 2, 0.5);
    assert_int_equal(p.found.k, 2);
    assert_int_equal(p.wrong.k, 1);
    p = operating_point_at(yes, 2, no, 2, 0.4);
    assert_int_equal(p.found.k, 0);
    assert_true(isinf(p.threshold));
}

static void nothing_has_no_point(void **state)
{
    (void)state;
    struct operating_point p = operating_point_at(YES, 0, NO, 5, 1);
    assert_int_equal(p.found.n, 0);
    assert_int_equal(p.wrong.n, 5);
    assert_true(isinf(p.threshold));
}

static void calibration_sets_scores_against_shares(void **state)
{
    (void)state;
    const double yes[] = {0.85, 0.85, 1.0}, no[] = {0.85, 0.0};
    struct calibration c = calibration_of(yes, 3, no, 2);
    assert_int_equal(c.n, 5);
    assert_int_equal(c.bins[8].positives.n, 3);
    assert_int_equal(c.bins[8].positives.k, 2);
    expect(c.bins[8].mean, 0.85);
    assert_int_equal(c.bins[9].positives.k, 1); /* 1.0 belongs to the last bin */
    assert_int_equal(c.bins[0].positives.n, 1);
    assert_int_equal(c.bins[5].positives.n, 0);
    expect(c.brier, (2 * 0.15 * 0.15 + 0.85 * 0.85) / 5);
    expect(c.error, (3 * 0.85 - 2) / 5);
}

static void calibration_of_nothing_is_zero(void **state)
{
    (void)state;
    struct calibration c = calibration_of(YES, 0, NO, 0);
    assert_int_equal(c.n, 0);
    expect(c.brier, 0);
    expect(c.error, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_finds_most_for_its_price),
        cmocka_unit_test(equal_scores_stand_on_one_side),
        cmocka_unit_test(nothing_has_no_point),
        cmocka_unit_test(calibration_sets_scores_against_shares),
        cmocka_unit_test(calibration_of_nothing_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
