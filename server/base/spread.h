/* How numbers are spread, small enough to be kept by the thousand: a histogram that is stored as a few bytes.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Values below 8 are exact; above, each octave has 8 steps, so a quantile is off by at most a fifteenth. For exact work
 * on one machine see quantiles.h.
 *
 *      stored: for each step that is not empty, how many steps after the one before, and its count; both as varints */
#ifndef SERVER_BASE_SPREAD_H
#define SERVER_BASE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

enum {
    SPREAD_STEPS = 8 + 38 * 8, /* up to 2^41 */
    SPREAD_BYTES_MAX = SPREAD_STEPS * 12,
};

struct spread {
    uint64_t count;
    uint64_t steps[SPREAD_STEPS];
};

/* Adds a value `times` times; negative: takes it away, never below none. Values below 0 are not counted. */
void spread_add(struct spread *s, int64_t value, int times);
void spread_merge(struct spread *s, const struct spread *other);
/* The middle of the step with the value that the part q (0 to 1) does not exceed; -1 if there are none. */
int64_t spread_at(const struct spread *s, double part);

/* Writes at most SPREAD_BYTES_MAX; returns the length, 0 for none. */
size_t spread_store(const struct spread *s, unsigned char *out);
/* Adds what was stored. Bytes that are not of this form end it. */
void spread_merge_stored(struct spread *s, const unsigned char *bytes, size_t len);

#endif
