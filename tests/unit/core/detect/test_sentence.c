/* Sentences: where they end, and that the cuts of the text make no difference.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/sentence.h"

enum { ENDS_MAX = 4096 };

struct ends {
    uint64_t at[ENDS_MAX];
    size_t len;
};

/* Feeds one piece of a text and notes every end. */
static void feed(struct sentencer *s, const char *data, size_t len, struct ends *ends)
{
    size_t at = 0;
    for (;;) {
        uint64_t end = UINT64_MAX;
        at += sentencer_feed(s, (struct span){data + at, len - at}, &end);
        if (end == UINT64_MAX)
            break;
        assert_true(ends->len < ENDS_MAX);
        ends->at[ends->len++] = end;
    }
    assert_int_equal(at, len);
}

static struct ends split_whole(const char *text, size_t len)
{
    struct ends ends = {.len = 0};
    struct sentencer s;
    sentencer_init(&s, 0);
    feed(&s, text, len, &ends);
    return ends;
}

/* The text has a bar wherever a sentence shall end. */
static void check(const char *marked)
{
    char text[8192];
    struct ends want = {.len = 0};
    size_t len = 0;
    for (const char *p = marked; *p != '\0'; p++)
        if (*p == '|')
            want.at[want.len++] = len;
        else
            text[len++] = *p;
    struct ends got = split_whole(text, len);
    for (size_t i = 0; i < want.len || i < got.len; i++)
        if (i >= want.len || i >= got.len || want.at[i] != got.at[i])
            fail_msg("\"%s\": end %zu is %lld, expected %lld", marked, i, i < got.len ? (long long)got.at[i] : -1,
                     i < want.len ? (long long)want.at[i] : -1);
}

static void ends_at_stops(void **state)
{
    (void)state;
    check("It rains. |We stay in. |Why not?");
    check("Really?! |Yes... |Then go on");
    check("Hmm... let me think. |So");
    check("He said \"stop.\" |She did not");
    check("**Bold.** |Next");
    check("line one\n|line two\n|\n\n  three\n|");
    check("  leading");
    check("wait! and more");
}

static void keeps_abbreviations_and_numbers(void **state)
{
    (void)state;
    check("Fruit, e.g. Apples, i.e. Sweet ones. |Dr. Roe agreed.");
    check("Pi is 3.14159. |The U.S. Army. |J. Doe came.");
    check("See No. 5 there. |No. |Then stop.");
    check("See fig. 2 for it. |Open main.c and v1.2.3 now. |Done");
    check("Vitamins etc. |They help. |So do I. |We know.");
}

static void keeps_list_markers(void **state)
{
    (void)state;
    check("1. Wash it.\n|2. Dry it.\n|a. Fold it. |Then");
    check("Step 1. |Open it.");
}

static void takes_code_by_lines(void **state)
{
    (void)state;
    check("```c\n|f(a. B); g! Ha\n|```\n|Then. |Now");
    check("  ``` \n|a. B\n|x ``` y. Z\n|```\n|Ok. |Go");
    check("use `a. b` here. |Next");
}

static void knows_other_scripts(void **state)
{
    (void)state;
    check("天気がいい。|散歩しよう！|「はい。」|と言った");
    check("यह ठीक है। |चलो");
    check("Été fini. |École ouverte… |Fin");
}

static void bounds_the_length(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    struct ends ends = split_whole(text, sizeof text);
    assert_int_equal(ends.len, 4);
    for (size_t i = 0; i < ends.len; i++)
        assert_int_equal(ends.at[i], (i + 1) * SENTENCE_MAX);
    for (size_t i = 5; i < sizeof text; i += 6)
        text[i] = ' ';
    ends = split_whole(text, sizeof text);
    assert_true(ends.len > 0);
    assert_true(text[ends.at[0] - 1] == ' ' && ends.at[0] <= SENTENCE_MAX);
    memset(text, ' ', sizeof text);
    assert_true(split_whole(text, sizeof text).len > 0);
}

/* Text made of the things that matter to a splitter, whole characters or not. */
static size_t make_text(char *out, size_t cap)
{
    static const char *const bits[] = {". ",
                                       "! ",
                                       "?",
                                       "\n",
                                       " ",
                                       "e.g. ",
                                       "Dr.",
                                       "1. ",
                                       "a",
                                       "B",
                                       "```",
                                       "\r\n",
                                       "3.1",
                                       "。",
                                       "」",
                                       "…",
                                       "é",
                                       "\xE3\x80",
                                       "\x80",
                                       "\xFF",
                                       "word",
                                       "No. ",
                                       "7",
                                       "\"",
                                       "**",
                                       "(",
                                       "u.s.",
                                       "天",
                                       "\xF0\x9F\x98\x80",
                                       "\xE2\x80\xA8",
                                       "\t",
                                       "etc. "};
    size_t len = 0;
    while (len + 8 < cap) {
        const char *bit = bits[(size_t)rand() % (sizeof bits / sizeof bits[0])];
        size_t n = strlen(bit);
        memcpy(out + len, bit, n);
        len += n;
    }
    return len;
}

static void is_the_same_for_every_chunking(void **state)
{
    (void)state;
    char text[2600];
    for (unsigned seed = 1; seed <= 400; seed++) {
        srand(seed);
        size_t len = make_text(text, 20 + (size_t)rand() % (sizeof text - 20));
        struct ends whole = split_whole(text, len), cut = {.len = 0};
        struct sentencer s;
        sentencer_init(&s, 0);
        size_t step = 1 + (size_t)rand() % 9;
        for (size_t at = 0; at < len;) {
            size_t n = 1 + (size_t)rand() % step;
            n = n < len - at ? n : len - at;
            feed(&s, text + at, n, &cut);
            at += n;
        }
        if (cut.len != whole.len || memcmp(cut.at, whole.at, cut.len * sizeof cut.at[0]) != 0)
            fail_msg("seed %u: %zu ends when cut, %zu whole", seed, cut.len, whole.len);
        uint64_t last = 0;
        for (size_t i = 0; i < whole.len; last = whole.at[i++])
            if (whole.at[i] <= last || whole.at[i] - last > SENTENCE_MAX)
                fail_msg("seed %u: a sentence from %llu to %llu", seed, (unsigned long long)last,
                         (unsigned long long)whole.at[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_stops),
        cmocka_unit_test(keeps_abbreviations_and_numbers),
        cmocka_unit_test(keeps_list_markers),
        cmocka_unit_test(takes_code_by_lines),
        cmocka_unit_test(knows_other_scripts),
        cmocka_unit_test(bounds_the_length),
        cmocka_unit_test(is_the_same_for_every_chunking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
