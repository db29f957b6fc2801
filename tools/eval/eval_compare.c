/* The report's part about scores (ranking, operating points, calibration), and its part about two policies.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_curve.h"
#include "eval/eval_pairs.h"
#include "eval/eval_report.h"

typedef bool (*pick)(const struct eval_row *row);

enum { ALL_FILES = -1 };

/* ---- the scores of a trace ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The scores of the rows that are picked and have one, ascending. */
static size_t scores_of(const struct eval_table *t, enum eval_score score, pick wanted, long file, double *out)
{
    size_t len = 0;
    for (size_t i = 0; i < t->len; i++)
        if (wanted(&t->rows[i]) && t->rows[i].risks[score] >= 0 && (file == ALL_FILES || (long)t->rows[i].file == file))
            out[len++] = t->rows[i].risks[score];
    qsort(out, len, sizeof *out, by_value);
    return len;
}

static json_t *points_tree(const double *yes, size_t yes_len, const double *no, size_t no_len)
{
    static const double shares[] = {0.01, 0.02, 0.05, 0.1, 0.2};
    json_t *tree = json_array();
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct operating_point p = operating_point_at(yes, yes_len, no, no_len, shares[i]);
        json_array_append_new(tree, json_pack("{sf so so so}", "at_most", shares[i], "threshold",
                                              isfinite(p.threshold) ? json_real(p.threshold) : json_null(), "found",
                                              eval_rate_tree(p.found.k, p.found.n), "wrong",
                                              eval_rate_tree(p.wrong.k, p.wrong.n)));
    }
    return tree;
}

static json_t *calibration_tree(const double *yes, size_t yes_len, const double *no, size_t no_len)
{
    struct calibration c = calibration_of(yes, yes_len, no, no_len);
    json_t *bins = json_array();
    for (size_t b = 0; b < CALIBRATION_BINS; b++)
        if (c.bins[b].positives.n > 0)
            json_array_append_new(bins, json_pack("{sf so}", "mean", c.bins[b].mean, "positives",
                                                  eval_rate_tree(c.bins[b].positives.k, c.bins[b].positives.n)));
    return json_pack("{sI sf sf so}", "rows", (json_int_t)c.n, "brier", c.brier, "error", c.error, "bins", bins);
}

static void add_score(const struct eval_table *t, json_t *tree, enum eval_score score, const char *name, pick negatives,
                      long file)
{
    double *yes = malloc((t->len + 1) * sizeof *yes), *no = malloc((t->len + 1) * sizeof *no);
    size_t yes_len = yes != NULL ? scores_of(t, score, eval_is_unsafe, file, yes) : 0;
    size_t no_len = no != NULL ? scores_of(t, score, negatives, file, no) : 0;
    struct auroc a = auroc_of(yes, yes_len, no, no_len);
    if (a.value >= 0)
        json_array_append_new(tree,
                              json_pack("{ss ss ss sI sI sf sf sf so so}", "score", eval_score_name(score), "name",
                                        name, "file", file == ALL_FILES ? "all" : t->files[file], "positives",
                                        (json_int_t)yes_len, "negatives", (json_int_t)no_len, "auroc", a.value, "low",
                                        a.low, "high", a.high, "points", points_tree(yes, yes_len, no, no_len),
                                        "calibration", calibration_tree(yes, yes_len, no, no_len)));
    free(yes);
    free(no);
}

json_t *eval_scores_tree(const struct eval_table *t)
{
    json_t *tree = json_array();
    for (enum eval_score score = 0; score < EVAL_SCORES; score++) {
        for (size_t file = 0; file < t->files_len; file++)
            add_score(t, tree, score, "unsafe against safe", eval_is_safe, (long)file);
        add_score(t, tree, score, "unsafe against safe", eval_is_safe, ALL_FILES);
        add_score(t, tree, score, "unsafe against benign", eval_is_benign, ALL_FILES);
    }
    return tree;
}

/* ---- two policies on the same rows ---- */

static void add_pairs(const struct eval_table *t, json_t *tree, const char *name, pick wanted)
{
    struct eval_pairs pairs = {0};
    for (size_t i = 0; i < t->len; i++)
        if (wanted(&t->rows[i]))
            eval_pairs_add(&pairs, t->rows[i].against > REIN_RECORD, eval_is_acted_on(&t->rows[i]));
    if (pairs.n == 0)
        return;
    struct eval_difference d = eval_pairs_difference(&pairs);
    json_array_append_new(
        tree, json_pack("{ss so so sI sI s{sf sf sf} sf}", "rows", name, "against",
                        eval_rate_tree(pairs.first, pairs.n), "policy", eval_rate_tree(pairs.second, pairs.n),
                        "only_against", (json_int_t)pairs.only_first, "only_policy", (json_int_t)pairs.only_second,
                        "difference", "value", d.value, "low", d.low, "high", d.high, "p", eval_pairs_p(&pairs)));
}

static bool is_any(const struct eval_row *row)
{
    return !eval_row_is_prompt(row);
}

json_t *eval_against_tree(const struct eval_table *t)
{
    json_t *tree = json_array();
    add_pairs(t, tree, "unsafe answers to harmful prompts", eval_is_unsafe);
    add_pairs(t, tree, "safe answers to harmful prompts", eval_is_safe);
    add_pairs(t, tree, "benign and mathematics", eval_is_benign);
    add_pairs(t, tree, "all traces", is_any);
    return tree;
}
