/* What waits of the reasoning, and where it ends, byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "releasekit.h"
#include "trace/text.h"

enum { STREAM_MAX = 1 << 16 };

static const char lexicon[] = "version: 1\nname: own\nlanguage: en\nentries:\n"
                              "  - { id: a, class: names_harm, phrases: [bad], match: [bad] }\n"
                              "  - { id: b, class: adopts_goal, phrases: [plan], match: [plan] }\n"
                              "  - { id: c, class: prompt_harm, phrases: [bomb], match: [bomb], category: weapons }\n"
                              "  - { id: d, class: decides_to_refuse, phrases: [never], match: [never] }\n"
                              "  - { id: e, class: answer_complies, phrases: [sure], match: [sure] }\n";

static struct rein_policy *policy_of(const char *release, double threshold, const char *rules)
{
    static const struct rein_source source = {"own.yaml", lexicon, sizeof(lexicon) - 1};
    char yaml[1024];
    snprintf(yaml, sizeof(yaml),
             "version: 1\nname: p\nreasoning: { show: stream, release: %s }\nlexicons: [own]\n"
             "refusal: { message: NO }\nsteer: { fallback: cut_response }\n"
             "patterns: { lack_of_safety_awareness: { action: refuse, threshold: %.2f } }\n%s",
             release, threshold, rules);
    return release_policy(yaml, &source, NULL);
}

/* Runs it, and checks what the client saw of the reasoning and the strongest action. */
static void shows(struct rein_policy *policy, const char *reasoning, const char *answer, size_t most,
                  const char *wanted, enum rein_action verdict)
{
    struct kit_seen seen;
    struct bytes stream;
    struct dice dice = dice_of(1);
    bytes_init(&stream, STREAM_MAX);
    release_stream(&stream, &dice, (struct span){reasoning, strlen(reasoning)}, (struct span){answer, strlen(answer)},
                   most, false);
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .prompt = "a bomb"};
    kit_run(&run, &seen);
    assert_string_equal(kit_reasoning(&seen, 0), wanted);
    assert_int_equal(seen.decision.verdict, verdict);
    kit_seen_fini(&seen);
    bytes_fini(&stream);
}

/* The last sentence waits for what the reasoning turns out to be, whether an answer follows or nothing. */
static void the_last_sentence_waits_for_the_end(void **state)
{
    (void)state;
    static const char *const words[] = {"auto", "sentence"};
    for (size_t i = 0; i < 2; i++) {
        struct rein_policy *policy = policy_of(words[i], 0.3, "");
        for (size_t most = 1; most < 60; most += 7) {
            shows(policy, "I look. A plan.", "Yes.", most, "I look. ", REIN_REFUSE);
            shows(policy, "I look. A plan.", "", most, "I look. ", REIN_REFUSE);
            shows(policy, "I look. A plan, bad.", "", most, "I look. A plan, bad.", REIN_ALLOW);
        }
        rein_policy_unref(policy);
    }
}

/* Steering is impossible once something was shown, and what is shown does not depend on how the text came. */
static void whether_it_steers_does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    static const char *const words[] = {"auto", "sentence"};
    for (size_t i = 0; i < 2; i++) {
        struct rein_policy *policy =
            policy_of(words[i], 1, "rules: [{ id: r, literal: zap, channels: [reasoning], action: steer }]\n");
        for (size_t most = 1; most < 40; most += 3) {
            shows(policy, "All zap of it.", "", most, "", REIN_STEER);
            shows(policy, "I look. All zap of it.", "", most, "I look. ", REIN_CUT_RESPONSE);
        }
        rein_policy_unref(policy);
    }
}

/* Many streams begin with an empty answer, or one of blanks, before the reasoning. The answer is compared with the
 * reasoning all the same. */
static void an_empty_answer_before_the_reasoning_changes_nothing(void **state)
{
    (void)state;
    static const char *const begins[] = {NULL, "", "\n\n"};
    static const struct rein_source source = {"own.yaml", lexicon, sizeof(lexicon) - 1};
    struct rein_policy *policy = release_policy("version: 1\nname: p\nlexicons: [own]\nrefusal: { message: NO }\n"
                                                "patterns: { inconsistency: { complies: { action: refuse } } }\n",
                                                &source, NULL);
    for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++) {
        struct kit_seen seen;
        struct bytes stream;
        struct dice dice = dice_of(1);
        bytes_init(&stream, STREAM_MAX);
        if (begins[i] != NULL)
            release_event(&stream, "content", (struct span){begins[i], strlen(begins[i])}, 8);
        release_stream(&stream, &dice, SPAN("Bad. Never. Never. Never. "), SPAN("Sure. Sure. Sure."), 9, false);
        struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .prompt = "a bomb"};
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.verdict, REIN_REFUSE);
        assert_null(strstr(kit_content(&seen, 0), "Sure"));
        kit_seen_fini(&seen);
        bytes_fini(&stream);
    }
    rein_policy_unref(policy);
}

/* Of half a character nobody knows yet whether a sentence begins with it. */
static void half_a_character_is_not_known(void **state)
{
    (void)state;
    static const char bytes[] = "So. \xC3\x89t\xC3\xA9";
    struct text text;
    struct match_list matches = {0};
    struct span sentence;
    uint64_t offset;
    struct rein_policy *policy = policy_of("auto", 1, "");
    text_init(&text, REIN_REASONING, 0, policy->ruleset, 1024);
    text.has_sentences = true;
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        assert_int_equal(text_append(&text, (struct span){bytes + i, 1}), 0);
        int event = text_advance(&text, &matches, &sentence, &offset);
        assert_int_equal(event, i == 5 ? TEXT_SENTENCE : TEXT_DRY);
        while (event != TEXT_DRY)
            event = text_advance(&text, &matches, &sentence, &offset);
        assert_int_equal(text_known(&text), i == 4 || i == 7 ? i : i + 1);
    }
    text_fini(&text);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_sentence_waits_for_the_end),
                                       cmocka_unit_test(whether_it_steers_does_not_depend_on_the_pieces),
                                       cmocka_unit_test(an_empty_answer_before_the_reasoning_changes_nothing),
                                       cmocka_unit_test(half_a_character_is_not_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
