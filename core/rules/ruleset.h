/* The compiled rules, as the matcher sees them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RULES_RULESET_H
#define CORE_RULES_RULESET_H

#include "base/byte_set.h"
#include "rules/builtin.h"
#include "rules/dfa.h"
#include "rules/matcher.h"

enum { RULES_MAX = 4096, RULESET_TABLE_MAX = 64 << 20 };

struct rule {
    struct dfa dfa;
    unsigned channels;
    size_t limit; /* no match is longer; bytes of original text */
    enum builtin_result (*check)(struct span match, struct surroundings around); /* builtin.h */
    bool folded, withholds, masked;
};

/* What may begin where, for the rules of one channel that examine raw text, or for those that examine folded text. Sets
 * of rules are rows of `words` 64-bit words. */
struct prefilter_view {
    size_t words;     /* 0: no rule */
    uint64_t *first;  /* [context][byte]: rules that this byte keeps alive or completes as a match's first */
    uint64_t *second; /* [byte]: rules that this byte may keep alive as a second one */
    bool withholds;   /* some rule does */
};

enum { VIEW_RAW, VIEW_FOLDED, VIEWS };

struct prefilter {
    struct prefilter_view views[VIEWS];
    uint64_t *pairs; /* bits [word before][byte][next byte] of raw text: may any rule of any view survive both? */
    uint64_t singles[2][4]; /* bits [word before][byte]: the same of one byte */
    struct byte_set begins; /* the same again, whatever is before it */
};

static inline bool prefilter_pair(const uint64_t *pairs, bool after_word, unsigned char a, unsigned char b)
{
    return pairs[(size_t)after_word << 10 | (size_t)a << 2 | b >> 6] >> (b & 63) & 1;
}

static inline bool prefilter_single(const struct prefilter *prefilter, bool after_word, unsigned char a)
{
    return prefilter->singles[after_word][a >> 6] >> (a & 63) & 1;
}

struct ruleset {
    struct rule *rules;
    size_t len, cap;
    size_t hold_max;
    size_t table_bytes;
    struct prefilter prefilters[REIN_CHANNELS];
    char why[200];
};

int prefilter_init(struct prefilter *prefilter, const struct ruleset *set, enum rein_channel channel) REIN_MUST_USE;
void prefilter_fini(struct prefilter *prefilter);

#endif
