/* Random expressions and texts over a small alphabet, so that matches are frequent.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_WILD_H
#define TESTS_WILD_H

#include "dice.h"

enum { WILD_REGEX_MAX = 512 };

/* A random expression of our grammar, NUL-terminated. */
void wild_regex(struct dice *dice, char out[WILD_REGEX_MAX]);
/* A random character that such expressions are about; UTF-8, returns its length. */
size_t wild_char(struct dice *dice, char out[4]);
/* A character of which many spellings fold to the same, or that folds to nothing or to several. */
size_t wild_unfolded(struct dice *dice, char out[8]);

#endif
