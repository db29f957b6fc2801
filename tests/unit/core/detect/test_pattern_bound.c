/* pattern_may_act is exact: it is false if and only if no next sentence, with or without the end behind it, acts.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Random reasoning, a sentence at a time. After each one every kind of next sentence is tried on a tracker of its own,
 * the worst ones included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "detect/engine.h"
#include "detect/pattern.h"
#include "detect/reading.h"
#include "policy/policy.h"
#include "releasekit.h"

enum { SENTENCES = 14, CASES = 400 };

static const char lexicon[] = "version: 1\nname: own\nlanguage: en\nentries:\n"
                              "  - { id: a, class: names_harm, phrases: [bad], match: [bad] }\n"
                              "  - { id: b, class: decides_to_refuse, phrases: ['no'], match: ['no'] }\n"
                              "  - { id: c, class: concedes, phrases: [maybe], match: [maybe] }\n"
                              "  - { id: d, class: reframes_fiction, phrases: [story], match: [story], weight: 1 }\n"
                              "  - { id: e, class: reframes_fiction, phrases: [tale], match: [tale], weight: 1 }\n"
                              "  - { id: f, class: reframes_fiction, phrases: [novel], match: [novel], weight: 1 }\n"
                              "  - { id: g, class: commits_to_comply, phrases: [will], match: [will] }\n"
                              "  - { id: h, class: specific_procedure, phrases: [steps], match: [steps] }\n"
                              "  - { id: i, class: specific_procedure, phrases: [tools], match: [tools] }\n"
                              "  - { id: j, class: keeps_persona, phrases: [tone], match: [tone] }\n";

/* The last ones are the worst of their kind, for talk up to the limit of a sentence. */
static const char *const sentences[] = {
    "plain", "maybe", "bad",     "no",   "bad no",      "bad maybe", "steps",
    "will",  "tone",  "no tone", "will", "steps tools", "will",      "bad maybe story tale novel"};
enum { KINDS = sizeof(sentences) / sizeof(*sentences) };

static struct rein_policy *policy;
static struct rein_engine *engine;

static int set_up(void **state)
{
    (void)state;
    static const char yaml[] =
        "version: 1\nname: p\nlexicons: [own]\npatterns: { weak_vacillation: { action: record } }\n";
    static const struct rein_source source = {"own.yaml", lexicon, sizeof(lexicon) - 1};
    policy = release_policy(yaml, &source, NULL);
    return rein_engine_new(&engine);
}

static int tear_down(void **state)
{
    (void)state;
    rein_policy_unref(policy);
    rein_engine_free(engine);
    return 0;
}

struct bound_case {
    struct pattern_settings settings;
    struct prompt_risk risk;
    size_t said[SENTENCES], len; /* numbers of sentences */
};

static void take_sentence(struct pattern_tracker *p, size_t kind)
{
    const char *text = sentences[kind];
    struct reading reading = {0};
    assert_int_equal(pattern_sentence(p, engine, REIN_REASONING, (struct span){text, strlen(text)}, 0, &reading), 0);
}

/* Takes what is due; true if something of it acts. */
static bool acts(struct pattern_tracker *p, const struct bound_case *c)
{
    struct pattern_finding finding;
    bool any = false;
    while (pattern_take(p, &finding))
        any |= c->settings.acts[finding.pattern];
    return any;
}

/* A tracker to which the whole case was said. */
static struct pattern_tracker *replay(const struct bound_case *c)
{
    struct pattern_tracker *p = NULL;
    assert_int_equal(pattern_tracker_new(&p, policy->signals, &c->settings, &c->risk, SPAN("")), 0);
    for (size_t i = 0; i < c->len; i++)
        take_sentence(p, c->said[i]);
    (void)acts(p, c);
    return p;
}

static bool next_may_act(const struct bound_case *c)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct pattern_tracker *p = replay(c);
        take_sentence(p, kind);
        bool any = acts(p, c);
        assert_int_equal(pattern_end(p, REIN_REASONING), 0);
        any |= acts(p, c);
        pattern_tracker_free(p);
        if (any)
            return true;
    }
    return false;
}

static void make_case(struct bound_case *c, struct dice *dice)
{
    *c = (struct bound_case){.risk.score = dice_chance(dice, 10) ? 0 : 0.5 + (double)dice_below(dice, 500) / 1000};
    for (int i = 0; i < REIN_PATTERNS; i++) {
        c->settings.enabled[i] = dice_chance(dice, 70);
        c->settings.acts[i] = dice_chance(dice, 40);
        c->settings.threshold[i] = (double)dice_below(dice, 1001) / 1000;
    }
}

static void it_is_true_where_some_sentence_acts(void **state)
{
    (void)state;
    struct dice dice = dice_of(1);
    unsigned long seen[2] = {0};
    for (size_t n = 0; n < CASES; n++) {
        struct bound_case c;
        make_case(&c, &dice);
        bool is_meek = dice_chance(&dice, 50); /* plans without end, and names no harm */
        while (c.len < SENTENCES) {
            struct pattern_tracker *p = replay(&c);
            bool may = pattern_may_act(p);
            if (may != next_may_act(&c))
                fail_msg("case %zu, after %zu sentences: %d", n, c.len, may);
            seen[may]++;
            pattern_tracker_free(p);
            size_t kind = dice_below(&dice, KINDS);
            c.said[c.len++] = is_meek && dice_chance(&dice, 90) ? (kind % 2 == 0 ? 0 : 7) : kind;
        }
    }
    assert_in_range(seen[0], CASES, CASES * SENTENCES);
    assert_in_range(seen[1], CASES, CASES * SENTENCES);
}

/* After the end only more sentences can act, not the end. */
static void the_end_comes_once(void **state)
{
    (void)state;
    struct bound_case c = {.risk.score = 1, .said = {7, 7}, .len = 2};
    enum rein_pattern lack = REIN_LACK_OF_SAFETY_AWARENESS;
    c.settings.enabled[lack] = c.settings.acts[lack] = true;
    c.settings.threshold[lack] = 0.69;
    struct pattern_tracker *p = replay(&c);
    assert_true(pattern_may_act(p));
    assert_int_equal(pattern_end(p, REIN_REASONING), 0);
    assert_false(pattern_may_act(p));
    pattern_tracker_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_true_where_some_sentence_acts),
                                       cmocka_unit_test(the_end_comes_once)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
