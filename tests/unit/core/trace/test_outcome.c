/* Outcome risk in whole responses: when it is found, what it holds, what it does, and what the decision keeps.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modelkit.h"
#include "tracekit.h"

#define EVENT(fields) "data: {\"id\":\"u\",\"choices\":[{\"index\":0," fields "}]}\n\n"
#define THINK(text) EVENT("\"delta\":{\"reasoning_content\":\"" text "\"}")
#define SAY(text) EVENT("\"delta\":{\"content\":\"" text "\"}")
#define END EVENT("\"delta\":{},\"finish_reason\":\"stop\"") "data: [DONE]\n\n"

#define HEAD "version: 1\nname: p\nlexicons: []\nmodel: tiny\nreasoning: { show: stream, release: sentence }\n"
#define ONLY(reasoning, answer)                                                                                        \
    HEAD "patterns:\n  outcome_risk:\n    reasoning: " reasoning "\n    answer: " answer "\n"
#define RECORDS "{ action: record, threshold: 0.8 }"

/* Of these words the model is sure (modelkit_usual). */
#define HARM "A bomb. "
#define ALONG "Steps, gladly. "
#define PLAIN "Birds sing. "

static struct kit_seen ask(const char *yaml, const char *prompt, const char *upstream)
{
    struct kit_seen seen;
    struct rein_policy *policy = modelkit_policy(yaml);
    struct kit_run run = {.policy = policy, .upstream = {upstream, strlen(upstream)}, .prompt = prompt, .chunk = 7};
    kit_run(&run, &seen);
    for (size_t i = 0; i < seen.decision.findings_len; i++)
        seen.findings[i].id = seen.findings[i].id[13] == 'r' ? "reasoning" : "answer"; /* the policy's go with it */
    rein_policy_unref(policy);
    return seen;
}

static const struct rein_finding *found(const struct kit_seen *seen, const char *id)
{
    for (size_t i = 0; i < seen->decision.findings_len; i++)
        if (strcmp(seen->findings[i].id, id) == 0)
            return &seen->findings[i];
    return NULL;
}

static void the_reasoning_is_found_at_a_sentence(void **state)
{
    (void)state;
    static const char yaml[] = ONLY("{ action: record, threshold: 0.8, min_sentences: 2 }", RECORDS);
    struct kit_seen seen = ask(yaml, "hello", THINK(PLAIN HARM ALONG PLAIN) SAY("Yes.") END);
    const struct rein_finding *f = found(&seen, "reasoning");
    assert_non_null(f);
    assert_int_equal(f->channel, REIN_REASONING);
    assert_int_equal(f->offset, strlen(PLAIN HARM));
    assert_int_equal(f->len, strlen(ALONG));
    assert_true(f->score >= 0.8 && f->score <= 1);
    assert_true(seen.decision.scores[REIN_OUTCOME_RISK_REASONING] >= f->score);
    assert_true(seen.decision.heads[REIN_REASONING_HARM] > 0.8 && seen.decision.heads[REIN_COMPLIES] > 0.8);
    assert_true(seen.decision.heads[REIN_PROMPT_HARM] > 0 && seen.decision.heads[REIN_PROMPT_HARM] < 0.1);
    kit_seen_fini(&seen);
    /* Harm alone, or going along alone, is no risk. */
    seen = ask(yaml, "hello", THINK(PLAIN HARM HARM) SAY("Yes.") END);
    assert_null(found(&seen, "reasoning"));
    kit_seen_fini(&seen);
    seen = ask(yaml, "hello", THINK(PLAIN ALONG ALONG) SAY("Yes.") END);
    assert_null(found(&seen, "reasoning"));
    kit_seen_fini(&seen);
}

static void it_waits_for_enough_sentences(void **state)
{
    (void)state;
    struct kit_seen seen = ask(ONLY("{ action: record, threshold: 0.8, min_sentences: 4 }", RECORDS), "hello",
                               THINK(HARM ALONG PLAIN) SAY("Yes.") END);
    assert_null(found(&seen, "reasoning"));
    kit_seen_fini(&seen);
    seen = ask(ONLY("{ action: record, threshold: 0.8, min_sentences: 3 }", RECORDS), "hello",
               THINK(HARM ALONG PLAIN) SAY("Yes.") END);
    assert_non_null(found(&seen, "reasoning"));
    assert_int_equal(found(&seen, "reasoning")->offset, strlen(HARM ALONG));
    kit_seen_fini(&seen);
}

/* The sentence that acts is not shown. */
static void a_refusal_comes_before_the_sentence(void **state)
{
    (void)state;
    struct kit_seen seen = ask(ONLY("{ action: refuse, threshold: 0.8, min_sentences: 1 }", RECORDS), "hello",
                               THINK(PLAIN HARM ALONG PLAIN) SAY("Never shown.") END);
    assert_string_equal(kit_reasoning(&seen, 0), PLAIN HARM);
    assert_string_equal(kit_content(&seen, 0), "I can't help with that.");
    assert_int_equal(seen.decision.verdict, REIN_REFUSE);
    kit_seen_fini(&seen);
}

#define SIXTY "Birds sing and birds sing and birds sing and birds sing now. "
#define BEGINNING ALONG SIXTY SIXTY SIXTY SIXTY SIXTY
#define ACTS "{ action: refuse, threshold: 0.8, bytes: 300 }"

static void the_answer_s_beginning_is_scored_once(void **state)
{
    (void)state;
    struct kit_seen seen =
        ask(ONLY(RECORDS, RECORDS), "hello", THINK(HARM HARM) SAY(BEGINNING SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY) END);
    const struct rein_finding *f = found(&seen, "answer");
    assert_non_null(f);
    assert_int_equal(f->channel, REIN_ANSWER);
    assert_int_equal(f->offset, strlen(BEGINNING) + 4 * strlen(SIXTY)); /* the sentence that reaches 600 bytes */
    assert_true(seen.decision.heads[REIN_COMPLIES_ANSWER] > 0.8);
    kit_seen_fini(&seen);
    /* A short answer is scored when it ends. */
    seen = ask(ONLY(RECORDS, RECORDS), "hello", THINK(HARM HARM) SAY(ALONG) END);
    assert_non_null(found(&seen, "answer"));
    kit_seen_fini(&seen);
    /* What comes after the beginning is not part of it. */
    seen = ask(ONLY(RECORDS, "{ action: record, threshold: 0.8, bytes: 300 }"), "hello",
               THINK(HARM HARM) SAY(SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY ALONG ALONG) END);
    assert_null(found(&seen, "answer"));
    kit_seen_fini(&seen);
}

static void the_beginning_is_held_about_harm_alone(void **state)
{
    (void)state;
    /* About harm: nothing of the answer was shown. */
    struct kit_seen seen = ask(ONLY(RECORDS, ACTS), "hello", THINK(HARM HARM) SAY(BEGINNING "More.") END);
    assert_string_equal(kit_content(&seen, 0), "I can't help with that.");
    assert_string_equal(kit_reasoning(&seen, 0), HARM HARM);
    kit_seen_fini(&seen);
    /* The same answer to harmless reasoning goes out as it comes. */
    seen = ask(ONLY(RECORDS, ACTS), "hello", THINK(PLAIN PLAIN) SAY(BEGINNING "More.") END);
    assert_string_equal(kit_content(&seen, 0), BEGINNING "More.");
    assert_int_equal(seen.decision.verdict, REIN_ALLOW);
    size_t steps = seen.feeds_with_output;
    kit_seen_fini(&seen);
    seen = ask(ONLY(RECORDS, RECORDS), "hello", THINK(PLAIN PLAIN) SAY(BEGINNING "More.") END);
    assert_int_equal(steps, seen.feeds_with_output);
    kit_seen_fini(&seen);
    /* Nor is it held if the pattern only records, even about harm. */
    seen = ask(ONLY(RECORDS, RECORDS), "hello", THINK(HARM HARM) SAY(BEGINNING) SAY("More.") END);
    assert_string_equal(kit_content(&seen, 0), BEGINNING "More.");
    kit_seen_fini(&seen);
}

/* Many servers send an empty answer first, with the role. The reasoning after it is still the answer's own. */
static void an_empty_answer_before_the_reasoning_is_none(void **state)
{
    (void)state;
    struct kit_seen seen =
        ask(ONLY(RECORDS, ACTS), "hello",
            EVENT("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}") THINK(HARM HARM) SAY(BEGINNING "More.") END);
    assert_string_equal(kit_content(&seen, 0), "I can't help with that.");
    assert_string_equal(kit_reasoning(&seen, 0), HARM HARM);
    kit_seen_fini(&seen);
}

/* However harmful the prompt is: the heads know answers beside their reasoning only. */
static void without_reasoning_there_is_no_risk(void **state)
{
    (void)state;
    struct kit_seen seen = ask(ONLY(RECORDS, ACTS), "A bomb", SAY(BEGINNING "More.") END);
    assert_string_equal(kit_content(&seen, 0), BEGINNING "More.");
    assert_true(seen.decision.heads[REIN_PROMPT_HARM] > 0.8 && seen.decision.heads[REIN_REASONING_HARM] <= 0);
    assert_true(seen.decision.scores[REIN_OUTCOME_RISK_ANSWER] <= 0);
    assert_true(seen.decision.prompt_risk >= 0.5);
    kit_seen_fini(&seen);
}

/* As with an instruction: nothing is shown that a restart could contradict, and the answer's beginning may restart. */
static struct kit_seen ask_again(const char *upstream, size_t chunk)
{
    struct kit_seen seen;
    struct span good = SPAN(THINK("I stop. ") SAY("No.") END);
    struct rein_policy *policy = modelkit_policy(ONLY(RECORDS, "{ action: steer, threshold: 0.8, bytes: 300 }"));
    struct kit_run run = {.policy = policy,
                          .upstream = {upstream, strlen(upstream)},
                          .restarts = &good,
                          .restarts_len = 1,
                          .prompt = "hello",
                          .chunk = chunk};
    kit_run(&run, &seen);
    rein_policy_unref(policy);
    return seen;
}

static void the_answer_s_beginning_steers(void **state)
{
    (void)state;
    static const char short_one[] = THINK(HARM HARM) SAY(ALONG) END;
    static const char long_one[] = THINK(HARM HARM) SAY(BEGINNING SIXTY) END;
    const char *const bad[] = {short_one, long_one};
    for (size_t i = 0; i < 2; i++)
        for (size_t chunk = 0; chunk < 60; chunk += 13) {
            struct kit_seen seen = ask_again(bad[i], chunk);
            assert_string_equal(kit_reasoning(&seen, 0), "I stop. ");
            assert_string_equal(kit_content(&seen, 0), "No.");
            assert_int_equal(seen.decision.verdict, REIN_STEER);
            assert_int_equal(seen.decision.attempts, 2);
            kit_seen_fini(&seen);
        }
}

/* What does not steer comes whole, however it ends. */
static void held_reasoning_is_shown_in_the_end(void **state)
{
    (void)state;
    static const char *const fine[][2] = {
        {THINK(HARM HARM) SAY(SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY "On.") END,
         SIXTY SIXTY SIXTY SIXTY SIXTY SIXTY "On."},
        {THINK(HARM HARM) SAY("Short.") END, "Short."},
        {THINK(HARM HARM) END, ""},
        {THINK(HARM HARM)
             EVENT("\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}") END,
         ""}};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        for (size_t chunk = 0; chunk < 60; chunk += 13) {
            struct kit_seen seen = ask_again(fine[i][0], chunk);
            assert_string_equal(kit_reasoning(&seen, 0), HARM HARM);
            assert_string_equal(kit_content(&seen, 0), fine[i][1]);
            assert_int_equal(seen.decision.attempts, 1);
            assert_int_equal(seen.choices[0].finishes, 1);
            kit_seen_fini(&seen);
        }
}

static void in_shadow_it_only_tells(void **state)
{
    (void)state;
    struct kit_seen seen = ask(ONLY("{ action: refuse, shadow: true, threshold: 0.8, min_sentences: 1 }",
                                    "{ action: refuse, shadow: true, threshold: 0.8, bytes: 300 }"),
                               "hello", THINK(HARM ALONG) SAY(BEGINNING) END);
    assert_string_equal(kit_content(&seen, 0), BEGINNING);
    assert_int_equal(seen.decision.verdict, REIN_RECORD);
    assert_int_equal(seen.decision.shadow, REIN_REFUSE);
    assert_true(found(&seen, "reasoning")->shadow && found(&seen, "answer")->shadow);
    kit_seen_fini(&seen);
}

static void a_policy_without_a_model_has_no_scores(void **state)
{
    (void)state;
    struct kit_seen seen =
        ask("version: 1\nname: p\nlexicons: []\npatterns: { weak_vacillation: { action: record } }\n", "A bomb",
            THINK(HARM ALONG) SAY(BEGINNING) END);
    for (int head = 0; head < REIN_HEADS; head++)
        assert_true(seen.decision.heads[head] <= 0);
    assert_true(seen.decision.scores[REIN_OUTCOME_RISK_REASONING] <= 0);
    kit_seen_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reasoning_is_found_at_a_sentence),
        cmocka_unit_test(it_waits_for_enough_sentences),
        cmocka_unit_test(a_refusal_comes_before_the_sentence),
        cmocka_unit_test(the_answer_s_beginning_is_scored_once),
        cmocka_unit_test(the_beginning_is_held_about_harm_alone),
        cmocka_unit_test(an_empty_answer_before_the_reasoning_is_none),
        cmocka_unit_test(without_reasoning_there_is_no_risk),
        cmocka_unit_test(the_answer_s_beginning_steers),
        cmocka_unit_test(held_reasoning_is_shown_in_the_end),
        cmocka_unit_test(in_shadow_it_only_tells),
        cmocka_unit_test(a_policy_without_a_model_has_no_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
