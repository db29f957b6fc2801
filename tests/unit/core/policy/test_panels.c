/* Panels of judges: what a policy says of them, several opinions as one, and the policy's version.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

enum { ALL = 1u << REIN_PROMPT | 1u << REIN_REASONING | 1u << REIN_ANSWER | 1u << REIN_TOOL };

static struct rein_policy *load(const char *text, const char *version, struct rein_problems *problems)
{
    struct rein_judge_name judges[] = {{"guard", version, ALL}, {"shield", "s1", 1u << REIN_REASONING}};
    struct rein_library library = {.judges = judges, .judges_len = 2};
    struct rein_source source = {"p.yaml", text, strlen(text)};
    struct rein_policy *policy = NULL;
    (void)!rein_policy_load(&policy, &source, &library, problems);
    return policy;
}

static void test_defaults_and_values(void **state)
{
    (void)state;
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    struct rein_policy *policy =
        load("version: 1\nname: p\njudges:\n"
             "  - { id: plain, ask: guard, action: refuse }\n"
             "  - { id: full, ask: [shield, guard], combine: mean, weights: [\"2\", \"0.5\"], channels: [reasoning], "
             "every: { sentences: 3, bytes: 500 }, when: risky, risk_from: 0.7, action: record, on_error: closed, "
             "shadow: true }\n",
             "v1", problems);
    assert_int_equal(rein_problems_count(problems), 0);
    assert_non_null(policy);
    assert_int_equal(policy->panels_len, 2);
    const struct policy_panel *plain = &policy->panels[0], *full = &policy->panels[1];
    assert_string_equal(plain->id, "plain");
    assert_int_equal(plain->judges_len, 1);
    assert_int_equal(plain->channels, 1u << REIN_REASONING | 1u << REIN_ANSWER);
    assert_int_equal(plain->sentences, 8);
    assert_int_equal(plain->bytes, 2000);
    assert_int_equal(plain->when, PANEL_ALWAYS);
    assert_true(plain->risk_from == 0.5);
    assert_int_equal(plain->on_error, PANEL_WORDS);
    assert_string_equal(full->judges[0], "shield");
    assert_true(full->weights[0] == 2 && full->weights[1] == 0.5);
    assert_int_equal(full->combine, PANEL_MEAN);
    assert_int_equal(full->on_error, PANEL_CLOSED);
    assert_int_equal(policy->judged, 1u << REIN_REASONING | 1u << REIN_ANSWER);
    assert_int_equal(policy->waits_for_judges, 1u << REIN_REASONING | 1u << REIN_ANSWER);
    rein_policy_unref(policy);
    rein_problems_free(problems);
}

static void test_what_a_judge_cannot_judge(void **state)
{
    (void)state;
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_null(
        load("version: 1\nname: p\njudges:\n  - { id: a, ask: [guard, shield], action: record }\n", "v1", problems));
    assert_int_equal(rein_problems_count(problems), 1);
    assert_string_equal(rein_problems_at(problems, 0)->key, "judges[0].ask[1]");
    assert_string_equal(rein_problems_at(problems, 0)->message,
                        "the judge `shield` cannot judge the channel `answer`: leave one of them out");
    rein_problems_free(problems);
}

/* The version of a policy depends on what its judges' opinions depend on, and only then. */
static void test_version(void **state)
{
    (void)state;
    static const char asks[] = "version: 1\nname: p\njudges:\n  - { id: a, ask: guard, action: record }\n";
    static const char plain[] = "version: 1\nname: p\n";
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    struct rein_policy *policies[] = {load(asks, "v1", problems), load(asks, "v1", problems),
                                      load(asks, "v2", problems), load(plain, "v1", problems),
                                      load(plain, "v2", problems)};
    const char *versions[5];
    for (size_t i = 0; i < 5; i++)
        versions[i] = rein_policy_settings(policies[i])->version;
    assert_string_equal(versions[0], versions[1]);
    assert_string_not_equal(versions[0], versions[2]);
    assert_string_equal(versions[3], versions[4]);
    for (size_t i = 0; i < 5; i++)
        rein_policy_unref(policies[i]);
    rein_problems_free(problems);
}

static void test_several_opinions(void **state)
{
    (void)state;
    struct policy_panel panel = {.judges_len = 4, .weights = {1, 2, 1, 4}};
    static const double risks[] = {0.25, 1, 0, 0.5};
    static const struct {
        enum panel_combine combine;
        bool has[4];
        double risk;
    } cases[] = {
        {PANEL_ANY, {true, true, true, true}, 1},          {PANEL_ANY, {true, false, true, false}, 0.25},
        {PANEL_ALL, {true, true, false, true}, 0.25},      {PANEL_ALL, {true, true, true, true}, 0},
        {PANEL_MAJORITY, {true, true, true, false}, 0.25}, {PANEL_MAJORITY, {true, true, true, true}, 0.5},
        {PANEL_MAJORITY, {false, true, true, false}, 1},   {PANEL_MEAN, {true, true, true, true}, 0.53125},
        {PANEL_MEAN, {false, false, false, true}, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        panel.combine = cases[i].combine;
        double risk = panel_risk(&panel, risks, cases[i].has);
        if (risk != cases[i].risk)
            fail_msg("case %zu: %g", i, risk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_and_values),
        cmocka_unit_test(test_what_a_judge_cannot_judge),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_several_opinions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
