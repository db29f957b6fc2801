/* What a pattern tracker remembers of one attempt; shared by the pattern files alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DETECT_PATTERN_STATE_H
#define CORE_DETECT_PATTERN_STATE_H

#include "detect/pattern.h"
#include "detect/reading.h"

enum {
    PREFIX_SENTENCES_MAX = 64,
    TOPIC_SENTENCES = 20, /* how far into the reasoning its own words may show what it is about */
};

/* The talk of one sentence counts up to here, so that what one sentence can add has a bound. */
#define TALK_MAX 4.0

/* One sentence and the sums of the weights of its signals. */
struct sentence_facts {
    uint64_t offset;
    uint32_t len;
    uint32_t number;            /* 0 is the channel's first */
    struct signal_sums signals; /* none of a recited sentence */
    double talk;                /* of concessions and reframings together */
};

struct step_list {
    struct rein_step steps[REIN_STEPS_MAX];
    size_t len;
};

/* Numbers of sentences count from 1; 0 is never. */
struct reasoning_state {
    uint32_t sentences;
    uint32_t aware, refusing, refusals, talking, talks, commits, goals, procedures, specifics, personas;
    uint32_t first_aware, last_refusal, last_commit, early_goal;
    uint32_t last_whole, last_part; /* a refusal of the whole request; of a part of it */
    double awareness;               /* sum, at most 2 a sentence */
    double topic;                   /* harm in the reasoning's own words */
    bool named;                     /* some sentence named the harm explicitly */
    double wavering;                /* talk since the last refusal */
    uint32_t yielding;              /* commitments and plans since then */
    uint32_t plans;                 /* likewise, before any awareness */
    uint32_t kept;                  /* persona sentences after awareness */
    struct rein_step *talk; /* the sentences that talk themselves into complying; room for PATTERN_TALK_MAX, made for
                               the first one; owned */
    size_t talk_len;
    struct step_list vacillation, plan, persona, specific, refusal;
    bool ended;
};

/* A sentence that a step points to. */
struct quote {
    uint64_t offset; /* of the sentence */
    size_t len;      /* of what is kept of it */
};

enum stance { STANCE_OPEN, STANCE_REFUSES, STANCE_COMPLIES };

struct answer_state {
    uint32_t sentences;
    uint64_t len;
    double refusal, soft, compliance; /* sums of weights in the head */
    enum stance stance;
    bool ended;
};

struct outcome_state {
    struct model_state *learned; /* NULL: there is no model; owned */
    double harm;                 /* how surely the text is about harm */
    uint64_t answer_len;
    bool answer_scored;
};

struct pattern_tracker {
    const struct signals *signals;
    struct pattern_settings settings;
    struct prompt_risk risk;
    uint64_t *prefix; /* hashes of the prefix's sentences; room for PREFIX_SENTENCES_MAX, if there is one; owned */
    size_t prefix_len;
    struct reasoning_state reasoning;
    struct answer_state answer;
    struct outcome_state outcome;
    double scores[REIN_PATTERNS];
    unsigned found;              /* set of 1 << pattern */
    struct pattern_finding *due; /* room for REIN_PATTERNS, made for the first one: few traces have any; owned */
    size_t due_len, due_taken;
    struct bytes quotes; /* struct quote, each with its text behind it; made for the first step */
    bool may_act;        /* see pattern_may_act; kept up to date by pattern_bound */
    int failed;          /* REIN_ENOMEM: a finding had no room */
};

void step_list_add(struct step_list *list, enum signal_class class, const struct sentence_facts *facts);

/* ---- pattern_quote.c ---- */
/* Keeps the sentence if it has become a step. */
int quote_sentence(struct pattern_tracker *p, const struct sentence_facts *facts, struct span sentence) REIN_MUST_USE;

/* Raises the pattern's score; makes the finding when the threshold is reached for the first time. `list` explains. */
void pattern_raise(struct pattern_tracker *p, enum rein_pattern pattern, enum rein_channel channel, double score,
                   const struct sentence_facts *at, const struct step_list *list);

/* The value of an `amount` of evidence, in units of `scale`: 0 for none, approaching 1 for much. */
double pattern_saturate(double amount, double scale);

void reasoning_sentence(struct pattern_tracker *p, const struct sentence_facts *facts);
void reasoning_end(struct pattern_tracker *p);

/* The scores of the reasoning's patterns, for these amounts of evidence and otherwise the present state. */
double unawareness_score(const struct pattern_tracker *p, uint32_t plans, uint32_t sentences);
double unawareness_end_score(const struct pattern_tracker *p, uint32_t plans);
double vacillation_score(const struct pattern_tracker *p, double wavering, uint32_t yielding);
double persona_score(uint32_t kept);
double additions_score(const struct pattern_tracker *p, uint32_t specifics);

/* Computes pattern_may_act anew. */
void pattern_bound(struct pattern_tracker *p);

/* Does the reasoning end in refusing, in answering, or neither? */
enum stance reasoning_stance(const struct reasoning_state *r);
/* For reasoning that refuses: does it refuse the whole request, and finally? */
bool reasoning_refuses_all(const struct reasoning_state *r);

void answer_sentence(struct pattern_tracker *p, const struct sentence_facts *facts);
void answer_end(struct pattern_tracker *p);

/* ---- pattern_outcome.c: outcome_reasoning and outcome_answer only with a model ---- */
void outcome_begin(struct pattern_tracker *p);
void outcome_reasoning(struct pattern_tracker *p, const struct sentence_facts *facts,
                       const struct model_sentence *learned);
void outcome_answer(struct pattern_tracker *p, const struct sentence_facts *facts,
                    const struct model_sentence *learned);
void outcome_answer_end(struct pattern_tracker *p);
/* The answer's beginning is not complete yet. */
bool outcome_wants_answer(const struct pattern_tracker *p);
/* Can the reasoning's outcome risk act when its present sentence ends, whatever that says? */
bool outcome_reasoning_may_act(const struct pattern_tracker *p);
/* Can the answer's outcome risk act, whatever the rest of the beginning says? */
bool outcome_answer_may_act(const struct pattern_tracker *p);

#endif
