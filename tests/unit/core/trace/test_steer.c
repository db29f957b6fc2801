/* Whether a finding steers or takes the fallback: the same for every cut, and for every judge's pace.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "releasekit.h"

enum { STREAM_MAX = 1 << 16, MOST = 70 };

static const char lexicon[] = "version: 1\nname: own\nlanguage: en\nentries:\n"
                              "  - { id: a, class: names_harm, phrases: [bad], match: [bad] }\n"
                              "  - { id: b, class: adopts_goal, phrases: [plan], match: [plan] }\n"
                              "  - { id: c, class: prompt_harm, phrases: [bomb], match: [bomb], category: weapons }\n"
                              "  - { id: d, class: commits_to_comply, phrases: [will], match: [will] }\n"
                              "  - { id: e, class: answer_refuses, phrases: [never], match: [never] }\n";

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_answer_that_refuses_can_be_steered)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
