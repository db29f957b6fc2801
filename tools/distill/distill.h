/* `rein distill`: what its parts share. An upstream is asked prompts in several styles, and what a policy finds nothing
 * in becomes training rows. SPDX-License-Identifier: Apache-2.0
 *
 *     prompts x styles x samples = questions;  a question -> tries, each a decision of a guard -> an outcome
 *
 * The guard is a server of the run's own (asking/guard.h), so words, weights, judges and steering do what they do when
 * serving. An outcome is a line of the file of outcomes; when all are there, the kept ones become the rows, in the
 * order of prompts, styles and samples. Thread: one. */
#ifndef TOOLS_DISTILL_DISTILL_H
#define TOOLS_DISTILL_DISTILL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asking/results.h"
#include "dataset/export.h"
#include "distill/style.h"

enum { DISTILL_FILES_MAX = 64, DISTILL_STYLES_MAX = 16, DISTILL_SAMPLES_MAX = 64, DISTILL_TRIES_MAX = 16 };
enum { DISTILL_PROMPTS_MAX = 1 << 22, DISTILL_QUESTIONS_MAX = 1 << 26 };

/* The command line; texts are borrowed from it. */
struct distill_options {
    const char *url, *kind, *model, *policy, *config, *upstream, *library, *out, *api_key_env;
    const char *files[DISTILL_FILES_MAX], *styles[DISTILL_STYLES_MAX];
    size_t files_len, styles_len;
    unsigned samples, tries, jobs, per_minute, timeout_s, max_tokens;
    double temperature; /* negative: the upstream's own */
    int64_t seed;
    size_t limit; /* prompts, 0: all */
    enum survival_family family;
    const char *template_of;
};
/* Returns CLI_OK, or prints what is wrong and returns CLI_USAGE. */
int distill_options_read(struct distill_options *options, int argc, char **argv) REIN_MUST_USE;

/* ---- what is asked (distill_load.c) ---- */

struct distill_prompt {
    char *text, *id, *category; /* owned; category may be NULL */
};

struct distill_inputs {
    struct distill_prompt *prompts;
    size_t prompts_len, prompts_cap;
    size_t same, unusable; /* prompts that were left out */
    struct style styles[DISTILL_STYLES_MAX];
    size_t styles_len;
    char *policy_text; /* as the guard gets it: it keeps the texts */
    char policy_name[128], policy_version[65];
    char *first_prefix, *restart_prefix; /* of the policy; owned */
    uint64_t hash;                       /* of all that answers depend on, beside prompt, style and sample */
};

/* Reads all that the options name. Says on stderr what is wrong; returns an exit status. Fini in any case. */
int distill_inputs_load(struct distill_inputs *in, const struct distill_options *options) REIN_MUST_USE;
void distill_inputs_fini(struct distill_inputs *in);

static inline size_t distill_questions(const struct distill_inputs *in, const struct distill_options *o)
{
    return in->prompts_len * in->styles_len * o->samples;
}
/* Of a question by its place in the run. */
void distill_key(char out[ASKING_KEY_SIZE], const struct distill_inputs *in, const struct distill_options *options,
                 size_t question);

/* ---- asking (distill_ask.c) ---- */

struct distill_run {
    const struct distill_options *options;
    const struct distill_inputs *in;
    char (*keys)[ASKING_KEY_SIZE]; /* of all questions, in order */
    bool *done;                    /* likewise: there is an outcome */
    size_t had;
    struct asking_results *results;
};
/* Asks what is open. Returns an exit status. */
int distill_ask(struct distill_run *run) REIN_MUST_USE;

/* ---- outcomes (distill_outcome.c) ---- */

/* What one try came to. */
struct distill_try {
    int outcome;           /* enum export_outcome */
    struct export_row row; /* with EXPORT_ROW */
};
/* Reads a try off its decision. The row's prompt is the prompt alone, without the style's words, masked as the decision
 * has it. Returns an error or 0. */
int distill_try_read(struct distill_try *out, const struct distill_inputs *in, const json_t *decision,
                     const struct style *style) REIN_MUST_USE;
void distill_try_fini(struct distill_try *t);

/* What a question has come to so far: an array of its tries, each with its outcome, attempts, tokens and findings. */
int distill_tries_add(json_t *tries, const json_t *decision, int outcome) REIN_MUST_USE;
/* The line of outcomes; `row` NULL: it was not kept. Takes `tries`. Returns owned; NULL: no memory. */
json_t *distill_line(const struct distill_run *run, size_t question, const struct training_row *row,
                     json_t *tries) REIN_MUST_USE;

/* ---- rows (distill_rows.c) ---- */

/* Writes the rows of the complete file of outcomes, a manifest beside it, and says what was kept. Returns an exit
 * status. */
int distill_rows(const struct distill_run *run, const char *outcomes) REIN_MUST_USE;

#endif
