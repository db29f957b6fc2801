/* Built-in rules: shapes of secrets and personal data, some with a check digit that has to be right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RULES_BUILTIN_H
#define CORE_RULES_BUILTIN_H

#include <stdint.h>

#include "base/bytes.h"

/* The result of a check. OTHER consumes its bytes like a match, so that no match begins inside, but is not reported:
 * for example a floating-point number whose digits alone would be a card's, or the user in a URL. */
enum builtin_result { BUILTIN_NO, BUILTIN_YES, BUILTIN_OTHER };

/* The text before a match. */
struct surroundings {
    uint64_t before; /* the eight bytes before it, the last one lowest; 0 where the text began later. Upper case may
                        have been folded */
    bool follows;    /* a match of the same rule ended there, or one byte before */
};

struct builtin {
    const char *name;
    const char *regex;
    /* Called for every end that a match may have; the longest that is not NO counts. NULL: no check is needed. */
    enum builtin_result (*check)(struct span match, struct surroundings around);
    size_t max_bytes; /* longest match; 0: the expression bounds itself */
};

const struct builtin *builtin_find(const char *name); /* NULL: unknown */
const char *const *builtin_names(void);               /* NULL-terminated */

#endif
