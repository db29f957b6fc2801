/* Rows of training data: every shape is read, written and read again as the same row; what is no row says why.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataset/survival.h"
#include "dataset/training_row.h"

static int row_from(struct training_row *row, const char *text, const char **why)
{
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    int rv = training_row_read(row, object, why);
    json_decref(object);
    return rv;
}

static void assert_same_text(const char *have, const char *want)
{
    if (want == NULL || have == NULL)
        assert_ptr_equal(have, want);
    else
        assert_string_equal(have, want);
}

static void test_each_format_reads_what_it_writes(void **state)
{
    (void)state;
    static const struct training_row rows[] = {
        {(char *)"What is 2 + 2?", (char *)"Four.", (char *)"Two and two\nmake four."},
        {(char *)"Hello", (char *)"Hi!", (char *)""},
        {(char *)"Hello", (char *)"Hi!", NULL},
        {(char *)"Grüße \"quoted\"\nand more", (char *)"\xF0\x9F\x98\x80 ok\n", (char *)"\nedge\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int format = 0; format < ROW_FORMATS; format++) {
            const char *why;
            struct training_row again;
            json_t *object = training_row_object(&rows[i], (enum row_format)format, "safety");
            assert_non_null(object);
            assert_int_equal(training_row_read(&again, object, &why), 0);
            assert_string_equal(again.prompt, rows[i].prompt);
            assert_string_equal(again.answer, rows[i].answer);
            assert_same_text(again.reasoning, rows[i].reasoning);
            training_row_fini(&again);
            json_decref(object);
        }
}

static void test_shapes_are_those_that_trainers_read(void **state)
{
    (void)state;
    static const char *const wanted[ROW_FORMATS] = {
        [ROW_TRACE] = "{\"answer\": \"a\", \"kind\": \"math\", \"prompt\": \"p\", \"reasoning\": \"r\"}",
        [ROW_LRM_STUDY] =
            "{\"data_type\": \"math\", \"prompt\": \"p\", \"response\": \"<think>\\nr\\n</think>\\n\\na\"}",
        [ROW_MESSAGES] = "{\"messages\": [{\"content\": \"p\", \"role\": \"user\"}, "
                         "{\"content\": \"<think>\\nr\\n</think>\\n\\na\", \"role\": \"assistant\"}]}",
        [ROW_PROMPT_COMPLETION] = "{\"completion\": \"<think>\\nr\\n</think>\\n\\na\", \"prompt\": \"p\"}",
        [ROW_SHAREGPT] = "{\"conversations\": [{\"from\": \"human\", \"value\": \"p\"}, "
                         "{\"from\": \"gpt\", \"value\": \"<think>\\nr\\n</think>\\n\\na\"}]}",
        [ROW_ALPACA] = "{\"input\": \"\", \"instruction\": \"p\", \"output\": \"<think>\\nr\\n</think>\\n\\na\"}",
    };
    struct training_row row = {(char *)"p", (char *)"a", (char *)"r"};
    for (int format = 0; format < ROW_FORMATS; format++) {
        json_t *object = training_row_object(&row, (enum row_format)format, "math");
        char *text = json_dumps(object, JSON_SORT_KEYS);
        assert_string_equal(text, wanted[format]);
        free(text);
        json_decref(object);
        enum row_format found;
        assert_true(row_format_find(&found, row_format_name((enum row_format)format)));
        assert_int_equal(found, format);
    }
}

static void test_foreign_writings_of_the_tags(void **state)
{
    (void)state;
    struct training_row row;
    const char *why;
    assert_int_equal(row_from(&row, "{\"prompt\":\"p\",\"response\":\"<think>r</think>a\"}", &why), 0);
    assert_string_equal(row.reasoning, "r");
    assert_string_equal(row.answer, "a");
    training_row_fini(&row);
    assert_int_equal(row_from(&row, "{\"prompt\":\"p\",\"completion\":\"\\n<think>\\n\\n</think>\\n\\na\"}", &why), 0);
    assert_string_equal(row.reasoning, "");
    training_row_fini(&row);
    assert_int_equal(row_from(&row, "{\"instruction\":\"p\",\"input\":\"q\",\"output\":\"a\"}", &why), 0);
    assert_string_equal(row.prompt, "p\nq");
    assert_null(row.reasoning);
    training_row_fini(&row);
}

static void test_what_is_no_row_says_why(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"{}", "has none of the keys"},
        {"{\"prompt\":7}", "has none of the keys"},
        {"{\"prompt\":\"p\"}", "no text \"answer\""},
        {"{\"prompt\":\" \",\"answer\":\"a\"}", "empty prompt"},
        {"{\"prompt\":\"p\",\"response\":\"<think>open\"}", "without its end"},
        {"{\"prompt\":\"p\",\"response\":\"<think>a</think>b</think>c\"}", "in its answer"},
        {"{\"prompt\":\"p\",\"answer\":\"a\",\"reasoning\":\"x</think>y\"}", "inside its reasoning"},
        {"{\"prompt\":\"p\",\"answer\":\"<think>x\"}", "in its answer"},
        {"{\"messages\":[]}", "two turns"},
        {"{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"}]}",
         "user's turn"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"u\"}]}",
         "model's turn"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":[]},{\"role\":\"assistant\",\"content\":\"u\"}]}",
         "without a text"},
        {"{\"conversations\":[{\"from\":\"gpt\",\"value\":\"s\"},{\"from\":\"gpt\",\"value\":\"u\"}]}", "user's turn"},
        {"{\"instruction\":\"p\",\"output\":null}", "\"output\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct training_row row;
        const char *why;
        assert_int_equal(row_from(&row, cases[i].text, &why), REIN_EFORMAT);
        assert_non_null(why);
        if (strstr(why, cases[i].why) == NULL)
            assert_string_equal(why, cases[i].why);
        assert_null(row.prompt);
    }
}

static void test_survival_by_family_and_format(void **state)
{
    (void)state;
    struct training_row thinks = {(char *)"p", (char *)"a", (char *)"r"}, plain = {(char *)"p", (char *)"a", NULL};
    struct training_row edge = {(char *)"p", (char *)"a", (char *)"\nr"};
    static const struct {
        enum row_format format;
        enum survival_family family;
        enum survival thinks, plain, edge;
    } cases[] = {
        {ROW_MESSAGES, SURVIVAL_R1, SURVIVAL_LOST, SURVIVES, SURVIVAL_LOST},
        {ROW_LRM_STUDY, SURVIVAL_R1, SURVIVAL_LOST, SURVIVES, SURVIVAL_LOST},
        {ROW_MESSAGES, SURVIVAL_QWEN3, SURVIVES, SURVIVAL_ADDED, SURVIVAL_CHANGED},
        {ROW_MESSAGES, SURVIVAL_UNKNOWN, SURVIVAL_DEPENDS, SURVIVES, SURVIVAL_DEPENDS},
        {ROW_PROMPT_COMPLETION, SURVIVAL_R1, SURVIVES, SURVIVES, SURVIVES},
        {ROW_PROMPT_COMPLETION, SURVIVAL_UNKNOWN, SURVIVES, SURVIVES, SURVIVES},
        {ROW_SHAREGPT, SURVIVAL_R1, SURVIVES, SURVIVAL_ADDED, SURVIVES},
        {ROW_ALPACA, SURVIVAL_QWEN3, SURVIVES, SURVIVAL_ADDED, SURVIVES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(survival_of(&thinks, cases[i].format, cases[i].family), cases[i].thinks);
        assert_int_equal(survival_of(&plain, cases[i].format, cases[i].family), cases[i].plain);
        assert_int_equal(survival_of(&edge, cases[i].format, cases[i].family), cases[i].edge);
    }
    for (int i = 0; i < SURVIVAL_KINDS; i++)
        assert_true((*survival_advice((enum survival)i) == '\0') == (i == SURVIVES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_format_reads_what_it_writes),
        cmocka_unit_test(test_shapes_are_those_that_trainers_read),
        cmocka_unit_test(test_foreign_writings_of_the_tags),
        cmocka_unit_test(test_what_is_no_row_says_why),
        cmocka_unit_test(test_survival_by_family_and_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
