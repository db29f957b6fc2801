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
    assert_int_equal(seen->decision.flow[REIN_REASONING].scanned, sizeof(THOUGHT) - 1);
    assert_int_equal(seen->decision.bytes_unjudged, 0);
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
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
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
        cmocka_unit_test(a_match_that_is_split_over_messages_of_a_stream),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
