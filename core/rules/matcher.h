/* The matcher of operator rules: which spans match, and from which byte on a match may still begin or continue.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each rule is compiled, when the policy is loaded, into a small deterministic automaton over bytes, anchored at a
 * match's start. A matcher follows one automaton run per live start; runs of a rule that reach the same state have the
 * same future, so the earliest stands for all of them. So cost is linear with no backtracking, the hold is exact, and
 * nothing depends on how the text was cut.
 *
 * Semantics: for each rule on its own, the leftmost, longest, non-overlapping matches, none longer than the rule's
 * max_bytes. docs/GATE.md has all of it. */
#ifndef CORE_RULES_MATCHER_H
#define CORE_RULES_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"

/* Whole words and phrases, in any white space. */
struct rule_words {
    const char *const *words;
    size_t len;
};

/* A rule as the policy file has it; borrowed while it is added. */
struct rule_spec {
    const char *id;
    unsigned channels; /* set of 1 << enum rein_channel */
    const char *regex; /* one of regex, builtin, literals, words */
    const char *builtin;
    const char *const *literals;
    size_t literals_len;
    struct rule_words words;
    struct rule_words
        near; /* a match counts if one of them stands so many bytes before or behind it; len 0: any does */
    size_t near_before, near_behind;
    struct { /* a match that lies in one of them does not count */
        struct rule_words words;
        const char *const *regexes;
        size_t regexes_len;
        const char *const *values; /* texts that equal the match, but for blanks, marks and case */
        size_t values_len;
    } except;
    bool folded;      /* match on folded text: case, width, zero-width, confusables */
    size_t max_bytes; /* longest match; 0: what the rule itself bounds, refused if it is unbounded */
    bool withholds;   /* its action needs the hold */
    bool secret;      /* what it matches is masked wherever text is kept, as what a built-in matches */
};

struct ruleset; /* immutable once built; shared by threads */

int ruleset_new(struct ruleset **out, size_t hold_max_bytes) REIN_MUST_USE;
void ruleset_free(struct ruleset *rules);
/* Compiles and adds a rule; its number is the count of rules added before. On REIN_EPOLICY `why` (a static or
 * owned-by-set string) says what is wrong with it: syntax with its position, unbounded without max_bytes, longer than
 * the policy's hold, too many states, an empty match. */
int ruleset_add(struct ruleset *rules, const struct rule_spec *spec, const char **why) REIN_MUST_USE;
/* What is said of an exception begins with this. */
#define RULESET_EXCEPTION "an exception "
/* Can a match equal this value of `except`? */
bool ruleset_value_is_sound(const char *value);
/* What is wrong with a word of a list; NULL: nothing. */
const char *ruleset_word_fault(const char *word, bool folded);
int ruleset_finish(struct ruleset *rules) REIN_MUST_USE;
size_t ruleset_count(const struct ruleset *rules);
/* The longest hold of a rule or, with rule < 0, of all withholding ones; bytes of original text, 0 if it withholds
 * nothing. Folded rules may hold more original bytes than folded ones; zero-width runs inside a match are bounded by
 * max_bytes. */
size_t ruleset_worst_hold(const struct ruleset *rules, int rule);
/* Has what this rule matches to be masked wherever text is kept? (built-ins, and rules that say `secret`) */
bool ruleset_masks(const struct ruleset *rules, uint16_t rule);

struct match {
    uint16_t rule;
    uint64_t start, end; /* of the original text */
};

struct match_list { /* grows; the caller empties it */
    struct match *items;
    size_t len, cap;
};
void match_list_fini(struct match_list *list);
int match_list_add(struct match_list *list, struct match match) REIN_MUST_USE;

struct matcher;
/* A matcher for the rules of one channel. Borrows `rules`. *out is NULL (and that is fine to feed) if no rule looks
 * there. */
int matcher_new(struct matcher **out, const struct ruleset *rules, enum rein_channel channel) REIN_MUST_USE;
void matcher_free(struct matcher *m);
/* These rules find nothing any more: a set of 1 << number, borrowed. Before the first byte. */
void matcher_mute(struct matcher *m, const uint64_t *rules);
void matcher_reset(struct matcher *m); /* a new text, offset 0 */
void matcher_begin(struct matcher *m); /* a new text, whose offsets go on from those of the last one */

/* Feeds bytes from offset `from` on and stops right after the first byte that decides a match, so that the caller can
 * act on it before later text is read; *consumed is the number of bytes read (all of the new bytes if nothing was
 * decided). `text` is the window of the whole text that is still kept: it begins at offset `base`, ends with the new
 * bytes and reaches back at least to matcher_keep(). Appends matches in the order in which they are decided (then by
 * rule). NULL matcher: consumes all. */
int matcher_feed(struct matcher *m, struct span text, uint64_t base, uint64_t from, struct match_list *out,
                 size_t *consumed) REIN_MUST_USE;
/* The text has ended: decides all that is open. */
int matcher_end(struct matcher *m, struct span text, uint64_t base, struct match_list *out) REIN_MUST_USE;

/* The same, but the text may continue: decides what its end here would decide, and does not change the matcher. */
int matcher_end_for_now(const struct matcher *m, struct span text, uint64_t base, struct match_list *out) REIN_MUST_USE;

/* The first offset that a withholding rule may still claim; the number of bytes consumed if there is none (UINT64_MAX
 * for NULL). Never falls. */
uint64_t matcher_hold(const struct matcher *m);
/* The first offset whose text a match that is still to come may cover (any rule), so that it can be checked, shown or
 * replaced; the number of bytes consumed if there is none (UINT64_MAX for NULL). Never falls. */
uint64_t matcher_keep(const struct matcher *m);

/* The first offset from which a masking rule's match may have begun that is not decided yet; the number of bytes
 * consumed if there is none (UINT64_MAX for NULL). */
uint64_t matcher_secret(const struct matcher *m);

/* May a withholding rule match here? */
bool matcher_withholds(const struct matcher *m);

/* Steps of all automata so far: the cost of the text, independent of the machine. 0 for NULL. */
uint64_t matcher_steps(const struct matcher *m);

/* One whole text on its own (prompts, names, unknown fields): all matches. */
int matcher_scan(const struct ruleset *rules, enum rein_channel channel, struct span text,
                 struct match_list *out) REIN_MUST_USE;

#endif
