/* A rule's automaton: deterministic, over bytes, anchored at a match's start.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A run begins in start[context of the byte before] and takes one state per byte. The flags of the state say what the
 * byte just consumed has made known. States from which no match can be reached are one, DFA_DEAD: a run that is
 * DFA_LIVE may really still become a match (or a longer one), and one that is not never will. */
#ifndef CORE_RULES_DFA_H
#define CORE_RULES_DFA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/nfa.h"

enum { DFA_DEAD = 0, DFA_STATES_MAX = 100000, DFA_TABLE_MAX = 4 << 20, DFA_WORK_MAX = 10000000 };

enum dfa_flag {
    DFA_MATCH = 1,  /* a match ends with the last byte */
    DFA_BEFORE = 2, /* a match ended before the last byte; an assertion waited for that byte */
    DFA_AT_END = 4, /* if the text ends here, a match does */
    DFA_LIVE = 8,   /* what follows may still complete a match */
};

enum dfa_context { DFA_TEXT_BEGINS, DFA_AFTER_OTHER, DFA_AFTER_WORD, DFA_CONTEXTS };

struct dfa_state {
    uint32_t missing; /* a match needs at least so many bytes more than consumed so far; 0 if none or not live */
    uint8_t flags;
};

struct dfa {
    uint8_t classes[256];
    uint32_t classes_len;
    uint32_t states_len;
    uint32_t *next; /* [state * classes_len + class] */
    struct dfa_state *states;
    uint32_t start[DFA_CONTEXTS];
    size_t longest; /* bytes of the longest match; SIZE_MAX: unbounded */
    bool can_match, matches_empty;
};

static inline uint32_t dfa_next(const struct dfa *dfa, uint32_t state, unsigned char byte)
{
    return dfa->next[(size_t)state * dfa->classes_len + dfa->classes[byte]];
}

/* [0-9A-Za-z_]: what \b goes by. */
static inline bool dfa_is_word(unsigned char c)
{
    static const uint64_t words[4] = {0x03FF000000000000u, 0x07FFFFFE87FFFFFEu, 0, 0};
    return words[c >> 6] >> (c & 63) & 1;
}

void dfa_fini(struct dfa *dfa);
/* REIN_ELIMIT: more states, a larger table or more work than the ceilings above. In any case the caller ends with
 * dfa_fini. */
int dfa_build(struct dfa *dfa, const struct nfa *nfa) REIN_MUST_USE;

#endif
