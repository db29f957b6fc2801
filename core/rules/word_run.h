/* Runs through the words of a word_set: the places in a text where an entry may have begun.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A run begins at the beginning of a word and takes one node for each byte as the rules see it; a run of white space is
 * one step. Runs lie in the order of their starts; no two are at the same node, so there are never more than the
 * longest entry has bytes. Each list has matches of its own: leftmost, longest, not overlapping (matcher.h). A match
 * that an earlier or longer one may still displace is a candidate.
 *
 *      floor         candidate         run (open)
 *      |...emitted)  [start, end)      start ->          at
 *
 * Most words of a text begin no entry. While nothing is open, a word is walked without any of this; only if it is not
 * known where the walk ends, or an entry ends there, a run begins. */
#ifndef CORE_RULES_WORD_RUN_H
#define CORE_RULES_WORD_RUN_H

#include "rules/word_set.h"

struct word_run {
    uint64_t start;
    uint32_t node;
};

/* A match of a list. `known`: where the character ends that made it known. */
struct word_match {
    uint64_t start, end, known;
    uint8_t list;
    bool is_decided; /* of candidates that are just leaving */
};

struct word_matches { /* grows */
    struct word_match *items;
    size_t len, cap;
};

/* What changes with the text, but for what is decided. */
struct word_place {
    struct word_run *runs;
    size_t runs_len, runs_cap;
    struct word_matches candidates;
    uint64_t at;     /* offset of the next character */
    uint64_t before; /* where the last one ended, of those that are seen */
    uint8_t after;   /* its kind */
    bool inside;     /* more of what it folds to follows */
};

struct word_view;
/* May a match of the list begin there? */
typedef bool (*word_gate)(const struct word_view *view, unsigned list, uint64_t start);

struct word_view {
    const struct word_set *set; /* borrowed; NULL: there is none */
    uint64_t active;            /* the lists that are searched */
    uint64_t hints;             /* those of which every occurrence counts, decided or not: to `hinted` */
    uint64_t gated;             /* those for whose matches `gate` is asked */
    word_gate gate;
    const void *gate_ctx;
    const size_t *limits;            /* of each list: no match is longer; borrowed */
    size_t limit;                    /* the largest */
    uint64_t floors[WORD_LISTS_MAX]; /* of each list: no match begins before it */
    struct word_place place, saved;
    struct word_matches decided, hinted; /* the reader takes what is there */
};

void word_view_fini(struct word_view *view);
/* A new text that begins at `at`. */
void word_view_begin(struct word_view *view, uint64_t at);
/* Copies all but `decided`; `to` owns nothing yet. REIN_ENOMEM: the caller frees it. */
int word_view_copy(struct word_view *to, const struct word_view *from) REIN_MUST_USE;

/* Takes the characters that are known when the text up to `upto` is, and stops behind the first one that decides
 * something. text[0] is at offset `base`. `ended`: nothing follows, so a sequence that is cut short stands as it is. */
int word_view_feed(struct word_view *view, struct span text, uint64_t base, uint64_t upto, bool ended) REIN_MUST_USE;
/* The text has ended, after word_view_feed with `ended`: decides all that is open. */
int word_view_end(struct word_view *view) REIN_MUST_USE;
/* What was decided becomes final: the reader has taken it. */
void word_view_settle(struct word_view *view);

/* Remembers the place, or goes back to it. Nothing was decided in between but what is forgotten. */
int word_view_save(struct word_view *view) REIN_MUST_USE;
int word_view_restore(struct word_view *view) REIN_MUST_USE;

/* Where the first match of one of the lists begins that is not decided yet; view->place.at if there is none. */
uint64_t word_view_open(const struct word_view *view, uint64_t lists);
/* Is nothing open? */
static inline bool word_view_is_idle(const struct word_view *view)
{
    return view->place.runs_len == 0 && view->place.candidates.len == 0;
}
/* Could a match begin in a text that stands alone? */
bool word_view_may_match(const struct word_set *set, uint64_t active, struct span text);

#endif
