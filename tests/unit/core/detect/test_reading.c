/* Readings: what is written is read back to the last bit, what is no reading is told apart, and a tracker that is given
 * readings instead of sentences finds what it found in them. SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "detect/pattern.h"
#include "detect/reading.h"
#include "detect/sentence.h"
#include "dice.h"
#include "policy/policy.h"

enum { READINGS = 400, READINGS_ROOM = 1 << 18 };

static double draw_sum(struct dice *dice)
{
    return dice_below(dice, 3) > 0 ? 0 : (double)(int64_t)dice_next(dice) / (double)(UINT64_C(1) << 40);
}

static struct reading draw_reading(struct dice *dice)
{
    struct reading r = {.flags = (unsigned)dice_below(dice, READING_NO_MORE)};
    r.len = 1 + (uint32_t)dice_below(dice, SENTENCE_MAX);
    r.behind = (uint32_t)dice_below(dice, dice_below(dice, 4) > 0 ? 8 : UINT32_MAX);
    if ((r.flags & READING_SIGNALS) != 0) {
        for (size_t i = 0; i < SIGNAL_CLASSES; i++)
            r.signals.sum[i] = draw_sum(dice);
        r.signals.soft = draw_sum(dice);
        r.signals.firm = draw_sum(dice);
        r.signals.topic = draw_sum(dice);
    }
    if ((r.flags & READING_LEARNED) != 0) {
        r.learned.features = (uint32_t)dice_below(dice, SENTENCE_MAX);
        for (size_t i = 0; i < MODEL_SENTENCE_HEADS; i++)
            r.learned.sum[i] = (int32_t)dice_next(dice);
    }
    return r;
}

static void assert_same(const struct reading *a, const struct reading *b)
{
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->len, b->len);
    assert_int_equal(a->behind, b->behind);
    assert_memory_equal(&a->signals, &b->signals, sizeof a->signals);
    assert_memory_equal(&a->learned, &b->learned, sizeof a->learned);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    static struct reading all[READINGS];
    struct dice dice = dice_of(1);
    struct bytes bytes;
    enum readings_of of;
    bytes_init(&bytes, READINGS_ROOM);
    assert_int_equal(readings_begin(&bytes, READINGS_OF_SENTENCES), 0);
    for (size_t i = 0; i < READINGS; i++) {
        all[i] = draw_reading(&dice);
        assert_int_equal(reading_write(&bytes, &all[i]), 0);
    }
    assert_int_equal(reading_write(&bytes, &(struct reading){.flags = READING_NO_MORE}), 0);
    struct span in = bytes_span(&bytes);
    struct reading r;
    assert_true(readings_open(&in, &of));
    assert_int_equal(of, READINGS_OF_SENTENCES);
    for (size_t i = 0; i < READINGS; i++) {
        assert_true(reading_read(&in, &r));
        assert_true(r.is_known);
        assert_same(&r, &all[i]);
    }
    assert_true(reading_read(&in, &r));
    assert_int_equal(r.flags, READING_NO_MORE);
    assert_int_equal(in.len, 0);
    assert_false(reading_read(&in, &r));
    bytes_fini(&bytes);
}

static void the_risk_is_the_last_one(void **state)
{
    (void)state;
    struct bytes bytes;
    struct prompt_risk risk = {.harm = 0.1, .categories = UINT64_C(1) << 63, .said = 0.3, .score = 0.49}, got;
    risk.sum = -17.25;
    risk.has_sum = true;
    bytes_init(&bytes, 256);
    assert_int_equal(reading_write_risk(&bytes, &(struct prompt_risk){.harm = 9}), 0);
    assert_int_equal(reading_write_risk(&bytes, &risk), 0);
    assert_true(reading_read_risk(bytes_span(&bytes), &got));
    assert_memory_equal(&got, &risk, sizeof risk);
    for (size_t len = 0; len < bytes_len(&bytes); len++)
        assert_false(reading_read_risk((struct span){bytes_at(&bytes, 0), len}, &got));
    bytes_fini(&bytes);
}

static void what_is_cut_or_out_of_range_is_no_reading(void **state)
{
    (void)state;
    static const char newer[] = {2, READINGS_OF_SENTENCES}, else_[] = {1, 3};
    struct dice dice = dice_of(2);
    struct reading r;
    enum readings_of of;
    struct bytes bytes;
    bytes_init(&bytes, READINGS_ROOM);
    for (int i = 0; i < READINGS; i++) {
        r = draw_reading(&dice);
        bytes_clear(&bytes);
        assert_int_equal(reading_write(&bytes, &r), 0);
        for (size_t len = 0; len < bytes_len(&bytes); len++)
            assert_false(reading_read(&(struct span){bytes_at(&bytes, 0), len}, &r));
    }
    r = (struct reading){.len = 5, .flags = READING_SIGNALS};
    const double wrong[] = {NAN, INFINITY, -1e10};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        r.signals.soft = wrong[i];
        bytes_clear(&bytes);
        assert_int_equal(reading_write(&bytes, &r), 0);
        struct span in = bytes_span(&bytes);
        assert_false(reading_read(&in, &r));
        r = (struct reading){.len = 5, .flags = READING_SIGNALS};
    }
    assert_false(readings_open(&(struct span){newer, sizeof newer}, &of));
    assert_false(readings_open(&(struct span){else_, sizeof else_}, &of));
    bytes_fini(&bytes);
}

/* ---- instead of sentences ---- */

static struct rein_policy *policy;
static struct rein_engine *engine;

static int set_up(void **state)
{
    (void)state;
    static const char text[] = "version: 1\nname: p\nmodel: harm-en\n"
                               "patterns: { outcome_risk: { reasoning: { action: record } } }\n";
    struct rein_problems *problems = NULL;
    struct policy_files_folder lexicons = {0}, models = {0};
    struct rein_source source = {"p", text, sizeof text - 1};
    if (rein_problems_new(&problems) != 0 || lexicon_cache_use_own() != 0 ||
        policy_files_read(&lexicons, REIN_SOURCE_DIR "/config/lexicons", true, problems) != 0 ||
        policy_files_read(&models, REIN_SOURCE_DIR "/config/models", true, problems) != 0)
        return -1;
    struct rein_library library = {
        .lexicons = lexicons.sources, .lexicons_len = lexicons.len, .models = models.sources, .models_len = models.len};
    int rv = rein_policy_load(&policy, &source, &library, problems);
    policy_files_fini(&lexicons);
    policy_files_fini(&models);
    rein_problems_free(problems);
    return rv == 0 ? rein_engine_new(&engine) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    rein_engine_free(engine);
    rein_policy_unref(policy);
    return 0;
}

static const char *const reasoning[] = {
    "The user wants to pick a lock. ",
    "Is this harmful? ",
    "This could be illegal and dangerous. ",
    "But maybe it is for a novel, so it is fine. ",
    "Is this harmful? ",
    " \n",
    "First, you would need a tension wrench. ",
    "I can't help with that, I must refuse. ",
    "However, hypothetically, let me outline the steps. ",
};
static const char *const answers[] = {"Sure, here is how. ", "Step 1: take a wrench. ", "I cannot help with this. "};

static struct pattern_tracker *begin(bool quotes)
{
    struct pattern_settings settings = {.model = policy->model, .min_sentences = 1, .answer_bytes = 40};
    struct prompt_risk risk = {.score = 0.9, .harm = 1};
    struct pattern_tracker *p;
    for (int i = 0; i < REIN_PATTERNS; i++) {
        settings.enabled[i] = settings.acts[i] = true;
        settings.threshold[i] = 0.05;
    }
    settings.quotes = quotes;
    assert_int_equal(pattern_tracker_new(&p, policy->signals, &settings, &risk, SPAN("Is this harmful? ")), 0);
    return p;
}

/* Gives the sentence as it is, or in the same length without its words but with its reading. */
static void give(struct pattern_tracker *p, enum rein_channel channel, const char *text, struct reading *r)
{
    char masked[SENTENCE_MAX];
    size_t len = strlen(text);
    memset(masked, '*', len);
    struct span sentence = {r->is_known ? masked : text, len};
    assert_int_equal(pattern_sentence(p, engine, channel, sentence, 0, r), 0);
    assert_false(r->is_short);
}

static void assert_alike(struct pattern_tracker *a, struct pattern_tracker *b)
{
    struct pattern_finding x, y;
    for (int i = 0; i < REIN_PATTERNS; i++)
        assert_true(pattern_score(a, (enum rein_pattern)i) == pattern_score(b, (enum rein_pattern)i));
    for (int i = REIN_REASONING_HARM; i < REIN_HEADS; i++)
        assert_true(pattern_head(a, (enum rein_head)i) == pattern_head(b, (enum rein_head)i));
    assert_true(pattern_trace_risk(a) == pattern_trace_risk(b));
    assert_int_equal(pattern_may_act(a), pattern_may_act(b));
    assert_int_equal(pattern_answer_is_open(a), pattern_answer_is_open(b));
    assert_int_equal(pattern_answer_stance(a), pattern_answer_stance(b));
    for (bool more = true; more;) {
        more = pattern_take(a, &x);
        assert_int_equal(pattern_take(b, &y), more);
        if (more)
            assert_int_equal(x.pattern, y.pattern);
    }
}

static void readings_stand_for_sentences(void **state)
{
    (void)state;
    enum { SAID = 14, STORIES = 200 };
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct dice dice = dice_of(seed);
        struct pattern_tracker *heard = begin(true), *told = begin(true);
        for (int i = 0; i < 2 * SAID; i++) {
            enum rein_channel channel = i < SAID ? REIN_REASONING : REIN_ANSWER;
            const char *text = channel == REIN_REASONING
                                   ? reasoning[dice_below(&dice, sizeof reasoning / sizeof *reasoning)]
                                   : answers[dice_below(&dice, sizeof answers / sizeof *answers)];
            struct reading r = {.flags = 0};
            give(heard, channel, text, &r);
            r.is_known = true;
            give(told, channel, text, &r);
            assert_alike(heard, told);
            if (i + 1 == SAID) {
                assert_int_equal(pattern_end(heard, channel), 0);
                assert_int_equal(pattern_end(told, channel), 0);
                assert_alike(heard, told);
            }
        }
        pattern_tracker_free(heard);
        pattern_tracker_free(told);
    }
}

static void what_a_reading_lacks_is_told(void **state)
{
    (void)state;
    struct pattern_tracker *p = begin(false);
    struct reading r = {.is_known = true, .flags = READING_SIGNALS}; /* of a policy without a model */
    assert_int_equal(pattern_sentence(p, engine, REIN_REASONING, SPAN("***** ** *****. "), 0, &r), 0);
    assert_true(r.is_short);
    r = (struct reading){.is_known = true, .flags = READING_BLANK};
    assert_int_equal(pattern_sentence(p, engine, REIN_REASONING, SPAN("***** ** *****. "), 0, &r), 0);
    assert_false(r.is_short);
    pattern_tracker_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(the_risk_is_the_last_one),
        cmocka_unit_test(what_is_cut_or_out_of_range_is_no_reading),
        cmocka_unit_test(readings_stand_for_sentences),
        cmocka_unit_test(what_a_reading_lacks_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
