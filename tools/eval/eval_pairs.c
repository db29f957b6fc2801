/* See eval_pairs.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_pairs.h"

#include <math.h>

static const double Z = 1.959963984540054;

void eval_pairs_add(struct eval_pairs *pairs, int first, int second)
{
    pairs->n++;
    pairs->first += first != 0;
    pairs->second += second != 0;
    pairs->only_first += first && !second;
    pairs->only_second += second && !first;
}

struct eval_difference eval_pairs_difference(const struct eval_pairs *pairs)
{
    if (pairs->n == 0)
        return (struct eval_difference){0};
    double gained = (double)pairs->only_second, lost = (double)pairs->only_first;
    double value = (gained - lost) / (double)pairs->n;
    double b = gained + 0.5, c = lost + 0.5, n = (double)pairs->n + 2;
    double middle = (b - c) / n, half = Z * sqrt(b + c - (b - c) * (b - c) / n) / n;
    return (struct eval_difference){value, fmax(-1, middle - half), fmin(1, middle + half)};
}

/* The tail is summed in logarithms, so that thousands of pairs don't underflow. */
double eval_pairs_p(const struct eval_pairs *pairs)
{
    size_t parted = pairs->only_first + pairs->only_second;
    size_t fewer = pairs->only_first < pairs->only_second ? pairs->only_first : pairs->only_second;
    double tail = 0;
    for (size_t k = 0; k <= fewer; k++)
        tail += exp(lgamma((double)parted + 1) - lgamma((double)k + 1) - lgamma((double)(parted - k) + 1) -
                    (double)parted * log(2));
    return fmin(1, 2 * tail);
}
