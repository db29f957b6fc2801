/* What the tables of built-in rules share: their rows, and looking at characters.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BUILTIN_BUILTIN_PARTS_H
#define CORE_BUILTIN_BUILTIN_PARTS_H

#include "builtin/builtin.h"

/* The rows of each theme end with one that has no name. */
extern const struct builtin builtins_of_money[], builtins_of_contact[], builtins_of_network[], builtins_of_persons[],
    builtins_of_keys[], builtins_of_secrets[], builtins_of_hidden_text[];

/* What is between the groups of a number: blanks, dashes and dots of all kinds, up to two. */
#define PART_GAP                                                                                                       \
    "[ .\\x{A0}\\x{AD}\\x{2000}-\\x{200D}\\x{2010}-\\x{2015}\\x{202F}\\x{205F}\\x{2060}\\x{2212}\\x{3000}-]{1,2}"
/* No digit follows. */
#define PART_NO_DIGIT "(?:\\b|[A-Za-z_])"

static inline bool part_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool part_is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline char part_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static inline enum builtin_result part_yes_if(bool is_real)
{
    return is_real ? BUILTIN_YES : BUILTIN_NO;
}

/* The n-th byte before the match; 1 is the nearest. */
static inline char part_before(struct surroundings around, unsigned n)
{
    return (char)(around.before >> (8 * (n - 1)) & 0xFF);
}

/* No letter or digit is right before the match. The last letter of an escape (\n) in a text that is quoted is none. */
static inline bool part_stands_alone(struct surroundings around)
{
    char last = part_before(around, 1);
    bool is_escape = (last == 'n' || last == 't' || last == 'r') && part_before(around, 2) == '\\';
    return is_escape || (!part_is_letter(last) && !part_is_digit(last));
}

/* A letter or `_` behind a number only shows that no digit follows. */
static inline struct span part_without_end(struct span match)
{
    char last = match.data[match.len - 1];
    match.len -= part_is_letter(last) || last == '_';
    return match;
}

/* The letters, in capitals, and digits of a text, without what separates them. */
struct part_number {
    char at[40];
    size_t len;
};

/* From the first digit on, where a cue is before the number; else all. More than there is room for is left out. */
struct part_number part_number_of(struct span text, bool has_cue);
/* The value of len digits, at most 18. */
uint64_t part_value(const char *digits, size_t len);
/* The digits from the right, every second one doubled, add up to a multiple of ten (ISO/IEC 7812). */
bool part_has_luhn_digit(const char *digits, size_t len);

/* For samples: tries the ten digits for the place `at` until the number is right. */
bool part_complete_digit(char *const *value, size_t len, size_t at, bool (*is_right)(const char *number, size_t len));

#endif
