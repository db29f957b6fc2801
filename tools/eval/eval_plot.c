/* Draws two panels as SVG: precision over recall of the trace score, and how early actions come.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "eval/eval_report.h"

enum { SIDE = 320, LEFT = 60, TOP = 40, GAP = 110, BINS = 20, BIN_SENTENCES = 2 };

struct point {
    double score;
    bool unsafe;
};

static int by_score_down(const void *a, const void *b)
{
    double x = ((const struct point *)a)->score, y = ((const struct point *)b)->score;
    return (x < y) - (x > y);
}

static void draw_frame(FILE *out, int left, const char *title, const char *x, const char *y)
{
    fprintf(out, "<rect x='%d' y='%d' width='%d' height='%d' fill='none' stroke='#888'/>\n", left, TOP, SIDE, SIDE);
    fprintf(out, "<text x='%d' y='%d' font-weight='bold'>%s</text>\n", left, TOP - 12, title);
    fprintf(out, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", left + SIDE / 2, TOP + SIDE + 34, x);
    fprintf(out, "<text transform='translate(%d,%d) rotate(-90)' text-anchor='middle'>%s</text>\n", left - 40,
            TOP + SIDE / 2, y);
    for (int i = 0; i <= 4; i++)
        fprintf(out, "<text x='%d' y='%d' text-anchor='end'>%d%%</text>\n", left - 6, TOP + SIDE - i * SIDE / 4 + 4,
                25 * i);
}

static void draw_precision(FILE *out, struct point *points, size_t len)
{
    size_t unsafe = 0, right = 0;
    for (size_t i = 0; i < len; i++)
        unsafe += points[i].unsafe;
    draw_frame(out, LEFT, "Score: unsafe against all others", "recall, 0 to 100%", "precision");
    if (unsafe == 0)
        return;
    qsort(points, len, sizeof *points, by_score_down);
    fputs("<polyline fill='none' stroke='#1f5fa8' stroke-width='2' points='", out);
    for (size_t i = 0; i < len; i++) {
        right += points[i].unsafe;
        if (i + 1 < len && points[i + 1].score >= points[i].score)
            continue; /* equal scores are drawn together */
        fprintf(out, "%.1f,%.1f ", LEFT + SIDE * (double)right / (double)unsafe,
                TOP + SIDE - SIDE * (double)right / (double)(i + 1));
    }
    double share = (double)unsafe / (double)len;
    fprintf(out, "'/>\n<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#b55' stroke-dasharray='4'/>\n", LEFT,
            LEFT + SIDE, TOP + SIDE - SIDE * share, TOP + SIDE - SIDE * share);
}

static void draw_delay(FILE *out, const struct eval_table *t)
{
    size_t bins[BINS] = {0}, all = 0, seen = 0;
    int left = LEFT + SIDE + GAP;
    for (size_t i = 0; i < t->len; i++)
        if (t->rows[i].delay_sentences > 0) {
            size_t bin = (t->rows[i].delay_sentences - 1) / BIN_SENTENCES;
            bins[bin < BINS ? bin : BINS - 1]++;
            all++;
        }
    char label[64];
    snprintf(label, sizeof label, "sentence of the reasoning, 1 to %d", BINS * BIN_SENTENCES);
    draw_frame(out, left, "First action: share of the actions so far", label, "share");
    fputs("<polyline fill='none' stroke='#2a7f4f' stroke-width='2' points='", out);
    for (size_t i = 0; i < BINS && all > 0; i++) {
        seen += bins[i];
        fprintf(out, "%.1f,%.1f ", left + SIDE * (double)(i + 1) / BINS,
                TOP + SIDE - SIDE * (double)seen / (double)all);
    }
    fputs("'/>\n", out);
}

int eval_plot(const struct eval_table *table, const char *path)
{
    struct point *points = calloc(table->len + 1, sizeof *points);
    FILE *out = points != NULL ? fopen(path, "w") : NULL;
    int rv = points == NULL ? -ENOMEM : out == NULL ? -errno : 0;
    size_t len = 0;
    for (size_t i = 0; rv == 0 && i < table->len; i++)
        if (table->rows[i].has_reasoning)
            points[len++] = (struct point){table->rows[i].trace_risk, strcmp(table->rows[i].label, "unsafe") == 0};
    if (rv == 0) {
        fprintf(out,
                "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
                "font-size='12'>\n<rect width='100%%' height='100%%' fill='#fff'/>\n",
                2 * LEFT + 2 * SIDE + GAP, TOP + SIDE + 60);
        draw_precision(out, points, len);
        draw_delay(out, table);
        fputs("</svg>\n", out);
        rv = fclose(out) == 0 ? 0 : -errno;
    }
    free(points);
    return rv;
}
