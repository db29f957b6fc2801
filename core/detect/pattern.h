/* The five risky patterns of a trace, as automata over the sentences' signals, and the outcome risk that was learned.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Definitions: arXiv 2505.15404 v2, section 3. Order is everything: awareness, then concession, then commitment. A
 * pattern tracker belongs to one choice; it is fed whole sentences of the reasoning and of the answer, in order, and
 * makes findings with a score and the steps that explain it. After init it allocates only for the first finding and
 * the first sentence to be reported. */
#ifndef CORE_DETECT_PATTERN_H
#define CORE_DETECT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/model.h"
#include "detect/signal.h"
#include "rein/rein.h"

/* The policy's threshold of each pattern. The defaults are measured. */
struct pattern_settings {
    bool enabled[REIN_PATTERNS];
    bool acts[REIN_PATTERNS]; /* does more than record: what may complete it waits */
    double threshold[REIN_PATTERNS];
    bool quotes;               /* what steps point to is kept (pattern_quote) */
    const struct model *model; /* of the outcome risk; borrowed, NULL: there is none */
    unsigned min_sentences;    /* before the reasoning's outcome risk counts */
    size_t answer_bytes;       /* of the answer's beginning; the sentence that reaches it still belongs to it */
};
extern const double pattern_default_threshold[REIN_PATTERNS];

/* What is known of the prompt: filled by prompt_risk_add for each message. */
struct prompt_risk {
    double harm, benign; /* sums of weights */
    uint64_t categories; /* set of harm categories seen, by the order of signals' categories */
    double said;         /* what the signals say, 0 to 1 */
    double score;        /* 0 to 1: what the signals say, on the side of PROMPT_RISKY that all votes together choose */
    double learned;      /* prompt_harm: all votes together, 0 to 1; 0: there is no model, or no message */
    double sum;          /* the model's, of the most harmful message, if `has_sum` */
    double evidence;     /* of all votes (model_prompt_evidence) */
    bool has_sum;
};
/* `model` may be NULL. */
int prompt_risk_add(struct prompt_risk *risk, const struct signals *signals, const struct model *model,
                    struct rein_engine *engine, const char *speaker, struct span text) REIN_MUST_USE;

/* From this score on a prompt counts as risky (the prefix with `when: risky`). */
#define PROMPT_RISKY 0.5

struct pattern_finding {
    enum rein_pattern pattern;
    enum rein_channel channel;
    uint64_t offset, len; /* the sentence that completed it */
    double score;
    struct rein_step steps[REIN_STEPS_MAX];
    size_t steps_len;
};

struct pattern_tracker; /* about 2 KiB, with a model 7 */
/* For one attempt. `prefix`: its sentences carry no signal (repeated ones are skipped).
 * Borrows `signals`. */
int pattern_tracker_new(struct pattern_tracker **out, const struct signals *signals,
                        const struct pattern_settings *settings, const struct prompt_risk *risk,
                        struct span prefix) REIN_MUST_USE;
void pattern_tracker_free(struct pattern_tracker *p);

/* One whole sentence. What is read of it is noted in `reading`, which the caller clears; of a known reading, nothing is
 * read: it stands for the sentence (reading.h). */
struct reading;
int pattern_sentence(struct pattern_tracker *p, struct rein_engine *engine, enum rein_channel channel,
                     struct span sentence, uint64_t offset, struct reading *reading) REIN_MUST_USE;
/* The channel has ended (the reasoning ends before the answer begins). */
int pattern_end(struct pattern_tracker *p, enum rein_channel channel) REIN_MUST_USE;

/* Could the sentence of the reasoning that comes next, or the end of the reasoning with it, complete a finding of a
 * pattern that acts? While not, that sentence need not be whole before it is released. Changes at the ends of sentences
 * alone. It is exact in this: if it is false, no such finding can come of the next sentence, whatever it says. */
bool pattern_may_act(const struct pattern_tracker *p);

/* Takes the next finding that is due; false if there is none. Each pattern is found at most once in an attempt. */
bool pattern_take(struct pattern_tracker *p, struct pattern_finding *out);

/* The answer's beginning decides something and has not shown enough yet: hold the answer. Becomes false with the
 * sentence that reaches PATTERN_HEAD_MAX bytes of answer. */
enum { PATTERN_HEAD_MAX = 600 };
bool pattern_answer_is_open(const struct pattern_tracker *p);
/* Likewise, for one of the three patterns that compare or score it. */
bool pattern_answer_waits_for(const struct pattern_tracker *p, enum rein_pattern pattern);
/* Further sentences of the answer change nothing. */
bool pattern_answer_is_done(const struct pattern_tracker *p);

/* Highest score so far, found or not; and one score of the whole trace from prompt and reasoning. 0 to 1. */
double pattern_score(const struct pattern_tracker *p, enum rein_pattern pattern);
double pattern_trace_risk(const struct pattern_tracker *p);
/* The score of one question of the model so far; 0: there is no model, or no text to score.
 * Not of the prompt. */
double pattern_head(const struct pattern_tracker *p, enum rein_head head);

/* The sentences of the reasoning that talk themselves into complying, the first PATTERN_TALK_MAX. Good until the
 * tracker's next call. */
enum { PATTERN_TALK_MAX = 32 };
size_t pattern_talk(const struct pattern_tracker *p, const struct rein_step **steps);

/* What the sentence of the reasoning said that a step points to, or its beginning; empty if it was not kept. Good until
 * the tracker's next call. */
enum { PATTERN_QUOTE_MAX = 512 };
struct span pattern_quote(const struct pattern_tracker *p, const struct rein_step *step);

/* The answer's stance so far. */
enum rein_stance pattern_answer_stance(const struct pattern_tracker *p);

#endif
