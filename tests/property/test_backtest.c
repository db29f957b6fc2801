/* Property: an unchanged policy decides a kept decision again as it did live.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     property_test_backtest [CASES [FIRST-SEED]]     default 800 (ASan: 160) from 1; REIN_LONG=1: 100000
 *     property_test_backtest show SEED                prints what happens
 *     property_test_backtest shrink SEED              leaves out what the difference does not need, then prints it
 *
 * A case has a random policy (a few cases share one), a random prompt and response, judges that answer and commits that
 * are made at any time, and restarts. What was decided becomes a record as the store has it, which is played with the
 * same policy, and with the policy and one more rule that finds nothing. Both must decide as it was decided. Only what
 * the record by itself shows to be incomplete may not be comparable. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backtest/decision_play.h"
#include "drawn_policy.h"
#include "drawn_text.h"
#include "kept_record.h"
#include "live.h"

#ifdef __SANITIZE_ADDRESS__
enum { CASES = 160 };
#else
enum { CASES = 800 };
#endif
enum { PER_POLICY = 8, LONG_CASES = 100000, SHOWN = 1, IDLE_SHOWN = 20 };

static struct rein_engine *engine;

/* What cases were like, and what became of them. */
static struct counts {
    unsigned long cases, masked, patterns, judged, differ, idle_differ, idle, policies, refused, shown, idle_shown;
    unsigned long reasons[PLAY_REASON_COUNT], idle_reasons[PLAY_REASON_COUNT];
} counts;

/* ---- one case ---- */

struct played {
    enum play_reason reason;
    struct play_outcome was, would;
    bool is_same;
};

/* `match`: of the policy and the one that decided. */
static void play_case(struct played *out, const json_t *record, struct rein_policy *policy,
                      const struct policy_match *match)
{
    play_read_record(&out->was, record);
    if (decision_play(record, &out->was, policy, match, engine, &out->reason, &out->would) != 0)
        abort();
    out->is_same = out->reason != PLAY_COMPARED || play_is_same(&out->was, &out->would);
}

static void match_policies(struct policy_match *out, const struct rein_policy *was, const struct rein_policy *policy)
{
    json_t *version = kept_version(was);
    if (policy_match_read(out, version, policy) != 0 || !out->is_known)
        abort();
    json_decref(version);
}

static bool may_be_incomparable(enum play_reason reason)
{
    return reason == PLAY_COMPARED || reason == PLAY_NO_TEXT || reason == PLAY_CUT || reason == PLAY_CHANNEL ||
           reason == PLAY_ENDING || reason == PLAY_OTHER || reason == PLAY_FINDINGS;
}

static bool is_good(const struct played *played)
{
    return played->is_same && may_be_incomparable(played->reason);
}

static void print_outcome(const char *name, const struct play_outcome *o)
{
    printf("%s: %s, in shadow %s;", name, o->action, o->shadow);
    for (size_t i = 0; i < o->findings_len; i++)
        printf(" %s%s", o->findings[i].name, o->findings[i].is_shadow ? " (shadow)" : "");
    printf("\n");
}

static void print_played(const char *title, const struct played *played)
{
    printf("%s: %s\n", title, play_reason_text(played->reason));
    print_outcome("  was", &played->was);
    if (played->reason == PLAY_COMPARED)
        print_outcome("  would be", &played->would);
}

/* ---- what a case was like ---- */

static bool is_in(const json_t *finding, const json_t *text)
{
    static const char *const keys[] = {"channel", "attempt", "choice"};
    bool is = true;
    for (size_t i = 0; i < 3; i++)
        is &= json_equal(json_object_get(finding, keys[i]), json_object_get(text, keys[i])) != 0;
    return is;
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* Is some of its text masked? */
static bool count_case(const json_t *record)
{
    const json_t *texts = json_object_get(record, "texts"), *text, *finding;
    size_t i, k;
    bool masked = false, pattern = false, judged = false;
    json_array_foreach(texts, i, text)
    {
        bool has_masks = json_array_size(json_object_get(text, "masks")) > 0;
        masked |= has_masks;
        json_array_foreach(json_object_get(record, "findings"), k, finding)
        {
            pattern |= has_masks && strcmp(word(finding, "kind"), "pattern") == 0 && is_in(finding, text);
        }
    }
    json_array_foreach(json_object_get(record, "findings"), k, finding)
    {
        judged |= strcmp(word(finding, "kind"), "judge") == 0 && strcmp(word(finding, "action"), "record") != 0 &&
                  !json_is_true(json_object_get(finding, "shadow"));
    }
    counts.cases++;
    counts.masked += masked;
    counts.patterns += pattern;
    counts.judged += judged;
    return masked;
}

/* ---- the property ---- */

static json_t *live_case(const struct drawn_policy *policy, uint64_t seed, const bool *left_out, bool prints,
                         size_t *parts)
{
    const struct live_options options = {.policy = policy->policy,
                                         .engine = engine,
                                         .rules = policy->rules,
                                         .seed = seed,
                                         .left_out = left_out,
                                         .prints = prints};
    return live_run(&options, parts);
}

static void print_case(uint64_t seed, const struct drawn_policy *policy, const json_t *record)
{
    char *text = json_dumps(record, JSON_INDENT(1));
    printf("seed %" PRIu64 ", policy %" PRIu64 "\n%s\n%s\n", seed, policy->seed, bytes_span(&policy->yaml).data, text);
    free(text);
}

/* A policy, the same with a rule more, and what they have in common with what decided. */
struct block {
    struct drawn_policy policy, idle;
    struct policy_match same, other;
};

static void check_case(uint64_t seed, const struct block *b)
{
    static struct played same, other;
    const struct drawn_policy *policy = &b->policy, *idle = &b->idle;
    size_t parts;
    json_t *record = live_case(policy, seed, NULL, false, &parts);
    bool is_masked = count_case(record);
    play_case(&same, record, policy->policy, &b->same);
    counts.reasons[same.reason]++;
    counts.differ += !same.is_same;
    if (idle->policy != NULL && is_good(&same)) {
        play_case(&other, record, idle->policy, &b->other);
        counts.idle++;
        counts.idle_reasons[other.reason]++;
        counts.idle_differ += !other.is_same;
        if (!is_good(&other) && counts.idle_shown++ < IDLE_SHOWN) {
            printf("seed %" PRIu64 " ", seed);
            print_played("with a rule more that finds nothing", &other);
        }
    }
    if (!is_good(&same)) {
        if (counts.shown++ < SHOWN)
            print_case(seed, policy, record);
        printf("seed %" PRIu64 " ", seed);
        print_played(is_masked ? "with masked text" : "without masked text", &same);
    }
    json_decref(record);
}

static void policy_of(struct drawn_policy *out, uint64_t seed)
{
    counts.refused += drawn_policy_make(out, seed / PER_POLICY * 7919 + 17);
}

static void check_block(uint64_t from, uint64_t to)
{
    struct block b = {.other = {.documents = NULL}};
    policy_of(&b.policy, from);
    match_policies(&b.same, b.policy.policy, b.policy.policy);
    counts.policies++;
    if (drawn_policy_try(&b.idle, b.policy.seed, NULL, true))
        match_policies(&b.other, b.policy.policy, b.idle.policy);
    for (uint64_t seed = from; seed < to; seed++)
        check_case(seed, &b);
    policy_match_fini(&b.same);
    policy_match_fini(&b.other);
    drawn_policy_fini(&b.policy);
    drawn_policy_fini(&b.idle);
}

/* ---- one case in detail ---- */

static void play_alone(struct played *out, const json_t *record, struct rein_policy *policy)
{
    struct policy_match match;
    match_policies(&match, policy, policy);
    play_case(out, record, policy, &match);
    policy_match_fini(&match);
}

/* Does the case still differ, for the same reason, without these parts? */
static bool still_differs(uint64_t seed, uint64_t policy_seed, const bool *without, const bool *without_text,
                          const struct played *first)
{
    static struct played played;
    struct drawn_policy policy;
    size_t parts;
    if (!drawn_policy_try(&policy, policy_seed, without, false))
        return false;
    json_t *record = live_case(&policy, seed, without_text, false, &parts);
    play_alone(&played, record, policy.policy);
    json_decref(record);
    drawn_policy_fini(&policy);
    return !is_good(&played) && played.reason == first->reason;
}

/* Leaves out what can be left out, many at once first. */
static void leave_out(bool *list, size_t len, uint64_t seed, uint64_t policy_seed, const bool *without,
                      const bool *without_text, const struct played *first)
{
    bool before[DRAWN_PARTS_MAX];
    for (size_t many = len; many > 0; many /= 2)
        for (size_t at = 0; at < len; at += many) {
            memcpy(before, list, sizeof before);
            for (size_t i = at; i < at + many && i < len; i++)
                list[i] = true;
            if (memcmp(before, list, sizeof before) != 0 &&
                !still_differs(seed, policy_seed, without, without_text, first))
                memcpy(list, before, sizeof before);
        }
}

static void show_case(uint64_t seed, bool shrinks)
{
    static bool without[DRAWN_PARTS_MAX], without_text[DRAWN_PARTS_MAX];
    static struct played first;
    struct drawn_policy policy;
    size_t parts, text_parts;
    policy_of(&policy, seed);
    json_t *record = live_case(&policy, seed, NULL, false, &text_parts);
    play_alone(&first, record, policy.policy);
    uint64_t policy_seed = policy.seed;
    parts = policy.parts;
    text_parts = text_parts < DRAWN_PARTS_MAX ? text_parts : DRAWN_PARTS_MAX;
    for (int round = 0; round < 3 && shrinks && !is_good(&first); round++) {
        leave_out(without, parts, seed, policy_seed, without, without_text, &first);
        leave_out(without_text, text_parts, seed, policy_seed, without, without_text, &first);
    }
    json_decref(record);
    drawn_policy_fini(&policy);
    if (!drawn_policy_try(&policy, policy_seed, without, false))
        abort();
    record = live_case(&policy, seed, without_text, true, &text_parts);
    play_alone(&first, record, policy.policy);
    print_case(seed, &policy, record);
    print_played("played", &first);
    json_decref(record);
    drawn_policy_fini(&policy);
}

/* ---- the test ---- */

static int report(uint64_t first)
{
    unsigned long bad = counts.differ + counts.idle_differ, incomparable = counts.cases - counts.reasons[PLAY_COMPARED];
    printf("%lu cases from seed %" PRIu64
           " of %lu policies (%lu refused): %lu differ; %lu have masked text, %lu a pattern "
           "in it, %lu a judge that acted\n",
           counts.cases, first, counts.policies, counts.refused, counts.differ, counts.masked, counts.patterns,
           counts.judged);
    printf("%lu with a rule more: %lu differ\n", counts.idle, counts.idle_differ);
    for (int i = PLAY_COMPARED + 1; i < PLAY_REASON_COUNT; i++) {
        if (counts.reasons[i] + counts.idle_reasons[i] > 0)
            printf("not comparable, %s: %lu; with a rule more %lu\n", play_reason_text((enum play_reason)i),
                   counts.reasons[i], counts.idle_reasons[i]);
        if (!may_be_incomparable((enum play_reason)i))
            bad += counts.reasons[i] + counts.idle_reasons[i];
    }
    bool is_rich = counts.cases < 400 || (3 * counts.masked >= counts.cases && 20 * counts.patterns >= counts.cases &&
                                          10 * counts.judged >= counts.cases && 20 * incomparable < counts.cases &&
                                          2 * counts.idle > counts.cases);
    if (!is_rich)
        printf("the cases are not what the test is about\n");
    return bad == 0 && is_rich ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check_cases(uint64_t cases, uint64_t first)
{
    for (uint64_t from = first, to; from < first + cases; from = to) {
        to = from / PER_POLICY * PER_POLICY + PER_POLICY;
        to = to < first + cases ? to : first + cases;
        check_block(from, to);
    }
    return report(first);
}

int main(int argc, char **argv)
{
    const char *is_long = getenv("REIN_LONG");
    bool shows = argc == 3 && strcmp(argv[1], "show") == 0, shrinks = argc == 3 && strcmp(argv[1], "shrink") == 0;
    uint64_t cases = is_long != NULL && *is_long == '1' ? LONG_CASES : CASES;
    cases = argc > 1 ? strtoull(argv[1], NULL, 10) : cases;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    int status = EXIT_SUCCESS;
    drawn_policies_open();
    drawn_texts_open(drawn_lexicon());
    if (rein_engine_new(&engine) != 0)
        abort();
    if (shows || shrinks)
        show_case(first, shrinks);
    else
        status = check_cases(cases, first);
    rein_engine_free(engine);
    drawn_texts_close();
    drawn_policies_close();
    return status;
}
