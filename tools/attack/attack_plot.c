/* Draws attack success against over-refusal: a panel for each file of attacks, in it a point for each arm, with both
 * intervals. Near the lower left corner is where one wants to be.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Points have numbers, which the list beside the panels explains. A number is put where it covers no other number and
 * no point; if that is not beside its point, a thin line leads to it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attack.h"
#include "base/files.h"
#include "eval/svg.h"

enum {
    PANEL_SIDE = 340,
    PANEL_LEFT = 72,
    PANEL_TOP = 84,
    PANEL_ACROSS = 450,
    PANEL_DOWN = 460,
    AXIS_TICKS = 5,
    PANELS_MAX = 12,
    POINTS_MAX = 256,
    LIST_LETTER = 7,
    LIST_ROW = 18,
    MARK_RADIUS = 5,
    LABEL_HEIGHT = 13,
    LABEL_DIGIT = 7,
};

struct point {
    const json_t *success, *refusal; /* figures; NULL: the arm is not in this panel */
    double x, y;                     /* on the page */
    double label_x, label_y;         /* the middle of its number */
};

struct drawing {
    FILE *out;
    const char *arms[POINTS_MAX]; /* names, in the order of their numbers */
    size_t arms_len;
    const char *sets[PANELS_MAX], *benign[PANELS_MAX]; /* of each panel */
    size_t panels_len;
    const json_t *list;
    double x_last, y_last;
};

/* ---- what there is to draw ---- */

static const char *word_of(const json_t *figure, const char *key)
{
    const char *word = json_string_value(json_object_get(figure, key));
    return word != NULL ? word : "";
}

static bool is_figure(const json_t *figure, const char *measure, const char *set, const char *arm)
{
    return !json_is_string(json_object_get(figure, "category")) && strcmp(word_of(figure, "measure"), measure) == 0 &&
           (set == NULL || strcmp(word_of(figure, "set"), set) == 0) &&
           (arm == NULL || strcmp(word_of(figure, "arm"), arm) == 0);
}

static const json_t *find_figure(const json_t *list, const char *measure, const char *set, const char *arm)
{
    size_t i;
    const json_t *figure;
    json_array_foreach(list, i, figure) if (is_figure(figure, measure, set, arm)) return figure;
    return NULL;
}

static bool has_word(const char *const *words, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++)
        if (strcmp(words[i], word) == 0)
            return true;
    return false;
}

/* Each file of attacks with each of benign requests. */
static void find_panels(struct drawing *d)
{
    size_t i, k;
    const json_t *success, *refusal;
    const char *seen[PANELS_MAX], *others[PANELS_MAX];
    size_t seen_len = 0;
    json_array_foreach(d->list, i, success)
    {
        if (!is_figure(success, "attack_success", NULL, NULL))
            continue;
        const char *set = word_of(success, "set");
        if (!has_word(d->arms, d->arms_len, word_of(success, "arm")) && d->arms_len < POINTS_MAX)
            d->arms[d->arms_len++] = word_of(success, "arm");
        if (has_word(seen, seen_len, set) || seen_len == PANELS_MAX)
            continue;
        seen[seen_len++] = set;
        size_t others_len = 0;
        json_array_foreach(d->list, k, refusal)
        {
            const char *benign = word_of(refusal, "set");
            if (!is_figure(refusal, "over_refusal", NULL, NULL) || has_word(others, others_len, benign) ||
                d->panels_len == PANELS_MAX || others_len == PANELS_MAX)
                continue;
            others[others_len++] = benign;
            d->sets[d->panels_len] = set;
            d->benign[d->panels_len++] = benign;
        }
    }
}

static double share_of(const json_t *figure, const char *key)
{
    return json_number_value(json_object_get(figure, key));
}

/* Where an axis ends: the same for all panels, so that they can be compared. */
static double axis_end(const json_t *list, const char *measure)
{
    static const double ends[] = {0.05, 0.1, 0.2, 0.5};
    double most = 0;
    size_t i;
    const json_t *figure;
    json_array_foreach(list, i, figure) if (is_figure(figure, measure, NULL, NULL)) most =
        fmax(most, share_of(figure, "high"));
    for (i = 0; i < sizeof ends / sizeof *ends; i++)
        if (most <= ends[i])
            return ends[i];
    return 1;
}

/* ---- where numbers go ---- */

static double label_width(size_t number)
{
    return (number >= 100 ? 3 : number >= 10 ? 2 : 1) * LABEL_DIGIT + 5;
}

static bool is_apart(double ax, double ay, double aw, double ah, double bx, double by, double bw, double bh)
{
    return fabs(ax - bx) * 2 >= aw + bw || fabs(ay - by) * 2 >= ah + bh;
}

/* Does it lie on a bar of the point? */
static bool is_on_bar(const struct svg_panel *panel, const struct point *p, double x, double y, double width)
{
    double left = svg_x(panel, share_of(p->refusal, "low")), right = svg_x(panel, share_of(p->refusal, "high"));
    double bottom = svg_y(panel, share_of(p->success, "low")), top = svg_y(panel, share_of(p->success, "high"));
    return !is_apart(x, y, width, LABEL_HEIGHT, (left + right) / 2, p->y, right - left, 2) ||
           !is_apart(x, y, width, LABEL_HEIGHT, p->x, (top + bottom) / 2, 2, bottom - top);
}

static bool is_free(const struct svg_panel *panel, const struct point *points, size_t len, size_t at, double x,
                    double y, bool off_bars)
{
    double width = label_width(at + 1);
    if (x - width / 2 < panel->left || x + width / 2 > panel->left + panel->side ||
        y - LABEL_HEIGHT / 2.0 < panel->top || y + LABEL_HEIGHT / 2.0 > panel->top + panel->side)
        return false;
    for (size_t i = 0; i < len; i++) {
        const struct point *p = &points[i];
        if (p->success == NULL)
            continue;
        if (!is_apart(x, y, width, LABEL_HEIGHT, p->x, p->y, 2 * MARK_RADIUS, 2 * MARK_RADIUS))
            return false;
        if (i < at && !is_apart(x, y, width, LABEL_HEIGHT, p->label_x, p->label_y, label_width(i + 1), LABEL_HEIGHT))
            return false;
        if (off_bars && is_on_bar(panel, p, x, y, width))
            return false;
    }
    return true;
}

/* Tries places around the point, farther and farther out to `most`. */
static bool find_place(const struct svg_panel *panel, struct point *points, size_t len, size_t at, int most,
                       bool off_bars)
{
    static const double pi = 3.14159265358979;
    struct point *p = &points[at];
    for (int far = 14; far < most; far += 6)
        for (int i = 0; i < 24; i++) {
            double radius = far;
            double angle = -pi / 4 + i * pi / 12;
            double x = p->x + radius * cos(angle), y = p->y + radius * sin(angle);
            if (is_free(panel, points, len, at, x, y, off_bars)) {
                p->label_x = x;
                p->label_y = y;
                return true;
            }
        }
    return false;
}

/* Near the point and off all bars, if there is such a place; else anywhere that is free. */
static void place_label(const struct svg_panel *panel, struct point *points, size_t len, size_t at)
{
    struct point *p = &points[at];
    if (find_place(panel, points, len, at, 90, true) || find_place(panel, points, len, at, PANEL_SIDE * 3 / 2, false))
        return;
    p->label_x = p->x; /* there is no room at all */
    p->label_y = p->y;
}

/* ---- drawing ---- */

static const char *series_of(size_t arm)
{
    static const char *const classes[SVG_SERIES] = {"s7", "s0", "s1", "s2", "s3", "s4", "s5", "s6"};
    return classes[arm == 0 ? 0 : 1 + (arm - 1) % (SVG_SERIES - 1)];
}

static void draw_bars(const struct svg_panel *panel, const struct point *p, size_t arm)
{
    char class[16];
    snprintf(class, sizeof class, "bar %s", series_of(arm));
    double x = share_of(p->refusal, "share"), y = share_of(p->success, "share");
    svg_line(panel, class, share_of(p->refusal, "low"), y, share_of(p->refusal, "high"), y);
    svg_line(panel, class, x, share_of(p->success, "low"), x, share_of(p->success, "high"));
}

static void draw_mark(const struct svg_panel *panel, const struct point *p, size_t arm, const char *name)
{
    char number[24];
    FILE *out = panel->out;
    if (hypot(p->label_x - p->x, p->label_y - p->y) > 16)
        fprintf(out, "<line class='axis' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>\n", p->x, p->y, p->label_x,
                p->label_y);
    fprintf(out, "<circle class='halo %s' cx='%.1f' cy='%.1f' r='%d'><title>", series_of(arm), p->x, p->y, MARK_RADIUS);
    svg_escape(out, name);
    fprintf(out, ": attack success %.1f%%, over-refusal %.1f%%</title></circle>\n", 100 * share_of(p->success, "share"),
            100 * share_of(p->refusal, "share"));
    snprintf(number, sizeof number, "%zu", arm + 1);
    svg_text(out, p->label_x, p->label_y + 4, "middle", "mark", number);
}

static void draw_attack_panel(struct drawing *d, size_t nth)
{
    static struct point points[POINTS_MAX];
    size_t row = nth / 2;
    struct svg_panel panel = {d->out,
                              PANEL_LEFT + (double)(nth % 2) * PANEL_ACROSS,
                              PANEL_TOP + (double)(row * PANEL_DOWN),
                              PANEL_SIDE,
                              d->x_last,
                              d->y_last};
    char title[160], below[160];
    snprintf(title, sizeof title, "attacks: %.100s", d->sets[nth]);
    snprintf(below, sizeof below, "over-refusal (%.100s)", d->benign[nth]);
    svg_frame(&panel, title, below, "attack success", AXIS_TICKS, "%");
    for (size_t i = 0; i < d->arms_len; i++) {
        struct point *p = &points[i];
        *p = (struct point){.success = find_figure(d->list, "attack_success", d->sets[nth], d->arms[i]),
                            .refusal = find_figure(d->list, "over_refusal", d->benign[nth], d->arms[i])};
        if (p->refusal == NULL)
            p->success = NULL;
        p->x = svg_x(&panel, share_of(p->refusal, "share"));
        p->y = svg_y(&panel, share_of(p->success, "share"));
    }
    for (size_t i = 0; i < d->arms_len; i++)
        if (points[i].success != NULL)
            draw_bars(&panel, &points[i], i);
    for (size_t i = 0; i < d->arms_len; i++)
        if (points[i].success != NULL)
            place_label(&panel, points, d->arms_len, i);
    for (size_t i = 0; i < d->arms_len; i++)
        if (points[i].success != NULL)
            draw_mark(&panel, &points[i], i, d->arms[i]);
}

static void draw_list(const struct drawing *d, double left)
{
    char number[24];
    for (size_t i = 0; i < d->arms_len; i++) {
        double y = PANEL_TOP + (double)(i * LIST_ROW) + 8;
        fprintf(d->out, "<circle class='%s' cx='%.1f' cy='%.1f' r='%d'/>\n", series_of(i), left, y - 4, MARK_RADIUS);
        snprintf(number, sizeof number, "%zu", i + 1);
        svg_text(d->out, left + 30, y, "end", "", number);
        svg_text(d->out, left + 38, y, "start", "", d->arms[i]);
    }
}

static void draw_head(const struct drawing *d, const json_t *figures)
{
    char text[256];
    const json_t *max_tokens = json_object_get(figures, "max_tokens");
    const char *judge = json_string_value(json_object_get(figures, "judge"));
    svg_text(d->out, PANEL_LEFT, 26, "start", "title", "Attack success against over-refusal");
    snprintf(text, sizeof text,
             "bars are 95%% intervals; judge: %.80s; limit of answers: ", judge != NULL ? judge : "none");
    size_t len = strlen(text);
    if (json_is_integer(max_tokens))
        snprintf(text + len, sizeof text - len, "%lld tokens", (long long)json_integer_value(max_tokens));
    else
        snprintf(text + len, sizeof text - len, "the upstream's own");
    svg_text(d->out, PANEL_LEFT, 44, "start", "soft", text);
}

static void draw_figures(struct drawing *d, const json_t *figures)
{
    size_t longest = 0, rows = (d->panels_len + 1) / 2, columns = d->panels_len > 1 ? 2 : 1;
    for (size_t i = 0; i < d->arms_len; i++)
        longest = strlen(d->arms[i]) > longest ? strlen(d->arms[i]) : longest;
    double left = PANEL_LEFT + (double)columns * PANEL_ACROSS - 60, list = (double)(d->arms_len * LIST_ROW);
    double panels = (double)rows * PANEL_DOWN;
    svg_begin(d->out, left + 60 + (double)(longest * LIST_LETTER), PANEL_TOP + (list > panels ? list : panels));
    draw_head(d, figures);
    for (size_t i = 0; i < d->panels_len; i++)
        draw_attack_panel(d, i);
    draw_list(d, left);
    svg_end(d->out);
}

int attack_write_plot(const json_t *figures, const char *path)
{
    struct drawing *d = calloc(1, sizeof *d);
    char *text = NULL;
    size_t len;
    if (d == NULL)
        return -ENOMEM;
    d->list = json_object_get(figures, "figures");
    d->x_last = axis_end(d->list, "over_refusal");
    d->y_last = axis_end(d->list, "attack_success");
    find_panels(d);
    if (d->panels_len == 0)
        fputs("rein eval: a plot needs answers to --attack and to --benign files; it is empty\n", stderr);
    d->out = open_memstream(&text, &len);
    int rv = d->out != NULL ? 0 : -ENOMEM;
    if (rv == 0) {
        draw_figures(d, figures);
        rv = fclose(d->out) == EOF ? -ENOMEM : files_replace(path, text, len);
    }
    free(text);
    free(d);
    return rv;
}
