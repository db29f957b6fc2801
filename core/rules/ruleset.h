/* The compiled rules, as the matcher sees them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_RULES_RULESET_H
#define CORE_RULES_RULESET_H

#include "base/byte_set.h"
#include "builtin/builtin.h"
#include "rules/dfa.h"
#include "rules/match_filter.h"
#include "rules/matcher.h"
#include "rules/word_set.h"

enum { NO_WORDS = UINT8_MAX };

enum { RULES_MAX = 4096, RULESET_TABLE_MAX = 64 << 20 };

struct rule {
    struct dfa dfa;
    unsigned channels;
    size_t limit; /* no match is longer; bytes of original text */
    size_t worst; /* the longest hold, if it withholds */
    enum builtin_result (*check)(struct span match, struct surroundings around); /* builtin/builtin.h */
    bool folded, withholds, masked;
    uint8_t word_list;          /* its list in the set of words; NO_WORDS: it has an automaton */
    bool is_hint;               /* hidden: a word of another rule's `near` */
    bool is_gated;              /* no match begins without a word before it */
    struct rule_filter *filter; /* owned; NULL: all matches are meant */
};

static inline bool rule_has_words(const struct rule *rule)
{
    return rule->word_list != NO_WORDS;
}

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

/* Lists of words that are searched together. */
struct ruleset_words {
    struct word_set set;
    uint16_t rules[WORD_LISTS_MAX]; /* whose the lists are */
    size_t limits[WORD_LISTS_MAX];
    size_t limit; /* the largest */
    uint64_t on[REIN_CHANNELS];
    uint64_t withholds, masked, hints, gated;
};

struct ruleset {
    struct rule *rules; /* those that were added, and behind them hidden ones: the words and exceptions of others */
    size_t count;       /* of those that were added */
    size_t len, cap;
    struct rule *hidden; /* until all were added */
    size_t hidden_len, hidden_cap;
    struct ruleset_words words[VIEWS];
    bool has_filters;
    bool all_withhold; /* each rule does, so what is open is held */
    size_t near_max;   /* the largest distance of a word before a match */
    size_t hold_max;
    size_t table_bytes;
    struct prefilter prefilters[REIN_CHANNELS];
    char why[200];
};

int prefilter_init(struct prefilter *prefilter, const struct ruleset *set, enum rein_channel channel) REIN_MUST_USE;
void prefilter_fini(struct prefilter *prefilter);

#endif
