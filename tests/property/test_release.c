/* Property: `release: auto` finds, does and shows what `release: sentence` does, only earlier.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_release [CASES [FIRST-SEED]]     default 2000 from 1; REIN_LONG=1: 200000
 *
 * A case has random patterns (action, threshold, shadow), sometimes a learned score or rules, a prompt, and random
 * sentences made of the words of a small lexicon. The two runs cut the text differently. If a byte went out that the
 * end of its sentence, or of the reasoning, takes back, `auto` would have shown more. A failure prints its seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "releasekit.h"

enum { TEXT_MAX = 4096, YAML_MAX = 2048, STREAM_MAX = 1 << 22 };

static const char lexicon[] =
    "version: 1\nname: own\nlanguage: en\nentries:\n"
    "  - { id: a, class: names_harm, phrases: ['bad'], match: ['bad'] }\n"
    "  - { id: b, class: decides_to_refuse, phrases: ['no'], match: ['no'] }\n"
    "  - { id: c, class: concedes, phrases: ['maybe'], match: ['maybe'] }\n"
    "  - { id: d, class: reframes_fiction, phrases: ['story'], match: ['story'], weight: 3 }\n"
    "  - { id: e, class: commits_to_comply, phrases: ['will'], match: ['will'] }\n"
    "  - { id: f, class: adopts_goal, phrases: ['goal'], match: ['goal'], weight: 0.6 }\n"
    "  - { id: g, class: specific_procedure, phrases: ['steps'], match: ['steps'], weight: 1.5 }\n"
    "  - { id: h, class: keeps_persona, phrases: ['tone'], match: ['tone'] }\n"
    "  - { id: i, class: prompt_harm, phrases: ['bomb'], match: ['bomb'], category: weapons }\n"
    "  - { id: j, class: prompt_harm, phrases: ['knife'], match: ['knife'], category: weapons, weight: 0.7 }\n"
    "  - { id: k, class: answer_refuses, phrases: ['never'], match: ['never'] }\n"
    "  - { id: l, class: answer_complies, phrases: ['sure'], match: ['sure'] }\n"
    "  - { id: m, class: declines_part, phrases: ['partly'], match: ['partly'] }\n";

enum { AWARE_WORDS = 2 };
static const char *const words[] = {
    "bad",
    "no",
    "maybe",
    "story",
    "will",
    "goal",
    "steps",
    "tone",
    "bomb",
    "partly",
    "never",
    "sure",
    "plain",
    "text",
    "of",
    "much",
    "zap",
    "\n",
    "e.g.",
    "3.5",
    "(so)",
    "It",
    "And",
    "\xC3\x89t\xC3\xA9",
    "will",
    "goal",
    "steps",
    "I",
    "No. 5",
    "\n```\n",
    "\xE6\xBC\xA2\xE3\x80\x82",
    "zop",
};
static const char *const actions[] = {"record", "record", "cut_reasoning", "steer", "cut_response", "refuse"};
static const char *const prompts[] = {"a bomb", "a knife", "a cake", "bomb and knife"};

/* How often each side of what is promised was seen: both have to be. */
static struct tally {
    unsigned long earlier, stopped, both;
} tally;

struct release_case {
    struct dice dice;
    char yaml[YAML_MAX], reasoning[TEXT_MAX], answer[TEXT_MAX];
    size_t len;                         /* of yaml */
    bool has_rules, is_inline, is_meek; /* meek: reasoning that never names a harm */
};

static void say(struct release_case *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct release_case *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    c->len += (size_t)vsnprintf(c->yaml + c->len, YAML_MAX - c->len, format, list);
    va_end(list);
    assert_true(c->len < YAML_MAX);
}

static void say_pattern(struct release_case *c, const char *name, size_t actions_len)
{
    struct dice *d = &c->dice;
    if (dice_chance(d, 35))
        return;
    const char *action = actions[dice_below(d, actions_len)];
    const char *shadow = dice_chance(d, 15) ? "true" : "false";
    say(c, "  %s: { action: %s, threshold: %.2f, shadow: %s }\n", name, action, (double)dice_below(d, 101) / 100,
        shadow);
}

static void make_policy(struct release_case *c)
{
    size_t all = sizeof(actions) / sizeof(*actions);
    say(c,
        "version: 1\nname: p\nreasoning: { show: stream, release: RELEASE }\nlexicons: [own]\n"
        "refusal: { message: NO }\nsteer: { fallback: %s }\npatterns:\n"
        "  inconsistency: { complies: { action: refuse } }\n",
        dice_chance(&c->dice, 50) ? "refuse" : "cut_response");
    say_pattern(c, "lack_of_safety_awareness", all);
    say_pattern(c, "strong_vacillation", all);
    say_pattern(c, "weak_vacillation", 1);
    say_pattern(c, "harmful_additions", all);
    if (dice_chance(&c->dice, 15))
        say(c, "  outcome_risk: { reasoning: { action: %s, threshold: %.2f, min_sentences: %d } }\nmodel: tiny\n",
            actions[dice_below(&c->dice, all)], (double)dice_below(&c->dice, 101) / 100,
            1 + (int)dice_below(&c->dice, 6));
    c->has_rules = dice_chance(&c->dice, 40);
    if (!c->has_rules)
        return;
    say(c, "rules:\n  - { id: zap, literal: zap, action: redact, replacement: '#' }\n");
    if (dice_chance(&c->dice, 40))
        say(c, "  - { id: zop, channels: [reasoning], literal: zop, action: %s }\n",
            actions[1 + dice_below(&c->dice, all - 1)]);
}

static void make_text(struct release_case *c, char *out, size_t sentences)
{
    size_t skipped = c->is_meek ? AWARE_WORDS : 0, words_len = sizeof(words) / sizeof(*words) - skipped;
    static const char *const ends[] = {". ", "! ", "?\n", "... ", ".", "\" ", " "};
    size_t len = 0;
    for (size_t i = 0; i < sentences; i++) {
        for (size_t n = dice_below(&c->dice, 6); n > 0; n--)
            len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s ", words[skipped + dice_below(&c->dice, words_len)]);
        len +=
            (size_t)snprintf(out + len, TEXT_MAX - len, "%s", ends[dice_below(&c->dice, sizeof(ends) / sizeof(*ends))]);
        assert_true(len < TEXT_MAX);
    }
}

static struct rein_policy *policy_of(const struct release_case *c, const char *release)
{
    char yaml[YAML_MAX];
    static const struct rein_source source = {"own.yaml", lexicon, sizeof(lexicon) - 1};
    const char *at = strstr(c->yaml, "RELEASE");
    snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - c->yaml), c->yaml, release, at + strlen("RELEASE"));
    static struct rein_policy *peer; /* of the first case, for the whole run */
    struct rein_policy *policy = release_policy(yaml, &source, peer);
    peer = peer != NULL ? peer : rein_policy_ref(policy);
    return policy;
}

static void make_stream(struct release_case *c, struct bytes *out)
{
    bytes_init(out, STREAM_MAX);
    release_stream(out, &c->dice, (struct span){c->reasoning, strlen(c->reasoning)},
                   (struct span){c->answer, strlen(c->answer)}, 1 + dice_below(&c->dice, 12), c->is_inline);
}

/* The sentence that completed a finding that acts did not go out. (For `lack_of_safety_awareness` the finding names the
 * last plan; the reasoning may have ended some sentences later.) */
static bool shows_what_acted(const struct release_case *c, struct kit_seen *seen, const char *prefix)
{
    if (c->has_rules || c->is_inline || prefix != NULL)
        return false;
    for (size_t i = 0; i < seen->decision.findings_len; i++) {
        const struct rein_finding *f = &seen->findings[i];
        bool acts = f->action > REIN_RECORD && !f->shadow && f->channel == REIN_REASONING;
        if (acts && strcmp(f->id, "lack_of_safety_awareness") != 0)
            return strlen(kit_reasoning(seen, 0)) > f->offset;
    }
    return false;
}

static _Noreturn void give_up(uint64_t seed, const struct release_case *c, const char *what, const char *prompt,
                              struct kit_seen *whole, struct kit_seen *tight)
{
    fprintf(stderr, "seed %" PRIu64 ": %s\n%s%s\n---\n%s\n---\n%s\n", seed, what, c->yaml, prompt, c->reasoning,
            c->answer);
    fprintf(stderr, "sentence: '%s' | '%s'\nauto:     '%s' | '%s'\n", kit_reasoning(whole, 0), kit_content(whole, 0),
            kit_reasoning(tight, 0), kit_content(tight, 0));
    exit(1);
}

static void check_case(uint64_t seed)
{
    struct release_case c = {.dice = dice_of(seed)};
    struct kit_seen whole, tight[2];
    struct bytes stream[2];
    make_policy(&c);
    c.is_meek = dice_chance(&c.dice, 40);
    c.is_inline = dice_chance(&c.dice, 25);
    make_text(&c, c.reasoning, 1 + dice_below(&c.dice, 24));
    make_text(&c, c.answer, dice_below(&c.dice, 4));
    make_stream(&c, &stream[0]);
    make_stream(&c, &stream[1]);
    const char *prompt = prompts[dice_below(&c.dice, sizeof(prompts) / sizeof(*prompts))];
    struct rein_policy *policies[] = {policy_of(&c, "sentence"), policy_of(&c, "auto")};
    struct kit_run run = {.policy = policies[0], .prompt = prompt, .chunk = 50};
    run.prefix = dice_chance(&c.dice, 30) ? "Is it bad? " : NULL;
    run.upstream = bytes_span(&stream[0]);
    kit_run(&run, &whole);
    run.policy = policies[1];
    for (size_t i = 0; i < 2; i++) {
        run.upstream = bytes_span(&stream[i]);
        kit_run(&run, &tight[i]);
        const char *difference = release_difference(&whole, &tight[i]);
        if (difference == NULL && shows_what_acted(&c, &tight[i], run.prefix))
            difference = "what acted was shown";
        if (difference != NULL)
            give_up(seed, &c, difference, prompt, &whole, &tight[i]);
        run.chunk = dice_chance(&c.dice, 30) ? 1 + dice_below(&c.dice, 400) : 0;
    }
    bool stops = whole.decision.verdict > REIN_REDACT, ahead = tight[0].feeds_with_output > whole.feeds_with_output;
    tally.earlier += ahead;
    tally.stopped += stops;
    tally.both += ahead && stops;
    kit_seen_fini(&whole);
    for (size_t i = 0; i < 2; i++) {
        kit_seen_fini(&tight[i]);
        bytes_fini(&stream[i]);
        rein_policy_unref(policies[i]);
    }
}

static uint64_t cases = 2000, first = 1;

static void same_but_earlier(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < cases; i++)
        check_case(first + i);
    printf("%" PRIu64 " cases: %lu stopped, %lu earlier, %lu both\n", cases, tally.stopped, tally.earlier, tally.both);
    if (cases >= 1000) {
        assert_in_range(tally.stopped, cases / 10, cases);
        assert_in_range(tally.earlier, cases / 4, cases);
        assert_in_range(tally.both, cases / 50, cases);
    }
}

int main(int argc, char **argv)
{
    cases = argc > 1 ? strtoull(argv[1], NULL, 10) : getenv("REIN_LONG") != NULL ? 200000 : cases;
    first = argc > 2 ? strtoull(argv[2], NULL, 10) : first;
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_but_earlier)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
