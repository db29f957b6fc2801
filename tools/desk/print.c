/* See desk.h: printing for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
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

struct char_range {
    uint32_t first, last;
};

static bool is_in(uint32_t c, const struct char_range *ranges, size_t len)
{
    for (size_t i = 0; i < len && c >= ranges[i].first; i++)
        if (c <= ranges[i].last)
            return true;
    return false;
}

/* Columns of a terminal. The C library's answer depends on the locale; these are the blocks that matter. */
static size_t columns_of(uint32_t c)
{
    static const struct char_range marks[] = {
        {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},  {0x93c, 0x93c},
        {0x941, 0x948},   {0x94d, 0x94d},   {0xe31, 0xe31},   {0xe34, 0xe3a},   {0xe47, 0xe4e},  {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
    static const struct char_range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},
        {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},   {0xffe0, 0xffe6},
        {0x1f1e6, 0x1f1ff}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
    if (is_in(c, marks, sizeof marks / sizeof *marks))
        return 0;
    return is_in(c, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

/* The next character as it is shown: its columns, and its bytes in `shown`. */
static size_t show_character(const char *text, bool lines, char shown[16], size_t *columns)
{
    uint32_t c;
    size_t len = take_character(text, &c);
    if (is_unsafe(c) && !(lines && c == '\n')) {
        *columns = (size_t)snprintf(shown, 16, "<%02X>", (unsigned)c);
    } else {
        memcpy(shown, text, len);
        shown[len] = '\0';
        *columns = columns_of(c);
    }
    return len;
}

/* Columns of the whole text, but no more than just beyond `limit`. */
static size_t columns_up_to(const char *text, bool lines, size_t limit)
{
    char shown[16];
    size_t all = 0, columns;
    for (; *text != '\0' && all <= limit; all += columns)
        text += show_character(text, lines, shown, &columns);
    return all;
}

void desk_print_safe(FILE *f, const char *text, size_t width, bool fill, bool lines)
{
    char shown[16];
    size_t done = 0, columns;
    bool is_cut = width > 0 && columns_up_to(text, lines, width) > width;
    while (*text != '\0') {
        size_t len = show_character(text, lines, shown, &columns);
        if (is_cut && done + columns > width - 1) {
            fputs("…", f);
            done++;
            break;
        }
        fputs(shown, f);
        done += columns;
        text += len;
    }
    for (; fill && done < width; done++)
        fputc(' ', f);
}

size_t desk_columns(FILE *f)
{
    struct winsize size;
    return isatty(fileno(f)) && ioctl(fileno(f), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void desk_print_words(FILE *f, const char *name)
{
    char *words = strdup(name);
    for (char *at = words; at != NULL && (at = strchr(at, '_')) != NULL;)
        *at = ' ';
    desk_print_safe(f, words != NULL ? words : name, 0, false, false);
    free(words);
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
    long long ms_tenths = (us + 50) / 100, ms = (us + 500) / 1000, s_hundredths = (us + 5000) / 10000,
              s_tenths = (us + 50000) / 100000, s = (us + 500000) / 1000000;
    if (us < 1000)
        snprintf(out, 24, "%lld µs", (long long)us);
    else if (ms_tenths < 100)
        snprintf(out, 24, "%lld.%lld ms", ms_tenths / 10, ms_tenths % 10);
    else if (ms < 1000)
        snprintf(out, 24, "%lld ms", ms);
    else if (s_hundredths < 1000)
        snprintf(out, 24, "%lld.%02lld s", s_hundredths / 100, s_hundredths % 100);
    else if (s_tenths < 600)
        snprintf(out, 24, "%lld.%lld s", s_tenths / 10, s_tenths % 10);
    else
        snprintf(out, 24, "%lld min %lld s", s / 60, s % 60);
    return out;
}
