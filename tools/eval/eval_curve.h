/* What a score is worth: how much it finds at which price, and whether its values can be read as shares.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Intervals are at 95%. Thread: any. */
#ifndef TOOLS_EVAL_EVAL_CURVE_H
#define TOOLS_EVAL_EVAL_CURVE_H

#include "eval/eval_stats.h"

/* A score acts on what reaches the threshold. */
struct operating_point {
    double threshold;
    struct rate found, wrong; /* of the positives, of the negatives */
};
/* The point that finds most while at most `share` of the negatives are wrong. Both lists are sorted, ascending. If even
 * the highest score is too expensive, nothing is found and the threshold is above all scores. */
struct operating_point operating_point_at(const double *positives, size_t positives_len, const double *negatives,
                                          size_t negatives_len, double share);

enum { CALIBRATION_BINS = 10 };

/* Scores in [0, 1], in bins of equal width: the mean score against the share of positives. */
struct calibration {
    struct calibration_bin {
        double mean;
        struct rate positives;
    } bins[CALIBRATION_BINS];
    double brier; /* mean squared error of the score as a probability */
    double error; /* mean distance of score and share, weighted by the rows of a bin */
    size_t n;
};
struct calibration calibration_of(const double *positives, size_t positives_len, const double *negatives,
                                  size_t negatives_len);

#endif
