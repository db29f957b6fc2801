/* Built-in rules: shapes of secrets and personal data, some with a check digit that has to be right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILTIN_H
#define CORE_BUILTIN_H

#include "bytes.h"

/* Is this match real? Asked for every end that a match may have; the longest real one counts. */
typedef bool (*builtin_check)(struct span match);

struct builtin {
    const char *name;
    const char *regex;
    builtin_check check; /* NULL: the shape is enough */
    size_t max_bytes;    /* longest match; 0: the expression bounds itself */
};

const struct builtin *builtin_find(const char *name); /* NULL: unknown */
const char *const *builtin_names(void);               /* NULL-terminated */

#endif
