/* Defects of the field, continued: frames, characters, tags, hostile patterns, limits, broken upstreams.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The number in a test's name is the row's in the list of defects; see test_peers.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "peerkit.h"

static void peer_14_no_frame_goes_out_unscanned(void **state)
{
    (void)state;
#define JSON_HEAD "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
#define JSON_TAIL "\"}}]}"
    static const char *const streams[] = {
        "data: " JSON_HEAD SECRET JSON_TAIL "\r\n\r\n" FINISH("stop") DONE,
        "data: " JSON_HEAD SECRET JSON_TAIL "\r\r" FINISH("stop") DONE,
        "data:" JSON_HEAD SECRET JSON_TAIL "\n\n" FINISH("stop") DONE,
        "\xEF\xBB\xBF"
        "data: " JSON_HEAD SECRET JSON_TAIL "\n\n" FINISH("stop") DONE,
        "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"" SECRET JSON_TAIL "\n\n" FINISH("stop")
            DONE,
        "event: message\nid: 7\ndata: " JSON_HEAD SECRET JSON_TAIL "\nretry: 5\n\n" FINISH("stop") DONE,
        ": " SECRET "\n\n" CONTENT("a") FINISH("stop") DONE,
        "event: " SECRET "\ndata: " JSON_HEAD "a" JSON_TAIL "\n\n" FINISH("stop") DONE,
        "event: " SECRET "\ndata: " JSON_HEAD "a" JSON_TAIL "\n\nevent: " SECRET "\ndata: " JSON_HEAD "b" JSON_TAIL
        "\n\nevent: " SECRET "\ndata: " JSON_HEAD "c" JSON_TAIL "\n\n" FINISH("stop") DONE,
        "event: so\ndata: " JSON_HEAD "a" JSON_TAIL "\n\nevent: so\ndata: " JSON_HEAD SECRET JSON_TAIL
        "\n\nevent: " SECRET "\ndata: " JSON_HEAD "b" JSON_TAIL "\n\n" FINISH("stop") DONE,
        "data: not json " SECRET "\n\n" CONTENT("a") FINISH("stop") DONE,
        "other: " SECRET "\n\n" CONTENT("a") FINISH("stop") DONE,
        CONTENT("a") FINISH("stop") ": " SECRET "\ndata: [DONE]\n\n",
        CONTENT("a") FINISH("stop") "data: " JSON_HEAD SECRET JSON_TAIL,
        EVENT("{\"index\":0,\"delta\":{\"surprise\":{\"deep\":[\"" SECRET "\"]}}}") FINISH("stop") DONE,
        EVENT("{\"index\":0,\"delta\":{\"" SECRET "\":1}}") FINISH("stop") DONE,
        EVENT("{\"index\":0,\"delta\":{\"reasoning_" SECRET "\":\"a\"}}") FINISH("stop") DONE,
        EVENT("{\"index\":0,\"delta\":{\"content\":\"a\"}}") "data: {\"model\":\"" SECRET "\",\"choices\":[]}\n\n"
                                                             "data: {\"model\":\"" SECRET
                                                             "\",\"choices\":[]}\n\n" FINISH("stop") DONE,
    };
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        for (size_t chunk = 0; chunk < 4; chunk++) {
            struct kit_seen seen;
            struct kit_run run = run_of(redacts, streams[i]);
            run.chunk = chunk;
            kit_run(&run, &seen);
            if (kit_has(&seen, "violet"))
                print_error("stream %zu\n", i);
            check_no_secret(&seen);
            check_proper_end(&seen);
            kit_seen_fini(&seen);
        }
    }
}

/* The action of one is no reason to let the others of its event pass. */
static void peer_14_each_string_of_an_event_is_judged(void **state)
{
    (void)state;
    static const char *const events[] = {
        EVENT("{\"index\":0,\"delta\":{\"a\":\"" SECRET "\",\"b\":\"" SECRET "\",\"content\":\"x\"}}"),
        EVENT("{\"index\":0,\"delta\":{\"content\":\"x\",\"a\":\"" SECRET "\"},\"b\":[\"" SECRET "\"]}"),
        EVENT("{\"index\":0,\"delta\":{\"a\":\"" SECRET "\",\"" SECRET "\":1}}"),
        EVENT("{\"index\":0,\"delta\":{\"" SECRET "\":1,\"b\":\"" SECRET "\"}}"),
    };
    const char *corrective = "version: 1\nname: corrective\nkind: corrective\ntext: Again.\n";
    struct rein_policy *cuts = kit_policy(POLICY("cut_response"));
    struct rein_policy *steers = kit_policy_with(POLICY("steer"), &corrective, 1);
    struct rein_policy *policies[] = {redacts, refuses, cuts, steers};
    for (size_t i = 0; i < 4 * sizeof(events) / sizeof(events[0]); i++) {
        for (unsigned choices = 1; choices <= 2; choices++) {
            char stream[2048];
            struct kit_seen seen;
            const char *event = events[i / 4];
            snprintf(stream, sizeof stream, "%s%s%s%s%s", CONTENT("so"), event, event, FINISH("stop"), DONE);
            struct kit_run run = run_of(policies[i % 4], stream);
            run.choices = choices;
            kit_run(&run, &seen);
            check_no_secret(&seen);
            assert_int_equal(seen.unreadable, 0);
            if (!(seen.asks & REIN_ASK_RESTART))
                assert_int_equal(seen.choices[0].finishes, 1);
            kit_seen_fini(&seen);
        }
    }
    rein_policy_unref(cuts);
    rein_policy_unref(steers);
}

/* A pair that is cut between two events may be put together again; everything else stays as it was. */
static void peer_15_characters_and_escape_pairs_cut_anywhere(void **state)
{
    (void)state;
    static const char clean[] =
        CONTENT("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") CONTENT("\\u00e9\\n\\ud83d\\ude00") FINISH("stop") DONE;
    static const char pair[] = CONTENT("a\\ud83d") CONTENT("\\ude00!") FINISH("stop") DONE;
    for (size_t cut = 1; cut < sizeof(clean) - 1; cut++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, clean);
        run.cut = cut;
        kit_run(&run, &seen);
        assert_int_equal(bytes_len(&seen.out), sizeof(clean) - 1);
        assert_memory_equal(bytes_span(&seen.out).data, clean, sizeof(clean) - 1);
        kit_seen_fini(&seen);
        run = run_of(redacts, pair);
        run.cut = cut;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.flow[REIN_ANSWER].released, 6);
        kit_seen_fini(&seen);
    }
    struct rein_policy *policy = kit_policy(
        "version: 1\nname: p\nrules:\n  - { id: face, channels: [answer], literal: \"a\\U0001F600b\", match: "
        "raw, action: redact }\n");
    static const char *const faces[] = {
        CONTENT("x a\\ud83d\\ude00b y") FINISH("stop") DONE,
        CONTENT("x a\\ud83d") CONTENT("\\ude00b y") FINISH("stop") DONE,
        CONTENT("x a\\uD83D") CONTENT("") CONTENT("\\uDE00b y") FINISH("stop") DONE,
        CONTENT("x a\xF0\x9F\x98\x80") CONTENT("b y") FINISH("stop") DONE,
    };
    for (size_t i = 0; i < 4; i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            struct kit_seen seen;
            struct kit_run run = run_of(policy, faces[i]);
            run.chunk = chunk;
            kit_run(&run, &seen);
            assert_string_equal(kit_content(&seen, 0), "x [redacted] y");
            check_proper_end(&seen);
            kit_seen_fini(&seen);
        }
    }
    rein_policy_unref(policy);
}

/* Bytes that are no UTF-8 stay, and what stands beside them is found: raw, and in folded text. */
static void peer_15_invalid_bytes_hide_nothing(void **state)
{
    (void)state;
    static const char *const streams[] = {
        CONTENT("x \xFF" SECRET "\xC3 y"),       CONTENT("x \xED\xA0\x80" SECRET "\xF5 y"),
        CONTENT("x \xE2\x82" SECRET " y"),       CONTENT("x \xE2") CONTENT("\x82" SECRET "\xF0") CONTENT("\x9F y"),
        REASONING("x \xC0\xAF" SECRET "\x80 y"),
    };
    struct rein_policy *folded =
        kit_policy("version: 1\nname: p\nreasoning: { show: stream, release: stream }\n"
                   "rules:\n  - { id: s, literal: " SECRET ", match: folded, action: redact }\n");
    struct rein_policy *policies[] = {redacts, folded};
    for (size_t i = 0; i < 2 * sizeof(streams) / sizeof(streams[0]); i++) {
        char stream[2048];
        snprintf(stream, sizeof(stream), "%s%s", streams[i / 2], FINISH("stop") DONE);
        for (size_t chunk = 0; chunk < 3; chunk++) {
            struct kit_seen seen;
            struct kit_run run = run_of(policies[i % 2], stream);
            run.chunk = chunk;
            kit_run(&run, &seen);
            check_no_secret(&seen);
            assert_true(kit_has(&seen, "[redacted]"));
            assert_true(kit_has(&seen, "x "));
            assert_true(kit_has(&seen, " y"));
            assert_int_equal(seen.decision.findings_len, 1);
            assert_int_equal(seen.decision.garbage_events, 0);
            assert_int_equal(seen.decision.bytes_unjudged, 0);
            kit_seen_fini(&seen);
        }
    }
    rein_policy_unref(folded);
}

/* The processor's time for a stream, the least of three: what else the machine does only adds to it. */
static double seconds_for(struct rein_policy *policy, const char *stream)
{
    double least = 0;
    for (int round = 0; round < 3; round++) {
        struct kit_seen seen;
        struct kit_run run = run_of(policy, stream);
        run.chunk = 700;
        clock_t start = clock();
        kit_run(&run, &seen);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        check_proper_end(&seen);
        kit_seen_fini(&seen);
        least = round == 0 || seconds < least ? seconds : least;
    }
    return least;
}

/* What almost is a tag, time and again. */
static double seconds_for_tags(size_t events)
{
    static const char event[] = CONTENT("<thin <think </thi ");
    size_t len = events * (sizeof(event) - 1);
    char *stream = malloc(len + sizeof(DONE) + sizeof(FINISH("stop")));
    assert_non_null(stream);
    for (size_t i = 0; i < events; i++)
        memcpy(stream + i * (sizeof(event) - 1), event, sizeof(event) - 1);
    strcpy(stream + len, FINISH("stop") DONE);
    double seconds = seconds_for(redacts, stream);
    free(stream);
    return seconds;
}

static void peer_17_a_think_tag_cut_anywhere_and_no_rescans(void **state)
{
    (void)state;
    static const char text[] = "<think>one zx-violet-42-lantern two</think>three";
    for (size_t at = 1; at < sizeof(text) - 1; at++) {
        char stream[2048];
        sprintf(stream,
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%.*s\"}}]}\n\n"
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n" FINISH("stop") DONE,
                (int)at, text, text + at);
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), "<think>one [redacted] two</think>three");
        assert_int_equal(seen.decision.findings_len, 1);
        assert_int_equal(seen.findings[0].channel, REIN_REASONING);
        assert_int_equal(seen.findings[0].offset, 4);
        assert_int_equal(seen.decision.flow[REIN_ANSWER].received, 5);
        kit_seen_fini(&seen);
    }
    /* 16 times the length: 16 times the time where it is linear, 256 times where it is square. */
    double small = seconds_for_tags(1000), large = seconds_for_tags(16000);
    if (large > 64 * small)
        print_error("1000 events took %f s, 16000 took %f s\n", small, large);
    assert_true(large <= 64 * small);
}

/* A rule on 64 KiB of its letter, in one event. */
static double seconds_for_letters(const char *rule)
{
    enum { LETTERS = 65536 };
    char yaml[512];
    snprintf(yaml, sizeof(yaml), "version: 1\nname: p\nrules:\n  - { id: r, channels: [answer], %s, action: redact }\n",
             rule);
    struct rein_policy *policy = kit_policy(yaml);
    char *stream = malloc(LETTERS + 1024);
    assert_non_null(stream);
    size_t len = (size_t)sprintf(stream, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
    memset(stream + len, 'a', LETTERS);
    sprintf(stream + len + LETTERS, "!\"}}]}\n\n" FINISH("stop") DONE);
    double seconds = seconds_for(policy, stream);
    free(stream);
    rein_policy_unref(policy);
    return seconds;
}

/* Backtracking would take years. */
static void peer_22_a_hostile_pattern_costs_no_more_than_its_neighbours(void **state)
{
    (void)state;
    double hostile = seconds_for_letters("regex: '^(a+)+$', max_bytes: 256");
    double neighbour = seconds_for_letters("regex: '^[ab]{1,256}c'");
    if (hostile > 4 * neighbour + 0.02)
        print_error("%f s, its neighbour %f s\n", hostile, neighbour);
    assert_true(hostile <= 4 * neighbour + 0.02);
}

static void peer_24_limits_are_bytes_of_text_not_chunks(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy("version: 1\nname: p\nlimits: { stream_bytes: 65536 }\n"
                                            "reasoning: { show: stream, release: stream }\n"
                                            "rules:\n  - { id: s, literal: " SECRET ", match: raw, action: redact }\n");
    enum { EVENTS = 3000 };
    static const char event[] = CONTENT("word ");
    char *stream = malloc(EVENTS * sizeof(event) + 512);
    assert_non_null(stream);
    for (size_t i = 0; i < EVENTS; i++)
        memcpy(stream + i * (sizeof(event) - 1), event, sizeof(event) - 1);
    strcpy(stream + EVENTS * (sizeof(event) - 1), FINISH("stop") DONE);
    struct kit_seen seen;
    struct kit_run run = run_of(policy, stream);
    run.chunk = 1;
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.ending, REIN_COMPLETE);
    assert_int_equal(bytes_len(&seen.out), strlen(stream));
    kit_seen_fini(&seen);
    free(stream);
    rein_policy_unref(policy);
}

/* Frames that are no JSON are dropped and counted; the stream goes on. */
static void peer_25_garbage_frames_have_one_answer(void **state)
{
    (void)state;
    static const char stream[] = CONTENT("a") "data: {broken\n\n"
                                              "data: \n\n"
                                              "data: [1,2]\n\n"
                                              "data: {\"choices\":[]\n\n" CONTENT("b") FINISH("stop") DONE;
    for (size_t chunk = 0; chunk < 2; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), "ab");
        assert_int_equal(seen.decision.garbage_events, 4);
        check_proper_end(&seen);
        assert_int_equal(seen.events, 4);
        kit_seen_fini(&seen);
    }
}

static void peer_26_an_upstream_that_breaks_off_is_an_error(void **state)
{
    (void)state;
    static const char stream[] = CONTENT("a word") CONTENT(" and half a wo");
    for (size_t len = 0; len < sizeof(stream); len++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        run.upstream.len = len;
        run.breaks_off = true;
        kit_run(&run, &seen);
        assert_int_equal(seen.errors, 1);
        assert_true(seen.error[0] != '\0');
        assert_int_equal(seen.done, 0);
        assert_int_equal(seen.decision.ending, REIN_UPSTREAM_BROKE);
        assert_true(seen.asks & REIN_ASK_END);
        kit_seen_fini(&seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_14_no_frame_goes_out_unscanned),
        cmocka_unit_test(peer_14_each_string_of_an_event_is_judged),
        cmocka_unit_test(peer_15_characters_and_escape_pairs_cut_anywhere),
        cmocka_unit_test(peer_15_invalid_bytes_hide_nothing),
        cmocka_unit_test(peer_17_a_think_tag_cut_anywhere_and_no_rescans),
        cmocka_unit_test(peer_22_a_hostile_pattern_costs_no_more_than_its_neighbours),
        cmocka_unit_test(peer_24_limits_are_bytes_of_text_not_chunks),
        cmocka_unit_test(peer_25_garbage_frames_have_one_answer),
        cmocka_unit_test(peer_26_an_upstream_that_breaks_off_is_an_error),
    };
    return cmocka_run_group_tests(tests, load_policies, drop_policies);
}
