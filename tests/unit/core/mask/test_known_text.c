/* Known texts: sentences end where their readings say, matches are those of their text, and what nobody read is told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mask/known_text.h"
#include "policykit.h"
#include "tracekit.h"

static struct bytes readings;

static void begin_readings(enum readings_of of)
{
    bytes_clear(&readings);
    assert_int_equal(readings_begin(&readings, of), 0);
}

static void add_reading(unsigned flags, uint32_t len, uint32_t behind)
{
    assert_int_equal(reading_write(&readings, &(struct reading){.flags = flags, .len = len, .behind = behind}), 0);
}

/* The text number 0 of the answer, of which the readings are known. */
static struct known *know(struct rein_policy *policy, struct rein_known_text *text, bool wanted, struct known_text *out)
{
    struct known *known;
    *text = (struct rein_known_text){
        .channel = REIN_ANSWER, .readings = bytes_span(&readings).data, .readings_len = bytes_len(&readings)};
    struct rein_trace_options options = {.known_texts = text, .known_texts_len = 1};
    assert_int_equal(known_new(&known, policy, &options), 0);
    assert_int_equal(known_response(known, REIN_ANSWER, 0, 0, wanted, NULL, out), 0);
    assert_non_null(out->sentences);
    return known;
}

static void sentences_end_where_they_did(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy("version: 1\nname: p\n");
    struct rein_known_text text;
    struct known_text out;
    struct reading r;
    uint64_t end, due;
    begin_readings(READINGS_OF_SENTENCES);
    add_reading(0, 10, 2);
    add_reading(READING_LIFTED, 0, 3);
    add_reading(READING_PAUSED, 5, 0);
    struct known *known = know(policy, &text, true, &out);
    struct known_sentences *s = out.sentences;
    assert_false(known_sentence_lifts(s, 12));
    assert_true(known_sentence_lifts(s, 13));
    assert_false(known_sentence_lifts(s, 15));
    assert_true(known_sentence_due(s, &end, &due));
    assert_int_equal(end, 10);
    assert_int_equal(due, 12);
    known_sentence_take(s, &r);
    assert_int_equal(r.len, 10);
    assert_false(known_sentence_pauses(s, 14));
    assert_true(known_sentence_pauses(s, 15));
    assert_true(known_sentence_due(s, &end, &due)); /* unless the text goes on */
    assert_int_equal(due, 16);
    known_sentence_take(s, &r);
    assert_false(known_sentence_due(s, &end, &due));
    assert_false(s->is_short); /* it was stopped there */
    known_free(known);
    rein_policy_unref(policy);
}

static void what_nobody_read_is_told(void **state)
{
    (void)state;
    static const char broken[] = "\1\1\xFF";
    struct rein_policy *policy = kit_policy("version: 1\nname: p\n");
    for (int wanted = 0; wanted <= 1; wanted++) {
        struct rein_known_text text;
        struct known_text out;
        struct reading r;
        uint64_t end, due;
        begin_readings(READINGS_OF_NOTHING);
        struct known *known = know(policy, &text, wanted != 0, &out);
        assert_int_equal(out.sentences->is_short, wanted);
        known_free(known);
        begin_readings(READINGS_OF_SENTENCES);
        add_reading(0, 4, 0);
        add_reading(READING_NO_MORE, 0, 0);
        known = know(policy, &text, true, &out);
        assert_true(known_sentence_due(out.sentences, &end, &due));
        known_sentence_take(out.sentences, &r);
        assert_false(out.sentences->is_short);
        assert_false(known_sentence_due(out.sentences, &end, &due));
        assert_true(out.sentences->is_short);
        known_free(known);
        bytes_clear(&readings);
        assert_int_equal(bytes_append(&readings, broken, sizeof broken - 1), 0);
        known = know(policy, &text, true, &out);
        assert_false(known_sentence_due(out.sentences, &end, &due));
        assert_true(out.sentences->is_short);
        known_free(known);
    }
    rein_policy_unref(policy);
}

static void matches_are_those_of_their_text(void **state)
{
    (void)state;
    static const struct rein_known matches[] = {
        {.channel = REIN_ANSWER, .offset = 1, .len = 2, .rule = "a"},
        {.channel = REIN_ANSWER, .offset = 3, .len = 2, .at = 9, .rule = "b"},
        {.channel = REIN_ANSWER, .text = 1, .offset = 5, .len = 1, .rule = "a"},
        {.channel = REIN_ANSWER, .choice = 1, .offset = 7, .len = 1, .rule = "gone"},
    };
    static const char *const rules[] = {"b"};
    struct rein_policy *policy = kit_policy("version: 1\nname: p\nrules:\n"
                                            "  - { id: a, channels: [answer], literal: x, action: record }\n"
                                            "  - { id: b, channels: [answer], literal: y, action: record }\n");
    const struct rein_known_text text = {.channel = REIN_ANSWER, .rules = rules, .rules_len = 1};
    struct rein_trace_options options = {.known = matches, .known_len = 4, .known_texts = &text, .known_texts_len = 1};
    struct known *known;
    struct known_text out;
    assert_int_equal(known_new(&known, policy, &options), 0);
    assert_int_equal(known_response(known, REIN_ANSWER, 0, 0, true, NULL, &out), 0);
    assert_int_equal(out.hits_len, 2);
    assert_int_equal(out.hits[0].at, 3); /* where it ends */
    assert_int_equal(out.hits[1].at, 9);
    assert_null(out.sentences); /* it is read */
    assert_int_equal(*out.muted, 2);
    assert_int_equal(known_response(known, REIN_ANSWER, 0, 0, true, NULL, &out), 0);
    assert_int_equal(out.hits_len, 1);
    assert_int_equal(known_response(known, REIN_ANSWER, 0, 1, true, NULL, &out), 0);
    assert_int_equal(out.hits_len, 0);
    known_free(known);
    rein_policy_unref(policy);
}

/* Until a match is decided its own rule holds it, and what held the text then; afterwards only that. */
static void what_rules_hold_before_a_match_and_after_it(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        bool is_held;
        uint64_t held, before, after;
    } cases[] = {
        {"acts", false, 0, 4, 4}, {"acts", true, 2, 2, 2},
        {"acts", true, 8, 4, 8},  {"tells", false, 0, UINT64_MAX, UINT64_MAX},
        {"tells", true, 2, 2, 2},
    };
    struct rein_policy *policy = kit_policy("version: 1\nname: p\nrules:\n"
                                            "  - { id: acts, channels: [answer], literal: x, action: refuse }\n"
                                            "  - { id: tells, channels: [answer], literal: y, action: record }\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct rein_known match = {.channel = REIN_ANSWER,
                                         .offset = 4,
                                         .len = 4,
                                         .rule = cases[i].rule,
                                         .is_held = cases[i].is_held,
                                         .held = cases[i].held};
        struct rein_trace_options options = {.known = &match, .known_len = 1};
        struct known *known;
        struct known_text out;
        assert_int_equal(known_new(&known, policy, &options), 0);
        assert_int_equal(known_response(known, REIN_ANSWER, 0, 0, true, NULL, &out), 0);
        assert_int_equal(out.hits_len, 1);
        assert_true(out.hits[0].held == cases[i].before && out.hits[0].still_held == cases[i].after);
        known_free(known);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sentences_end_where_they_did),
                                       cmocka_unit_test(what_nobody_read_is_told),
                                       cmocka_unit_test(matches_are_those_of_their_text),
                                       cmocka_unit_test(what_rules_hold_before_a_match_and_after_it)};
    bytes_init(&readings, 4096);
    int rv = cmocka_run_group_tests(tests, NULL, NULL);
    bytes_fini(&readings);
    return rv;
}
