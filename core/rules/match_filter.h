/* Which matches of a rule are meant: those near one of its words, and not those that lie in one of its exceptions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The words of `near` and the exceptions are searched like rules; nobody is told of their matches but this. A match
 * that needs what stands behind it, or that an exception may still cover, waits:
 *
 *      ...pin code is [1234] ...            before: known when the match begins, so others do not begin at all
 *      ...[1234] is the pin...              behind: waits, at most so many bytes
 *      ...[nova] scot...                    waits while `nova scotia` may come of it
 *
 * What is decided, and at which byte, depends on the text alone. */
#ifndef CORE_RULES_MATCH_FILTER_H
#define CORE_RULES_MATCH_FILTER_H

#include "rules/matcher.h"
#include "rules/word_run.h"

/* What a rule wants besides its expression. Owned by the ruleset. */
struct rule_filter {
    int near; /* number of the hidden rule that finds the words; -1: none are wanted */
    size_t before, behind;
    uint16_t first_exception, exceptions_len; /* numbers of hidden rules */
    char **values;                            /* texts that are not meant, as filter_value makes them; owned */
    size_t values_len;
};

enum { FILTER_VALUE_MAX = 256 };
/* A text without blanks, dashes, dots and other marks, in small letters; 0: there is nothing left, or it is too long.
 */
size_t filter_value(struct span text, char out[FILTER_VALUE_MAX]);

struct waiting_match {
    struct match match;
    bool is_near;
};

struct match_filter {
    struct waiting_match *waiting;
    size_t waiting_len, waiting_cap;
    struct match_list exceptions; /* those found that matches may still lie in */
};

/* What it asks the matcher. */
struct filter_view {
    const struct ruleset *rules;
    const struct word_matches *hints;                                /* the words of `near` that were found */
    uint64_t at;                                                     /* all characters up to here were looked at */
    bool ended;                                                      /* and no others follow */
    bool (*is_open)(const void *ctx, uint16_t rule, uint64_t start); /* may a match of it still come that begins at
                                                                        `start` or before? */
    const void *ctx;
    struct span text; /* the window, from offset `base` on */
    uint64_t base;
};

void match_filter_fini(struct match_filter *filter);
void match_filter_clear(struct match_filter *filter);
/* `to` owns nothing yet. REIN_ENOMEM: the caller frees it. */
int match_filter_copy(struct match_filter *to, const struct match_filter *from) REIN_MUST_USE;
/* Takes matches that were just decided, in their order; those that are meant go to `out`, now or in a later call. */
int match_filter_take(struct match_filter *filter, const struct filter_view *view, const struct match_list *fresh,
                      struct match_list *out) REIN_MUST_USE;
/* Forgets exceptions that end at the offset or before. */
void match_filter_forget(struct match_filter *filter, uint64_t offset);

/* Is one of the words found, near enough before `start`? */
bool match_filter_has_word_before(const struct word_matches *hints, unsigned list, size_t before, uint64_t start);

#endif
