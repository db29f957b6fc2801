/* Torture: each allocation of a pattern tracker fails in turn; it says so, and nothing is lost or left behind.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "detect/engine.h"
#include "detect/pattern.h"
#include "detect/reading.h"
#include "failing_heap.h"
#include "modelkit.h"
#include "policy/policy.h"
#include "rein/rein.h"

enum { ALLOCATIONS_MAX = 100 };

static const char policy_text[] = "version: 1\nname: p\nlexicons: [tiny]\nmodel: tiny\npatterns:\n"
                                  "  strong_vacillation: { action: record }\n";
static const char lexicon_text[] =
    "version: 1\nname: tiny\nlanguage: en\nentries:\n"
    "  - { id: a, class: names_harm, phrases: [is harmful], match: [is harmful] }\n"
    "  - { id: b, class: concedes, phrases: [but maybe], match: [but maybe] }\n"
    "  - { id: c, class: reframes_fiction, phrases: [for a story], match: [for a story] }\n"
    "  - { id: d, class: reframes_education, phrases: [for a lesson], match: [for a lesson] }\n";

static struct rein_policy *policy;
static struct rein_engine *engine;

static int set_up(void **state)
{
    (void)state;
    struct rein_source text = {"p", policy_text, sizeof policy_text - 1};
    struct rein_source lexicon = {"l", lexicon_text, sizeof lexicon_text - 1};
    char *weights = modelkit_usual();
    struct rein_source model = {"m", weights, strlen(weights)};
    struct rein_library library = {.lexicons = &lexicon, .lexicons_len = 1, .models = &model, .models_len = 1};
    struct rein_problems *problems = NULL;
    int rv = rein_problems_new(&problems);
    if (rv == 0)
        rv = rein_policy_load(&policy, &text, &library, problems);
    for (size_t i = 0; rv != 0 && i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    free(weights);
    if (rv == 0)
        rv = rein_engine_new(&engine);
    return rv == 0 ? engine_prepare(engine, policy->signals) : rv;
}

static int tear_down(void **state)
{
    (void)state;
    rein_engine_free(engine);
    rein_policy_unref(policy);
    return 0;
}

static int run(unsigned *found, size_t *talk_len)
{
    static const struct span sentences[] = {
        SPAN("This is harmful. "), SPAN("But maybe it is for a story or for a lesson. "), SPAN("So it goes. ")};
    const struct prompt_risk risk = {.score = 1};
    struct pattern_settings settings = policy->pattern_settings;
    struct pattern_tracker *p = NULL;
    struct pattern_finding finding;
    const struct rein_step *talk;
    settings.threshold[REIN_STRONG_VACILLATION] = 0.1;
    int rv = pattern_tracker_new(&p, policy->signals, &settings, &risk, SPAN("Is this safe? Let me see."));
    uint64_t at = 0;
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0] && rv == 0; at += sentences[i++].len)
        rv = pattern_sentence(p, engine, REIN_REASONING, sentences[i], at, &(struct reading){0});
    if (rv == 0)
        rv = pattern_end(p, REIN_REASONING);
    for (*found = 0; rv == 0 && pattern_take(p, &finding);)
        *found |= 1u << finding.pattern;
    *talk_len = rv == 0 ? pattern_talk(p, &talk) : 0;
    pattern_tracker_free(p);
    return rv;
}

static void each_allocation_of_a_tracker_fails_in_turn(void **state)
{
    (void)state;
    unsigned found = 0;
    size_t talk_len = 0;
    unsigned long failed = 0;
    int rv = REIN_ENOMEM;
    struct failing_heap heap;
    failing_heap_use(&heap);
    for (size_t k = 1; rv != 0; k++) {
        heap = (struct failing_heap){.fails_at = k};
        rv = run(&found, &talk_len);
        assert_true(rv == 0 || rv == REIN_ENOMEM);
        assert_int_equal(heap.blocks, 0);
        failed += rv != 0;
        assert_in_range(k, 1, ALLOCATIONS_MAX);
    }
    rein_heap_set(NULL);
    assert_in_range(failed, 6, 8); /* the tracker, its prefix, its scores, its talk, its findings, its quotes */
    assert_int_equal(found, 1u << REIN_STRONG_VACILLATION);
    assert_int_equal(talk_len, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_of_a_tracker_fails_in_turn)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
