/* Ends of rendered prompts: open, closed or neither, whatever stands further up.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/prompt.h"

static const struct delimiters own = {"<<why>>", "<</why>>", "\n"};

static void test_ends(void **state)
{
    (void)state;
    static const struct {
        const char *prompt;
        enum prompt_end end;
        unsigned family;
    } cases[] = {
        {"<|user|>hi<|assistant|>", PROMPT_PLAIN, 99},
        {"", PROMPT_PLAIN, 99},
        {" \n", PROMPT_PLAIN, 99},
        {"<|assistant|><think>", PROMPT_OPEN, 0},
        {"<|assistant|><think>\n\n", PROMPT_OPEN, 0},
        {"<|assistant|><think>\n\n</think>\n\n", PROMPT_CLOSED, 0},
        {"<|assistant|></think>", PROMPT_CLOSED, 0},
        {"<|user|><think><|assistant|>", PROMPT_PLAIN, 99},
        {"<|user|></think><|assistant|><think>", PROMPT_OPEN, 0},
        {"[INST]hi[/INST][THINK]", PROMPT_OPEN, 1},
        {"<|assistant|><seed:think>", PROMPT_OPEN, 2},
        {"<|assistant|><mm:think>\n", PROMPT_OPEN, 3},
        {"a\u25c1think\u25b7", PROMPT_OPEN, 4},
        {"<|start|>assistant<|channel|>analysis<|message|>", PROMPT_OPEN, 9},
        {"x<<why>>", PROMPT_OPEN, PROMPT_OWN},
        {"x<</why>> ", PROMPT_CLOSED, PROMPT_OWN},
        {"<thinker>", PROMPT_PLAIN, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned family = 99;
        enum prompt_end end = prompt_end(cases[i].prompt, strlen(cases[i].prompt), &own, &family);
        if (end != cases[i].end || family != cases[i].family)
            fail_msg("%s: end %d, family %u, expected %d, %u", cases[i].prompt, end, family, cases[i].end,
                     cases[i].family);
    }
}

static void test_words(void **state)
{
    (void)state;
    enum prompt_end end;
    unsigned family;
    assert_true(prompt_before("<|a|><think>\nI check. Then", "I check. Then", NULL, &end, &family));
    assert_int_equal(end, PROMPT_OPEN);
    assert_true(prompt_before("<|a|><think>\n\n</think>\n\nI check.", "I check.", NULL, &end, &family));
    assert_int_equal(end, PROMPT_CLOSED);
    assert_true(prompt_before("<|a|>I check. \n", "I check.\n", NULL, &end, &family));
    assert_int_equal(end, PROMPT_PLAIN);
    assert_false(prompt_before("<|a|><think>\nI check.<|end|>", "I check.", NULL, &end, &family));
    assert_false(prompt_before("<|a|><think>\n", "I check.", NULL, &end, &family));
    assert_false(prompt_before("anything", "", NULL, &end, &family));
}

static void test_learns_an_opener(void **state)
{
    (void)state;
    unsigned family = 99;
    assert_true(prompt_opener_of("<|a|><think>\nMARK\n</think>\n\nyes", "MARK", NULL, &family));
    assert_int_equal(family, 0);
    assert_true(prompt_opener_of("MARK <|a|>[THINK]MARK[/THINK]yes", "MARK", NULL, &family));
    assert_int_equal(family, 1);
    assert_false(prompt_opener_of("<|a|>MARK", "MARK", NULL, &family));
    assert_false(prompt_opener_of("<|a|><think>\n", "MARK", NULL, &family));
    assert_false(prompt_opener_of("<|a|><<why>>MARK", "MARK", NULL, &family));
    assert_true(prompt_opener_of("<|a|><<why>>MARK", "MARK", &own, &family));
    assert_int_equal(family, PROMPT_OWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_learns_an_opener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
