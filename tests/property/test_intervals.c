/* Intervals cover: of 95% intervals of simulated tables, about 95% hold the truth.
 * SPDX-License-Identifier: Apache-2.0
 *
 * 20,000 tables of pairs, over a grid of sizes, rates, and how alike the two sides are, as evaluations have them. From
 * each table: the share of one side (Wilson), the difference of the pairs (Agresti and Min), and the F1 of one side as
 * a test of the other. In aggregate each covers between 94% and 97%. No interval of this kind covers 95% in every cell:
 * the smallest shares of single cells are printed, and bounded. REIN_LONG: ten times as many tables. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dice.h"
#include "eval/eval_pairs.h"
#include "eval/eval_stats.h"

enum { TABLES = 20000, SIZES = 5, RATES = 6, LIKENESSES = 2, CELLS = SIZES * RATES * RATES * LIKENESSES };

static const size_t sizes[SIZES] = {30, 60, 120, 250, 500};
static const double rates[RATES] = {0.02, 0.05, 0.15, 0.35, 0.6, 0.9};
static const double likenesses[LIKENESSES] = {0, 0.6}; /* how often the second side is the first one's draw */

enum interval { SHARE, DIFFERENCE, F1, INTERVALS };
static const char *const interval_names[INTERVALS] = {"share (Wilson)", "difference of pairs (Agresti-Min)", "F1"};

struct cover {
    size_t n, held;
};

static double unit(struct dice *dice)
{
    return (double)dice_next(dice) / 18446744073709551616.0;
}

/* Both sides are decided by one draw or by two, so that their rates stay what they are and their likeness varies. */
static void throw_pair(struct dice *dice, double first, double second, double likeness, int *a, int *b)
{
    double x = unit(dice), y = unit(dice) < likeness ? x : unit(dice);
    *a = x < first;
    *b = y < second;
}

static void count_cover(struct cover *cover, double low, double high, double truth)
{
    cover->n++;
    cover->held += low <= truth && truth <= high;
}

/* The probabilities of the four cells of such a pair. */
static double both_of(double first, double second, double likeness)
{
    return likeness * fmin(first, second) + (1 - likeness) * first * second;
}

static void simulate(struct dice *dice, size_t cell, struct cover cover[INTERVALS])
{
    size_t n = sizes[cell % SIZES];
    double first = rates[cell / SIZES % RATES], second = rates[cell / SIZES / RATES % RATES];
    double likeness = likenesses[cell / SIZES / RATES / RATES];
    struct eval_pairs pairs = {0};
    struct confusion c = {0};
    for (size_t i = 0; i < n; i++) {
        int a, b;
        throw_pair(dice, first, second, likeness, &a, &b);
        eval_pairs_add(&pairs, a, b);
        *(a ? (b ? &c.right : &c.missed) : (b ? &c.wrong : &c.silent)) += 1;
    }
    struct rate share = rate_of(pairs.second, n), f1 = confusion_f1_rate(&c);
    struct eval_difference d = eval_pairs_difference(&pairs);
    count_cover(&cover[SHARE], share.low, share.high, second);
    count_cover(&cover[DIFFERENCE], d.low, d.high, second - first);
    if (f1.n >= 10) /* of a handful of rows there is no F1 worth an interval */
        count_cover(&cover[F1], f1.low, f1.high, 2 * both_of(first, second, likeness) / (first + second));
}

/* Wilson's cover of one cell, without chance. */
static double wilson_cover(size_t n, double p)
{
    double sum = 0;
    for (size_t k = 0; k <= n; k++) {
        struct rate r = rate_of(k, n);
        if (r.low <= p && p <= r.high)
            sum += exp(lgamma((double)n + 1) - lgamma((double)k + 1) - lgamma((double)(n - k) + 1) +
                       (double)k * log(p) + (double)(n - k) * log(1 - p));
    }
    return sum;
}

static void test_cover(void **state)
{
    (void)state;
    static struct cover cells[CELLS][INTERVALS];
    struct cover all[INTERVALS] = {0};
    struct dice dice = {20240};
    size_t tables = getenv("REIN_LONG") != NULL ? 10 * TABLES : TABLES;
    for (size_t i = 0; i < tables; i++)
        simulate(&dice, i % CELLS, cells[i % CELLS]);
    for (size_t k = 0; k < INTERVALS; k++) {
        double least = 1;
        for (size_t i = 0; i < CELLS; i++) {
            all[k].n += cells[i][k].n;
            all[k].held += cells[i][k].held;
            if (cells[i][k].n >= tables / CELLS / 2)
                least = fmin(least, (double)cells[i][k].held / (double)cells[i][k].n);
        }
        double share = (double)all[k].held / (double)all[k].n;
        print_message("%-36s covers in %.2f%% of %zu tables; in the worst of %d cells in %.1f%%\n", interval_names[k],
                      100 * share, all[k].n, CELLS, 100 * least);
        assert_true(share >= 0.94 && share <= 0.97);
        assert_true(least >= 0.75);
    }
}

static void test_wilson_by_cell(void **state)
{
    (void)state;
    double least = 1, sum = 0;
    for (size_t i = 0; i < SIZES; i++)
        for (size_t k = 0; k < RATES; k++) {
            double cover = wilson_cover(sizes[i], rates[k]);
            least = fmin(least, cover);
            sum += cover;
        }
    print_message("Wilson, computed: mean %.2f%%, worst cell %.2f%%\n", 100 * sum / (SIZES * RATES), 100 * least);
    assert_true(sum / (SIZES * RATES) >= 0.945 && least >= 0.90);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cover), cmocka_unit_test(test_wilson_by_cell)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
