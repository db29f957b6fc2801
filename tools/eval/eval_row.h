/* One labelled trace, run through a policy as a stream would be.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each row is run twice: with the policy that is measured, which gives the verdict, and with one that only records, so
 * that scores and findings are of the whole trace. Main thread. */
#ifndef TOOLS_EVAL_EVAL_ROW_H
#define TOOLS_EVAL_EVAL_ROW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rein/rein.h"

enum { EVAL_LABEL_MAX = 24, EVAL_MODEL_MAX = 48 };

/* The scores of a trace that are ranked and drawn. */
enum eval_score {
    EVAL_TRACE_RISK,
    EVAL_COMPLIES,          /* the head, of the whole reasoning */
    EVAL_REASONING_OUTCOME, /* reasoning_harm and complies, of the whole reasoning */
    EVAL_ANSWER_OUTCOME,    /* with the answer's beginning */
    EVAL_SCORES,
};

struct eval_row {
    size_t file;                /* index of the file */
    char label[EVAL_LABEL_MAX]; /* label_answer, "" if there is none */
    char kind[EVAL_LABEL_MAX];  /* prompt_kind, or label */
    char model[EVAL_MODEL_MAX]; /* the model that reasoned, cut to fit */
    bool has_reasoning, has_answer, has_steps;
    bool risky;               /* with the policy: the prompt's signals call it risky */
    enum rein_action verdict; /* with the policy */
    enum rein_action against; /* with the other policy, if there is one */
    bool against_risky;
    bool any;                     /* any finding, recording */
    bool found[REIN_PATTERNS];    /* likewise */
    double scores[REIN_PATTERNS]; /* likewise */
    double prompt_risk;           /* likewise */
    double risks[EVAL_SCORES];    /* likewise; -1: the policy has no such score, or the row no such text */
    enum rein_stance stance;      /* of the answer */
    uint64_t delay_bytes;         /* of the reasoning, up to the end of its first finding that acts; 0: none did */
    unsigned steps_right, steps_wrong, steps_missed, steps_silent; /* sentence labels: hit, false, missed, rightly
                                                                      silent */
};

static inline bool eval_row_is_prompt(const struct eval_row *row)
{
    return !row->has_reasoning && !row->has_answer;
}

struct eval_policies {
    struct rein_policy *measured, *recording;
    struct rein_policy *against; /* another policy to measure on the same rows; NULL: none */
    struct rein_engine *engine;
};

/* The name of a score, static. */
const char *eval_score_name(enum eval_score score);

/* Runs a row (eval_shape_is_row). `answer` replaces the row's own if not NULL (crossed pairs). `detail`, if not NULL,
 * gets an object (owned) with what `--rows` writes: no text of the row. Returns 0, or an error of the library. */
int eval_row_run(const struct eval_policies *policies, const json_t *row, const char *answer, struct eval_row *out,
                 json_t **detail) REIN_MUST_USE;

#endif
