/* See desk.h: printing for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desk/desk.h"

static bool has_colours(FILE *f)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(f)) && (no == NULL || *no == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

void desk_colour(FILE *f, enum desk_colour colour)
{
    static const char *const codes[] = {"0", "2", "31", "33", "32", "1"};
    if (has_colours(f))
        fprintf(f, "\033[%sm", codes[colour]);
}

enum desk_colour desk_verdict_colour(const char *verdict)
{
    if (strcmp(verdict, "refuse") == 0 || strcmp(verdict, "cut") == 0)
        return DESK_RED;
    if (strcmp(verdict, "steer") == 0 || strcmp(verdict, "redact") == 0)
        return DESK_YELLOW;
    return strcmp(verdict, "allow") == 0 ? DESK_GREEN : DESK_DIM;
}

/* One character of valid UTF-8; jansson gives no other. */
static size_t take_character(const char *text, uint32_t *out)
{
    unsigned char first = (unsigned char)*text;
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    *out = len == 1 ? first : first & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        *out = *out << 6 | ((unsigned char)text[i] & 0x3f);
    return len;
}

/* Control characters, marks of direction, and what is not seen. */
static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff0 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

void desk_print_safe(FILE *f, const char *text, size_t width, bool fill, bool lines)
{
    size_t columns = 0;
    while (*text != '\0' && (width == 0 || columns < width)) {
        uint32_t c;
        char shown[16];
        size_t len = take_character(text, &c);
        bool is_line = lines && c == '\n';
        if (is_unsafe(c) && !is_line) {
            int n = snprintf(shown, sizeof shown, "<%02X>", (unsigned)c);
            if (width > 0 && columns + (size_t)n > width)
                break;
            fputs(shown, f);
            columns += (size_t)n;
        } else {
            if (width > 0 && columns + 1 == width && text[len] != '\0') {
                fputs("…", f);
                columns++;
                break;
            }
            fwrite(text, 1, len, f);
            columns++;
        }
        text += len;
    }
    for (; fill && columns < width; columns++)
        fputc(' ', f);
}

const char *desk_text(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text != NULL ? text : "";
}

int64_t desk_number(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

const char *desk_duration(int64_t us, char out[24])
{
    if (us < 1000)
        snprintf(out, 24, "%lld us", (long long)us);
    else if (us < 10000)
        snprintf(out, 24, "%.1f ms", (double)us / 1000);
    else if (us < 10000000)
        snprintf(out, 24, "%lld ms", (long long)(us / 1000));
    else
        snprintf(out, 24, "%.1f s", (double)us / 1000000);
    return out;
}
