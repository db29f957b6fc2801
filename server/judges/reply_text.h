/* Reading the reply of a judge that speaks in words: what stands where, and whether it is one of the words it may say.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The rules come from faults of other readers: a think block is not the reply; a verdict begins a line, because a judge
 * may quote the judged text; only permitted words count, whole and as they are spelled; a reply with two different
 * verdicts has none. Thread: any. */
#ifndef SERVER_JUDGES_REPLY_TEXT_H
#define SERVER_JUDGES_REPLY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct judge_opinion;

struct reply_span {
    const char *text; /* borrowed from the reply; NULL: there is none */
    size_t len;
};

/* The reply without a think block before it, and without white space around it. A block that is not closed is all of
 * the reply: then it is empty. */
struct reply_span reply_body(const char *reply);

/* The line after this one (the first for a span without text), without white space around it; NULL text: there is none.
 */
struct reply_span reply_next_line(struct reply_span body, struct reply_span line);
/* What stands behind a label at the beginning of a line, without white space around it. If several lines begin so, they
 * must say the same, or there is none; *twice (if not NULL) tells that. */
struct reply_span reply_behind(struct reply_span body, const char *label, bool *twice);
/* What stands between two marks, without white space around it; likewise. */
struct reply_span reply_between(struct reply_span body, const char *open, const char *close, bool *twice);
/* The first word: letters. */
struct reply_span reply_first_word(struct reply_span body);

bool reply_is(struct reply_span span, const char *word);

/* Splits at commas and adds each name that is in the NULL-terminated list, whole, to the opinion's categories. False:
 * one is not in it. `none` (may be NULL) is the word for no category. */
bool reply_categories(struct reply_span span, const char *const *known, const char *none,
                      struct judge_opinion *opinion);

#endif
