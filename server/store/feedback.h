/* What people say of findings: right or wrong, and why.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Results and thread are those of read.h. Written on a connection of its own, for a moment: not by the writer's thread,
 * because nobody's response waits for it. */
#ifndef SERVER_STORE_FEEDBACK_H
#define SERVER_STORE_FEEDBACK_H

#include "store/read.h"

enum { STORE_NOTE_MAX = 2000 }; /* bytes */

struct store_feedback {
    const char *id; /* of the decision */
    int64_t n;      /* of the finding */
    bool is_right;
    const char *note, *by; /* `by` NULL: nobody's token */
    int64_t at_us;
};

/* Says it, in place of what was said before; NULL instead of feedback: takes back what was said of (id, n). *found:
 * there is such a finding (or feedback, if it is taken back). */
int store_write_feedback(struct store_reader *reader, const struct store_feedback *feedback, bool *found) REIN_MUST_USE;
int store_drop_feedback(struct store_reader *reader, const char *id, int64_t n, bool *found) REIN_MUST_USE;

/* Feedback that was given in [from, to) (0: without end), oldest first, at most `limit` behind `after`, as labelled
 * rows: ids, the finding and what was said of it, and of the texts that were kept `prompt`, `reasoning` and `answer`.
 * *after is where to go on. Returns owned. */
struct store_feedback_cursor {
    int64_t at_us, seq, n;
};
int store_read_feedback(struct store_reader *reader, int64_t from_us, int64_t to_us, unsigned limit,
                        struct store_feedback_cursor *after, json_t **out) REIN_MUST_USE;

#endif
