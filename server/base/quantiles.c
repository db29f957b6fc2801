/* See quantiles.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/quantiles.h"

#include <string.h>

void quantiles_clear(struct quantiles *q)
{
    memset(q, 0, sizeof *q);
}

/*      value        0 … 127 | 128 … 255 by 2 | 256 … 511 by 4 | …
 *      step         0 … 127 | 128 … 191      | 192 … 255      | …  */
static unsigned step_of(uint64_t value)
{
    if (value < 128)
        return (unsigned)value;
    unsigned octave = 63 - (unsigned)__builtin_clzll(value); /* 7 for 128 … 255 */
    unsigned step = 128 + (octave - 7) * 64 + (unsigned)(value >> (octave - 6) & 63);
    return step < QUANTILES_STEPS ? step : QUANTILES_STEPS - 1;
}

static uint64_t middle_of(unsigned step)
{
    if (step < 128)
        return step;
    unsigned shift = (step - 128) / 64 + 1;
    return ((uint64_t)(64 + (step - 128) % 64) << shift) + (UINT64_C(1) << (shift - 1));
}

void quantiles_add(struct quantiles *q, uint64_t value)
{
    q->steps[step_of(value)]++;
    q->count++;
    if (value > q->max)
        q->max = value;
}

uint64_t quantiles_at(const struct quantiles *q, double part)
{
    uint64_t seen = 0, wanted = (uint64_t)(part * (double)q->count + 0.999999);
    if (q->count == 0)
        return 0;
    for (unsigned i = 0; i < QUANTILES_STEPS; i++) {
        seen += q->steps[i];
        if (seen >= wanted && seen > 0)
            return middle_of(i) < q->max ? middle_of(i) : q->max;
    }
    return q->max;
}
