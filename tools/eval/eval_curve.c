/* See eval_curve.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_curve.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

/* How many of the ascending values reach the limit. */
static size_t count_from(const double *sorted, size_t len, double limit)
{
    size_t low = 0, high = len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sorted[mid] < limit)
            low = mid + 1;
        else
            high = mid;
    }
    return len - low;
}

struct operating_point operating_point_at(const double *positives, size_t positives_len, const double *negatives,
                                          size_t negatives_len, double share)
{
    struct operating_point best = {
        .threshold = INFINITY, .found = rate_of(0, positives_len), .wrong = rate_of(0, negatives_len)};
    for (size_t i = positives_len; i-- > 0;) {
        size_t wrong = count_from(negatives, negatives_len, positives[i]);
        if ((double)wrong > share * (double)negatives_len)
            break;
        best.threshold = positives[i];
        best.found = rate_of(count_from(positives, positives_len, positives[i]), positives_len);
        best.wrong = rate_of(wrong, negatives_len);
    }
    return best;
}

struct calibration calibration_of(const double *positives, size_t positives_len, const double *negatives,
                                  size_t negatives_len)
{
    struct calibration c = {.n = positives_len + negatives_len};
    double sums[CALIBRATION_BINS] = {0};
    size_t all[CALIBRATION_BINS] = {0}, yes[CALIBRATION_BINS] = {0};
    for (size_t i = 0; i < c.n; i++) {
        bool positive = i < positives_len;
        double value = positive ? positives[i] : negatives[i - positives_len];
        assert(value >= 0 && value <= 1);
        size_t bin = (size_t)fmin(CALIBRATION_BINS - 1, value * CALIBRATION_BINS);
        sums[bin] += value;
        all[bin]++;
        yes[bin] += positive;
        c.brier += (value - positive) * (value - positive) / (double)c.n;
    }
    for (size_t b = 0; b < CALIBRATION_BINS; b++) {
        c.bins[b].positives = rate_of(yes[b], all[b]);
        c.bins[b].mean = all[b] > 0 ? sums[b] / (double)all[b] : 0;
        c.error += fabs(sums[b] - (double)yes[b]) / (double)(c.n > 0 ? c.n : 1);
    }
    return c;
}
