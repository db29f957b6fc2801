/* Random policies: all that a policy can search for, ask and do, with the shipped lexicon.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRAWN_POLICY_H
#define TESTS_DRAWN_POLICY_H

#include "drawn.h"
#include "rein/rein.h"

/* What a rule searches for, and texts that it finds, or nearly. */
struct drawn_rule {
    const char *search;     /* its keys in the policy */
    const char *needles[6]; /* NULL behind the last */
};
extern const struct drawn_rule drawn_rules[];
extern const size_t drawn_rules_len;

struct drawn_policy {
    struct rein_policy *policy; /* owned */
    uint64_t seed;              /* that gave it */
    struct bytes yaml;          /* with a NUL behind it */
    uint64_t rules;             /* a set: those of drawn_rules that it has */
    size_t parts;               /* drawn */
};

/* Reads what policies refer to; the lexicon is compiled once. Aborts on any error, like all of these. */
void drawn_policies_open(void);
void drawn_policies_close(void);
/* The text of the lexicon; good until drawn_policies_close. */
const char *drawn_lexicon(void);

/* The policy of exactly this seed; false: no policy may be so. `idle`: with one rule more, which finds nothing in drawn
 * texts. */
bool drawn_policy_try(struct drawn_policy *out, uint64_t seed, const bool *left_out, bool idle);
/* The first policy of those that follow from the seed. Returns how many before it no policy may be. */
unsigned drawn_policy_make(struct drawn_policy *out, uint64_t seed);
void drawn_policy_fini(struct drawn_policy *policy);

/* Judges that the policies may ask. */
enum { DRAWN_JUDGES = 3 };
extern const char *const drawn_judges[DRAWN_JUDGES];

#endif
