/* Files of cases: what is read, and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policytest/case_result.h"
#include "policytest/cases.h"

static struct cases *read_text(const char *text, char *said, size_t cap)
{
    struct rein_problems *problems;
    struct cases *cases = NULL;
    struct rein_source source = {"cases.yaml", text, strlen(text)};
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = cases_read(&cases, &source, problems);
    said[0] = '\0';
    if (rv < 0 && rein_problems_count(problems) > 0) {
        const struct rein_problem *p = rein_problems_at(problems, 0);
        snprintf(said, cap, "%u:%u: %s: %s", p->line, p->column, p->key, p->message);
    }
    rein_problems_free(problems);
    return cases;
}

static void test_a_case_is_read(void **state)
{
    (void)state;
    char said[256];
    struct cases *cases = read_text("version: 1\nname: x\ncases:\n"
                                    "  - { name: a, prompt: hi, answer: yes, expect: { action: cut_response } }\n"
                                    "  - name: b\n    messages: [{ role: user, text: hi }]\n    tool: '{}'\n"
                                    "    expect: { findings: [], answer: '' }\n",
                                    said, sizeof said);
    assert_string_equal(said, "");
    assert_non_null(cases);
    assert_int_equal(cases_len(cases), 2);
    const struct case_script *a = cases_at(cases, 0), *b = cases_at(cases, 1);
    assert_string_equal(a->name, "a");
    assert_string_equal(a->prompt, "hi");
    assert_string_equal(a->texts[CASE_ANSWER], "yes");
    assert_string_equal(a->texts[CASE_REASONING], "");
    assert_int_equal(a->action, REIN_CUT_RESPONSE);
    assert_null(a->findings);
    assert_null(a->expected[CASE_ANSWER]);
    assert_int_equal(b->node->line, 5);
    assert_null(b->prompt);
    assert_int_equal(b->messages->count, 1);
    assert_string_equal(b->texts[CASE_TOOL], "{}");
    assert_int_equal(b->action, -1);
    assert_non_null(b->findings);
    assert_string_equal(b->expected[CASE_ANSWER], "");
    cases_free(cases);
}

/* Every action's word is read as that action. */
static void test_actions(void **state)
{
    (void)state;
    char said[256], text[256];
    for (int action = REIN_ALLOW; action <= REIN_REFUSE; action++) {
        snprintf(text, sizeof text, "version: 1\nname: x\ncases: [{ name: a, prompt: hi, expect: { action: %s } }]\n",
                 rein_action_name((enum rein_action)action));
        struct cases *cases = read_text(text, said, sizeof said);
        assert_string_equal(said, "");
        assert_non_null(cases);
        assert_int_equal(cases_at(cases, 0)->action, action);
        cases_free(cases);
    }
}

static void test_errors(void **state)
{
    static const struct {
        const char *one_case, *said;
    } rows[] = {
        {"{ name: a, prompt: hi, expect: {} }", "nothing is expected here, so the case cannot fail"},
        {"{ name: a, expect: { action: allow } }", "a case has either `prompt` or `messages`"},
        {"{ name: a, prompt: hi, messages: [{ role: user, text: hi }], expect: { action: allow } }",
         "a case has either `prompt` or `messages`"},
        {"{ name: a, prompt: hi }", "cases[0].expect: this key is missing"},
        {"{ name: a, prompt: hi, expect: { acton: allow } }", "did you mean `action`?"},
        {"{ name: a, prompt: hi, expect: { action: block } }", "4:"},
    };
    (void)state;
    char said[256], text[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "version: 1\nname: x\ncases:\n  - %s\n", rows[i].one_case);
        assert_null(read_text(text, said, sizeof said));
        assert_memory_equal(said, "4:", 2);
        if (strstr(said, rows[i].said) == NULL)
            fail_msg("%s: %s", rows[i].one_case, said);
    }
}

/* Two responses that differ are told, unless they were stopped. */
static void test_streams_and_bodies(void **state)
{
    (void)state;
    char said[CASE_SAID_MAX];
    struct case_result streamed = {.streamed = true, .action = REIN_REDACT, .texts = {"", "one two", ""}};
    struct case_result body = {.action = REIN_REDACT, .texts = {"", "one 2", ""}};
    assert_false(case_result_same(&streamed, &body, said));
    assert_string_equal(said, "answer: from byte 0 on, expected \"one two\", got \"one 2\"");
    streamed.action = body.action = REIN_REFUSE;
    assert_true(case_result_same(&streamed, &body, said));
    case_result_found(&body, "rule");
    assert_false(case_result_same(&streamed, &body, said));
    assert_string_equal(said, "findings: expected none, got rule");
    body.action = REIN_STEER;
    assert_false(case_result_same(&streamed, &body, said));
    assert_string_equal(said, "action: expected refuse, got steer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_case_is_read),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_streams_and_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
