/* Placeholders of masked values, as cases write them: with a number instead of a code that nobody can know.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      [card-number:1]  <->  [card-number:K7QX2M9A]      the first value of the rule in the case
 *
 * Thread: any. */
#ifndef TOOLS_POLICYTEST_CASE_NAMES_H
#define TOOLS_POLICYTEST_CASE_NAMES_H

#include <stddef.h>

#include "rein/rein.h"

/* Zeroed is empty. */
struct case_names {
    struct case_name *items;
    size_t len;
};

/* Numbers the placeholder of a mask, if it has one and it is new. REIN_ENOMEM. */
int case_names_add(struct case_names *names, const struct rein_mask *mask) REIN_MUST_USE;
void case_names_fini(struct case_names *names);

/* The text with placeholders in the place of numbered ones, and the other way round. Owned: free; NULL: no memory. */
char *case_names_spell(const struct case_names *names, const char *text) REIN_MUST_USE;
char *case_names_number(const struct case_names *names, const char *text) REIN_MUST_USE;

#endif
