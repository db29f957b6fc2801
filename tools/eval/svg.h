/* Drawings: panels with axes, ticks and texts, that are read as well on a dark page as on a light one.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Colours are classes, which the file's own style sheet gives a value for each of the two. Thread: any. */
#ifndef TOOLS_EVAL_SVG_H
#define TOOLS_EVAL_SVG_H

#include <stdio.h>

enum { SVG_SERIES = 8 }; /* classes s0 to s7: a colour for lines (stroke) and marks (fill) */

/* A rectangle in which shares of two axes are drawn. */
struct svg_panel {
    FILE *out;
    double left, top, side;
    double x_last, y_last; /* where the axes end: a share, or any number */
};

/* The head, the style sheet and the ground. */
void svg_begin(FILE *out, double width, double height);
void svg_end(FILE *out);
/* A text from outside, so that the file stays well formed. */
void svg_escape(FILE *out, const char *text);
/* `anchor`: start, middle or end; `class`: "" for none. */
void svg_text(FILE *out, double x, double y, const char *anchor, const char *class, const char *text);

/* Frame, grid, ticks, title and the axes' names. `unit` "%": numbers are shares. */
void svg_frame(const struct svg_panel *panel, const char *title, const char *x_name, const char *y_name, int ticks,
               const char *x_unit);
double svg_x(const struct svg_panel *panel, double value);
double svg_y(const struct svg_panel *panel, double value);
void svg_line(const struct svg_panel *panel, const char *class, double x1, double y1, double x2, double y2);

#endif
