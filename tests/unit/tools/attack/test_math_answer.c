/* Answers to mathematics: what is taken from a text, and what counts as the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attack/math_answer.h"
#include "dice.h"

struct pair {
    const char *text, *right;
};

static void expect_all(const struct pair *pairs, size_t len, bool wanted)
{
    for (size_t i = 0; i < len; i++)
        if (math_answer_is(pairs[i].text, pairs[i].right) != wanted)
            fail_msg("`%s` %s `%s`", pairs[i].text, wanted ? "should be" : "should not be", pairs[i].right);
}

static void test_right(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"So we get \\boxed{42}.", "42"},
        {"First \\boxed{1}, no: \\boxed{\\frac{3}{4}}", "\\dfrac34"},
        {"\\boxed{\\frac{1}{2}} and then \\boxed{unclosed", "0.5"},
        {"The sum is 1,234.", "1234"},
        {"It costs $12.50 in all", "12.5"},
        {"x = \\boxed{x=5}", "5"},
        {"\\boxed{ \\left( 3, \\frac{\\pi}{2} \\right) }", "(3,\\frac{\\pi}{2})"},
        {"\\boxed{\\text{Evelyn}}", "Evelyn"},
        {"\\boxed{90^\\circ}", "90"},
        {"\\boxed{25\\%}", "0.25"},
        {"That is 3/4", "\\frac{3}{4}"},
        {"The temperature is -7", "-7"},
        {"The temperature is \xE2\x88\x92"
         "7, \\boxed{\xE2\x88\x92"
         "7}",
         "-7"},
        {"Therefore:\nx^2 + 1\n", "x^2+1"},
        {"\\boxed{\\$18.90}", "18.9"},
        {"\\boxed{10{,}000}", "10{,}000"},
        {"\\boxed{p - q}", "$p-q$"},
        {"The answer is \\boxed{7}", "\\boxed{7}"},
    };
    expect_all(pairs, sizeof pairs / sizeof *pairs, true);
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct pair pairs[] = {
        {"", "4"},
        {"I cannot say.", "4"},
        {"\\boxed{41}", "42"},
        {"\\boxed{4} is not it: 5", "5"}, /* what is boxed is the answer */
        {"It is 14", "4"},
        {"3-4", "-4"},
        {"\\boxed{-\\frac{1}{2}}", "\\frac{1}{2}"},
        {"\\boxed{(1,2)}", "12"},
        {"\\boxed{1+x}", "x+1"}, /* nothing is computed */
        {"\\boxed{12,34}", "1234"},
        {"\\boxed{0.333}", "\\frac{1}{3}"},
        {"\\boxed{\\frac{1}{0}}", "0"},
    };
    expect_all(pairs, sizeof pairs / sizeof *pairs, false);
}

static void test_numbers(void **state)
{
    (void)state;
    double value;
    assert_true(math_number_read("$-1{}$", &value) == false);
    assert_true(math_number_read("-\\frac{-6}{4}", &value));
    assert_float_equal(value, 1.5, 1e-12);
    assert_true(math_number_read(".5", &value));
    assert_float_equal(value, 0.5, 1e-12);
    assert_false(math_number_read("1.2.3", &value));
    assert_false(math_number_read("1/0", &value));
    assert_false(math_number_read("\\frac{", &value));
}

/* A number in several spellings is itself, and no other number. */
static void test_spellings(void **state)
{
    (void)state;
    struct dice dice = {7};
    for (int i = 0; i < 2000; i++) {
        long n = (long)dice_below(&dice, 2000000) - 1000000;
        char right[32], wrong[32], texts[5][96];
        snprintf(right, sizeof right, "%ld", n);
        snprintf(wrong, sizeof wrong, "%ld", n + 1 + (long)dice_below(&dice, 9));
        snprintf(texts[0], sizeof texts[0], "So it is \\boxed{%ld.0}.", n);
        snprintf(texts[1], sizeof texts[1], "\\boxed{\\frac{%ld}{3}}", 3 * n);
        snprintf(texts[2], sizeof texts[2], "\\boxed{$%ld$}", n);
        snprintf(texts[3], sizeof texts[3], "The answer is %ld.", n);
        snprintf(texts[4], sizeof texts[4], "x: \\boxed{ \\text{ %ld } }", n);
        for (size_t k = 0; k < 5; k++) {
            if (!math_answer_is(texts[k], right))
                fail_msg("`%s` should be `%s`", texts[k], right);
            if (math_answer_is(texts[k], wrong))
                fail_msg("`%s` should not be `%s`", texts[k], wrong);
        }
    }
}

/* Whatever a model writes, it is read within its bounds: sanitizers watch. */
static void test_anything(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "\\boxed{", "\\fbox{", "{",   "}", "\\", "\\frac", "\\frac1",      "\\text{",  "$",   "1",   "-",     "/", ",",
        ".",        "%",       "\\%", " ", "\n", "x=",     "\xE2\x88\x92", "\xC2\xB0", "\\{", "000", "\\left"};
    struct dice dice = {8};
    for (int i = 0; i < 20000; i++) {
        char text[256] = "", right[64] = "";
        for (size_t k = dice_below(&dice, 20); k > 0; k--)
            strcat(text, parts[dice_below(&dice, sizeof parts / sizeof *parts)]);
        for (size_t k = dice_below(&dice, 5); k > 0; k--)
            strcat(right, parts[dice_below(&dice, sizeof parts / sizeof *parts)]);
        double value;
        (void)math_answer_is(text, right);
        if (math_number_read(text, &value))
            assert_true(isfinite(value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_numbers), cmocka_unit_test(test_spellings),
                                       cmocka_unit_test(test_anything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
