/* Whether a finding steers or takes the fallback: the same for every cut, and for every judge's pace.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cutkit.h"
#include "releasekit.h"

enum { STREAM_MAX = 1 << 16, MOST = 40 };

static const char lexicon[] = "version: 1\nname: own\nlanguage: en\nentries:\n"
                              "  - { id: a, class: names_harm, phrases: [bad], match: [bad] }\n"
                              "  - { id: b, class: adopts_goal, phrases: [plan], match: [plan] }\n"
                              "  - { id: c, class: prompt_harm, phrases: [bomb], match: [bomb], category: weapons }\n"
                              "  - { id: d, class: commits_to_comply, phrases: [will], match: [will] }\n"
                              "  - { id: e, class: answer_refuses, phrases: [never], match: [never] }\n"
                              "  - { id: f, class: specific_procedure, phrases: [steps], match: [steps], weight: 2 }\n";

static struct rein_policy *policy_of(const char *release, const char *rest)
{
    static const struct rein_source source = {"own.yaml", lexicon, sizeof(lexicon) - 1};
    char yaml[1024];
    snprintf(yaml, sizeof(yaml),
             "version: 1\nname: p\nreasoning: { show: stream, release: %s }\nlexicons: [own]\n"
             "refusal: { message: NO }\nsteer: { fallback: cut_response }\n%s",
             release, rest);
    return release_policy(yaml, &source, NULL);
}

/* The action of the only finding, if the response comes in pieces of up to `most` bytes. */
static enum rein_action action_of(struct rein_policy *policy, const char *prefix, const char *reasoning,
                                  const char *answer, size_t most)
{
    struct kit_seen seen;
    struct bytes stream;
    struct dice dice = dice_of(most);
    bytes_init(&stream, STREAM_MAX);
    release_stream(&stream, &dice, (struct span){reasoning, strlen(reasoning)}, (struct span){answer, strlen(answer)},
                   most, false);
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .prompt = "a bomb", .prefix = prefix};
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.findings_len, 1);
    enum rein_action action = seen.findings[0].action;
    kit_seen_fini(&seen);
    bytes_fini(&stream);
    return action;
}

static void all_cuts(struct rein_policy *policy, const char *prefix, const char *reasoning, const char *answer,
                     enum rein_action wanted)
{
    for (size_t most = 1; most < MOST; most++)
        assert_int_equal(action_of(policy, prefix, reasoning, answer, most), wanted);
}

/* The beginning of an answer waits until it is known whether it refuses what the reasoning planned to do. */
static void an_answer_that_refuses_can_be_steered(void **state)
{
    (void)state;
    static const char *const words[] = {"auto", "sentence", "end", "stream"};
    for (size_t i = 0; i < 4; i++) {
        struct rein_policy *policy =
            policy_of(words[i], "patterns: { inconsistency: { refuses: { action: steer } } }\n");
        all_cuts(policy, "Wait.", "I will. ", "Well. Let me see. I never do.", REIN_STEER);
        rein_policy_unref(policy);
    }
    /* Without a prefix nothing may have been shown: the reasoning waits for the answer, too. In shadow, likewise. */
    for (size_t i = 0; i < 2; i++) {
        char pattern[96];
        snprintf(pattern, sizeof(pattern), "patterns: { inconsistency: { refuses: { action: steer, shadow: %s } } }\n",
                 i == 0 ? "false" : "true");
        struct rein_policy *policy = policy_of("end", pattern);
        all_cuts(policy, NULL, "I will. ", "Well. Let me see. I never do.", REIN_STEER);
        rein_policy_unref(policy);
    }
}

/* What a rule in shadow finds is not held, unless a pattern holds its sentence. So it could not have been steered if
 * any of it may have been shown. */
static void a_rule_in_shadow_has_held_nothing(void **state)
{
    (void)state;
    static const char rule[] = "rules: [{ id: r, regex: 'zap|A.*late', max_bytes: 20, action: steer, shadow: true }]\n";
    static const char *const patterns[] = {"", "patterns: { harmful_additions: { action: record } }\n"};
    char rest[256];
    for (size_t i = 0; i < 2; i++) {
        snprintf(rest, sizeof(rest), "%s%s", rule, patterns[i]);
        struct rein_policy *policy = policy_of("sentence", rest);
        all_cuts(policy, NULL, "zap it", "", i == 0 ? REIN_CUT_RESPONSE : REIN_STEER);
        all_cuts(policy, NULL, "All is late.", "", i == 0 ? REIN_CUT_RESPONSE : REIN_STEER);
        all_cuts(policy, NULL, "So be it. I zap", "", REIN_CUT_RESPONSE);
        all_cuts(policy, NULL, "", "zap it", REIN_CUT_RESPONSE);
        rein_policy_unref(policy);
    }
}

/* A pattern of reasoning that is shown as it comes, or of a policy in shadow, has held nothing either. */
static void a_pattern_that_holds_nothing_comes_too_late(void **state)
{
    (void)state;
    static const char *const shadows[] = {"", "shadow: true\n"};
    char rest[256];
    for (size_t i = 0; i < 2; i++) {
        snprintf(rest, sizeof(rest), "%spatterns: { harmful_additions: { action: steer, threshold: 0.01 } }\n",
                 shadows[i]);
        struct rein_policy *policy = policy_of("stream", rest);
        all_cuts(policy, NULL, "Steps. So.", "Yes.", REIN_CUT_RESPONSE);
        rein_policy_unref(policy);
    }
    struct rein_policy *policy =
        policy_of("auto", "shadow: true\npatterns: { inconsistency: { refuses: { action: steer } } }\n");
    all_cuts(policy, NULL, "I will. ", "Never. ", REIN_CUT_RESPONSE);
    rein_policy_unref(policy);
}

/* What a text holds that others interrupt is held for so many of their bytes, not until the next event. */
static void a_wait_ends_within_an_event(void **state)
{
    (void)state;
    enum { ANSWER = 700 };
    char answer[ANSWER + 1];
    struct rein_policy *policy = policy_of("stream", "rules:\n  - { id: r, literal: zap, action: steer }\n"
                                                     "  - { id: s, literal: zip zap, action: redact }\n");
    for (size_t at = 500; at < 520; at++) {
        memset(answer, ' ', ANSWER);
        memcpy(answer + at, "zap", 3);
        answer[ANSWER] = '\0';
        enum rein_action first = action_of(policy, NULL, "zi", answer, ANSWER);
        assert_int_equal(action_of(policy, NULL, "zi", answer, 1), first);
        assert_int_equal(action_of(policy, NULL, "zi", answer, 90), first);
    }
    rein_policy_unref(policy);
}

/* White space before an answer is judged before the answer ends the reasoning, also if it comes with it. */
static void white_space_does_not_end_the_reasoning(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of(
        "auto", "rules: [{ id: r, literal: \"\\n\\n\", channels: [answer], match: raw, action: cut_response }]\n"
                "patterns: { lack_of_safety_awareness: { action: refuse, threshold: 0.3 } }\n");
    all_cuts(policy, NULL, "A plan", "\n\nYes.", REIN_CUT_RESPONSE);
    rein_policy_unref(policy);
}

/* The byte that decides a match in shadow may decide one that acts, which then holds no more. */
static void a_rule_in_shadow_shows_nothing_of_what_acts(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "rules:\n  - { id: a, literal: zap, action: steer, shadow: true }\n"
        "  - { id: b, literal: zap, action: cut_response }\n",
        "rules:\n  - { id: b, literal: zap, action: cut_response }\n"
        "  - { id: a, literal: zap, action: steer, shadow: true }\n",
        "rules:\n  - { id: a, literal: ap, action: steer, shadow: true }\n"
        "  - { id: b, literal: zap, action: cut_response }\n"
        "  - { id: c, literal: izap, match: raw, action: redact }\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct rein_policy *policy = policy_of("stream", rules[i]);
        for (size_t most = 1; most < MOST; most++) {
            struct kit_seen seen;
            struct bytes stream;
            struct dice dice = dice_of(most);
            bytes_init(&stream, STREAM_MAX);
            release_stream(&stream, &dice, SPAN("Here it is: izap and on."), SPAN("Yes."), most, false);
            struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream)};
            kit_run(&run, &seen);
            assert_string_equal(kit_reasoning(&seen, 0), i < 2 ? "Here it is: i" : "Here it is: ");
            kit_seen_fini(&seen);
            bytes_fini(&stream);
        }
        rein_policy_unref(policy);
    }
}

/* ---- judges ------------------------------------------------------------------------------------------------------ */

/* A judge finds nothing in what it is asked about: at once, or when all events have come. Returns the action of the
 * only finding. */
static enum rein_action judged(struct rein_policy *policy, struct rein_engine *engine, const char *const *events,
                               size_t events_len, bool is_late)
{
    struct rein_trace *trace;
    struct rein_update u;
    uint32_t ids[64];
    size_t ids_len = 0, len;
    struct rein_trace_options options = {.policy = policy, .engine = engine, .streamed = true, .choices = 1};
    const struct rein_answer fine = {.outcome = REIN_JUDGE_OPINED, .risk = 0};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
    for (size_t i = 0; i < events_len; i++) {
        assert_int_equal(rein_trace_feed(trace, events[i], strlen(events[i]), &u), 0);
        const struct rein_question *questions = rein_trace_questions(trace, &len);
        for (size_t k = 0; k < len; k++)
            ids[ids_len++] = questions[k].id;
        for (bool is_due = !is_late || i + 1 == events_len; is_due && ids_len > 0;)
            assert_int_equal(rein_trace_answer(trace, ids[--ids_len], &fine, &u), 0);
    }
    const struct rein_decision *decision = rein_trace_decision(trace);
    assert_int_equal(decision->findings_len, 1);
    enum rein_action action = decision->findings[0].action;
    rein_trace_free(trace);
    return action;
}

#define DELTA(text) "data: {\"choices\":[{\"index\":0,\"delta\":{" text "}}]}\n\n"

/* What the judge is asked about is held. If it answers at once, it is shown before what comes behind it. */
static void a_slow_judge_makes_nothing_steer(void **state)
{
    (void)state;
    static const char yaml[] =
        "version: 1\nname: p\nreasoning: { release: stream }\nsteer: { fallback: cut_response }\n"
        "judges:\n  - { id: p, ask: zaps, channels: [reasoning], every: { sentences: 1, bytes: 64 }, action: record }\n"
        "rules:\n  - { id: r, literal: zip, channels: [answer, tool], action: steer, shadow: %s }\n";
    static const char *const events[][3] = {
        {DELTA("\"reasoning_content\":\"So be it. And so \""), DELTA("\"reasoning_content\":\"on. \""),
         DELTA("\"content\":\"zip it\"")},
        {DELTA("\"reasoning_content\":\"So be it. And so \""), DELTA("\"reasoning_content\":\"on. \""),
         DELTA("\"note\":\"zip it\"")},
    };
    static struct cut_case c;
    struct rein_engine *engine;
    assert_int_equal(rein_engine_new(&engine), 0);
    for (size_t i = 0; i < 2; i++) {
        c.yaml_len = (size_t)snprintf(c.yaml, sizeof(c.yaml), yaml, i == 0 ? "true" : "false");
        struct rein_policy *policy = cutkit_policy(&c);
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(judged(policy, engine, events[k], 3, false), REIN_CUT_RESPONSE);
            assert_int_equal(judged(policy, engine, events[k], 3, true), REIN_CUT_RESPONSE);
        }
        rein_policy_unref(policy);
    }
    rein_engine_free(engine);
}

/* A judge may name several patterns, and be asked about a choice that was stopped in the meantime. */
static void an_opinion_stops_a_choice_once(void **state)
{
    (void)state;
    static const char yaml[] = "version: 1\nname: p\nrefusal: { message: NO }\nlexicons: [own]\npatterns:\n"
                               "  strong_vacillation: { action: refuse }\n  harmful_additions: { action: refuse }\n"
                               "judges:\n  - { id: p, ask: zaps, channels: [reasoning], every: { sentences: 1, bytes: "
                               "64 }, action: record }\n";
    static const char event[] = DELTA("\"reasoning_content\":\"So be it. And so on. And \"");
    static const struct rein_answer names = {.outcome = REIN_JUDGE_OPINED,
                                             .leaves = 1u << REIN_STRONG_VACILLATION | 1u << REIN_HARMFUL_ADDITIONS};
    static struct cut_case c;
    struct rein_engine *engine;
    struct rein_trace *trace;
    struct rein_update u;
    struct bytes out;
    uint32_t ids[8];
    size_t len;
    c.yaml_len = (size_t)snprintf(c.yaml, sizeof(c.yaml), "%s", yaml);
    struct rein_policy *policy = cutkit_policy(&c);
    assert_int_equal(rein_engine_new(&engine), 0);
    struct rein_trace_options options = {.policy = policy, .engine = engine, .streamed = true, .choices = 2};
    bytes_init(&out, STREAM_MAX);
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
    assert_int_equal(rein_trace_feed(trace, event, sizeof(event) - 1, &u), 0);
    const struct rein_question *questions = rein_trace_questions(trace, &len);
    assert_int_equal(len, 2);
    for (size_t i = 0; i < len; i++)
        ids[i] = questions[i].id;
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(rein_trace_answer(trace, ids[i], &names, &u), 0);
        for (assert_int_equal(bytes_append(&out, u.out, u.out_len), 0); (u.asks & REIN_ASK_COMMIT) != 0;) {
            assert_int_equal(rein_trace_committed(trace, &u), 0);
            assert_int_equal(bytes_append(&out, u.out, u.out_len), 0);
        }
    }
    struct span all = bytes_span(&out);
    const char *first = memmem(all.data, all.len, "\"NO\"", 4);
    assert_non_null(first);
    assert_null(memmem(first + 1, all.len - (size_t)(first + 1 - all.data), "\"NO\"", 4));
    assert_int_equal(rein_trace_decision(trace)->findings_len, 1);
    bytes_fini(&out);
    rein_trace_free(trace);
    rein_engine_free(engine);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_answer_that_refuses_can_be_steered),
                                       cmocka_unit_test(a_rule_in_shadow_has_held_nothing),
                                       cmocka_unit_test(a_pattern_that_holds_nothing_comes_too_late),
                                       cmocka_unit_test(a_wait_ends_within_an_event),
                                       cmocka_unit_test(white_space_does_not_end_the_reasoning),
                                       cmocka_unit_test(a_rule_in_shadow_shows_nothing_of_what_acts),
                                       cmocka_unit_test(a_slow_judge_makes_nothing_steer),
                                       cmocka_unit_test(an_opinion_stops_a_choice_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
