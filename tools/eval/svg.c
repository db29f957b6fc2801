/* See svg.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "eval/svg.h"

#include <string.h>

static const char style[] =
    "<style>text{fill:#1c1f23}.paper{fill:#fff}.grid{stroke:#e3e6ea}.axis{stroke:#7b838d;fill:none}.soft{fill:#5b636d}"
    ".chance{stroke:#b5505a;stroke-dasharray:4}.halo{stroke:#fff;stroke-width:1.5}.policy{fill:#d9822b;stroke:#fff}"
    ".title{font-weight:bold}.mark{font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3px}.bar{stroke-width:1."
    "5;stroke-opacity:.55}.curve{fill:none;stroke-width:2}"
    "line.s0,.curve.s0{stroke:#1f5fa8}circle.s0{fill:#1f5fa8}line.s1,.curve.s1{stroke:#c2571a}circle.s1{fill:#c2571a}"
    "line.s2,.curve.s2{stroke:#2a7f4f}circle.s2{fill:#2a7f4f}line.s3,.curve.s3{stroke:#8445a8}circle.s3{fill:#8445a8}"
    "line.s4,.curve.s4{stroke:#b0303c}circle.s4{fill:#b0303c}line.s5,.curve.s5{stroke:#0b7f86}circle.s5{fill:#0b7f86}"
    "line.s6,.curve.s6{stroke:#8a6a00}circle.s6{fill:#8a6a00}line.s7,.curve.s7{stroke:#5b636d}circle.s7{fill:#5b636d}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e9ed}.paper{fill:#15181c}.grid{stroke:#2c3138}.axis{stroke:#8d959f}"
    ".soft{fill:#a4acb6}.chance{stroke:#e08088}.halo,.policy,.mark{stroke:#15181c}"
    "line.s0,.curve.s0{stroke:#6aa9ee}circle.s0{fill:#6aa9ee}line.s1,.curve.s1{stroke:#f0935a}circle.s1{fill:#f0935a}"
    "line.s2,.curve.s2{stroke:#62c08d}circle.s2{fill:#62c08d}line.s3,.curve.s3{stroke:#c794e6}circle.s3{fill:#c794e6}"
    "line.s4,.curve.s4{stroke:#f07c86}circle.s4{fill:#f07c86}line.s5,.curve.s5{stroke:#4fc4cb}circle.s5{fill:#4fc4cb}"
    "line.s6,.curve.s6{stroke:#d8b440}circle.s6{fill:#d8b440}line.s7,.curve.s7{stroke:#a4acb6}circle.s7{fill:#a4acb6}}"
    "</style>\n";

void svg_begin(FILE *out, double width, double height)
{
    fprintf(
        out,
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' height='%.0f' "
        "font-family='system-ui, sans-serif' font-size='12'>\n%s<rect class='paper' width='100%%' height='100%%'/>\n",
        width, height, width, height, style);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void svg_escape(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
        }
}

void svg_text(FILE *out, double x, double y, const char *anchor, const char *class, const char *text)
{
    fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='%s'", x, y, anchor);
    if (*class != '\0')
        fprintf(out, " class='%s'", class);
    fputc('>', out);
    svg_escape(out, text);
    fputs("</text>\n", out);
}

double svg_x(const struct svg_panel *p, double value)
{
    return p->left + p->side * value / p->x_last;
}

double svg_y(const struct svg_panel *p, double value)
{
    return p->top + p->side - p->side * value / p->y_last;
}

void svg_line(const struct svg_panel *p, const char *class, double x1, double y1, double x2, double y2)
{
    fprintf(p->out, "<line class='%s' x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f'/>\n", class, svg_x(p, x1), svg_y(p, y1),
            svg_x(p, x2), svg_y(p, y2));
}

static void write_tick(char text[32], double value, const char *unit)
{
    if (strcmp(unit, "%") == 0)
        snprintf(text, 32, "%.3g%%", 100 * value);
    else
        snprintf(text, 32, "%.6g%s", value, unit);
}

void svg_frame(const struct svg_panel *p, const char *title, const char *x_name, const char *y_name, int ticks,
               const char *x_unit)
{
    char text[32];
    for (int i = 0; i <= ticks; i++) {
        double x = p->x_last * i / ticks, y = p->y_last * i / ticks;
        if (i > 0 && i < ticks) {
            svg_line(p, "grid", x, 0, x, p->y_last);
            svg_line(p, "grid", 0, y, p->x_last, y);
        }
        fprintf(p->out, "<path class='axis' d='M%.1f %.1fv5M%.1f %.1fh-5'/>\n", svg_x(p, x), p->top + p->side, p->left,
                svg_y(p, y));
        write_tick(text, x, x_unit);
        svg_text(p->out, svg_x(p, x), p->top + p->side + 19, "middle", "soft", text);
        write_tick(text, y, "%");
        svg_text(p->out, p->left - 8, svg_y(p, y) + 4, "end", "soft", text);
    }
    fprintf(p->out, "<rect class='axis' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>\n", p->left, p->top, p->side,
            p->side);
    svg_text(p->out, p->left, p->top - 12, "start", "title", title);
    svg_text(p->out, p->left + p->side / 2, p->top + p->side + 38, "middle", "", x_name);
    fprintf(p->out, "<text transform='translate(%.1f,%.1f) rotate(-90)' text-anchor='middle'>", p->left - 46,
            p->top + p->side / 2);
    svg_escape(p->out, y_name);
    fputs("</text>\n", p->out);
}
