/* See math_answer.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "attack/math_answer.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the answer is ---- */

/* The end of what an open brace before `at` encloses; NULL: it is not closed. */
static const char *closing_brace(const char *at)
{
    for (int depth = 1; *at != '\0'; at++) {
        if (*at == '\\' && at[1] != '\0') {
            at++;
            continue;
        }
        depth += (*at == '{') - (*at == '}');
        if (depth == 0)
            return at;
    }
    return NULL;
}

/* What the last closed \boxed{} or \fbox{} holds. Owned; NULL: there is none. */
static char *last_boxed(const char *text)
{
    static const char *const marks[] = {"\\boxed{", "\\fbox{"};
    const char *best = NULL, *best_end = NULL;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        for (const char *at = text; (at = strstr(at, marks[i])) != NULL; at += strlen(marks[i])) {
            const char *start = at + strlen(marks[i]), *end = closing_brace(start);
            if (end != NULL && (best == NULL || start > best)) {
                best = start;
                best_end = end;
            }
        }
    return best != NULL ? strndup(best, (size_t)(best_end - best)) : NULL;
}

static bool is_number_part(char c)
{
    return isdigit((unsigned char)c) || c == '.' || c == ',' || c == '/';
}

/* Owned; NULL: there is no digit. */
static char *last_number(const char *text)
{
    size_t end = strlen(text);
    while (end > 0 && !isdigit((unsigned char)text[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && is_number_part(text[start - 1]))
        start--;
    while (start < end && !isdigit((unsigned char)text[start]) && text[start] != '.')
        start++;
    /* A minus, where no other number and no letter stands before it: 3-4 ends with 4. */
    if (start > 0 && text[start - 1] == '-' && (start == 1 || !isalnum((unsigned char)text[start - 2])))
        start--;
    if (text[end] == '%' || (text[end] == '\\' && text[end + 1] == '%'))
        end += text[end] == '%' ? 1 : 2;
    return end > start ? strndup(text + start, end - start) : NULL;
}

static char *last_line(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    const char *line = memrchr(text, '\n', len);
    line = line != NULL ? line + 1 : text;
    return strndup(line, len - (size_t)(line - text));
}

/* ---- spelling ---- */

/* Spellings that say nothing, and what stands for them. Longer ones come before their beginnings. */
static const struct {
    const char *from, *to;
} spellings[] = {
    {"\\left", ""},    {"\\right", ""},       {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"\\displaystyle", ""},
    {"^{\\circ}", ""}, {"^\\circ", ""},       {"\\circ", ""},        {"\\quad", ""},        {"\\$", ""},
    {"$", ""},         {"\\!", ""},           {"\\,", ""},           {"\\;", ""},           {"\\:", ""},
    {"\\ ", ""},       {"\\(", ""},           {"\\)", ""},           {"\\[", ""},           {"\\]", ""},
    {"\\{", "{"},      {"\\}", "}"},          {"\\cdot", "*"},       {"\\times", "*"},      {"\\%", "%"},
    {"**", ""},        {"\xE2\x88\x92", "-"}, {"\xC2\xB0", ""}};

/* \text{...} and the like are what they hold. */
static const char *const wrappers[] = {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\mbox{"};

static size_t write_spelling(char *out, size_t len, const char **at)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strncmp(*at, spellings[i].from, strlen(spellings[i].from)) == 0) {
            memcpy(out + len, spellings[i].to, strlen(spellings[i].to));
            *at += strlen(spellings[i].from);
            return len + strlen(spellings[i].to);
        }
    out[len++] = *(*at)++;
    return len;
}

static void level_into(char *out, size_t *len, const char *text, const char *end);

static bool level_wrapper(char *out, size_t *len, const char **at)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++) {
        size_t mark = strlen(wrappers[i]);
        const char *end = strncmp(*at, wrappers[i], mark) == 0 ? closing_brace(*at + mark) : NULL;
        if (end == NULL)
            continue;
        level_into(out, len, *at + mark, end);
        *at = end + 1;
        return true;
    }
    return false;
}

static void level_into(char *out, size_t *len, const char *text, const char *end)
{
    while (text < end)
        if (isspace((unsigned char)*text))
            text++;
        else if (!level_wrapper(out, len, &text))
            *len = write_spelling(out, *len, &text);
}

/* \frac12 is \frac{1}{2}. `out` has room for two braces more for each backslash of the text. */
static void write_fractions(char *out, const char *text)
{
    static const char mark[] = "\\frac";
    while (*text != '\0') {
        bool is_short = strncmp(text, mark, sizeof mark - 1) == 0 && isalnum((unsigned char)text[sizeof mark - 1]) &&
                        isalnum((unsigned char)text[sizeof mark]);
        if (!is_short) {
            *out++ = *text++;
            continue;
        }
        memcpy(out, mark, sizeof mark - 1);
        out += sizeof mark - 1;
        text += sizeof mark - 1;
        for (int i = 0; i < 2; i++) {
            *out++ = '{';
            *out++ = *text++;
            *out++ = '}';
        }
    }
    *out = '\0';
}

/* Owned; NULL: no memory. */
static char *level(const char *text)
{
    size_t all = strlen(text), len = 0;
    char *plain = malloc(all + 1), *out = malloc(5 * all + 1);
    if (plain == NULL || out == NULL) {
        free(plain);
        free(out);
        return NULL;
    }
    level_into(plain, &len, text, text + all);
    plain[len] = '\0';
    while (len > 0 && plain[len - 1] == '.')
        plain[--len] = '\0';
    /* "x=5" answers with 5, where there is one letter and one sign of equality. */
    const char *from = len > 2 && isalpha((unsigned char)plain[0]) && plain[1] == '=' && strchr(plain + 2, '=') == NULL
                           ? plain + 2
                           : plain;
    write_fractions(out, from);
    free(plain);
    return out;
}

/* ---- numbers ---- */

/* Digits with commas between thousands, and a decimal point. Moves `at` behind it. */
static bool read_decimal(const char **at, double *value)
{
    char digits[64];
    size_t len = 0, group = 0;
    bool has_comma = false, has_point = false, has_digit = false;
    const char *c = *at;
    for (; len + 1 < sizeof digits; c++) {
        if (isdigit((unsigned char)*c)) {
            has_digit = true;
            group++;
        } else if (*c == ',' && !has_point && group > 0 && group <= 3 && (!has_comma || group == 3) &&
                   strspn(c + 1, "0123456789") >= 3) {
            has_comma = true;
            group = 0;
            continue;
        } else if (*c == '.' && !has_point && isdigit((unsigned char)c[1])) {
            has_point = true;
        } else {
            break;
        }
        digits[len++] = *c;
    }
    digits[len] = '\0';
    *at = c;
    *value = has_digit ? strtod(digits, NULL) : 0;
    return has_digit && !(has_comma && !has_point && group != 3);
}

static bool read_sign(const char **at)
{
    bool is_negative = **at == '-';
    *at += **at == '-' || **at == '+';
    return is_negative;
}

/* \frac{3}{4} */
static bool read_fraction(const char **at, double *value)
{
    double above, below;
    const char *c = *at + strlen("\\frac{");
    bool up = read_sign(&c);
    if (!read_decimal(&c, &above) || strncmp(c, "}{", 2) != 0)
        return false;
    c += 2;
    bool down = read_sign(&c);
    if (!read_decimal(&c, &below) || *c != '}' || below == 0)
        return false;
    *at = c + 1;
    *value = (up ? -above : above) / (down ? -below : below);
    return true;
}

static bool read_levelled(const char *at, double *value)
{
    double below;
    bool is_negative = read_sign(&at);
    if (strncmp(at, "\\frac{", 6) == 0 ? !read_fraction(&at, value) : !read_decimal(&at, value))
        return false;
    if (*at == '/') {
        at++;
        if (!read_decimal(&at, &below) || below == 0)
            return false;
        *value /= below;
    }
    if (*at == '%') {
        at++;
        *value /= 100;
    }
    *value = is_negative ? -*value : *value;
    return *at == '\0';
}

bool math_number_read(const char *text, double *value)
{
    char *levelled = level(text);
    bool is_number = levelled != NULL && read_levelled(levelled, value);
    free(levelled);
    return is_number;
}

/* ---- comparing ---- */

static bool are_equal(const char *a, const char *b)
{
    double x, y;
    char *one = level(a), *other = level(b);
    bool same = one != NULL && other != NULL &&
                (strcmp(one, other) == 0 || (read_levelled(one, &x) && read_levelled(other, &y) &&
                                             fabs(x - y) <= 1e-9 * fmax(1, fmax(fabs(x), fabs(y)))));
    free(one);
    free(other);
    return same;
}

bool math_answer_is(const char *text, const char *right)
{
    double value;
    char *boxed = last_boxed(text), *reference = last_boxed(right);
    const char *wanted = reference != NULL ? reference : right;
    char *said = boxed != NULL ? boxed : math_number_read(wanted, &value) ? last_number(text) : last_line(text);
    bool is_right = said != NULL && are_equal(said, wanted);
    free(said);
    free(reference);
    return is_right;
}
