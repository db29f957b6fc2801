/* Which lines are rows, and what is said about those that are none.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/eval_shape.h"

static void expect_row(const char *text)
{
    char why[EVAL_WHY_MAX] = "";
    json_t *row = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!eval_shape_is_row(row, why))
        fail_msg("%s is rejected: %s", text, why);
    json_decref(row);
}

static void expect_none(const char *text, const char *wanted)
{
    char why[EVAL_WHY_MAX] = "";
    json_t *row = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(row);
    bool is_row = eval_shape_is_row(row, why);
    json_decref(row);
    if (is_row || strstr(why, wanted) == NULL)
        fail_msg("%s: got \"%s\", wanted \"%s\"", text, is_row ? "a row" : why, wanted);
}

static void traces_and_prompts_are_rows(void **state)
{
    (void)state;
    expect_row("{\"prompt\": \"p\", \"reasoning\": \"r\"}");
    expect_row("{\"prompt\": \"p\", \"reasoning\": null, \"answer\": \"a\", \"label_answer\": null}");
    expect_row("{\"prompt\": \"p\", \"label\": \"harmful\"}");
    expect_row("{\"id\": 7, \"prompt\": \"p\", \"answer\": \"a\", \"steps\": [\"s\", \"t\"], \"step_labels\": [1]}");
    expect_row("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": [\"s\"], \"step_labels\": null}");
}

static void other_shapes_are_not(void **state)
{
    (void)state;
    expect_none("[]", "not a JSON object");
    expect_none("\"text\"", "not a JSON object");
    expect_none("{\"reasoning\": \"r\"}", "no \"prompt\"");
    expect_none("{\"prompt\": [\"p\"], \"reasoning\": \"r\"}", "\"prompt\" is not a string");
    expect_none("{\"prompt\": \"p\", \"reasoning\": {\"text\": \"r\"}}", "\"reasoning\" is not a string");
    expect_none("{\"prompt\": \"p\", \"response\": \"r\"}", "neither \"reasoning\" nor \"answer\"");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"label_answer\": 1}", "\"label_answer\" is not a string");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"prompt_kind\": \"a kind of more than 23 bytes\"}",
                "\"prompt_kind\" is longer");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": \"s\"}", "not both lists");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": [1]}", "steps[0] is not a string");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": [\"s\"], \"step_labels\": [1]}",
                "step_labels[0] is not the number of a step (0 to 0)");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": [\"s\"], \"step_labels\": [-1]}", "step_labels[0]");
    expect_none("{\"prompt\": \"p\", \"answer\": \"a\", \"steps\": [\"s\"], \"step_labels\": [\"0\"]}",
                "step_labels[0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(traces_and_prompts_are_rows),
        cmocka_unit_test(other_shapes_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
