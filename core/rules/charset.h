/* Sets of code points, as a regular expression's classes need them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Ranges are kept as they were added; charset_tidy sorts and joins them. Surrogates are never members. */
#ifndef CORE_RULES_CHARSET_H
#define CORE_RULES_CHARSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { CHARSET_RANGES_MAX = 4096, CODEPOINT_MAX = 0x10FFFF };

struct char_range {
    uint32_t lo, hi; /* both inclusive */
};

struct charset {
    struct char_range *ranges;
    size_t len, cap;
};

void charset_fini(struct charset *set);
/* REIN_ELIMIT past CHARSET_RANGES_MAX; the set is unchanged on errors. */
int charset_add(struct charset *set, uint32_t lo, uint32_t hi) REIN_MUST_USE;
int charset_add_set(struct charset *set, const struct charset *other) REIN_MUST_USE;
void charset_tidy(struct charset *set);
/* The complement within all code points; leaves the set tidy. */
int charset_negate(struct charset *set) REIN_MUST_USE;
/* Adds the upper and lower case of every member (simple mappings). */
int charset_add_cases(struct charset *set) REIN_MUST_USE;
/* Replaces every member by its folded form; removes members that fold to nothing or to several code points. */
int charset_fold(struct charset *set) REIN_MUST_USE;

/* A range of code points of one UTF-8 length whose bytes vary independently: a sequence of byte ranges. */
struct utf8_range {
    unsigned len;
    uint8_t lo[4], hi[4];
};
/* Removes the first such part from *range. False: nothing is left. */
bool utf8_range_next(struct char_range *range, struct utf8_range *out);

#endif
