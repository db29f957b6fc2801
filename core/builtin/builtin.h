/* Built-in rules: shapes of secrets, of personal data and of hidden text, some with a check digit that has to be right.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A built-in is one row. The rows of a theme are a table in the file that also has their checks. */
#ifndef CORE_BUILTIN_BUILTIN_H
#define CORE_BUILTIN_BUILTIN_H

#include <stdint.h>

#include "base/bytes.h"
#include "builtin/sample.h"

/* The result of a check. OTHER consumes its bytes like a match, so that no match begins inside, but is not reported:
 * for example a floating-point number whose digits alone would be a card's, or the user in a URL. */
enum builtin_result { BUILTIN_NO, BUILTIN_YES, BUILTIN_OTHER };

enum { BUILTINS_MAX = 80 };

/* The text before a match. */
struct surroundings {
    uint64_t before; /* the eight bytes before it, the last one lowest; 0 where the text began later. Upper case may
                        have been folded */
    bool follows;    /* a match of the same rule ended there, or one byte before */
};

struct builtin {
    const char *name;
    const char *finds; /* for operators, in a few words */
    const char *regex;
    /* Called for every end that a match may have; the longest that is not NO counts. NULL: no check is needed. */
    enum builtin_result (*check)(struct span match, struct surroundings around);
    size_t max_bytes; /* longest match; 0: the expression bounds itself */
    bool raw_only;    /* case, or what folding removes, is what it is found by: a folded rule cannot have it */
    /* What it finds and what only looks like it, for tests and measurements (sample.h). */
    struct sample_forms samples;
    /* A row that finds what several others find: their names, NULL-terminated, and samples are theirs. */
    const char *const *members;
};

const struct builtin *builtin_find(const char *name); /* NULL: unknown */
const struct builtin *builtin_at(size_t number);      /* NULL: there are no more */
/* All names, NULL-terminated, in the order of the numbers; borrowed. */
void builtin_names(const char *names[BUILTINS_MAX + 1]);
/* The samples of the row, or of a member that the dice choose. */
const struct sample_forms *builtin_samples(const struct builtin *builtin, struct sample_dice *dice);

#endif
