/* `rein eval attack`: what its parts share. Questions are asked under several policies and at several upstreams, and
 * the answers are judged. SPDX-License-Identifier: Apache-2.0
 *
 *     sets of rows x arms = questions,  each question -> an answer (through a guard) -> opinions of a judge -> a result
 *
 * An arm is an upstream under a policy. The first arm is the one that others are compared with, row by row. Thread:
 * one. */
#ifndef TOOLS_ATTACK_ATTACK_H
#define TOOLS_ATTACK_ATTACK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "asking/asking.h"
#include "asking/guard.h"
#include "asking/judges.h"
#include "asking/results.h"
#include "rein/rein.h"

enum {
    ATTACK_SETS_MAX = 32,
    ATTACK_UPSTREAMS_MAX = 8,
    ATTACK_NAMES_MAX = 32, /* of one option that may be repeated */
    ATTACK_ROWS_MAX = 200000,
    ATTACK_QUESTIONS_MAX = 4000000,
};

#define ATTACK_PROGRAM "rein eval" /* begins messages */

enum attack_kind { ATTACK_HARMFUL, ATTACK_BENIGN, ATTACK_MATH };

/* Values of an option that may be repeated. */
struct attack_names {
    const char *at[ATTACK_NAMES_MAX];
    size_t len;
};

/* The command line; texts are borrowed from it. */
struct attack_options {
    struct {
        const char *given; /* "FILE" or "NAME=FILE" */
        enum attack_kind kind;
    } files[ATTACK_SETS_MAX];
    size_t files_len;
    struct attack_names urls, models, upstreams; /* `upstreams`: names of those of `config` */
    const char *config, *kind, *api_key_env;     /* NULL: none; kind: as in a config */
    struct attack_names policies, templates, delivers, whens;
    bool no_plain;
    const char *judge; /* a judge of `config`, or a kind or description; NULL: signals decide */
    struct judges_source judged_by;
    double risk_from; /* an opinion with this risk is "unsafe" */
    const char *library;
    int64_t seed;
    unsigned max_tokens; /* 0: the upstream's own limit */
    size_t limit;        /* rows of each file; 0: all */
    unsigned calls_max, per_minute, timeout_s;
    const char *out, *plot, *csv; /* files, or NULL */
    bool keep_answers, as_json;
};

/* ---- what is asked (attack_load.c) ---- */

struct attack_row {
    json_t *source;            /* owned; the texts are in it */
    const char *query, *asked; /* what is wanted; the text that asks for it */
    const char *category;      /* "" for none */
    const char *answer;        /* mathematics: the right one */
    size_t line;               /* in its file */
};

struct attack_set {
    char *name;
    enum attack_kind kind;
    size_t first, len; /* of the rows */
};

struct attack_policy {
    char *name, *text; /* owned */
    const char *file;  /* that it is from; NULL: it was made */
    char version[65];
    const char *template, *deliver, *when; /* of one that was made for the ablation; "" otherwise */
};

struct attack_inputs {
    struct attack_row *rows;
    size_t rows_len;
    struct attack_set sets[ATTACK_SETS_MAX];
    size_t sets_len;
    struct attack_policy *policies;
    size_t policies_len;
    size_t upstreams_len, arms_len;   /* arm = upstream * policies_len + policy */
    struct config *judges;            /* NULL: there are none */
    const struct config_judge *judge; /* who decides; NULL: signals do */
    struct rein_policy *detector;
    struct rein_engine *engine;
};

/* Reads all that the options name. REIN_EPOLICY: it was said. Fini in any case. */
int attack_inputs_load(struct attack_inputs *in, const struct attack_options *options) REIN_MUST_USE;
void attack_inputs_fini(struct attack_inputs *in);
/* "plain", or with several upstreams "plain at MODEL". Returns owned: free. */
char *attack_arm_name(const struct attack_inputs *in, const struct attack_options *options, size_t arm);
/* The URL, or the name in the config; and the model that is asked there. */
const char *attack_upstream_of(const struct attack_options *options, size_t upstream);
const char *attack_model_of(const struct attack_options *options, size_t upstream);

/* ---- questions and results (attack_grid.c) ---- */

enum { ATTACK_NOT_ASKED = -1, ATTACK_UNPARSED = -2 }; /* in place of a risk */

struct attack_result {
    bool is_done;
    bool is_silent;  /* there is no answer */
    bool refuses;    /* by signals, or a guard did */
    bool is_guarded; /* a guard refused, instead of the model */
    bool is_correct;
    bool is_cut; /* the answer ends at the token limit */
    double answer_risk, reasoning_risk;
    unsigned prompt_tokens, completion_tokens, judge_tokens;
};

struct attack_grid {
    struct attack_result *results; /* arm * rows_len + row */
    char (*keys)[ASKING_KEY_SIZE]; /* likewise */
    size_t len;
};

int attack_grid_new(struct attack_grid *grid, const struct attack_inputs *in,
                    const struct attack_options *options) REIN_MUST_USE;
void attack_grid_fini(struct attack_grid *grid);
/* The body of a request. Returns owned: free; NULL: no memory. */
char *attack_body(const struct attack_inputs *in, const struct attack_options *options, size_t question);
int attack_results_open(struct asking_results **results, const struct attack_options *options,
                        struct attack_grid *grid) REIN_MUST_USE;
/* `reasoning` and `answer` are kept only with --keep-answers. */
int attack_results_add(struct asking_results *results, const struct attack_inputs *in,
                       const struct attack_options *options, const struct attack_grid *grid, size_t question,
                       const char *reasoning, const char *answer) REIN_MUST_USE;

/* ---- asking (attack_ask.c) ---- */

/* Asks what is open. An error means that it could not continue at all; it was said, but for REIN_ENOMEM. */
int attack_ask(struct asking_tally *tally, struct asking_options *asked, const struct attack_options *options,
               const struct attack_inputs *in, struct attack_grid *grid, struct asking_results *results) REIN_MUST_USE;

/* ---- figures (attack_figures.c) and how they are shown ---- */

/* What was measured, and a list `figures`: one object for each measure, set, category (null: all) and arm. NULL: no
 * memory. */
json_t *attack_figures(const struct attack_inputs *in, const struct attack_options *options,
                       const struct attack_grid *grid);
void attack_print_table(FILE *to, const json_t *figures);
void attack_print_csv(FILE *to, const json_t *figures);
/* Attack success against over-refusal; 0 or a negated errno. */
int attack_write_plot(const json_t *figures, const char *path) REIN_MUST_USE;

#endif
