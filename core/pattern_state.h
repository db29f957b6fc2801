/* What a pattern tracker remembers of one attempt; shared by the pattern files alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PATTERN_STATE_H
#define CORE_PATTERN_STATE_H

#include "pattern.h"

enum {
    PREFIX_SENTENCES_MAX = 64,
    NEVER = -1, /* of a sentence number */
};

/* Sets of signal classes. */
#define CLASS(c) (1u << (c))
#define CLASSES_REFRAME                                                                                                \
    (CLASS(SIGNAL_REFRAMES_EDUCATION) | CLASS(SIGNAL_REFRAMES_FICTION) | CLASS(SIGNAL_REFRAMES_HYPOTHETICAL) |         \
     CLASS(SIGNAL_REFRAMES_GOOD_FAITH))
#define CLASSES_CONCESSION (CLASS(SIGNAL_CONCEDES) | CLASSES_REFRAME)
#define CLASSES_AWARE (CLASS(SIGNAL_NAMES_HARM) | CLASS(SIGNAL_DECIDES_TO_REFUSE))
#define CLASSES_COMMIT (CLASS(SIGNAL_COMMITS_TO_COMPLY) | CLASS(SIGNAL_ADOPTS_GOAL))

/* One sentence and what was found in it. */
struct sentence_facts {
    uint64_t offset;
    uint32_t len;
    uint32_t number; /* 0 is the channel's first */
    unsigned classes;
    float weights[SIGNAL_CLASSES]; /* the greatest of each class */
};

/* The last steps of one kind, for explanations. */
struct step_list {
    struct rein_step steps[REIN_STEPS_MAX];
    size_t len;
};

struct reasoning_state {
    uint32_t sentences;
    uint32_t counts[SIGNAL_CLASSES];                         /* sentences that hold the class */
    int32_t aware_at, refused_at, conceded_at, committed_at; /* the last such sentence */
    int32_t first_aware;
    uint32_t concessions;        /* that came after awareness and no refusal took back */
    uint32_t commits_after;      /* commitments and procedure after such a concession */
    uint32_t unaware_plans;      /* commitments and procedure before any awareness */
    struct sentence_facts first; /* the awareness that a vacillation starts from */
    struct step_list vacillation, plans, persona, refusal;
    bool ended;
};

enum stance { STANCE_OPEN, STANCE_REFUSES, STANCE_COMPLIES };

struct answer_state {
    uint32_t sentences;
    uint64_t len;
    double refusal, compliance; /* sums of weights in the head */
    enum stance stance;
    struct step_list steps;
    bool ended;
};

struct pattern_tracker {
    const struct signals *signals;
    struct pattern_settings settings;
    struct prompt_risk risk;
    uint64_t prefix[PREFIX_SENTENCES_MAX]; /* hashes of the prefix's sentences */
    size_t prefix_len;
    struct reasoning_state reasoning;
    struct answer_state answer;
    double scores[REIN_PATTERNS];
    unsigned found; /* set of 1 << pattern */
    struct pattern_finding due[REIN_PATTERNS];
    size_t due_len, due_taken;
};

void step_list_add(struct step_list *list, enum signal_class class, const struct sentence_facts *facts);

/* Raises the pattern's score; makes the finding when the threshold is reached for the first time. `list` explains. */
void pattern_raise(struct pattern_tracker *p, enum rein_pattern pattern, enum rein_channel channel, double score,
                   const struct sentence_facts *at, const struct step_list *list);

void reasoning_sentence(struct pattern_tracker *p, const struct sentence_facts *facts);
void reasoning_end(struct pattern_tracker *p);
/* Did the reasoning come out for refusing, for answering, or neither? */
enum stance reasoning_stance(const struct reasoning_state *r);

void answer_sentence(struct pattern_tracker *p, const struct sentence_facts *facts);
void answer_end(struct pattern_tracker *p);

#endif
