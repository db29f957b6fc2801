/* Hidden reasoning: whatever its field is called, nothing of it is released, nor anything that spells it out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peerkit.h"

#define THOUGHT "the thought"
#define CHOICE(inside) EVENT("{\"index\":0," inside "}")
#define SPELLED                                                                                                        \
    "\"logprobs\":{\"content\":[{\"token\":\"" THOUGHT "\",\"logprob\":-1,\"bytes\":[116],\"top_logprobs\":[]}]},"     \
    "\"token_ids\":[1,2]"

static struct rein_policy *hides;

static int load(void **state)
{
    (void)state;
    hides = kit_policy("version: 1\nname: h\nreasoning: { show: hide, release: stream }\n"
                       "rules:\n  - { id: s, literal: zxviolet, match: raw, action: redact }\n");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    rein_policy_unref(hides);
    return 0;
}

static void check_hidden(struct kit_seen *seen, const char *stream)
{
    if (kit_has(seen, "thought") || !kit_has(seen, "said"))
        print_error("of %s\ncame %.*s\n", stream, (int)bytes_len(&seen->out), bytes_span(&seen->out).data);
    assert_false(kit_has(seen, "thought"));
    assert_true(kit_has(seen, "said"));
    assert_int_equal(seen->decision.flow[REIN_REASONING].released, 0);
    assert_in_range(seen->decision.flow[REIN_REASONING].scanned, sizeof(THOUGHT) - 1, sizeof(THOUGHT) + 6);
    assert_int_equal(seen->decision.bytes_unjudged, 0);
}

/* Each of them, before an answer, in pieces of some sizes. */
static void check_streams(const char *const *streams, size_t len)
{
    for (size_t i = 0; i < len; i++)
        for (size_t chunk = 0; chunk < 3; chunk++) {
            char stream[4096];
            snprintf(stream, sizeof(stream), "%s%s", streams[i], CONTENT("said") FINISH("stop") DONE);
            struct kit_seen seen;
            struct kit_run run = run_of(hides, stream);
            run.chunk = chunk;
            kit_run(&run, &seen);
            check_hidden(&seen, stream);
            check_proper_end(&seen);
            kit_seen_fini(&seen);
        }
}

static void under_no_name_in_a_stream(void **state)
{
    (void)state;
    static const char *const streams[] = {
        REASONING(THOUGHT),
        DELTA("\"reasoning\":\"" THOUGHT "\""),
        DELTA("\"reasoning_text\":\"" THOUGHT "\""),
        DELTA("\"thinking\":\"" THOUGHT "\""),
        DELTA("\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"" THOUGHT "\"}]"),
        DELTA("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"" THOUGHT "\"}]}]"),
        DELTA("\"content\":[{\"text\":\"" THOUGHT "\",\"type\":\"reasoning\"}]"),
        DELTA("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"" THOUGHT "\"}]"),
        DELTA("\"reasoning_details\":[{\"type\":\"reasoning.summary\",\"summary\":\"" THOUGHT "\"}]"),
        CONTENT("<think>" THOUGHT "</think>"),
        CHOICE("\"text\":\"<think>" THOUGHT "</think>\""),
        CHOICE("\"message\":{\"reasoning_content\":\"" THOUGHT "\"}"),
        CHOICE("\"message\":{\"content\":\"<think>" THOUGHT "</think>\"}"),
        CHOICE("\"delta\":{\"reasoning_content\":\"" THOUGHT "\"}," SPELLED),
        CHOICE(SPELLED ",\"delta\":{\"reasoning_content\":\"" THOUGHT "\",\"token_ids\":[7]}"),
    };
    check_streams(streams, sizeof(streams) / sizeof(streams[0]));
}

#define BODY(inside) "{\"choices\":[{\"index\":0," inside ",\"finish_reason\":\"stop\"}]}"
#define SAID "\"role\":\"assistant\",\"content\":\"said\""

static void under_no_name_in_a_body(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        BODY("\"message\":{" SAID ",\"reasoning_content\":\"" THOUGHT "\"}"),
        BODY("\"message\":{" SAID ",\"reasoning\":\"" THOUGHT "\"}," SPELLED),
        BODY("\"message\":{\"role\":\"assistant\",\"content\":\"<think>" THOUGHT "</think>said\"}"),
        BODY("\"message\":{" SAID "},\"delta\":{\"reasoning_content\":\"" THOUGHT "\"}"),
        BODY("\"delta\":{\"content\":\"<think>" THOUGHT "</think>\"},\"message\":{" SAID "}"),
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(hides, bodies[i]);
        run.is_body = true;
        kit_run(&run, &seen);
        check_hidden(&seen, bodies[i]);
        assert_int_equal(seen.unreadable, 0);
        assert_non_null(strstr(kit_content(&seen, 0), "said"));
        kit_seen_fini(&seen);
    }
}

/* The shapes that reasoning has at common gateways and servers. */
static void found_t10_in_no_shape(void **state)
{
    (void)state;
    static const char *const streams[] = {
        DELTA("\"content\":[{\"type\":\"reasoning\",\"text\":\"" THOUGHT "\"}]"),
        DELTA("\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"" THOUGHT
              "\"}]}]"),
        DELTA("\"content\":[{\"summary\":[{\"text\":\"" THOUGHT "\"}],\"type\":\"reasoning\"}]"),
        DELTA("\"content\":[{\"type\":\"reasoning\",\"content\":[{\"type\":\"reasoning_text\",\"text\":\"" THOUGHT
              "\"}]}]"),
        DELTA("\"content\":[{\"type\":\"reasoning\",\"reasoning\":\"" THOUGHT "\"}]"),
        DELTA("\"content\":[{\"type\":\"thinking_delta\",\"thinking\":\"" THOUGHT "\"}]"),
        DELTA("\"content\":[{\"text\":\"" THOUGHT "\",\"thought\":true}]"),
        DELTA("\"provider_specific_fields\":{\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"" THOUGHT
              "\"}]}"),
        DELTA("\"provider_specific_fields\":{\"reasoning_content\":\"" THOUGHT "\"}"),
        CHOICE("\"provider_specific_fields\":{\"reasoning\":{\"content\":\"" THOUGHT "\"}}"),
        DELTA("\"reasoning\":{\"content\":\"" THOUGHT "\"}"),
        DELTA("\"reasoning\":{\"summary\":[{\"text\":\"" THOUGHT "\"}]}"),
        DELTA("\"reasoning\":[{\"type\":\"text\",\"text\":\"" THOUGHT "\"}]"),
        DELTA("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"content\":\"" THOUGHT "\"}]"),
        DELTA("\"reasoning_summary\":\"" THOUGHT "\""),
        DELTA("\"reasoning_summary\":[{\"type\":\"summary_text\",\"text\":\"" THOUGHT "\"}]"),
        DELTA("\"thought\":\"" THOUGHT "\""),
        DELTA("\"thoughts\":[\"" THOUGHT "\"]"),
        DELTA("\"thinking_content\":\"" THOUGHT "\",\"reasoning_tokens\":3,\"reasoning_effort\":\"low\""),
    };
    check_streams(streams, sizeof(streams) / sizeof(streams[0]));
}

/* They are texts: a match may be split over events. */
static void found_t10_shapes_are_texts(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {
        {"\"thought\":\"", "\""},
        {"\"reasoning\":{\"content\":\"", "\"}"},
        {"\"reasoning_summary\":\"", "\""},
        {"\"provider_specific_fields\":{\"reasoning_content\":\"", "\"}"},
        {"\"content\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"", "\"}]}]"},
    };
    struct rein_policy *shows = kit_policy("version: 1\nname: s\nreasoning: { show: stream, release: stream }\n"
                                           "rules:\n  - { id: s, literal: zxviolet, match: raw, action: redact }\n");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char stream[2048];
        snprintf(stream, sizeof(stream),
                 "data: {\"choices\":[{\"index\":0,\"delta\":{%sa zxvi%s}}]}\n\n"
                 "data: {\"choices\":[{\"index\":0,\"delta\":{%solet b%s}}]}\n\n%s",
                 shapes[i][0], shapes[i][1], shapes[i][0], shapes[i][1], CONTENT("said") FINISH("stop") DONE);
        struct kit_seen seen;
        struct kit_run run = run_of(shows, stream);
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.findings_len, 1);
        assert_int_equal(seen.findings[0].channel, REIN_REASONING);
        assert_false(kit_has(&seen, "zxvi"));
        assert_false(kit_has(&seen, "olet"));
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(shows);
}

/* Where reasoning came in a field, a tag in the answer is text of the answer: judged as such, and shown. */
static void found_t11_an_opener_in_the_answer(void **state)
{
    (void)state;
    static const char *const streams[] = {
        REASONING("because") CONTENT("<think>zxviolet</think> said") FINISH("stop") DONE,
        DELTA("\"role\":\"assistant\",\"content\":\"\"") REASONING("because") CONTENT("a <think>zxvi")
            CONTENT("olet said") FINISH("stop") DONE,
        DELTA("\"content\":\"</think>[THINK]zxviolet said\",\"reasoning\":\"because\"") FINISH("stop") DONE,
    };
    static const char *const shown[] = {"<think>[redacted]</think> said", "a <think>[redacted] said",
                                        "</think>[THINK][redacted] said"};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        for (int opened = 0; opened < 2; opened++) {
            struct kit_seen seen;
            struct kit_run run = run_of(hides, streams[i]);
            run.chunk = 7;
            run.opened = opened != 0;
            kit_run(&run, &seen);
            assert_int_equal(seen.decision.findings_len, 1);
            assert_int_equal(seen.findings[0].channel, REIN_ANSWER);
            assert_string_equal(kit_content(&seen, 0), shown[i]);
            assert_false(kit_has(&seen, "because"));
            check_proper_end(&seen);
            kit_seen_fini(&seen);
        }
}

/* The same, where it is known beforehand that the upstream sends reasoning in fields alone. */
static void found_t11_an_opener_of_a_kind_that_tells_apart(void **state)
{
    (void)state;
    struct kit_seen seen;
    struct kit_run run = run_of(hides, CONTENT("<think>zxviolet</think> said") FINISH("stop") DONE);
    run.is_apart = true;
    kit_run(&run, &seen);
    assert_int_equal(seen.findings[0].channel, REIN_ANSWER);
    assert_string_equal(kit_content(&seen, 0), "<think>[redacted]</think> said");
    check_proper_end(&seen);
    kit_seen_fini(&seen);
}

/* Inline reasoning that does not begin the text, or not only there, is hidden and judged. */
static void found_t12_anywhere_in_the_answer(void **state)
{
    (void)state;
    static const char *const streams[] = {
        CONTENT("Well, <think>" THOUGHT "</think>"),
        CONTENT("\\ufeff<think>" THOUGHT "</think>"),
        CONTENT("\\u200b\\n<think>" THOUGHT "</think>"),
        CONTENT("<thinking>" THOUGHT "</thinking>"),
        CONTENT("<think></think>a<think></think>b<think></think>c<think>" THOUGHT "</think>"),
        CONTENT("<|start|>assistant<|channel|>analysis<|message|>" THOUGHT "<|end|>"
                "<|start|>assistant<|channel|>final<|message|>"),
    };
    check_streams(streams, sizeof(streams) / sizeof(streams[0]));
}

/* What a stream says in the object that bodies have is a text that goes on from event to event as any other. */
static void a_match_that_is_split_over_messages_of_a_stream(void **state)
{
    (void)state;
    static const char stream[] = CHOICE("\"message\":{\"content\":\"a zxvi\"}")
        CHOICE("\"delta\":{\"content\":\"said \"}") CHOICE("\"message\":{\"content\":\"olet b\"}") FINISH("stop") DONE;
    for (size_t chunk = 0; chunk < 9; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(hides, stream);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.findings_len, 1);
        assert_int_equal(seen.findings[0].channel, REIN_ANSWER);
        assert_int_equal(seen.findings[0].offset, 2);
        assert_false(kit_has(&seen, "zxvi"));
        assert_false(kit_has(&seen, "olet"));
        assert_string_equal(kit_content(&seen, 0), "said ");
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(under_no_name_in_a_stream),
        cmocka_unit_test(under_no_name_in_a_body),
        cmocka_unit_test(found_t10_in_no_shape),
        cmocka_unit_test(found_t10_shapes_are_texts),
        cmocka_unit_test(found_t11_an_opener_in_the_answer),
        cmocka_unit_test(found_t11_an_opener_of_a_kind_that_tells_apart),
        cmocka_unit_test(found_t12_anywhere_in_the_answer),
        cmocka_unit_test(a_match_that_is_split_over_messages_of_a_stream),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
