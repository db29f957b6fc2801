/* Random numbers for tests that can be played again: the same seed gives the same case everywhere.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

static inline struct dice dice_of(uint64_t seed)
{
    return (struct dice){seed * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u};
}

static inline uint64_t dice_next(struct dice *d)
{
    d->state += 0x9E3779B97F4A7C15u;
    uint64_t z = d->state;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* 0 to below. */
static inline size_t dice_below(struct dice *d, size_t below)
{
    return (size_t)(dice_next(d) % below);
}

static inline int dice_chance(struct dice *d, unsigned percent)
{
    return dice_next(d) % 100 < percent;
}

#endif
