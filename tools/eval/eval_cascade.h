/* `rein eval --judge`: what judges add to words and to the learned score, and how often they are asked for it.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     rows -> words, score (at once) -> the cascade: stream -> questions -> judges over HTTP -> answers -> stream ...
 *
 * Rows that have a label run under the parts of one policy (eval_variants.h). The judges are asked by the server's own
 * code. A row's stream goes on when all its questions are answered, so the figures do not depend on how fast judges
 * are. Thread: one. */
#ifndef TOOLS_EVAL_EVAL_CASCADE_H
#define TOOLS_EVAL_EVAL_CASCADE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "asking/judges.h"
#include "asking/results.h"
#include "eval/eval_variants.h"

/* The command line; texts are borrowed from it. */
struct eval_cascade_options {
    const char *policy, *library;
    const char *const *files;
    size_t files_len;
    const char *config; /* a config with judges; NULL: `judge` is described */
    const char *judge;  /* a judge of the config, a kind, or the file of a description; NULL: the policy's own */
    struct judges_source described;
    const char *when;   /* of the panel that is made for `judge`; NULL: by the policy */
    unsigned sentences; /* likewise */
    const char *out;    /* a file of results, or NULL */
    unsigned calls_max, timeout_s;
    bool as_json;
};

/* Whose answer it is: only labelled rows with reasoning take part. */
enum eval_truth { EVAL_UNSAFE, EVAL_SAFE, EVAL_BENIGN, EVAL_TRUTHS };

struct eval_cascade_row {
    json_t *source; /* owned */
    size_t file, line;
    enum eval_truth truth;
    char key[ASKING_KEY_SIZE];
    bool is_done;
    bool acted[EVAL_ASKED]; /* by words, score, cascade */
    unsigned questions, unparsed, tokens;
    unsigned asked, places; /* in the whole trace, whatever acts: where the panels ask, and where they could */
};

struct eval_cascade {
    const struct eval_cascade_options *options;
    struct eval_cascade_row *rows;
    size_t len, cap;
    size_t rejected, unlabelled;
    struct config *judges;
    struct eval_variants variants;
    struct rein_engine *engine;
    unsigned long long took_ms; /* of all questions that were asked now */
    size_t asked_now;
};

/* Everything: reads, asks, prints. An exit status of cli.h. */
int eval_cascade_run(const struct eval_cascade_options *options);

/* ---- asking (eval_cascade_ask.c) ---- */

/* Runs the rows that are not done. */
int eval_cascade_ask(struct eval_cascade *cascade, struct asking_results *results, struct asking_options *asked,
                     struct asking_tally *tally) REIN_MUST_USE;

/* ---- figures (eval_cascade_report.c) ---- */

json_t *eval_cascade_report(const struct eval_cascade *cascade); /* owned; NULL: no memory */
void eval_cascade_print(FILE *to, const json_t *report);

#endif
