/* See eval_stats.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/eval_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double Z = 1.959964; /* 95% */

struct rate rate_of(size_t k, size_t n)
{
    if (n == 0)
        return (struct rate){0};
    double p = (double)k / (double)n, z2 = Z * Z / (double)n;
    double middle = (p + z2 / 2) / (1 + z2);
    double half = Z * sqrt(p * (1 - p) / (double)n + z2 / (4 * (double)n)) / (1 + z2);
    return (struct rate){k, n, p, fmax(0, middle - half), fmin(1, middle + half)};
}

static double f1(size_t right, size_t wrong, size_t missed)
{
    size_t all = 2 * right + wrong + missed;
    return all > 0 ? 2.0 * (double)right / (double)all : 0;
}

double confusion_f1(const struct confusion *c)
{
    return f1(c->right, c->wrong, c->missed);
}

struct rate confusion_f1_rate(const struct confusion *c)
{
    struct rate j = rate_of(c->right, c->right + c->wrong + c->missed);
    return (struct rate){j.k, j.n, 2 * j.value / (1 + j.value), 2 * j.low / (1 + j.low), 2 * j.high / (1 + j.high)};
}

double confusion_baseline(const struct confusion *c)
{
    return f1(c->right + c->missed, c->wrong + c->silent, 0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* How many of the sorted values are below `limit`, and how many are at most `limit`. */
static void place(const double *sorted, size_t len, double limit, size_t *below, size_t *upto)
{
    size_t low = 0, high = len;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (sorted[mid] < limit)
            low = mid + 1;
        else
            high = mid;
    }
    *below = low;
    while (low < len && sorted[low] <= limit)
        low++;
    *upto = low;
}

struct auroc auroc_of(const double *positives, size_t positives_len, const double *negatives, size_t negatives_len)
{
    struct auroc none = {-1, -1, -1};
    double *sorted = negatives_len > 0 && positives_len > 0 ? malloc(negatives_len * sizeof *sorted) : NULL;
    if (sorted == NULL)
        return none;
    memcpy(sorted, negatives, negatives_len * sizeof *sorted);
    qsort(sorted, negatives_len, sizeof *sorted, by_value);
    double sum = 0, m = (double)positives_len, n = (double)negatives_len;
    for (size_t i = 0; i < positives_len; i++) {
        size_t below, upto;
        place(sorted, negatives_len, positives[i], &below, &upto);
        sum += (double)below + (double)(upto - below) / 2;
    }
    free(sorted);
    double a = sum / m / n, q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
    double se = sqrt(fmax(0, (a * (1 - a) + (m - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (m * n)));
    return (struct auroc){a, fmax(0, a - Z * se), fmin(1, a + Z * se)};
}

double median_of(double *values, size_t len)
{
    if (len == 0)
        return 0;
    qsort(values, len, sizeof *values, by_value);
    return len % 2 == 1 ? values[len / 2] : (values[len / 2 - 1] + values[len / 2]) / 2;
}
