/* One labelled trace, run through a policy as a stream would be.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each row is run twice: with the policy that is measured, which gives the verdict, and with one that only records, so
 * that scores and findings are of the whole trace. Main thread. */
#ifndef TOOLS_EVAL_EVAL_ROW_H
#define TOOLS_EVAL_EVAL_ROW_H

#include <jansson.h>
#include <stdint.h>

#include "rein/rein.h"

enum { EVAL_LABEL_MAX = 24, EVAL_EVENT_BYTES = 48 };

struct eval_row {
    size_t file;                /* index of the file */
    char label[EVAL_LABEL_MAX]; /* label_answer, "" if there is none */
    char kind[EVAL_LABEL_MAX];  /* prompt_kind, or label */
    bool has_reasoning, has_answer, has_steps;
    enum rein_action verdict;       /* with the policy */
    bool any;                       /* any finding, recording */
    bool found[REIN_PATTERNS];      /* likewise */
    double scores[REIN_PATTERNS];   /* likewise */
    double prompt_risk, trace_risk; /* likewise */
    enum rein_stance stance;        /* of the answer */
    uint64_t delay_bytes;           /* reasoning bytes before the first finding that acts; 0: none acted */
    uint32_t delay_sentences;
    unsigned steps_right, steps_wrong, steps_missed; /* sentence labels: hit, false, missed */
};

struct eval_policies {
    struct rein_policy *measured, *recording;
    struct rein_engine *engine;
};

/* Runs a row. `reasoning` and `answer` replace the row's own if not NULL (crossed pairs). Returns 0, REIN_EFORMAT
 * if the row is not a trace, or an error of the library. */
int eval_row_run(const struct eval_policies *policies, const json_t *row, const char *answer,
                 struct eval_row *out) REIN_MUST_USE;

#endif
