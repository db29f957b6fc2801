/* Folding a sentence: what lexicons see, and that blocks of bytes fold as single ones do.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/signal.h"
#include "dice.h"

enum { TEXT_MAX = 96, CASES = 20000 };

static void check(const char *text, const char *want)
{
    char got[256];
    size_t len = signal_fold((struct span){text, strlen(text)}, got, sizeof got - 1);
    got[len] = '\0';
    assert_string_equal(got, want);
}

static void folds(void **state)
{
    (void)state;
    check("", "");
    check("Plain Words STAY as they are, but for CASE.", "plain words stay as they are, but for case.");
    check("  blanks   become\t\tsingle \r\n ones, none at the beginning",
          "blanks become single ones, none at the beginning");
    check("one blank  after  a block of sixteen bytes  and  one  at its end ",
          "one blank after a block of sixteen bytes and one at its end ");
    check("**Emphasis** and `code` marks go, ** and ** blanks beside them",
          "emphasis and code marks go, and blanks beside them");
    check("\xE2\x80\x9CQuotes\xE2\x80\x9D, dashes \xE2\x80\x94 and apostrophes\xE2\x80\x99 become plain",
          "\"quotes\", dashes - and apostrophes' become plain");
    check("[@Z`{] stand beside the letters", "[@z{] stand beside the letters");
}

/* What folding means for a text of ASCII. */
static size_t fold_naively(struct span text, char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < cap; i++) {
        char c = text.data[i];
        if (c == '*' || c == '`')
            continue;
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (len > 0 && out[len - 1] != ' ')
                out[len++] = ' ';
        } else {
            out[len++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
    }
    return len;
}

/* Mostly letters, so that whole blocks fold; the memory of text and result ends where they do. */
static char ascii_byte(struct dice *dice, unsigned odd_percent)
{
    static const char odd[] = "  \t\r\n*`@[{";
    if (dice_chance(dice, odd_percent))
        return odd[dice_below(dice, sizeof odd - 1)];
    return dice_chance(dice, 10) ? (char)dice_below(dice, 0x80) : "eTaoInShRdLu. "[dice_below(dice, 14)];
}

static void blocks_fold_as_bytes_do(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        struct dice dice = dice_of(seed);
        size_t len = dice_below(&dice, TEXT_MAX + 1), cap = dice_chance(&dice, 70) ? len : dice_below(&dice, len + 1);
        unsigned odd_percent = (unsigned)dice_below(&dice, 20);
        char *text = malloc(len > 0 ? len : 1), *got = malloc(cap > 0 ? cap : 1), want[TEXT_MAX];
        assert_true(text != NULL && got != NULL);
        for (size_t i = 0; i < len; i++)
            text[i] = ascii_byte(&dice, odd_percent);
        size_t want_len = fold_naively((struct span){text, len}, want, cap);
        size_t got_len = signal_fold((struct span){text, len}, got, cap);
        if (got_len != want_len || memcmp(got, want, want_len) != 0)
            fail_msg("seed %llu: '%.*s' folds to '%.*s', expected '%.*s'", (unsigned long long)seed, (int)len, text,
                     (int)got_len, got, (int)want_len, want);
        free(text);
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds),
        cmocka_unit_test(blocks_fold_as_bytes_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
