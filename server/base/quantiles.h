/* Quantiles of many numbers in little memory: a histogram whose steps grow with the value.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values below 128 are exact; above, each octave has 64 steps, so a quantile is off by less than 0.8%. */
#ifndef SERVER_BASE_QUANTILES_H
#define SERVER_BASE_QUANTILES_H

#include <stdint.h>

enum { QUANTILES_STEPS = 128 + 40 * 64 }; /* up to 2^47 */

struct quantiles {
    uint64_t count, max;
    uint64_t steps[QUANTILES_STEPS];
};

void quantiles_clear(struct quantiles *q);
void quantiles_add(struct quantiles *q, uint64_t value);
/* The value that the part q (0 to 1) of all values does not exceed; 0 if there are none. */
uint64_t quantiles_at(const struct quantiles *q, double part);

#endif
