/* Regular expressions: the text of a rule, parsed into a tree.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Supported: literals, \n \r \t \f \e \a \0, \xHH \x{H...}, escaped marks, . \d \D \w \W \s \S (ASCII, but
 * the negated ones take every other character), classes with ranges and negation, groups (capturing, named and (?:...),
 * all alike), alternation, * + ? {n} {n,} {n,m}, the anchors ^ \A $ \z of the whole text, \b \B, and the flags i and s,
 * as (?i) or (?i:...). A lazy mark after a repetition is accepted and means nothing, because the longest match counts.
 * Not supported, and refused with the position: back references, lookaround, atomic groups, possessive repetition,
 * conditions, \p, \Q, (?m), (?x).
 *
 * Characters are code points; a byte that is not part of valid UTF-8 is matched by nothing. */
#ifndef CORE_RULES_REGEX_H
#define CORE_RULES_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rules/charset.h"

enum { REGEX_REPEAT_MAX = 1000, REGEX_NESTING_MAX = 100, REGEX_NODES_MAX = 1 << 20, REGEX_FOREVER = -1 };

enum regex_kind {
    REGEX_EMPTY,
    REGEX_SET,    /* one character of sets[index] */
    REGEX_CHAR,   /* the code point `index` */
    REGEX_CAT,    /* all children, one after the other */
    REGEX_ALT,    /* one of the children */
    REGEX_REPEAT, /* the only child, min to max times */
    REGEX_ASSERT, /* enum regex_assert in `index` */
};

enum regex_assert { ASSERT_BEGIN, ASSERT_END, ASSERT_WORD, ASSERT_NOT_WORD };

struct regex_node {
    enum regex_kind kind;
    uint32_t index;
    int32_t min, max;
    uint32_t child; /* the *last* child, 0 for none: code is made from the end backwards */
    uint32_t prev;  /* the sibling before this one, 0 for none */
};

struct regex {
    struct regex_node *nodes; /* [0] is not used */
    size_t nodes_len, nodes_cap;
    struct charset *sets;
    size_t sets_len, sets_cap;
    uint32_t root;
};

struct regex_error {
    size_t offset; /* byte of the pattern */
    const char *what;
};

void regex_fini(struct regex *re);
/* `folded`: the expression is for folded text, so its literals and classes are folded too. REIN_EPOLICY sets *error. In
 * any case the caller ends with regex_fini. */
int regex_parse(struct regex *re, struct span pattern, bool folded, struct regex_error *error) REIN_MUST_USE;
/* An alternation of literal texts. REIN_EPOLICY: one is empty (once folded) or not valid UTF-8. */
int regex_literals(struct regex *re, const char *const *literals, size_t len, bool folded,
                   struct regex_error *error) REIN_MUST_USE;

#endif
