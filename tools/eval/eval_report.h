/* The report of `rein eval`: one tree, printed as a table, as JSON or as a plot.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_EVAL_REPORT_H
#define TOOLS_EVAL_EVAL_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "eval/eval_row.h"

struct eval_table {
    struct eval_row *rows;
    size_t len;
    const char *const *files; /* names, by index */
    size_t files_len;
};

/* What was measured. */
struct eval_about {
    const struct rein_policy_settings *policy, *against; /* `against` is NULL if there is none */
    size_t rejected;                                     /* lines that were no rows */
};

/* `pairs` are crossed ones: reasoning that refuses with an answer whose label is in the row. Returns owned; NULL: out
 * of memory. */
json_t *eval_report(const struct eval_table *table, const struct eval_table *pairs, const struct eval_about *about);
/* The parts of the report about one score, and about two policies on the same rows. Return owned. */
json_t *eval_scores_tree(const struct eval_table *table);
json_t *eval_against_tree(const struct eval_table *table);

/* Rows on harmful prompts whose answers are labelled, and rows on ordinary ones. Only rows with reasoning count. */
bool eval_is_unsafe(const struct eval_row *row);
bool eval_is_safe(const struct eval_row *row);
bool eval_is_benign(const struct eval_row *row);
bool eval_is_acted_on(const struct eval_row *row);
/* {count, of, rate, low, high} */
json_t *eval_rate_tree(size_t k, size_t n);

/* Prints the tree for people. With `targets`, each target and whether it is met; false if one is not. */
void eval_print(const json_t *report, FILE *to);
bool eval_print_targets(const json_t *report, FILE *to);

/* Four panels, with ticks, the policy's own point, and what was measured in their title. 0 or a negated errno. */
int eval_plot(const struct eval_table *table, const json_t *report, const char *path) REIN_MUST_USE;

#endif
