/* The report of `rein eval`: one tree, printed as a table, as JSON or as a plot.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_EVAL_REPORT_H
#define TOOLS_EVAL_EVAL_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "eval/eval_row.h"

struct eval_table {
    struct eval_row *rows;
    size_t len;
    const char *const *files; /* names, by index */
    size_t files_len;
};

/* `pairs` are crossed ones: reasoning that refuses with an answer whose label is in the row. Returns owned; NULL: out
 * of memory. */
json_t *eval_report(const struct eval_table *table, const struct eval_table *pairs, const char *policy,
                    const char *version);

/* Prints the tree for people. With `targets`, each target and whether it is met; false if one is not. */
void eval_print(const json_t *report, FILE *to);
bool eval_print_targets(const json_t *report, FILE *to);

/* Two panels: precision over recall of the trace score, and how early the findings came. 0 or a negated errno. */
int eval_plot(const struct eval_table *table, const char *path) REIN_MUST_USE;

#endif
