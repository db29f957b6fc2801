/* The figures of `rein eval prefix` as a drawing: for each measure a panel, for each prefix the share without it and
 * with it, with their intervals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "eval/eval_stats.h"
#include "eval/svg.h"
#include "prefix/eval_prefix.h"

enum { LETTER = 7, GAP = 20, PANEL = 520, RIGHT = 30, HEAD = 34, ROW = 34, FOOT = 40, TICKS = 5 };

/* What is drawn on. */
struct canvas {
    FILE *to;
    double left; /* where the panels begin, to the right of the names */
};

static double x_of(const struct canvas *c, double share)
{
    return c->left + PANEL * share;
}

static void draw_text(const struct canvas *c, double x, double y, const char *anchor, const char *text)
{
    svg_text(c->to, x, y, anchor, "", text);
}

static void draw_share(const struct canvas *c, struct rate share, double y, const char *class)
{
    fprintf(c->to, "<line class='%s' stroke-width='2' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>", class,
            x_of(c, share.low), y, x_of(c, share.high), y);
    fprintf(c->to, "<circle class='%s' cx='%.1f' cy='%.1f' r='4'/>\n", class, x_of(c, share.value), y);
}

static void draw_axis(const struct canvas *c, double top, double bottom)
{
    char text[16];
    for (int i = 0; i <= TICKS; i++) {
        double x = x_of(c, (double)i / TICKS);
        fprintf(c->to, "<line class='grid' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>\n", x, top, x, bottom);
        snprintf(text, sizeof text, "%d%%", 100 * i / TICKS);
        draw_text(c, x, bottom + 16, "middle", text);
    }
}

static size_t count_rows(const struct eval_figures *f, const struct eval_inputs *in, int m)
{
    size_t rows = 0;
    for (size_t arm = 1; arm < in->arms_len; arm++)
        rows += f->pairs[arm][m].n > 0;
    return rows;
}

static double draw_panel(const struct canvas *c, const struct eval_figures *f, const struct eval_inputs *in, int m,
                         double top)
{
    double y = top + HEAD;
    draw_text(c, c->left, top + 22, "start", eval_measure_titles[m]);
    draw_axis(c, y, y + (double)(ROW * count_rows(f, in, m)));
    for (size_t arm = 1; arm < in->arms_len; arm++) {
        const struct eval_pairs *pairs = &f->pairs[arm][m];
        if (pairs->n == 0)
            continue;
        draw_text(c, c->left - 10, y + ROW / 2.0 + 4, "end", in->arms[arm].name);
        draw_share(c, rate_of(pairs->first, pairs->n), y + 11, "s1");
        draw_share(c, rate_of(pairs->second, pairs->n), y + 23, "s0");
        y += ROW;
    }
    return y + FOOT;
}

static double height_of(const struct eval_figures *f, const struct eval_inputs *in)
{
    double height = FOOT;
    for (int m = 0; m < EVAL_MEASURES; m++)
        if (count_rows(f, in, m) > 0)
            height += HEAD + FOOT + (double)(ROW * count_rows(f, in, m));
    return height;
}

static double left_of(const struct eval_inputs *in)
{
    size_t longest = 0;
    for (size_t arm = 1; arm < in->arms_len; arm++)
        longest = strlen(in->arms[arm].name) > longest ? strlen(in->arms[arm].name) : longest;
    return (double)(GAP + LETTER * longest);
}

static void draw(const struct canvas *c, const struct eval_figures *f, const struct eval_inputs *in)
{
    double height = height_of(f, in), y = 0;
    svg_begin(c->to, c->left + PANEL + RIGHT, height);
    for (int m = 0; m < EVAL_MEASURES; m++)
        if (count_rows(f, in, m) > 0)
            y = draw_panel(c, f, in, m, y);
    struct rate dot = {.high = 0.02};
    draw_share(c, dot, y + 16, "s1");
    draw_text(c, x_of(c, 0.04), y + 20, "start", "without the prefix");
    dot = (struct rate){.value = 0.4, .low = 0.4, .high = 0.42};
    draw_share(c, dot, y + 16, "s0");
    draw_text(c, x_of(c, 0.44), y + 20, "start", "with it; bars are 95% intervals");
    svg_end(c->to);
}

int eval_write_plot(const struct eval_figures *figures, const struct eval_inputs *in,
                    const struct eval_prefix_options *options)
{
    char *text = NULL;
    size_t len;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL)
        return -errno;
    struct canvas canvas = {memory, left_of(in)};
    draw(&canvas, figures, in);
    int rv = fclose(memory) == EOF ? -ENOMEM : files_replace(options->plot, text, len);
    free(text);
    return rv;
}
