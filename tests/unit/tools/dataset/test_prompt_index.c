/* Prompts that were seen before: the same words, a few other words, other prompts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataset/prompt_index.h"

static enum prompt_match add_prompt(struct prompt_index *index, const char *prompt)
{
    struct prompt_print print = prompt_print_of(prompt);
    enum prompt_match match;
    assert_int_equal(prompt_index_add(index, &print, &match), 0);
    return match;
}

static void test_spelling_makes_no_other_prompt(void **state)
{
    (void)state;
    struct prompt_index *index;
    assert_int_equal(prompt_index_new(&index), 0);
    assert_int_equal(add_prompt(index, "How do I bake bread?"), PROMPT_NEW);
    assert_int_equal(add_prompt(index, "  how do i  BAKE\nbread "), PROMPT_SAME);
    assert_int_equal(add_prompt(index, "How do I bake a bread?"), PROMPT_NEW); /* too short to be near */
    assert_int_equal(add_prompt(index, "bread bake I do How"), PROMPT_NEW);
    assert_int_equal(add_prompt(index, "Brot für alle"), PROMPT_NEW);
    assert_int_equal(add_prompt(index, "Brot fur alle"), PROMPT_NEW);
    assert_int_equal(add_prompt(index, ""), PROMPT_NEW);
    assert_int_equal(add_prompt(index, "?!"), PROMPT_SAME);
    prompt_index_free(index);
}

/* A prompt of made-up words; `changed`: that word is another one. */
static void write_prompt(char out[2048], unsigned seed, size_t words, size_t changed)
{
    size_t len = 0;
    for (size_t i = 0; i < words; i++)
        len += (size_t)snprintf(out + len, 2048 - len, "w%llx ",
                                (unsigned long long)(prompt_mix(seed * 1000 + i + (i == changed ? 500 : 0)) % 100000));
}

/* How many of 200 prompts are found again with one other word; other prompts must never be. */
static size_t found_again(size_t words)
{
    char text[2048];
    struct prompt_index *index;
    size_t near = 0, far = 0;
    assert_int_equal(prompt_index_new(&index), 0);
    for (unsigned seed = 0; seed < 200; seed++) {
        write_prompt(text, seed, words, SIZE_MAX);
        far += add_prompt(index, text) == PROMPT_NEAR;
        write_prompt(text, seed, words, seed % words);
        near += add_prompt(index, text) == PROMPT_NEAR;
    }
    prompt_index_free(index);
    print_message("%zu words: %zu of 200 found, %zu of 200 taken for near\n", words, near, far);
    assert_int_equal(far, 0);
    return near;
}

/* SimHash is an estimate: the longer a prompt, the less one word makes of it. */
static void test_one_word_of_a_long_prompt_makes_it_near(void **state)
{
    (void)state;
    assert_int_equal(found_again(7), 0);
    assert_in_range(found_again(20), 90, 150);
    assert_in_range(found_again(50), 170, 200);
    assert_in_range(found_again(150), 195, 200);
}

static void test_near_means_few_bits(void **state)
{
    (void)state;
    struct prompt_index *index;
    for (int bits = 0; bits <= 9; bits++) {
        struct prompt_print first = {.words = 1, .simhash = 0x0123456789ABCDEF, .words_len = 20}, other = first;
        enum prompt_match match;
        other.words = 2;
        for (int i = 0; i < bits; i++)
            other.simhash ^= (uint64_t)1 << i * 7;
        assert_int_equal(prompt_index_new(&index), 0);
        assert_int_equal(prompt_index_add(index, &first, &match), 0);
        assert_int_equal(prompt_index_add(index, &other, &match), 0);
        assert_int_equal(match, bits <= PROMPT_NEAR_BITS ? PROMPT_NEAR : PROMPT_NEW);
        prompt_index_free(index);
    }
}

static void test_many_prompts(void **state)
{
    (void)state;
    struct prompt_index *index;
    assert_int_equal(prompt_index_new(&index), 0);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 50000; i++) {
            char text[64];
            snprintf(text, sizeof text, "short prompt number %d", i);
            if (add_prompt(index, text) != (round == 0 ? PROMPT_NEW : PROMPT_SAME))
                fail_msg("prompt %d in round %d", i, round);
        }
    prompt_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling_makes_no_other_prompt),
        cmocka_unit_test(test_one_word_of_a_long_prompt_makes_it_near),
        cmocka_unit_test(test_near_means_few_bits),
        cmocka_unit_test(test_many_prompts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
