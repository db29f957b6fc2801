/* Pairs of yes-or-no outcomes: how their shares differ, and how sure that is.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Intervals are at 95%. Thread: any. */
#ifndef TOOLS_EVAL_EVAL_PAIRS_H
#define TOOLS_EVAL_EVAL_PAIRS_H

#include <stddef.h>

/* All three are 0 if nothing was counted. */
struct eval_difference {
    double value, low, high;
};

/* Of n pairs, `only_first` have the property only on the first side, `only_second` only on the second. */
struct eval_pairs {
    size_t n, first, second; /* pairs; those with the property on each side */
    size_t only_first, only_second;
};
void eval_pairs_add(struct eval_pairs *pairs, int first, int second);

/* The second side's share minus the first's. The interval is Wald's after adding half a pair to each of the four cells
 * (Agresti and Min), which keeps its coverage for small n too. */
struct eval_difference eval_pairs_difference(const struct eval_pairs *pairs);
/* McNemar's exact test, two-sided: how often chance alone would divide the pairs at least as unevenly. 1 if there are
 * none. */
double eval_pairs_p(const struct eval_pairs *pairs);

#endif
