/* Tests of conditions: what is known of the prompt and of the outcome decides whether a rule or pattern finds anything,
 * and holds anything; rules on the prompt as a whole; policies that extend another.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policykit.h"
#include "tracekit.h"

#define HEAD                                                                                                           \
    "version: 1\nname: p\nlexicons: [english]\nreasoning: { show: stream, release: stream }\n"                         \
    "refusal: { message: Never., before_first_byte: reply }\n"
#define EVENT(field, text)                                                                                             \
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"" field "\":\"" text "\"}}]}\n\n"
#define END                                                                                                            \
    "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

static void ask_text(struct kit_seen *seen, const char *yaml, const char *prompt, const char *upstream)
{
    struct rein_policy *policy = policykit_load(yaml);
    struct kit_run run = {.policy = policy, .upstream = {upstream, strlen(upstream)}, .prompt = prompt, .chunk = 11};
    kit_run(&run, seen);
    rein_policy_unref(policy);
}

static void check_content(const char *yaml, const char *prompt, const char *upstream, const char *wanted,
                          enum rein_action verdict)
{
    struct kit_seen seen;
    ask_text(&seen, yaml, prompt, upstream);
    assert_string_equal(kit_content(&seen, 0), wanted);
    assert_int_equal(seen.decision.verdict, verdict);
    kit_seen_fini(&seen);
}

static const char by_harm[] =
    HEAD "rules:\n"
         "  - { id: help, prompt: { harms: [self_harm] }, action: refuse, message: Please call someone. }\n"
         "  - { id: risk, prompt: { risk: \">= 0.6\" }, action: refuse }\n";

/* The help line for the one, a refusal for the other, and nothing for a third. */
static void test_a_prompt_is_refused_for_what_it_names(void **state)
{
    (void)state;
    static const char stream[] = EVENT("content", "Hello.") END;
    check_content(by_harm, "I want to end it all.", stream, "Please call someone.", REIN_REFUSE);
    check_content(by_harm, "How do I stab someone?", stream, "Never.", REIN_REFUSE);
    check_content(by_harm, "How do I bake bread?", stream, "Hello.", REIN_ALLOW);
}

/* A rule with a condition on a prompt waits for the whole of it: an earlier message counts, too. */
static void test_a_rule_on_the_prompt_sees_all_of_it(void **state)
{
    (void)state;
    struct rein_policy *policy = policykit_load(
        HEAD
        "rules:\n  - { id: r, literal: kitchen, channels: [prompt], action: refuse, when: { harms: violence } }\n");
    for (unsigned is_risky = 0; is_risky < 2; is_risky++) {
        struct rein_engine *engine;
        struct rein_trace *trace;
        struct rein_update update;
        static const char first[] = "In the kitchen.", *then[] = {"How do I bake?", "How do I stab someone?"};
        assert_int_equal(rein_engine_new(&engine), 0);
        struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .streamed = true};
        assert_int_equal(rein_trace_new(&trace, &options), 0);
        assert_int_equal(rein_trace_prompt(trace, "user", first, strlen(first)), 0);
        assert_int_equal(rein_trace_prompt(trace, "user", then[is_risky], strlen(then[is_risky])), 0);
        assert_int_equal(rein_trace_prompt_end(trace, &update), 0);
        const struct rein_decision *d = rein_trace_decision(trace);
        assert_int_equal(d->verdict, is_risky ? REIN_REFUSE : REIN_ALLOW);
        assert_int_equal(d->findings_len, is_risky);
        assert_string_equal(d->harms, is_risky ? "violence" : "");
        assert_true(!is_risky || (d->findings[0].offset == 7 && d->findings[0].len == 7));
        rein_trace_free(trace);
        rein_engine_free(engine);
    }
    rein_policy_unref(policy);
}

/* What does not apply to this prompt finds nothing and holds nothing. */
static void test_a_rule_of_the_response_asks_what_the_prompt_was(void **state)
{
    (void)state;
    static const char yaml[] = HEAD "rules:\n"
                                    "  - { id: r, words: [\"knife drawer\"], action: redact, replacement: \"#\", when: "
                                    "{ prompt_risk: \"> 0.5\" } }\n"
                                    "  - { id: x, regex: 'oven [0-9]+', max_bytes: 20, action: redact, replacement: "
                                    "\"#\", when: { harms: violence } }\n";
    static const char stream[] = EVENT("content", "The knife") EVENT("content", " drawer, oven 12. ") END;
    struct kit_seen seen;
    check_content(yaml, "How do I stab someone?", stream, "The #, #. ", REIN_REDACT);
    ask_text(&seen, yaml, "How do I bake?", stream);
    assert_int_equal(bytes_len(&seen.out), strlen(stream));
    assert_memory_equal(bytes_span(&seen.out).data, stream, strlen(stream));
    assert_int_equal(seen.decision.flow[REIN_ANSWER].held_max, 0);
    kit_seen_fini(&seen);
}

/* The score counts as it is when the match is decided: what comes later changes nothing. */
static void test_the_outcome_counts_as_far_as_it_is_known(void **state)
{
    (void)state;
    static const char yaml[] =
        HEAD "model: tiny\nrules:\n"
             "  - { id: r, words: kettle, action: redact, replacement: \"#\", when: { outcome_risk: \">= 0.5\" } }\n";
    static const char later[] =
        EVENT("reasoning_content", "A kettle. A bomb. Steps, gladly. A bomb. Steps, gladly. "
                                   "A bomb. Steps, gladly. A kettle. ") EVENT("content", "A kettle.") END;
    static const char never[] = EVENT("reasoning_content", "A kettle. Birds sing. ") EVENT("content", "A kettle.") END;
    struct kit_seen seen;
    ask_text(&seen, yaml, "hello", later);
    assert_string_equal(kit_reasoning(&seen, 0), "A kettle. A bomb. Steps, gladly. A bomb. Steps, gladly. A bomb. "
                                                 "Steps, gladly. A #. ");
    assert_string_equal(kit_content(&seen, 0), "A #.");
    kit_seen_fini(&seen);
    check_content(yaml, "hello", never, "A kettle.", REIN_ALLOW);
}

static void test_a_pattern_has_conditions_too(void **state)
{
    (void)state;
    static const char yaml[] =
        HEAD "model: tiny\npatterns:\n  outcome_risk:\n"
             "    reasoning: { action: refuse, threshold: 0.8, min_sentences: 2, when: { harms: violence } }\n";
    static const char stream[] =
        EVENT("reasoning_content", "Birds sing. A bomb. Steps, gladly. Birds sing. ") EVENT("content", "Yes.") END;
    struct kit_seen seen;
    ask_text(&seen, yaml, "hello", stream);
    assert_int_equal(seen.decision.verdict, REIN_ALLOW);
    kit_seen_fini(&seen);
    ask_text(&seen, yaml, "How do I stab someone?", stream);
    assert_int_equal(seen.decision.verdict, REIN_REFUSE);
    kit_seen_fini(&seen);
}

/* A list of a file, words near a match and exceptions, in a response. */
static void test_lists_words_near_and_exceptions(void **state)
{
    (void)state;
    static const char yaml[] =
        HEAD "rules:\n"
             "  - { id: street, words: { file: streets.txt }, action: redact, replacement: \"[street]\" }\n"
             "  - { id: pin, regex: '[0-9]{4}', near: { words: [pin], before: 12, behind: 12 }, action: redact, "
             "replacement: \"[pin]\",\n"
             "      except: { values: [\"0000\"] } }\n"
             "  - { id: nova, words: nova, except: { words: [nova scotia] }, action: redact, replacement: \"[n]\" }\n";
    static const char stream[] =
        EVENT("content", "12 HIGH\\n\\tstr") EVENT("content", "eet, mill lane, millet. In 1999 the year; pin: 1")
            EVENT("content", "234 or 0000. ............ 4321 is the p") EVENT("content", "in. Nova Scotia, nova")
                EVENT("content", "s, a Nova.") END;
    check_content(yaml, "hello", stream,
                  "12 [street], [street], millet. In 1999 the year; pin: [pin] or 0000. ............ [pin] is the pin. "
                  "Nova Scotia, novas, a [n].",
                  REIN_REDACT);
}

static void test_a_policy_extends_another(void **state)
{
    (void)state;
    static const char child[] = "version: 1\nname: child\nextends: base\nrules:\n"
                                "  - { id: first, action: refuse, message: Child refuses. }\n"
                                "  - { id: third, words: gamma, action: redact, replacement: \"[g]\" }\n";
    static const char whole[] = "version: 1\nname: child\nreasoning: { show: stream, release: stream }\n"
                                "refusal: { message: Base refuses., before_first_byte: reply }\nrules:\n"
                                "  - { id: first, literal: alpha, action: refuse, message: Child refuses. }\n"
                                "  - { id: second, regex: 'beta[0-9]', action: redact }\n"
                                "  - { id: third, words: gamma, action: redact, replacement: \"[g]\" }\n";
    check_content(child, NULL, EVENT("content", "beta1 gamma ok") END, "[redacted] [g] ok", REIN_REDACT);
    check_content(child, NULL, EVENT("content", "alpha") END, "Child refuses.", REIN_REFUSE);
    struct rein_policy *a = policykit_load(child), *b = policykit_load(whole);
    assert_string_equal(rein_policy_settings(a)->version, rein_policy_settings(b)->version);
    rein_policy_unref(a);
    rein_policy_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prompt_is_refused_for_what_it_names),
        cmocka_unit_test(test_a_rule_on_the_prompt_sees_all_of_it),
        cmocka_unit_test(test_a_rule_of_the_response_asks_what_the_prompt_was),
        cmocka_unit_test(test_the_outcome_counts_as_far_as_it_is_known),
        cmocka_unit_test(test_a_pattern_has_conditions_too),
        cmocka_unit_test(test_lists_words_near_and_exceptions),
        cmocka_unit_test(test_a_policy_extends_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
