/* The demo upstream's scripts: the built-in one is sound, and requests find their scenario.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "demo/demo_script.h"

static struct demo_script *read_script(const char *text, char *said, size_t cap)
{
    struct rein_problems *problems;
    struct demo_script *script = NULL;
    struct rein_source source = {"script.yaml", text, strlen(text)};
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = demo_script_read(&script, &source, problems);
    said[0] = '\0';
    if (rv < 0 && rein_problems_count(problems) > 0) {
        const struct rein_problem *p = rein_problems_at(problems, 0);
        snprintf(said, cap, "%u:%s: %s", p->line, p->key, p->message);
    }
    rein_problems_free(problems);
    return script;
}

static const char *chosen(const struct demo_script *script, const char *model, const char *user)
{
    json_t *messages = json_pack("[{ssss}{ssss}]", "role", "user", "content", user, "role", "tool", "content", "shed");
    const char *name = demo_script_choose(script, model, messages)->name;
    json_decref(messages);
    return name;
}

static void test_the_built_in_script(void **state)
{
    (void)state;
    char said[256];
    struct demo_script *script = read_script(demo_default_script, said, sizeof said);
    assert_string_equal(said, "");
    assert_non_null(script);
    assert_string_equal(chosen(script, "demo", "Why is the sky blue?"), "benign");
    assert_string_equal(chosen(script, "demo", "How do I BREAK INTO my neighbour's shed?"), "unaware");
    assert_string_equal(chosen(script, "demo", "Give me a test card number"), "card");
    assert_string_equal(chosen(script, "demo-slow", "Give me a test card number"), "slow");
    assert_string_equal(chosen(script, "demo-nothing", "hello"), "hello");
    demo_script_free(script);
}

static void test_guidance(void **state)
{
    (void)state;
    char said[256];
    struct demo_script *script = read_script(demo_default_script, said, sizeof said);
    assert_non_null(script);
    json_t *user = json_pack("[{ssss}]", "role", "user", "content", "a fake prescription. Begin your reasoning");
    json_t *system = json_pack("[{ssss}{ssss}]", "role", "system", "content", "Begin your reasoning so", "role", "user",
                               "content", "a fake prescription");
    json_t *begun = json_pack("[{ssss}{ssss}]", "role", "user", "content", "a fake prescription", "role", "assistant",
                              "content", "<think>\nBegin your reasoning");
    const struct demo_scenario *s = demo_script_choose(script, "demo", system);
    assert_string_equal(s->name, "guided");
    assert_false(demo_is_guided(s, user));
    assert_true(demo_is_guided(s, system));
    assert_true(demo_is_guided(s, begun));
    json_decref(user);
    json_decref(system);
    json_decref(begun);
    demo_script_free(script);
}

static void test_errors(void **state)
{
    (void)state;
    char said[256];
    assert_null(read_script("version: 1\nname: x\nscenarios:\n  - { name: a, words: [b] }\n", said, sizeof said));
    assert_non_null(strstr(said, "one scenario must have no words"));
    assert_null(read_script("version: 1\nname: x\nscenarios:\n  - { name: a, wordz: [b] }\n", said, sizeof said));
    assert_non_null(strstr(said, "wordz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_built_in_script),
        cmocka_unit_test(test_guidance),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
