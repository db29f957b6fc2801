/* What a rule matches in a whole text, found by another engine (PCRE2) and the definition, not by our automata.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The text may be the folded form of another one: each of its bytes then knows which original bytes it stands for. What
 * folds to nothing is a gap between them; a gap that reaches past max_bytes ends what a match can see, and counts as no
 * word character. */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORACLE_TEXT_MAX = 1024, ORACLE_SPANS_MAX = 1024 };

struct oracle_text {
    size_t len, original_len;
    char bytes[ORACLE_TEXT_MAX];
    uint32_t start[ORACLE_TEXT_MAX], end[ORACLE_TEXT_MAX]; /* original offsets of each byte's character */
};

struct oracle_rule {
    void *code; /* a compiled PCRE2 expression */
    size_t max_bytes;
    bool (*check)(const char *text, size_t len); /* NULL: none */
};

struct oracle_span {
    uint64_t start, end;
};

struct oracle_spans {
    struct oracle_span items[ORACLE_SPANS_MAX];
    size_t len;
};

/* NULL: PCRE2 refuses it. */
void *oracle_compile(const char *pattern);
/* What folding makes of the letters of wild expressions (wild.h), spelled out. */
void *oracle_compile_folded(const char *pattern);
void oracle_free(void *code);
/* A text that is its own original; at most ORACLE_TEXT_MAX bytes of valid UTF-8. */
void oracle_text_set(struct oracle_text *text, const char *bytes, size_t len);
/* A text as folded rules see it, with the way back. */
void oracle_text_fold(struct oracle_text *text, const char *bytes, size_t len);
/* The leftmost, longest, non-overlapping matches in original offsets. */
void oracle_matches(const struct oracle_rule *rule, const struct oracle_text *text, struct oracle_spans *out);

#endif
