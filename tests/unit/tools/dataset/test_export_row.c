/* Which decisions become rows, and what of them: one question and one accepted answer in which nothing was found.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dataset/export.h"
#include "dataset/pair_row.h"

#define TEXT(channel, attempt, more, text)                                                                             \
    "{\"channel\":\"" channel "\",\"attempt\":" attempt ",\"choice\":0,\"form\":\"full\",\"whole\":true,\"masks\":[]," \
    "\"found\":[]," more "\"text\":\"" text "\"}"
#define USER TEXT("prompt", "0", "\"len\":2,\"speaker\":\"user\",", "q?")
#define REASONING TEXT("reasoning", "0", "\"len\":7,", "\\nthink\\n")
#define ANSWER TEXT("answer", "0", "\"len\":6,", "\\n\\nyes.")
#define HEAD "{\"final\":true,\"ending\":\"complete\",\"attempts_count\":1,\"findings_count\":0,\"unjudged_parts\":0,"
#define REST "\"attempts\":[{\"n\":0,\"delivery\":\"off\"}],\"findings\":[],\"opinions\":[]}"
#define PLAIN HEAD "\"texts\":[" USER "," REASONING "," ANSWER "]," REST

static const struct export_options strict = {0};

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *object = json_loads(text, 0, &error);
    if (object == NULL)
        fail_msg("%s at %d in %s", error.text, error.position, text);
    return object;
}

static const char *made(const char *text, const struct export_options *options, struct export_row *row)
{
    json_t *decision = parse(text);
    int rv = export_row_make(row, options, decision, NULL);
    json_decref(decision);
    assert_true(rv >= 0);
    return export_outcome_word((enum export_outcome)rv);
}

static void check_outcome(const char *text, const struct export_options *options, const char *expected)
{
    struct export_row row;
    assert_string_equal(made(text, options, &row), expected);
    if (strcmp(expected, "row") != 0)
        assert_null(row.row.prompt);
    export_row_fini(&row);
}

static void test_a_plain_decision_is_a_row(void **state)
{
    (void)state;
    struct export_row row;
    assert_string_equal(made(PLAIN, &strict, &row), "row");
    assert_string_equal(row.row.prompt, "q?");
    assert_string_equal(row.row.reasoning, "think");
    assert_string_equal(row.row.answer, "yes.");
    export_row_fini(&row);
    assert_string_equal(made(HEAD "\"texts\":[" USER "," ANSWER "]," REST, &strict, &row), "row");
    assert_null(row.row.reasoning);
    export_row_fini(&row);
}

static void test_what_is_no_row(void **state)
{
    (void)state;
    static const struct {
        const char *text, *outcome;
    } cases[] = {
        {HEAD "\"texts\":[]," REST, "no_text"},
        {HEAD "\"texts\":[" USER "," REASONING "]," REST, "unfinished"},
        {HEAD "\"texts\":[" REASONING "," ANSWER "]," REST, "no_text"},
        {HEAD "\"texts\":[" USER "," TEXT("prompt", "0", "\"len\":2,\"speaker\":\"user\",", "q!") "," ANSWER "]," REST,
         "several_turns"},
        {HEAD "\"texts\":[" USER "," TEXT("prompt", "0", "\"len\":3,\"speaker\":\"user\",", "q\\n?") "," ANSWER
                                                                                                     "]," REST,
         "row"}, /* its parts, joined in another way */
        {HEAD "\"texts\":[" USER "," TEXT("prompt", "0", "\"len\":2,\"speaker\":\"user_id\",", "**") "," ANSWER
                                                                                                     "]," REST,
         "row"}, /* who it is, is no turn */
        {HEAD "\"texts\":[" TEXT("prompt", "0", "\"len\":1,\"speaker\":\"developer\",", "s") "," USER "," ANSWER
                                                                                             "]," REST,
         "system_message"},
        {HEAD "\"texts\":[" USER "," ANSWER "," TEXT("tool", "0", "\"len\":2,", "{}") "]," REST, "tools"},
        {HEAD "\"texts\":[" USER "," TEXT("answer", "0", "\"len\":9,", "a NUL") "]," REST, "text_cut"},
        {HEAD "\"texts\":[" USER "," TEXT("answer", "0", "\"len\":8,", "</think>") "]," REST, "tags"},
        {"{\"final\":true,\"ending\":\"refused\",\"texts\":[" USER "]}", "stopped"},
        {"{\"final\":true,\"ending\":\"client_left\",\"texts\":[" USER "]}", "unfinished"},
        {"{\"final\":false,\"ending\":\"complete\",\"texts\":[" USER "]}", "unfinished"},
        {"{\"final\":true,\"ending\":\"complete\",\"unjudged_parts\":1,\"texts\":[" USER "]}", "unjudged_parts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_outcome(cases[i].text, &strict, cases[i].outcome);
    const struct export_options loose = {.without_system = true};
    check_outcome(cases[6].text, &loose, "row");
}

#define FOUND(kind, channel, attempt, more)                                                                            \
    HEAD "\"texts\":[" USER "," REASONING "," ANSWER more                                                              \
         "],\"attempts\":[],\"opinions\":[],\"findings\":[{\"kind\":\"" kind "\",\"id\":\"x\",\"channel\":\"" channel  \
         "\",\"attempt\":" attempt ",\"choice\":0,\"shadow\":true}]}"

static void test_what_was_found_counts_where_it_was_said(void **state)
{
    (void)state;
    const struct export_options loose = {.with_findings = true};
    check_outcome(FOUND("pattern", "reasoning", "0", ""), &strict, "found");
    check_outcome(FOUND("judge", "answer", "0", ""), &strict, "found");
    check_outcome(FOUND("rule", "answer", "0", ""), &strict, "found");
    check_outcome(FOUND("judge", "answer", "0", ""), &loose, "row");
    check_outcome(FOUND("judge", "prompt", "0", ""), &strict, "row"); /* a harmful question is no fault of the answer */
    check_outcome(FOUND("pattern", "reasoning", "1", ""), &strict, "row"); /* of another attempt */
}

static void test_a_masked_match_is_no_fault(void **state)
{
    (void)state;
#define MASKED_AT(offset, rule)                                                                                        \
    HEAD "\"texts\":[" USER ",{\"channel\":\"answer\",\"attempt\":0,\"choice\":0,\"form\":\"full\",\"whole\":true,"    \
         "\"len\":4,\"text\":\"to "                                                                                    \
         "*\",\"masks\":[{\"offset\":3,\"len\":1,\"rule\":\"x\"}],\"found\":[{\"offset\":" offset ","                  \
         "\"len\":1,\"rule\":\"" rule                                                                                  \
         "\"}]}],\"attempts\":[],\"opinions\":[],\"findings\":[{\"kind\":\"rule\",\"id\":"                             \
         "\"x\",\"channel\":\"answer\",\"attempt\":0,\"choice\":0}]}"
#define MASKED(rule) MASKED_AT("3", rule)
    struct export_row row;
    assert_string_equal(made(MASKED("x"), &strict, &row), "row");
    assert_int_equal(row.masks, 1);
    export_row_fini(&row);
    check_outcome(MASKED("y"), &strict, "found");
    check_outcome(MASKED_AT("2", "x"), &strict, "found"); /* it stands there for all to see */
}

static void test_more_findings_than_rows_is_found(void **state)
{
    (void)state;
    check_outcome("{\"final\":true,\"ending\":\"complete\",\"attempts_count\":1,\"findings_count\":300,\"texts\":[" USER
                  "," ANSWER "]," REST,
                  &strict, "found");
}

static void test_a_judge_without_opinion_says_nothing_good(void **state)
{
    (void)state;
#define OPINION(channel, attempt, outcome)                                                                             \
    HEAD "\"texts\":[" USER "," ANSWER "],\"attempts\":[],\"findings\":[],\"opinions\":[{\"channel\":\"" channel       \
         "\",\"attempt\":" attempt ",\"outcome\":\"" outcome "\"}]}"
    check_outcome(OPINION("answer", "0", "opined"), &strict, "row");
    check_outcome(OPINION("answer", "0", "timed_out"), &strict, "unjudged");
    check_outcome(OPINION("answer", "0", "unparsed"), &strict, "unjudged");
    check_outcome(OPINION("answer", "1", "failed"), &strict, "row");
    check_outcome(OPINION("prompt", "0", "failed"), &strict, "row");
}

#define STEERED                                                                                                        \
    "{\"final\":true,\"ending\":\"complete\",\"attempts_count\":2,\"findings_count\":0,\"texts\":[" USER               \
    "," TEXT("reasoning", "0", "\"len\":3,", "bad") "," TEXT("reasoning", "1", "\"len\":4,", "good") "," TEXT(         \
        "answer", "1", "\"len\":2,", "no") "],\"opinions\":[],\"findings\":[],\"attempts\":[{\"n\":0,\"delivery\":"    \
                                           "\"off\"},{\"n\":1,\"delivery\":\"prefill\"}]}"

static void test_a_prefilled_attempt_begins_with_its_prefix(void **state)
{
    (void)state;
    struct export_row row;
    const struct export_options known = {.first_prefix = "First ", .restart_prefix = "Again: "};
    check_outcome(STEERED, &strict, "prefilled");
    assert_string_equal(made(STEERED, &known, &row), "row");
    assert_string_equal(row.row.reasoning, "Again: good");
    export_row_fini(&row);
}

static void test_pairs_hold_the_stopped_attempt(void **state)
{
    (void)state;
    struct export_row row;
    const struct export_options pairs = {.pairs = true, .first_prefix = "", .restart_prefix = ""};
    check_outcome(PLAIN, &pairs, "not_stopped");
    assert_string_equal(made(STEERED, &pairs, &row), "row");
    assert_true(row.rejected_is_open);
    json_t *pair = pair_row_object(&row.row, &row.rejected, row.rejected_is_open, ROW_PROMPT_COMPLETION);
    assert_string_equal(json_string_value(json_object_get(pair, "chosen")), "<think>\ngood\n</think>\n\nno");
    assert_string_equal(json_string_value(json_object_get(pair, "rejected")), "<think>\nbad");
    assert_string_equal(json_string_value(json_object_get(pair, "prompt")), "q?");
    json_decref(pair);
    export_row_fini(&row);
}

static void test_ranges_and_names_choose(void **state)
{
    (void)state;
    json_t *d =
        parse("{\"verdict\":\"steer\",\"score_strong_vacillation\":0.4,\"trace_risk\":null,\"findings\":[{\"id\":"
              "\"harm\",\"judge\":\"guard\"}],\"opinions\":[{\"judge\":\"guard\",\"channel\":\"answer\",\"risk\":"
              "0.7},{\"judge\":\"guard\",\"channel\":\"prompt\",\"risk\":0.9}]}");
    static const struct {
        struct export_options options;
        bool wanted;
    } cases[] = {
        {{0}, true},
        {{.verdicts = {{"allow", "steer"}, 2}}, true},
        {{.verdicts = {{"allow"}, 1}}, false},
        {{.routes = {{"r"}, 1}}, false},
        {{.scores = {{"strong_vacillation", 0.4, 1}}, .scores_len = 1}, true},
        {{.scores = {{"strong_vacillation", 0.5, 1}}, .scores_len = 1}, false},
        {{.scores = {{"trace_risk", 0, 1}}, .scores_len = 1}, false}, /* there is none */
        {{.patterns = {{"harm"}, 1}}, true},
        {{.without = {{"harm"}, 1}}, false},
        {{.judges = {{"guard"}, 1}}, true},
        {{.judges = {{"other"}, 1}}, false},
        {{.risks = {{"guard", 0, 0.75}}, .risks_len = 1}, true}, /* of the prompt it does not count */
        {{.risks = {{"guard", 0.8, 1}}, .risks_len = 1}, false},
        {{.risks = {{"other", 0, 1}}, .risks_len = 1}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if ((export_is_wanted(&cases[i].options, d) && export_parts_are_wanted(&cases[i].options, d)) !=
            cases[i].wanted)
            fail_msg("case %zu", i);
    json_decref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plain_decision_is_a_row),
        cmocka_unit_test(test_what_is_no_row),
        cmocka_unit_test(test_what_was_found_counts_where_it_was_said),
        cmocka_unit_test(test_a_masked_match_is_no_fault),
        cmocka_unit_test(test_more_findings_than_rows_is_found),
        cmocka_unit_test(test_a_judge_without_opinion_says_nothing_good),
        cmocka_unit_test(test_a_prefilled_attempt_begins_with_its_prefix),
        cmocka_unit_test(test_pairs_hold_the_stopped_attempt),
        cmocka_unit_test(test_ranges_and_names_choose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
