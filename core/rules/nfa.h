/* The program of a regular expression: byte ranges, forks and assertions.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RULES_NFA_H
#define CORE_RULES_NFA_H

#include "rules/regex.h"

enum { NFA_LEN_MAX = 1 << 20, NFA_STEPS_MAX = 1 << 22 };

enum nfa_op { NFA_BYTES, NFA_FORK, NFA_ASSERT, NFA_MATCH };

struct nfa_inst {
    uint8_t op;
    uint8_t lo, hi; /* BYTES: consumes one of them. ASSERT: lo is the enum regex_assert */
    uint32_t out;
    uint32_t other; /* FORK: the other way */
};

struct nfa {
    struct nfa_inst *insts;
    size_t len, cap;
    uint32_t start;
    size_t steps; /* nodes compiled so far */
};

void nfa_fini(struct nfa *nfa);
/* REIN_ELIMIT past the ceilings above. In any case the caller ends with nfa_fini. */
int nfa_compile(struct nfa *nfa, const struct regex *re) REIN_MUST_USE;

#endif
