/* Texts that get past in pieces: what one text holds while others have their turn, names in pieces, lists that are
 * full, and choices that others are refused with. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peerkit.h"

#define HALF_1 "zx-violet-4"
#define HALF_2 "2-lantern"
#define TOOL(n, inside) DELTA("\"tool_calls\":[{\"index\":" #n ",\"function\":{" inside "}}]")
#define CALL(n, text) TOOL(n, "\"arguments\":\"" text "\"")
#define NAME(n, text) TOOL(n, "\"name\":\"" text "\"")
#define END FINISH("stop") DONE
#define FILL_MAX 8192

static const char *const releases[] = {"stream", "sentence", "end"};

/* ---- lists that are full ----------------------------------------------------------------------------------------- */

#define RECORDS                                                                                                        \
    "version: 1\nname: l\nrefusal: { message: I stop here., finish_reason: content_filter }\n"                         \
    "rules:\n  - { id: note, literal: rose, match: raw, channels: [%s], action: record }\n"                            \
    "  - { id: secret, literal: " SECRET ", match: raw, channels: [%s], action: %s }\n"

static char *roses(size_t count, const char *behind)
{
    char *text = malloc(count * 5 + strlen(behind) + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * 5, "rose ", 5);
    strcpy(text + count * 5, behind);
    return text;
}

static void test_found_t1_a_full_list_does_not_decide_on_the_prompt(void **state)
{
    (void)state;
    char yaml[512];
    snprintf(yaml, sizeof yaml, RECORDS, "prompt", "prompt", "refuse");
    struct rein_policy *policy = kit_policy(yaml);
    static const size_t counts[] = {0, 255, 256, 257, 1000};
    for (size_t i = 0; i < 5; i++) {
        char *prompt = roses(counts[i], SECRET);
        struct kit_run run = run_of(policy, CONTENT("the answer") END);
        struct kit_seen seen;
        run.prompt = prompt;
        kit_run(&run, &seen);
        assert_false(kit_has(&seen, "the answer"));
        assert_true(kit_has(&seen, "I stop here."));
        assert_int_equal(seen.decision.verdict, REIN_REFUSE);
        assert_int_equal(seen.decision.ending, REIN_REFUSED);
        assert_int_equal(seen.decision.findings_len + seen.decision.findings_dropped, counts[i] + 1);
        kit_seen_fini(&seen);
        free(prompt);
    }
    rein_policy_unref(policy);
}

static void test_found_t1_a_full_list_does_not_decide_on_the_answer(void **state)
{
    (void)state;
    static const char *const actions[] = {"redact", "cut_response", "refuse"};
    static const enum rein_action verdicts[] = {REIN_REDACT, REIN_CUT_RESPONSE, REIN_REFUSE};
    for (size_t i = 0; i < 3; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, RECORDS, "answer", "answer", actions[i]);
        struct rein_policy *policy = kit_policy(yaml);
        char *text = roses(300, SECRET), *stream = malloc(strlen(text) + 1024);
        assert_non_null(stream);
        sprintf(stream, CONTENT("%s") END, text);
        struct kit_run run = run_of(policy, stream);
        struct kit_seen seen;
        kit_run(&run, &seen);
        check_no_secret(&seen);
        assert_int_equal(seen.decision.verdict, verdicts[i]);
        assert_int_equal(seen.decision.findings_len + seen.decision.findings_dropped, 301);
        assert_true(seen.asks & REIN_ASK_COMMIT);
        kit_seen_fini(&seen);
        free(text);
        free(stream);
        rein_policy_unref(policy);
    }
}

static void test_found_t1_a_shadow_behind_a_full_list_counts(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy("version: 1\nname: l\nrules:\n  - { id: note, literal: rose, match: raw, action: record }\n"
                   "  - { id: would, literal: " SECRET ", match: raw, action: refuse, shadow: true }\n");
    char *text = roses(300, SECRET), *stream = malloc(strlen(text) + 1024);
    assert_non_null(stream);
    sprintf(stream, CONTENT("%s") END, text);
    struct kit_run run = run_of(policy, stream);
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_true(kit_has(&seen, SECRET));
    assert_int_equal(seen.decision.verdict, REIN_RECORD);
    assert_int_equal(seen.decision.shadow, REIN_REFUSE);
    kit_seen_fini(&seen);
    free(text);
    free(stream);
    rein_policy_unref(policy);
}

/* ---- texts that others interrupt --------------------------------------------------------------------------------- */

static const char *const interrupted[] = {
    REASONING("so " HALF_1) CONTENT("x") REASONING(HALF_2 " it is") CONTENT("y") END,
    REASONING("so " HALF_1) CONTENT("The answer is four, as everybody knows.") REASONING(HALF_2) END,
    REASONING("so zx-") CONTENT("x") REASONING("violet") CONTENT("y") REASONING("-42") CONTENT("z")
        REASONING("-lantern") END,
    REASONING("so " HALF_1) NAME(0, "look_up") CALL(0, "{}") REASONING(HALF_2) CONTENT("y") END,
    CONTENT("so " HALF_1) NAME(0, "look_up") CALL(0, "{}") CONTENT(HALF_2) END,
    CONTENT("so " HALF_1) REASONING("wait") CONTENT(HALF_2) END,
    CALL(0, "{ " HALF_1) CALL(1, "{}") CALL(0, HALF_2) CONTENT("y") END,
    CALL(0, "{ " HALF_1) CONTENT("x") CALL(0, HALF_2) END,
    DELTA("\"reasoning_content\":\"so " HALF_1 "\",\"content\":\"x\"")
        DELTA("\"reasoning_content\":\"" HALF_2 "\",\"content\":\"y\"") END,
    CONTENT("<think>so " HALF_1) REASONING("wait") CONTENT(HALF_2 "</think>y") END,
};

static void test_found_t2_no_turn_of_another_text_lets_a_match_out(void **state)
{
    (void)state;
    for (size_t r = 0; r < 3; r++)
        for (size_t k = 0; k < 2; k++) {
            struct rein_policy *policy = rules_policy(k == 0 ? "redact" : "refuse", releases[r], "stream");
            for (size_t i = 0; i < sizeof(interrupted) / sizeof(*interrupted); i++)
                for (size_t chunk = 0; chunk < 2; chunk++) {
                    struct kit_run run = run_of(policy, interrupted[i]);
                    struct kit_seen seen;
                    run.chunk = chunk;
                    kit_run(&run, &seen);
                    if (kit_has(&seen, "violet") || kit_has(&seen, "lantern"))
                        print_error("%s, release %s: %s\n", interrupted[i], releases[r], seen.out.data);
                    check_no_secret(&seen);
                    check_proper_end(&seen);
                    assert_int_equal(seen.decision.verdict, k == 0 ? REIN_REDACT : REIN_REFUSE);
                    assert_int_equal(seen.decision.bytes_unjudged, 0);
                    kit_seen_fini(&seen);
                }
            rein_policy_unref(policy);
        }
}

/* What one text holds does not keep another one waiting for good, and what only its end decides is decided then. */
static void test_found_t2_a_text_that_does_not_go_on_lets_others_pass(void **state)
{
    (void)state;
    static const char *const tails[] = {"so " HALF_1, "a lily"};
    static const char *const shown[] = {"so " HALF_1, "a #"};
    for (size_t i = 0; i < 2; i++) {
        struct rein_policy *policy = rules_policy("redact", "stream", "stream");
        struct bytes stream;
        bytes_init(&stream, 1 << 20);
        char event[512];
        snprintf(event, sizeof event, REASONING("%s"), tails[i]);
        assert_int_equal(bytes_append(&stream, event, strlen(event)), 0);
        for (size_t n = 0; n < 100; n++)
            assert_int_equal(bytes_append_span(&stream, SPAN(CONTENT("ten bytes "))), 0);
        struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .chunk = 100};
        run.breaks_off = true; /* what is out by then did not wait for an end */
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_string_equal(kit_reasoning(&seen, 0), shown[i]);
        assert_in_range(seen.feeds_with_output, 40, 1000);
        kit_seen_fini(&seen);
        bytes_fini(&stream);
        rein_policy_unref(policy);
    }
}

/* Others may have gone on for so long that the beginning of a match is out. The rest of it is not, then. */
static void test_found_t2_after_a_long_pause_the_rest_is_withheld(void **state)
{
    (void)state;
    for (size_t r = 0; r < 3; r++) {
        struct rein_policy *policy = rules_policy("redact", releases[r], "stream");
        static char stream[FILL_MAX];
        size_t len = (size_t)sprintf(stream, "%s", REASONING("so " HALF_1));
        for (size_t n = 0; n < 20; n++)
            len += (size_t)sprintf(stream + len, CONTENT("a sentence of thirty bytes, or so. "));
        sprintf(stream + len, REASONING(HALF_2 " it is") END);
        struct kit_run run = run_of(policy, stream);
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_null(strstr(kit_reasoning(&seen, 0), "lantern"));
        assert_null(strstr(kit_reasoning(&seen, 0), "2-l"));
        assert_non_null(strstr(kit_reasoning(&seen, 0), " it is"));
        assert_int_equal(seen.decision.verdict, REIN_REDACT);
        check_proper_end(&seen);
        kit_seen_fini(&seen);
        rein_policy_unref(policy);
    }
}

/* ---- names in pieces --------------------------------------------------------------------------------------------- */

static void test_found_t8_a_name_in_pieces_is_one_text(void **state)
{
    (void)state;
    static const char *const streams[] = {
        NAME(0, HALF_1) NAME(0, HALF_2) CALL(0, "{}") END,
        NAME(0, HALF_1) CALL(0, "") NAME(0, HALF_2) CALL(0, "{}") END,
        NAME(0, HALF_1) CALL(0, "{\\\"a\\\":1}") NAME(0, HALF_2) END,
        NAME(0, HALF_1) NAME(1, "other") NAME(0, HALF_2) END,
        NAME(0, "zx-") NAME(0, "violet") NAME(0, "-42-") NAME(0, "lantern") END,
        DELTA("\"function_call\":{\"name\":\"" HALF_1 "\"}") DELTA("\"function_call\":{\"name\":\"" HALF_2 "\"}") END,
        DELTA("\"tool_calls\":[{\"index\":0,\"custom\":{\"name\":\"" HALF_1 "\"}}]")
            DELTA("\"tool_calls\":[{\"index\":0,\"custom\":{\"name\":\"" HALF_2 "\"}}]") END,
    };
    for (size_t k = 0; k < 2; k++) {
        struct rein_policy *policy = rules_policy(k == 0 ? "redact" : "refuse", "stream", "stream");
        for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
            struct kit_run run = run_of(policy, streams[i]);
            struct kit_seen seen;
            kit_run(&run, &seen);
            check_no_secret(&seen);
            check_proper_end(&seen);
            assert_int_equal(seen.decision.verdict, k == 0 ? REIN_REDACT : REIN_REFUSE);
            kit_seen_fini(&seen);
        }
        rein_policy_unref(policy);
    }
}

/* ---- choices and keys that are refused --------------------------------------------------------------------------- */

#define CHOICE(n, text) "{\"index\":" #n ",\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}"
#define LAST(n) "{\"index\":" #n ",\"delta\":{},\"finish_reason\":\"stop\"}"
#define MESSAGE(n, more, text)                                                                                         \
    "{\"index\":" #n ",\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"" more                              \
    "},\"finish_reason\":\"stop\"}"

static void test_found_t15_a_refused_choice_leaves_the_others_alone(void **state)
{
    (void)state;
    static const char *const streams[] = {
        EVENT(CHOICE(0, "first " SECRET) "," CHOICE(1, "second is said")) EVENT(LAST(0) "," LAST(1)) DONE,
        EVENT(CHOICE(0, "first " HALF_1)) EVENT(CHOICE(1, "second ")) EVENT(CHOICE(0, HALF_2))
            EVENT(CHOICE(1, "is said")) EVENT(LAST(0)) EVENT(LAST(1)) DONE,
        EVENT("{\"index\":0,\"" SECRET "\":1,\"delta\":{}}," CHOICE(1, "second is said")) EVENT(LAST(0) "," LAST(1))
            DONE,
    };
    for (size_t asked = 1; asked <= 2; asked++) { /* one that came unasked is a choice, too */
        struct rein_policy *policy = rules_policy("refuse", "stream", "stream");
        for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
            struct kit_run run = run_of(policy, streams[i]);
            struct kit_seen seen;
            run.choices = (unsigned)asked;
            if (asked == 1 && i == 1)
                continue; /* all that was asked for is refused before another is known */
            kit_run(&run, &seen);
            check_no_secret(&seen);
            check_proper_end(&seen);
            assert_non_null(strstr(kit_content(&seen, 0), "I stop here."));
            assert_string_equal(kit_content(&seen, 1), "second is said");
            assert_int_equal(seen.choices[1].finishes, 1);
            assert_string_equal(seen.choices[0].finish, "content_filter");
            assert_string_equal(seen.choices[1].finish, "stop");
            kit_seen_fini(&seen);
        }
        rein_policy_unref(policy);
    }
}

static void test_found_t15_a_refused_choice_of_a_body_leaves_the_others_alone(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"id\":\"b\",\"choices\":[" MESSAGE(0, "", "first " SECRET) "," MESSAGE(1, "", "second is said") "]}",
        "{\"id\":\"b\",\"choices\":[" MESSAGE(0, ",\"note\":{\"" SECRET "\":1}",
                                              "first") "," MESSAGE(1, "", "second is said") "]}",
        "{\"id\":\"b\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"" SECRET
        "\"}}]},\"finish_reason\":\"tool_calls\"}," MESSAGE(1, "", "second is said") "]}",
    };
    static const char *const actions[] = {"refuse", "cut_response"};
    for (size_t k = 0; k < 2; k++) {
        struct rein_policy *policy = rules_policy(actions[k], "stream", "stream");
        for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
            struct kit_run run = run_of(policy, bodies[i]);
            struct kit_seen seen;
            run.choices = 2;
            run.is_body = true;
            kit_run(&run, &seen);
            check_no_secret(&seen);
            assert_int_equal(seen.unreadable, 0);
            if (k == 0)
                assert_string_equal(kit_content(&seen, 0), "I stop here.");
            assert_string_equal(kit_content(&seen, 1), "second is said");
            assert_string_equal(seen.choices[0].finish, "content_filter");
            assert_string_equal(seen.choices[1].finish, "stop");
            assert_false(kit_has(&seen, "first") && k == 0);
            kit_seen_fini(&seen);
        }
        rein_policy_unref(policy);
    }
}

static void test_found_t15_a_matched_key_does_not_empty_what_it_stands_in(void **state)
{
    (void)state;
    struct rein_policy *policy = rules_policy("redact", "stream", "stream");
    static const char body[] = "{\"id\":\"b\",\"" SECRET "\":1,\"x\":{\"a " SECRET "\":2,\"" SECRET
                               "\":3},\"choices\":[" MESSAGE(0, "", "said") "]}";
    struct kit_run run = run_of(policy, body);
    struct kit_seen seen;
    run.is_body = true;
    kit_run(&run, &seen);
    check_no_secret(&seen);
    assert_int_equal(seen.unreadable, 0); /* keys that were different still are */
    assert_string_equal(kit_content(&seen, 0), "said");
    kit_seen_fini(&seen);
    run = run_of(policy, EVENT("{\"index\":0,\"" SECRET "\":1,\"delta\":{\"content\":\"said\"}}") END);
    kit_run(&run, &seen);
    check_no_secret(&seen);
    assert_string_equal(kit_content(&seen, 0), "said");
    check_proper_end(&seen);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    policy = rules_policy("refuse", "stream", "stream");
    run = run_of(policy, body);
    run.is_body = true;
    kit_run(&run, &seen);
    check_no_secret(&seen);
    assert_int_equal(seen.unreadable, 0);
    assert_string_equal(kit_content(&seen, 0), "I stop here.");
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* ---- the order at the end ---------------------------------------------------------------------------------------- */

/* Texts end in the order in which they began, also if a field began with what was no text yet. */
static void texts_end_in_the_order_in_which_they_began(void **state)
{
    (void)state;
    static const char *const streams[] = {CONTENT("<th") CALL(1, "rose") CONTENT("orn rose") CALL(0, "rose") END,
                                          CALL(1, "rose") CONTENT("<thorn rose") CALL(0, "rose") END};
    struct rein_policy *policy = kit_policy(
        "version: 1\nname: e\nrules:\n  - { id: r, regex: '[a-z]{4,9}', channels: [answer, tool], action: record }\n");
    for (size_t i = 0; i < 2; i++) {
        static const enum rein_channel order[] = {REIN_ANSWER, REIN_TOOL, REIN_ANSWER, REIN_TOOL};
        struct kit_run run = run_of(policy, streams[i]);
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.findings_len, 4);
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(seen.decision.findings[k].channel, order[k]);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_t1_a_full_list_does_not_decide_on_the_prompt),
        cmocka_unit_test(test_found_t1_a_full_list_does_not_decide_on_the_answer),
        cmocka_unit_test(test_found_t1_a_shadow_behind_a_full_list_counts),
        cmocka_unit_test(test_found_t2_no_turn_of_another_text_lets_a_match_out),
        cmocka_unit_test(test_found_t2_a_text_that_does_not_go_on_lets_others_pass),
        cmocka_unit_test(test_found_t2_after_a_long_pause_the_rest_is_withheld),
        cmocka_unit_test(test_found_t8_a_name_in_pieces_is_one_text),
        cmocka_unit_test(test_found_t15_a_refused_choice_leaves_the_others_alone),
        cmocka_unit_test(test_found_t15_a_refused_choice_of_a_body_leaves_the_others_alone),
        cmocka_unit_test(test_found_t15_a_matched_key_does_not_empty_what_it_stands_in),
        cmocka_unit_test(texts_end_in_the_order_in_which_they_began),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
