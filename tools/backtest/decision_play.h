/* Plays a kept decision to the engine: what would a policy have decided?
 * SPDX-License-Identifier: Apache-2.0
 *
 * The texts are those of the record; where it stopped, no more is known. Matches that are masked, and what judges said,
 * are taken from the record, too.
 *
 * Thread: that of the engine. */
#ifndef TOOLS_BACKTEST_DECISION_PLAY_H
#define TOOLS_BACKTEST_DECISION_PLAY_H

#include <jansson.h>
#include <stdbool.h>

#include "backtest/policy_match.h"
#include "rein/rein.h"

/* Why a decision cannot be compared. */
#define PLAY_REASONS(X)                                                                                                \
    X(PLAY_COMPARED, "compared")                                                                                       \
    X(PLAY_NO_TEXT, "no text was kept")                                                                                \
    X(PLAY_CUT, "a text was not kept whole")                                                                           \
    X(PLAY_CHANNEL, "not all channels were kept")                                                                      \
    X(PLAY_ENDING, "the response failed, or its client left")                                                          \
    X(PLAY_OTHER, "something was found outside of its texts")                                                          \
    X(PLAY_FINDINGS, "it has more findings than rows")                                                                 \
    X(PLAY_MASK, "text is masked by a rule that the policy has not")                                                   \
    X(PLAY_JUDGE, "a judge would be asked something else")                                                             \
    X(PLAY_READING, "text is masked, and what patterns would read there is not known")                                 \
    X(PLAY_TURNS, "its texts came in too many turns")                                                                  \
    X(PLAY_BROKEN, "the engine could not judge it")

enum play_reason {
#define PLAY_ENUM(name, text) name,
    PLAY_REASONS(PLAY_ENUM)
#undef PLAY_ENUM
        PLAY_REASON_COUNT
};
const char *play_reason_text(enum play_reason reason); /* static */

enum { PLAY_FINDINGS_MAX = 256, PLAY_NAME_MAX = 128 };

/* What was decided, or would have been. */
struct play_outcome {
    char action[32], shadow[32];
    struct play_finding {
        char name[PLAY_NAME_MAX];
        bool is_rule, is_shadow;
    } findings[PLAY_FINDINGS_MAX]; /* each name once, sorted */
    size_t findings_len;
};

/* The outcome that the record has. */
void play_read_record(struct play_outcome *out, const json_t *decision);
bool play_is_same(const struct play_outcome *a, const struct play_outcome *b);

/* `decision`: that of kept_read (dataset/kept_read.h), with readings; `match`: what of the policy reads as the one that
 * decided. Whether it can be compared does not depend on what comes out. *reason is PLAY_COMPARED, and then *would is
 * set, or says why not. REIN_ENOMEM. */
int decision_play(const json_t *decision, const struct play_outcome *was, struct rein_policy *policy,
                  const struct policy_match *match, struct rein_engine *engine, enum play_reason *reason,
                  struct play_outcome *would) REIN_MUST_USE;

#endif
