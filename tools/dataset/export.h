/* `rein export`: what its parts share. Decisions whose texts were kept become training rows.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     decision -> is it wanted? (export_wanted.c) -> what of it is a row? (export_row.c) -> was its prompt there? ->
 * file
 *
 * One pass, newest decision first; of decisions with one prompt the first that makes a row is used. What is kept of a
 * row while others are read is its prompt's place in the index: 32 bytes and 8 to 16 of the table of words.
 * Thread: one. */
#ifndef TOOLS_DATASET_EXPORT_H
#define TOOLS_DATASET_EXPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataset/name_counts.h"
#include "dataset/prompt_index.h"
#include "dataset/remask.h"
#include "dataset/row_writer.h"
#include "dataset/survival.h"
#include "dataset/training_row.h"
#include "store/read.h"

enum { EXPORT_NAMES_MAX = 16, EXPORT_RANGES_MAX = 16 };

/* Names of which one has to fit; none: everything fits. */
struct export_names {
    const char *names[EXPORT_NAMES_MAX];
    size_t len;
};

/* A number that has to lie between two others, both included. */
struct export_range {
    char name[64];
    double from, to;
};

/* The command line; texts are borrowed from it. */
struct export_options {
    const char *db, *out, *policy, *licence;
    struct export_names verdicts, actions, routes, models, patterns, without, judges, versions;
    struct export_range scores[EXPORT_RANGES_MAX], risks[EXPORT_RANGES_MAX];
    size_t scores_len, risks_len;
    int64_t from_us, to_us; /* 0: no limit */
    size_t limit;           /* rows, 0: all */
    bool with_findings;     /* also answers in which something was found */
    bool without_system;    /* conversations with a system message are rows without it */
    bool pairs;
    double test;
    uint64_t seed;
    enum row_format format;
    enum survival_family family;
    const char *first_prefix, *restart_prefix; /* what prefilled attempts begin with; NULL: it is not known */
    const char *template_of; /* an upstream that says what its chat template does; NULL: rules alone */
};
/* Returns CLI_OK, or prints what is wrong and returns CLI_USAGE. */
int export_options_read(struct export_options *options, int argc, char **argv) REIN_MUST_USE;

/* Why a decision is no row. */
#define EXPORT_OUTCOMES(X)                                                                                             \
    X(EXPORT_ROW, "row", "")                                                                                           \
    X(EXPORT_UNWANTED, "not_chosen", "not chosen by the options")                                                      \
    X(EXPORT_NO_TEXT, "no_text", "no full text was kept (log.text: full in the policy)")                               \
    X(EXPORT_UNFINISHED, "unfinished", "without a complete answer of the model")                                       \
    X(EXPORT_STOPPED, "stopped", "refused or cut by the policy")                                                       \
    X(EXPORT_CUT, "text_cut", "longer than the kept text may be")                                                      \
    X(EXPORT_TURNS, "several_turns", "conversations of more than one question")                                        \
    X(EXPORT_SYSTEM, "system_message", "with a system message (--without-system makes rows without it)")               \
    X(EXPORT_TOOLS, "tools", "with calls of tools")                                                                    \
    X(EXPORT_UNJUDGED_PARTS, "unjudged_parts", "with images, audio or files")                                          \
    X(EXPORT_PREFILLED, "prefilled",                                                                                   \
      "with reasoning that begins with a prefilled prefix (--policy, if it is the one that served, has its text)")     \
    X(EXPORT_FOUND, "found", "with something found in the accepted answer (--with-findings)")                          \
    X(EXPORT_UNJUDGED, "unjudged", "with a judge that gave no opinion (--with-findings)")                              \
    X(EXPORT_NOT_STOPPED, "not_stopped", "without an attempt that was stopped")                                        \
    X(EXPORT_TAGS, "tags", "with a think tag inside a text")                                                           \
    X(EXPORT_SAME, "same_prompt", "with a prompt that was there")                                                      \
    X(EXPORT_NEAR, "near_prompt", "with a prompt nearly the same")

enum export_outcome {
#define EXPORT_OUTCOME_ENUM(name, word, text) name,
    EXPORT_OUTCOMES(EXPORT_OUTCOME_ENUM)
#undef EXPORT_OUTCOME_ENUM
        EXPORT_OUTCOMES_LEN
};
const char *export_outcome_word(enum export_outcome outcome); /* static */
const char *export_outcome_text(enum export_outcome outcome); /* static; follows "left out: 3 ..." */

/* ---- choosing (export_wanted.c); decisions are objects as the admin API shows them (store/read.h) ---- */

/* By the decision's own fields. */
bool export_is_wanted(const struct export_options *options, const json_t *decision);
/* By its findings and opinions too: it has `findings` and `opinions` as arrays. */
bool export_parts_are_wanted(const struct export_options *options, const json_t *decision);
/* The filter that the store applies. */
struct store_filter export_filter(const struct export_options *options);

/* ---- rows (export_row.c) ---- */

struct export_row {
    struct training_row row;      /* the accepted attempt */
    struct training_row rejected; /* with pairs: the last stopped attempt; its answer is "" if it never came */
    bool rejected_is_open;        /* it was stopped in its reasoning */
    size_t masks;                 /* spans that are masked in the row's texts */
};
void export_row_fini(struct export_row *row);

/* Makes the row of a decision with its parts and texts. Returns an outcome, or a negative error (REIN_ENOMEM). */
int export_row_make(struct export_row *out, const struct export_options *options, const json_t *decision,
                    struct remask *remask) REIN_MUST_USE;

/* ---- what was done (export_card.c) ---- */

struct export_file {
    char *path; /* owned; NULL: there is none */
    size_t rows;
    size_t survival[SURVIVAL_KINDS];
    char sha256[SHA256_HEX];
};

struct export_report {
    size_t outcomes[EXPORT_OUTCOMES_LEN];
    struct export_file train, test;
    /* Of the decisions that became rows. */
    struct name_counts models, routes, policies, verdicts, harms, patterns, judges;
    int64_t first_us, last_us; /* when the oldest and the newest began */
    size_t masks, rows_masked;
    const char *policy_version; /* that masked again; NULL: none */
};

/* Counts a decision that became a row. */
int export_report_add(struct export_report *report, const json_t *decision, const struct export_row *row) REIN_MUST_USE;
/* Prints what was written and what to look out for; writes manifest and card beside the training file. 0 or a negated
 * errno. */
int export_report_write(const struct export_report *report, const struct export_options *options) REIN_MUST_USE;
void export_report_fini(struct export_report *report);

#endif
