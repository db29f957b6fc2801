/* What judges said of a kept decision: said again, when as much of the response has come as at the time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: one. */
#ifndef TOOLS_BACKTEST_DECISION_REPLIES_H
#define TOOLS_BACKTEST_DECISION_REPLIES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { REPLIES_OPEN_MAX = 512 };

/* Zeroed but for `decision` before the first attempt. */
struct decision_replies {
    const json_t *decision; /* borrowed */
    struct open_reply {
        uint32_t id;    /* of the question */
        size_t opinion; /* in the decision's list */
        uint64_t due;   /* how far the attempt has come when it comes */
        uint64_t said;  /* of those that come together: the order */
    } open[REPLIES_OPEN_MAX];
    size_t open_len;
    uint64_t said[256 / 64]; /* the set of opinions that were said */
    /* Of this attempt: a judge was asked what the record has no reply to; by a judge that it does not know. */
    bool is_unanswered, is_unknown_judge;
};

/* An attempt begins: nothing of the one before is open. Of the prompt, opinions that nothing waits for may come while
 * the first attempt runs. */
void replies_begin(struct decision_replies *r, uint32_t attempt);
/* A question was asked; `asked`: as the decision lists it, NULL: not listed. */
void replies_ask(struct decision_replies *r, uint32_t id, const struct rein_asked *asked);
/* Takes the next reply that is due when the attempt has come so far; false: none is. Names are the decision's. */
bool replies_take(struct decision_replies *r, uint64_t heard, uint32_t *id, struct rein_answer *answer);
/* The next place behind `heard` where some reply of the attempt comes; UINT64_MAX: there is none. */
uint64_t replies_next(const struct decision_replies *r, uint32_t attempt, uint64_t heard);

#endif
