/* Defects that guards of the field were seen to have, each as a test of the trace; the number is the row's in the list
 * of them. Streams here are few and small; what holds for any text is a matter of the property tests.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Rows that need the service (routes, clients that leave, reloads, time) have their tests in tests/integration. */
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

/* 1 and 12: the same text streamed and not has the same verdict, and the shape of the reply follows the request. */
static void peer_01_the_same_verdict_streamed_and_not(void **state)
{
    (void)state;
    static const char stream[] = CONTENT("see zx-violet") CONTENT("-42-lantern") FINISH("stop") DONE;
    static const char body[] = "{\"id\":\"b\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{"
                               "\"role\":\"assistant\",\"content\":\"see " SECRET "\"},\"finish_reason\":\"stop\"}]}";
    struct rein_policy *policies[] = {redacts, refuses, records};
    for (size_t i = 0; i < 3; i++) {
        struct kit_seen streamed, whole;
        struct kit_run run = run_of(policies[i], stream), body_run = run_of(policies[i], body);
        body_run.is_body = true;
        kit_run(&run, &streamed);
        kit_run(&body_run, &whole);
        assert_int_equal(streamed.decision.verdict, whole.decision.verdict);
        assert_int_equal(streamed.decision.findings_len, 1);
        assert_int_equal(whole.decision.findings_len, 1);
        assert_int_equal(streamed.findings[0].offset, whole.findings[0].offset);
        assert_int_equal(streamed.findings[0].len, whole.findings[0].len);
        check_proper_end(&streamed);
        assert_int_equal(whole.unreadable, 0);
        assert_false(kit_has(&whole, "data:"));
        assert_string_equal(streamed.choices[0].finish, whole.choices[0].finish);
        if (policies[i] == redacts)
            assert_string_equal(kit_content(&streamed, 0), kit_content(&whole, 0));
        if (policies[i] != records) {
            check_no_secret(&streamed);
            check_no_secret(&whole);
        }
        kit_seen_fini(&streamed);
        kit_seen_fini(&whole);
    }
}

static void peer_02_no_prefix_of_a_match_goes_out_before_the_block(void **state)
{
    (void)state;
    static const char secret[] = SECRET;
    char stream[16384];
    size_t len = (size_t)sprintf(stream, CONTENT("ok "));
    for (size_t i = 0; secret[i] != '\0'; i++)
        len += (size_t)sprintf(stream + len, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%c\"}}]}\n\n",
                               secret[i]);
    sprintf(stream + len, FINISH("stop") DONE);
    for (size_t chunk = 0; chunk < 3; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(refuses, stream);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), "ok \nI stop here.");
        assert_string_equal(seen.choices[0].finish, "content_filter");
        assert_int_equal(seen.decision.ending, REIN_REFUSED);
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
}

static void peer_03_bytes_scanned_are_counted_for_each_channel(void **state)
{
    (void)state;
    static const char stream[] = REASONING("why") CONTENT("answer")
        DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]")
            FINISH("stop") DONE;
    struct kit_seen seen;
    struct kit_run run = run_of(refuses, stream);
    kit_run(&run, &seen);
    const struct rein_flow *flow = seen.decision.flow;
    assert_int_equal(flow[REIN_REASONING].received, 3);
    assert_int_equal(flow[REIN_ANSWER].received, 6);
    assert_int_equal(flow[REIN_TOOL].received, 7);
    for (int c = REIN_REASONING; c <= REIN_TOOL; c++) {
        assert_int_equal(flow[c].scanned, flow[c].received);
        assert_int_equal(flow[c].released, flow[c].received);
    }
    kit_seen_fini(&seen);
}

static void peer_04_a_value_split_over_two_events_at_every_offset(void **state)
{
    (void)state;
    static const char secret[] = SECRET;
    static const char *const places[][2] = {
        {"\"content\":\"", "\""},
        {"\"reasoning_content\":\"", "\""},
        {"\"reasoning\":\"", "\""},
        {"\"refusal\":\"", "\""},
        {"\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"", "\"}}]"},
        {"\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"", "\"}]"},
    };
    for (size_t at = 1; at < sizeof(secret) - 1; at++) {
        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            char stream[2048];
            sprintf(stream,
                    "data: {\"choices\":[{\"index\":0,\"delta\":{%sa %.*s%s}}]}\n\n"
                    "data: {\"choices\":[{\"index\":0,\"delta\":{%s%s b%s}}]}\n\n" FINISH("stop") DONE,
                    places[k][0], (int)at, secret, places[k][1], places[k][0], secret + at, places[k][1]);
            struct kit_seen seen;
            struct kit_run run = run_of(redacts, stream);
            run.chunk = at % 7;
            kit_run(&run, &seen);
            check_no_secret(&seen);
            check_proper_end(&seen);
            assert_true(kit_has(&seen, "[redacted]"));
            assert_int_equal(seen.decision.findings_len, 1);
            kit_seen_fini(&seen);
        }
    }
}

static void peer_05_a_mask_fires_at_one_byte_chunks(void **state)
{
    (void)state;
    static const char stream[] =
        CONTENT("key: zx-") CONTENT("violet-42") CONTENT("-lantern, ") CONTENT("yes") FINISH("stop") DONE;
    struct kit_seen seen;
    struct kit_run run = run_of(redacts, stream);
    run.chunk = 1;
    kit_run(&run, &seen);
    assert_string_equal(kit_content(&seen, 0), "key: [redacted], yes");
    check_no_secret(&seen);
    check_proper_end(&seen);
    kit_seen_fini(&seen);
}

/* 6: what is clear goes out at once, event by event. */
static void peer_06_a_guard_does_not_turn_a_stream_into_a_burst(void **state)
{
    (void)state;
    char stream[32768] = "";
    for (int i = 0; i < 100; i++)
        strcat(stream, i < 50 ? REASONING(" plain words") : CONTENT(" plain words"));
    strcat(stream, FINISH("stop") DONE);
    struct kit_seen seen;
    struct kit_run run = run_of(redacts, stream);
    run.chunk = sizeof(CONTENT(" plain words")) - 1;
    kit_run(&run, &seen);
    assert_true(seen.feeds_with_output >= 98);
    assert_int_equal(bytes_len(&seen.out), strlen(stream));
    assert_memory_equal(bytes_span(&seen.out).data, stream, strlen(stream));
    kit_seen_fini(&seen);
}

static void peer_07_a_secret_only_in_the_reasoning(void **state)
{
    (void)state;
    static const char *const streams[] = {
        REASONING("note " SECRET) CONTENT("clean") FINISH("stop") DONE,
        CONTENT("<think>note " SECRET "</think>clean") FINISH("stop") DONE,
        DELTA("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"" SECRET "\"}]}]")
            CONTENT("clean") FINISH("stop") DONE,
        DELTA("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"" SECRET "\"}],\"content\":\"\"")
            CONTENT("clean") FINISH("stop") DONE,
    };
    for (size_t i = 0; i < 4; i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, streams[i]);
        kit_run(&run, &seen);
        check_no_secret(&seen);
        check_proper_end(&seen);
        assert_int_equal(seen.decision.findings_len, 1);
        assert_int_equal(seen.findings[0].channel, REIN_REASONING);
        assert_true(kit_has(&seen, "clean"));
        kit_seen_fini(&seen);
    }
    static const char body[] = "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"reasoning_content\":"
                               "\"note " SECRET "\",\"content\":\"clean\"},\"finish_reason\":\"stop\"}]}";
    struct kit_seen seen;
    struct kit_run run = run_of(redacts, body);
    run.is_body = true;
    kit_run(&run, &seen);
    check_no_secret(&seen);
    assert_string_equal(kit_content(&seen, 0), "clean");
    assert_string_equal(kit_reasoning(&seen, 0), "note [redacted]");
    kit_seen_fini(&seen);
}

/* 9: an event that is held holds all that come after it. */
static void peer_09_order_is_kept(void **state)
{
    (void)state;
    static const char stream[] = CONTENT("a zx-vio") REASONING("late thought") CONTENT("la b") FINISH("stop") DONE;
    for (size_t chunk = 0; chunk < 40; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_int_equal(bytes_len(&seen.out), sizeof(stream) - 1);
        assert_memory_equal(bytes_span(&seen.out).data, stream, sizeof(stream) - 1);
        kit_seen_fini(&seen);
    }
}

static void peer_10_replies_that_are_only_reasoning(void **state)
{
    (void)state;
    static const char *const streams[] = {
        REASONING("only this") FINISH("length") DONE,
        CONTENT("<think>only this") FINISH("length") DONE,
        CONTENT("<think>\\n\\n</think>\\n\\n") CONTENT("answer") FINISH("stop") DONE,
        CONTENT("") FINISH("stop") DONE,
        FINISH("stop") DONE,
        REASONING("") CONTENT("") FINISH("stop") DONE,
    };
    for (size_t i = 0; i < 6; i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            struct kit_seen seen;
            struct kit_run run = run_of(redacts, streams[i]);
            run.chunk = chunk;
            kit_run(&run, &seen);
            check_proper_end(&seen);
            assert_int_equal(seen.decision.ending, REIN_COMPLETE);
            assert_int_equal(bytes_len(&seen.out), strlen(streams[i]));
            kit_seen_fini(&seen);
        }
    }
}

static void peer_11_exactly_one_finish_reason_for_each_choice(void **state)
{
    (void)state;
    static const char *const streams[] = {
        CONTENT("a") FINISH("stop") FINISH("stop") DONE,                   /* doubled */
        CONTENT("a") DONE,                                                 /* missing */
        CONTENT("a") FINISH("stop") CONTENT("later") DONE,                 /* too early */
        CONTENT("a zx-viol") FINISH("stop") CONTENT("et-42-lantern") DONE, /* before a match is whole */
    };
    for (size_t i = 0; i < 4; i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, streams[i]);
        kit_run(&run, &seen);
        check_proper_end(&seen);
        check_no_secret(&seen);
        kit_seen_fini(&seen);
    }
    struct kit_seen seen;
    struct kit_run run = run_of(
        refuses, EVENT("{\"index\":0,\"delta\":{\"content\":\"fine\"},\"finish_reason\":null},{\"index\":1,\"delta\":{"
                       "\"content\":\"" SECRET "\"},\"finish_reason\":\"stop\"}") FINISH("stop") DONE);
    run.choices = 2;
    kit_run(&run, &seen);
    check_no_secret(&seen);
    check_proper_end(&seen);
    assert_int_equal(seen.choices[1].finishes, 1);
    assert_string_equal(seen.choices[1].finish, "content_filter");
    assert_string_equal(seen.choices[0].finish, "stop");
    assert_string_equal(kit_content(&seen, 0), "fine");
    kit_seen_fini(&seen);
}

static void peer_13_the_refusal_is_delivered(void **state)
{
    (void)state;
    static const char *const streams[] = {
        DELTA("\"role\":\"assistant\",\"content\":\"\"") CONTENT("x " SECRET) FINISH("stop") DONE,
        CONTENT(SECRET) FINISH("stop") DONE,
        REASONING(SECRET) CONTENT("a") FINISH("stop") DONE,
        CONTENT("<think>" SECRET) FINISH("stop") DONE,
    };
    for (size_t i = 0; i < 4; i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(refuses, streams[i]);
        kit_run(&run, &seen);
        check_no_secret(&seen);
        check_proper_end(&seen);
        assert_true(seen.choices[0].roles >= 1);
        assert_non_null(strstr(kit_content(&seen, 0), "I stop here."));
        assert_true(seen.asks & REIN_ASK_STOP);
        assert_true(seen.asks & REIN_ASK_COMMIT);
        kit_seen_fini(&seen);
    }
}

static void peer_16_tool_arguments_in_fragments(void **state)
{
    (void)state;
#define CALL(index, text) DELTA("\"tool_calls\":[{\"index\":" index ",\"function\":{\"arguments\":\"" text "\"}}]")
    static const char stream[] = CALL("0", "{\\\"k\\\":\\\"zx-vi") CALL("1", "{\\\"other\\\":") CALL("0", "olet-42-lan")
        CALL("1", "1}") CALL("0", "tern\\\"}") FINISH("tool_calls") DONE;
    for (size_t chunk = 0; chunk < 5; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(redacts, stream);
        run.chunk = chunk;
        kit_run(&run, &seen);
        check_no_secret(&seen);
        check_proper_end(&seen);
        assert_int_equal(seen.findings[0].channel, REIN_TOOL);
        assert_non_null(strstr(kit_arguments(&seen, 0), "[redacted]"));
        assert_int_equal(seen.decision.flow[REIN_TOOL].scanned, seen.decision.flow[REIN_TOOL].received);
        kit_seen_fini(&seen);
    }
}

static void peer_27_all_choices_are_scanned(void **state)
{
    (void)state;
    char stream[8192] = "";
    static const char secret[] = SECRET;
    for (size_t i = 0; i < sizeof(secret) - 1; i++)
        for (size_t c = 0; c < 4; c++)
            sprintf(stream + strlen(stream), "data: {\"choices\":[{\"delta\":{\"content\":\"%c\"},\"index\":%zu}]}\n\n",
                    c == 2 ? secret[i] : 'x', c);
    for (size_t c = 0; c < 4; c++)
        sprintf(stream + strlen(stream), EVENT("{\"index\":%zu,\"delta\":{},\"finish_reason\":\"stop\"}"), c);
    strcat(stream, DONE);
    struct kit_seen seen;
    struct kit_run run = run_of(redacts, stream);
    run.choices = 4;
    run.chunk = 11;
    kit_run(&run, &seen);
    assert_string_equal(kit_content(&seen, 0), "xxxxxxxxxxxxxxxxxxxx");
    assert_string_equal(kit_content(&seen, 2), "[redacted]");
    assert_int_equal(seen.decision.findings_len, 1);
    assert_int_equal(seen.findings[0].choice, 2);
    for (size_t c = 0; c < 4; c++)
        assert_int_equal(seen.choices[c].finishes, 1);
    kit_seen_fini(&seen);
}

static void peer_27_every_message_of_the_prompt_is_scanned(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy("version: 1\nname: p\nrules:\n  - { id: s, channels: [prompt], literal: " SECRET
                   ", match: raw, action: refuse }\n");
    struct kit_seen seen;
    struct kit_run run = run_of(policy, CONTENT("a") FINISH("stop") DONE);
    run.prompt = "please say " SECRET;
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.verdict, REIN_REFUSE);
    assert_int_equal(seen.decision.bytes_in, 0);
    check_no_secret(&seen);
    check_proper_end(&seen);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peer_01_the_same_verdict_streamed_and_not),
        cmocka_unit_test(peer_02_no_prefix_of_a_match_goes_out_before_the_block),
        cmocka_unit_test(peer_03_bytes_scanned_are_counted_for_each_channel),
        cmocka_unit_test(peer_04_a_value_split_over_two_events_at_every_offset),
        cmocka_unit_test(peer_05_a_mask_fires_at_one_byte_chunks),
        cmocka_unit_test(peer_06_a_guard_does_not_turn_a_stream_into_a_burst),
        cmocka_unit_test(peer_07_a_secret_only_in_the_reasoning),
        cmocka_unit_test(peer_09_order_is_kept),
        cmocka_unit_test(peer_10_replies_that_are_only_reasoning),
        cmocka_unit_test(peer_11_exactly_one_finish_reason_for_each_choice),
        cmocka_unit_test(peer_13_the_refusal_is_delivered),
        cmocka_unit_test(peer_16_tool_arguments_in_fragments),
        cmocka_unit_test(peer_27_all_choices_are_scanned),
        cmocka_unit_test(peer_27_every_message_of_the_prompt_is_scanned),
    };
    return cmocka_run_group_tests(tests, load_policies, drop_policies);
}
