/* The statistics of `rein eval`, against values worked out by hand.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "eval/eval_stats.h"

static void expect(double got, double wanted, double tolerance)
{
    if (fabs(got - wanted) > tolerance)
        fail_msg("got %.6f, wanted %.6f", got, wanted);
}

static void rates_have_wilson_intervals(void **state)
{
    (void)state;
    struct rate half = rate_of(5, 10), none = rate_of(0, 20), empty = rate_of(0, 0);
    expect(half.value, 0.5, 1e-9);
    expect(half.low, 0.2366, 1e-4);
    expect(half.high, 0.7634, 1e-4);
    expect(none.low, 0, 1e-9);
    expect(none.high, 0.1611, 1e-4);
    expect(empty.high, 0, 0);
}

static void f1_has_its_baseline(void **state)
{
    (void)state;
    struct confusion c = {.right = 6, .wrong = 2, .missed = 4, .silent = 8};
    expect(confusion_f1(&c), 12.0 / 18, 1e-9);
    expect(confusion_baseline(&c), 20.0 / 30, 1e-9);
    struct confusion nothing = {0};
    expect(confusion_f1(&nothing), 0, 0);
}

static void ranking_counts_ties_half(void **state)
{
    (void)state;
    const double high[] = {0.9, 0.5, 0.5}, low[] = {0.5, 0.1};
    expect(auroc_of(high, 3, low, 2).value, (2 + 1.5 + 1.5) / 6, 1e-9);
    expect(auroc_of(low, 2, high, 3).value, 1 - 5.0 / 6, 1e-9);
    expect(auroc_of(high, 3, low, 0).value, -1, 0);
    double values[] = {3, 1, 2, 10};
    expect(median_of(values, 4), 2.5, 0);
    expect(median_of(values, 0), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_have_wilson_intervals),
        cmocka_unit_test(f1_has_its_baseline),
        cmocka_unit_test(ranking_counts_ties_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
