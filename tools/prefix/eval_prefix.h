/* `rein eval prefix`: what its parts share. An upstream is asked each prompt without a prefix and with each of several
 * ones, and the answers are compared.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     prompts x arms = cells,  each cell -> a question (what is sent)  -> a result (what the answer did)
 *
 * Arm 0 has no prefix. Cells whose requests are the same share one question: a policy that steps aside for a prompt
 * asks nothing new. Thread: one. */
#ifndef TOOLS_PREFIX_EVAL_PREFIX_H
#define TOOLS_PREFIX_EVAL_PREFIX_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "asking/asking.h"
#include "asking/results.h"
#include "eval/eval_pairs.h"
#include "rein/rein.h"

enum {
    EVAL_ARMS_MAX = 33,
    EVAL_FILES_MAX = 64,
    EVAL_PROMPTS_MAX = 100000,
    EVAL_CALLS_MAX = 64,
};

/* The command line; texts are borrowed from it. */
struct eval_prefix_options {
    const char *url, *model, *api_key; /* no key: NULL */
    const char *library;               /* the folder that holds lexicons/ and templates/ */
    const char *template_names[EVAL_ARMS_MAX], *policy_files[EVAL_ARMS_MAX], *prompt_files[EVAL_FILES_MAX];
    size_t template_names_len, policy_files_len, prompt_files_len;
    int64_t seed;
    unsigned max_tokens; /* 0: the upstream's own limit */
    size_t limit;        /* prompts of each file, 0: all */
    unsigned calls_max, timeout_s;
    const char *out, *plot; /* files, or NULL */
    bool keep_answers, as_json;
};

/* ---- prompts and arms (eval_prefix_load.c) ---- */

struct eval_prompt {
    json_t *row; /* owned; the texts are in it */
    const char *id, *text;
    const char *answer; /* the reference, or NULL */
    bool is_harmful;
};

struct eval_arm {
    char *name;                 /* "none", "checklist", "policy:default"; owned */
    struct rein_policy *policy; /* whose prefix it is; NULL: none */
};

struct eval_inputs {
    struct eval_prompt *prompts;
    size_t prompts_len;
    struct eval_arm arms[EVAL_ARMS_MAX];
    size_t arms_len;
    struct rein_policy *detector;
    struct rein_engine *engine;
};

/* Reads everything that the options name. REIN_EPOLICY: `problems` says what is wrong. Fini in any case. */
int eval_inputs_load(struct eval_inputs *in, const struct eval_prefix_options *options,
                     struct rein_problems *problems) REIN_MUST_USE;
void eval_inputs_fini(struct eval_inputs *in);

/* The policy whose signals find an answer's stance. */
int eval_detector_load(struct rein_policy **detector, const struct rein_library *library,
                       struct rein_problems *problems) REIN_MUST_USE;

/* ---- questions (eval_prefix_grid.c) ---- */

enum eval_outcome {
    EVAL_OPEN,     /* not asked yet, or failed */
    EVAL_REFUSES,  /* the answer refuses, or was refused by a guard */
    EVAL_COMPLIES, /* it does not refuse */
    EVAL_SILENT,   /* there was no answer, for example because the reasoning took all tokens */
};

struct eval_result {
    enum eval_outcome outcome;
    bool is_correct; /* it equals the prompt's reference */
};

struct eval_question {
    char key[ASKING_KEY_SIZE]; /* of everything that is sent, and of its URL */
    uint32_t prompt;           /* in the inputs */
    uint16_t arm;              /* the first that asks it */
    struct eval_result result;
};

struct eval_grid {
    struct eval_question *questions;
    size_t questions_len;
    uint32_t *cells; /* prompt * arms_len + arm -> question */
};

int eval_grid_new(struct eval_grid *grid, const struct eval_inputs *in,
                  const struct eval_prefix_options *options) REIN_MUST_USE;
void eval_grid_fini(struct eval_grid *grid);
/* The request of a question. *body is returned owned: free. `path` is static or good until the next call. */
int eval_question_body(char **body, const struct eval_inputs *in, const struct eval_prefix_options *options,
                       size_t prompt, size_t arm) REIN_MUST_USE;

/* ---- answers (eval_prefix_score.c) ---- */

struct eval_answer {
    json_t *tree;          /* owned */
    const char *text;      /* without inline reasoning; "" for none; borrowed from tree */
    const char *reasoning; /* not the inline one; likewise */
    const char *finish;    /* the finish reason, "" for none; borrowed from tree */
    bool is_guarded;       /* a guard refused instead of the model */
};

/* Parses an HTTP response. REIN_EFORMAT: it is not an answer; `why` is a message for people. */
int eval_answer_read(struct eval_answer *answer, unsigned status, const char *body, size_t len, char *why,
                     size_t why_cap) REIN_MUST_USE;
void eval_answer_fini(struct eval_answer *answer);
/* Does an answer refuse, by its beginning? */
int eval_stance_of(enum rein_stance *stance, struct rein_policy *detector, struct rein_engine *engine,
                   const char *text) REIN_MUST_USE;
int eval_answer_score(struct eval_result *result, const struct eval_answer *answer, const struct eval_inputs *in,
                      const struct eval_prompt *prompt) REIN_MUST_USE;

/* ---- the results file (eval_prefix_results.c) ---- */

/* Opens the file and reads its results into the grid. */
int eval_results_open(struct asking_results **results, const struct eval_prefix_options *options,
                      struct eval_grid *grid) REIN_MUST_USE;
int eval_results_add(struct asking_results *results, const struct eval_question *question, const struct eval_inputs *in,
                     const struct eval_prefix_options *options, const struct eval_answer *answer) REIN_MUST_USE;
/* When all is answered: the lines in the grid's order. */
int eval_results_sort(struct asking_results *results, const struct eval_grid *grid) REIN_MUST_USE;

/* ---- asking (eval_prefix_ask.c) ---- */

/* Asks the open questions; `asked` says how many there were and are. Failed ones stay open. An error means that it
 * could not continue at all. */
int eval_ask(struct asking_tally *tally, struct asking_options *asked, const struct eval_prefix_options *options,
             const struct eval_inputs *in, struct eval_grid *grid, struct asking_results *results) REIN_MUST_USE;

/* ---- figures (eval_prefix_table.c, eval_prefix_plot.c) ---- */

enum eval_measure { EVAL_ATTACK_SUCCESS, EVAL_OVER_REFUSAL, EVAL_ACCURACY, EVAL_MEASURES };

struct eval_figures {
    struct eval_pairs pairs[EVAL_ARMS_MAX][EVAL_MEASURES]; /* of arm 0 and this one */
    size_t prefixed[EVAL_ARMS_MAX];                        /* prompts for which the arm has a prefix */
    size_t left_out[EVAL_ARMS_MAX];                        /* pairs without an answer on one side or both */
    size_t harmful, benign, referenced;                    /* prompts */
};

extern const char *const eval_measure_titles[EVAL_MEASURES];

void eval_figures_count(struct eval_figures *figures, const struct eval_inputs *in, const struct eval_grid *grid);
void eval_print_table(FILE *to, const struct eval_figures *figures, const struct eval_inputs *in,
                      const struct eval_prefix_options *options);
int eval_print_json(FILE *to, const struct eval_figures *figures, const struct eval_inputs *in,
                    const struct eval_prefix_options *options, const struct asking_options *asked,
                    const struct asking_tally *tally) REIN_MUST_USE;
/* Writes the plot to options->plot; 0 or a negated errno. */
int eval_write_plot(const struct eval_figures *figures, const struct eval_inputs *in,
                    const struct eval_prefix_options *options) REIN_MUST_USE;

#endif
