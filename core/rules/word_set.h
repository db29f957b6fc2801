/* Lists of words and phrases, compiled into one tree for all rules that have them.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      root -s-> o -i-> o -l-> o -v-> o -e-> o -r-> (1) -' '-> o -b-> ...      (n): the lists with an entry that ends
 * here
 *
 * Edges are bytes of the entries as the rules see text (folded or not); a run of white space is one blank. A node knows
 * the lists that an entry below it belongs to, so a walk ends as soon as no list that is searched can be reached. The
 * edges lie in one hash table: a step costs the same however many entries there are.
 *
 * Thread: immutable once finished. */
#ifndef CORE_RULES_WORD_SET_H
#define CORE_RULES_WORD_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"

enum {
    WORD_LISTS_MAX = 64,  /* lists of one set: they are bits of a word */
    WORD_BYTES_MAX = 512, /* an entry, as the rules see it */
    WORD_NODES_MAX = 1 << 20,
};

/* What a character is to the ends of words. Scripts that write words without blanks between them, or put particles
 * behind them, are CHAR_OTHER: a word may begin and end anywhere in them. */
enum char_kind { CHAR_OTHER, CHAR_SPACE, CHAR_WORD };

struct word_node {
    uint64_t accepts; /* lists with an entry that ends here */
    uint64_t reaches; /* lists with a longer one */
};

struct word_slot {
    uint32_t key, child; /* key: parent << 8 | byte; child 0: empty */
};

enum { WORD_ROOT = 1 };

struct word_set {
    bool folded;
    struct word_node *nodes; /* [0] is none, [1] the root */
    uint32_t *parents;       /* of nodes, until the set is finished */
    uint32_t nodes_len, nodes_cap;
    struct word_slot *slots;
    uint32_t slots_len;
    unsigned shift;
    size_t lists_len;
    size_t longest[WORD_LISTS_MAX]; /* bytes of the longest entry */
    uint8_t begins[256];            /* 1: an entry may begin with this byte of text */
    uint8_t fold[128];              /* ASCII as the rules see it */
    uint8_t kind[128];              /* enum char_kind of ASCII; UINT8_MAX: folding drops it */
};

void word_set_init(struct word_set *set, bool folded);
void word_set_fini(struct word_set *set);
/* A new list; its number is the count of lists before. REIN_ELIMIT past WORD_LISTS_MAX. */
int word_set_list(struct word_set *set) REIN_MUST_USE;
/* Adds an entry to the last list. REIN_EPOLICY: *what says what is wrong with it; REIN_ELIMIT: all are too many. */
int word_set_add(struct word_set *set, struct span entry, const char **what) REIN_MUST_USE;
/* Nothing is added any more. */
void word_set_finish(struct word_set *set);
size_t word_set_bytes(const struct word_set *set); /* of its tables */

/* What a code point (folded or not) is to the ends of words. */
enum char_kind char_kind_of(uint32_t codepoint);

/* The node behind an edge; 0: there is none. */
static inline uint32_t word_set_next(const struct word_set *set, uint32_t node, unsigned char byte)
{
    uint32_t key = node << 8 | byte;
    for (uint32_t at = (uint32_t)(key * UINT32_C(2654435769)) >> set->shift;; at = (at + 1) & (set->slots_len - 1)) {
        const struct word_slot *slot = &set->slots[at];
        if (slot->key == key || slot->child == 0)
            return slot->child;
    }
}

#endif
