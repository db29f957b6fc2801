/* The statistics of `rein eval`: rates with intervals, F1 with its trivial baseline, ranking.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_EVAL_STATS_H
#define TOOLS_EVAL_EVAL_STATS_H

#include <stddef.h>

/* A share of n, with its 95% Wilson interval. */
struct rate {
    size_t k, n;
    double value, low, high; /* all 0 if n is 0 */
};
struct rate rate_of(size_t k, size_t n);

/* A yes-or-no test against the truth. */
struct confusion {
    size_t right, wrong, missed, silent; /* true and false positives, false and true negatives */
};
double confusion_f1(const struct confusion *c);
/* With its interval at 95%. F1 is 2J/(1+J) of J, the share of hits among all rows that are true or called so; so its
 * ends are those of J's Wilson interval. k and n are J's. */
struct rate confusion_f1_rate(const struct confusion *c);
/* F1 of always saying yes. */
double confusion_baseline(const struct confusion *c);

/* The area under the ROC curve: how often a positive scores above a negative, ties half. Sorts nothing in place; -1 if
 * one side is empty or memory is out. With its 95% interval after Hanley and McNeil. */
struct auroc {
    double value, low, high;
};
struct auroc auroc_of(const double *positives, size_t positives_len, const double *negatives, size_t negatives_len);

/* The median of the values, which it sorts; 0 if there are none. */
double median_of(double *values, size_t len);

#endif
