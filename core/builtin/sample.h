/* Samples: texts made from forms, for the tests and measurements of built-in rules. The same dice give the same text.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A form is text with places to fill: %d a digit, %1 one from 1 to 9, %x and %X hexadecimal, %a and %A a letter, %w a
 * letter or digit, %2 a base-32 character, %u one of base64 for URLs, %b one of base64, %s a digit of a number that has
 * no leading 0 or 1, %t a date of birth (YYMMDD), %% a percent sign. {N} behind a place fills it N times. What is to be
 * found stands between SAMPLE_FROM and SAMPLE_TO; without them it is all of the form. */
#ifndef CORE_BUILTIN_SAMPLE_H
#define CORE_BUILTIN_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_FROM "\001"
#define SAMPLE_TO "\002"

enum { SAMPLE_TEXT_MAX = 1024, SAMPLE_VALUE_MAX = 64 };

struct sample_dice {
    uint64_t state;
};

/* 0 to below. */
uint64_t sample_roll(struct sample_dice *dice, uint64_t below);

struct sample_forms {
    const char *const *right;      /* NULL-terminated */
    const char *const *near_right; /* NULL-terminated; must not be found. NULL: only those that `complete` makes */
    /* Makes the check digits of a sample right. Gets pointers to the letters and digits of what is to be found; false:
     * it cannot, try another one. NULL: there are none. */
    bool (*complete)(char *const *value, size_t len);
    size_t check_at; /* which of `value` to change for a near miss, counted from the end */
    bool has_cue;    /* `value` begins at the first digit, behind a word */
};

struct sample {
    char text[SAMPLE_TEXT_MAX];
    size_t len;
    size_t from, to; /* what is to be found */
};

/* Something to find, with text around it. */
void sample_make(struct sample *sample, const struct sample_forms *forms, struct sample_dice *dice);
/* Something that looks like it and is not to be found. */
void sample_make_near(struct sample *sample, const struct sample_forms *forms, struct sample_dice *dice);

#endif
