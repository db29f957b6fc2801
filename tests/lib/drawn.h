/* Random cases that can be made smaller: what is drawn is numbered, and a part that is to be left out is drawn all the
 * same, so that the rest stays what it was.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRAWN_H
#define TESTS_DRAWN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dice.h"

enum { DRAWN_PARTS_MAX = 4096 };

struct drawn {
    struct dice dice;
    const bool *left_out; /* by number; NULL: nothing is. Borrowed */
    size_t parts;         /* drawn so far */
};

static inline struct drawn drawn_of(uint64_t seed, const bool *left_out)
{
    return (struct drawn){.dice = dice_of(seed), .left_out = left_out};
}

/* Is the next part in the case? Beyond DRAWN_PARTS_MAX none is left out. */
static inline bool drawn_part(struct drawn *d)
{
    size_t n = d->parts++;
    return d->left_out == NULL || n >= DRAWN_PARTS_MAX || !d->left_out[n];
}

static inline bool drawn_chance(struct drawn *d, unsigned percent)
{
    return dice_chance(&d->dice, percent) != 0;
}

static inline size_t drawn_below(struct drawn *d, size_t below)
{
    return dice_below(&d->dice, below);
}

/* One of a list of words. */
#define DRAWN_OF(d, list) ((list)[drawn_below((d), sizeof(list) / sizeof *(list))])

__attribute__((format(printf, 2, 3))) static inline void drawn_put(struct bytes *out, const char *format, ...)
{
    char *text = NULL;
    va_list list;
    va_start(list, format);
    int len = vasprintf(&text, format, list);
    va_end(list);
    if (len < 0 || bytes_append(out, text, (size_t)len) != 0)
        abort();
    free(text);
}

#endif
