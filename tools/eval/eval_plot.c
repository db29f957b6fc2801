/* Draws the report of `rein eval` as SVG, in four panels: found over wrongly found (ROC), precision over recall,
 * calibration, and how early actions come. The dot is the policy's own point: what it acts on.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_report.h"
#include "eval/svg.h"

enum {
    SIDE = 320,
    LEFT = 70,
    TOP = 96,
    ACROSS = 450,
    DOWN = 440,
    TICKS = 4,
    BINS = 20,
    BIN_BYTES = 200,
    MODELS_SHOWN = 2
};

struct score_point {
    double score;
    bool unsafe;
};

struct score_points {
    struct score_point *at;
    size_t len, unsafe;
    const char *name;           /* of the score */
    double acted_yes, acted_no; /* the policy's own shares: of the unsafe, of all others */
    double acted_right;         /* share of the policy's actions that hit unsafe rows; -1: it never acts */
};

static int by_score_down(const void *a, const void *b)
{
    double x = ((const struct score_point *)a)->score, y = ((const struct score_point *)b)->score;
    return (x < y) - (x > y);
}

static void draw_frame(const struct svg_panel *p, const char *title, const char *x, const char *y, const char *unit)
{
    svg_frame(p, title, x, y, TICKS, unit);
}

static void draw_line(const struct svg_panel *p, double x1, double y1, double x2, double y2)
{
    svg_line(p, "chance", x1, y1, x2, y2);
}

static void draw_point(const struct svg_panel *p, double x, double y)
{
    fprintf(p->out,
            "<circle class='policy' cx='%.1f' cy='%.1f' r='5'><title>what the policy acts "
            "on</title></circle>\n",
            svg_x(p, x), svg_y(p, y));
}

static bool is_last_of_equals(const struct score_points *s, size_t i)
{
    return i + 1 == s->len || s->at[i + 1].score < s->at[i].score;
}

static const json_t *score_in(const json_t *report, const char *score, const char *name)
{
    size_t i;
    const json_t *at;
    json_array_foreach(json_object_get(report, "scores"), i, at)
    {
        if (strcmp(json_string_value(json_object_get(at, "score")), score) == 0 &&
            strcmp(json_string_value(json_object_get(at, "name")), name) == 0 &&
            strcmp(json_string_value(json_object_get(at, "file")), "all") == 0)
            return at;
    }
    return NULL;
}

/* ---- panels ---- */

/* Unsafe against safe answers to harmful prompts and ordinary rows together. */
static void draw_roc(const struct svg_panel *p, const struct score_points *s, const json_t *report)
{
    static const char *const names[] = {"unsafe against safe", "unsafe against benign"};
    size_t yes = 0;
    draw_frame(p, "Score: unsafe against all others", "wrongly found, share of all others", "found, share of unsafe",
               "%");
    draw_line(p, 0, 0, 1, 1);
    if (s->unsafe == 0 || s->unsafe == s->len)
        return;
    fputs("<polyline class='curve s0' points='", p->out);
    fprintf(p->out, "%.1f,%.1f ", svg_x(p, 0), svg_y(p, 0));
    for (size_t i = 0; i < s->len; i++) {
        yes += s->at[i].unsafe;
        if (is_last_of_equals(s, i))
            fprintf(p->out, "%.1f,%.1f ", svg_x(p, (double)(i + 1 - yes) / (double)(s->len - s->unsafe)),
                    svg_y(p, (double)yes / (double)s->unsafe));
    }
    fputs("'/>\n", p->out);
    draw_point(p, s->acted_no, s->acted_yes);
    for (size_t i = 0; i < 2; i++) {
        const json_t *score = score_in(report, s->name, names[i]);
        if (score != NULL)
            fprintf(p->out, "<text x='%d' y='%d' text-anchor='end'>AUROC %s: %.3f [%.3f, %.3f]</text>\n",
                    (int)p->left + SIDE - 8, (int)p->top + SIDE - 28 + 16 * (int)i, names[i],
                    json_number_value(json_object_get(score, "auroc")),
                    json_number_value(json_object_get(score, "low")),
                    json_number_value(json_object_get(score, "high")));
    }
}

static void draw_precision(const struct svg_panel *p, const struct score_points *s)
{
    size_t right = 0;
    draw_frame(p, "Score: precision over recall", "recall", "precision", "%");
    if (s->unsafe == 0)
        return;
    fputs("<polyline class='curve s0' points='", p->out);
    for (size_t i = 0; i < s->len; i++) {
        right += s->at[i].unsafe;
        if (is_last_of_equals(s, i)) /* equal scores are drawn together */
            fprintf(p->out, "%.1f,%.1f ", svg_x(p, (double)right / (double)s->unsafe),
                    svg_y(p, (double)right / (double)(i + 1)));
    }
    fputs("'/>\n", p->out);
    draw_line(p, 0, (double)s->unsafe / (double)s->len, 1, (double)s->unsafe / (double)s->len);
    if (s->acted_right >= 0)
        draw_point(p, s->acted_yes, s->acted_right);
}

static void draw_calibration(const struct svg_panel *p, const struct score_points *s, const json_t *report)
{
    const json_t *score = score_in(report, s->name, "unsafe against safe"), *bin;
    const json_t *calibration = json_object_get(score, "calibration");
    size_t i;
    draw_frame(p, "Calibration, answers to harmful prompts", "mean score of the bin", "share of unsafe", "%");
    draw_line(p, 0, 0, 1, 1);
    json_array_foreach(json_object_get(calibration, "bins"), i, bin)
    {
        const json_t *rate = json_object_get(bin, "positives");
        double mean = json_number_value(json_object_get(bin, "mean"));
        fprintf(p->out,
                "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' class='bar s0'/>"
                "<circle cx='%.1f' cy='%.1f' r='3.5' class='s0'><title>%.0f rows</title></circle>\n",
                svg_x(p, mean), svg_x(p, mean), svg_y(p, json_number_value(json_object_get(rate, "low"))),
                svg_y(p, json_number_value(json_object_get(rate, "high"))), svg_x(p, mean),
                svg_y(p, json_number_value(json_object_get(rate, "rate"))),
                json_number_value(json_object_get(rate, "of")));
    }
    if (calibration != NULL)
        fprintf(p->out, "<text x='%d' y='%d' text-anchor='end'>Brier score %.3f, mean error %.3f</text>\n",
                (int)p->left + SIDE - 8, (int)p->top + SIDE - 12,
                json_number_value(json_object_get(calibration, "brier")),
                json_number_value(json_object_get(calibration, "error")));
}

static void draw_delay(const struct svg_panel *p, const struct eval_table *t)
{
    size_t bins[BINS] = {0}, all = 0, seen = 0;
    for (size_t i = 0; i < t->len; i++)
        if (t->rows[i].delay_bytes > 0) {
            size_t bin = (t->rows[i].delay_bytes - 1) / BIN_BYTES;
            bins[bin < BINS ? bin : BINS - 1]++;
            all++;
        }
    draw_frame(p, "Actions within the reasoning: share of them so far", "byte of the reasoning", "share", "");
    if (all == 0)
        return;
    fputs("<polyline class='curve s2' points='", p->out);
    for (size_t i = 0; i < BINS; i++) {
        seen += bins[i];
        fprintf(p->out, "%.1f,%.1f ", svg_x(p, (double)(i + 1) * BIN_BYTES), svg_y(p, (double)seen / (double)all));
    }
    fputs("'/>\n", p->out);
}

/* ---- the file ---- */

static void draw_title(FILE *out, const json_t *report, const struct score_points *s)
{
    size_t i;
    const json_t *model;
    const char *weights = json_string_value(json_object_get(report, "weights")); /* a policy's name: needs no escapes */
    fprintf(out, "<text x='%d' y='26' font-size='16' font-weight='bold'>policy ", LEFT);
    svg_escape(out, json_string_value(json_object_get(report, "policy")));
    fprintf(out, ", version %.12s; %s%s</text>\n", json_string_value(json_object_get(report, "version")),
            *weights != '\0' ? "weights " : "no weights", weights);
    fprintf(out, "<text x='%d' y='46'>%.0f rows; models: ", LEFT, json_number_value(json_object_get(report, "rows")));
    size_t models = json_array_size(json_object_get(report, "models"));
    json_array_foreach(json_object_get(report, "models"), i, model)
    {
        if (i == MODELS_SHOWN)
            break;
        fputs(i > 0 ? ", " : "", out);
        svg_escape(out, json_string_value(model));
    }
    if (models == 0)
        fputs("not named in the rows", out);
    if (models > MODELS_SHOWN)
        fprintf(out, " and %zu more", models - MODELS_SHOWN);
    fputs("</text>\n", out);
    fprintf(out,
            "<circle cx='%d' cy='60' r='5' class='policy'/><text x='%d' y='64'>what the policy acts on (all its "
            "patterns and rules); lines: the score `%s`</text>\n",
            LEFT + 6, LEFT + 18, s->name);
}

/* Rows whose outcome is known: unsafe against safe and ordinary ones. Of the scores, the last one that the rows have.
 */
static bool gather_points(const struct eval_table *t, struct score_points *s)
{
    double yes = 0, no = 0;
    enum eval_score score = EVAL_TRACE_RISK;
    for (size_t i = 0; i < t->len; i++)
        for (enum eval_score k = score; k < EVAL_SCORES; k++)
            score = t->rows[i].risks[k] >= 0 ? k : score;
    *s = (struct score_points){.at = calloc(t->len + 1, sizeof *s->at), .name = eval_score_name(score)};
    for (size_t i = 0; s->at != NULL && i < t->len; i++) {
        const struct eval_row *r = &t->rows[i];
        bool unsafe = eval_is_unsafe(r);
        if (!unsafe && !eval_is_safe(r) && !eval_is_benign(r))
            continue;
        s->at[s->len++] = (struct score_point){r->risks[score], unsafe};
        s->unsafe += unsafe;
        yes += unsafe && eval_is_acted_on(r);
        no += !unsafe && eval_is_acted_on(r);
    }
    s->acted_yes = s->unsafe > 0 ? yes / (double)s->unsafe : 0;
    s->acted_no = s->len > s->unsafe ? no / (double)(s->len - s->unsafe) : 0;
    s->acted_right = yes + no > 0 ? yes / (yes + no) : -1;
    if (s->at != NULL)
        qsort(s->at, s->len, sizeof *s->at, by_score_down);
    return s->at != NULL;
}

int eval_plot(const struct eval_table *table, const json_t *report, const char *path)
{
    struct score_points points;
    FILE *out = gather_points(table, &points) ? fopen(path, "we") : NULL;
    int rv = out != NULL ? 0 : points.at == NULL ? -ENOMEM : -errno;
    if (rv == 0) {
        struct svg_panel panels[4];
        for (int i = 0; i < 4; i++) {
            int row = i / 2, column = i % 2;
            panels[i] = (struct svg_panel){out, LEFT + column * ACROSS, TOP + 20 + row * DOWN, SIDE, 1, 1};
        }
        panels[3].x_last = BINS * BIN_BYTES;
        svg_begin(out, 2 * ACROSS, TOP + 2 * DOWN);
        draw_title(out, report, &points);
        draw_roc(&panels[0], &points, report);
        draw_precision(&panels[1], &points);
        draw_calibration(&panels[2], &points, report);
        draw_delay(&panels[3], table);
        svg_end(out);
        rv = fclose(out) == 0 ? 0 : -errno;
    }
    free(points.at);
    return rv;
}
