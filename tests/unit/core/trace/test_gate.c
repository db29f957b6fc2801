/* The gate: events that wait for long take little room, and nothing of them is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracekit.h"

enum { TOKENS = 20000, STREAM_MAX = 1 << 24 };

static const char yaml[] = "version: 1\nname: g\nreasoning: { show: stream, release: end }\n"
                           "limits: { stream_bytes: 262144 }\n"
                           "rules:\n  - { id: s, literal: zxviolet, match: raw, action: redact, replacement: '#' }\n";

static void put_event(struct bytes *out, const char *field, const char *text)
{
    char event[512];
    int len =
        snprintf(event, sizeof(event),
                 "data: {\"id\":\"a\",\"object\":\"chat.completion.chunk\",\"created\":1752169304,\"model\":\"m\","
                 "\"choices\":[{\"index\":0,\"delta\":{\"%s\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}]}"
                 "\n\n",
                 field, text);
    assert_int_equal(bytes_append(out, event, (size_t)len), 0);
}

static const char *token(size_t i, char room[16])
{
    if (i % 1000 == 500)
        return i % 2000 == 500 ? "zx" : "\\u0041";
    if (i % 1000 == 501)
        return "violet";
    snprintf(room, 16, " w%zu", i % 97);
    return room;
}

static struct bytes make_stream(struct bytes *wanted)
{
    struct bytes out;
    bytes_init(&out, STREAM_MAX);
    bytes_init(wanted, STREAM_MAX);
    for (size_t i = 0; i < TOKENS; i++) {
        char room[16];
        const char *text = token(i, room);
        put_event(&out, "reasoning_content", text);
        bool secret = (i % 2000 == 500) || (i % 2000 == 501);
        const char *shown = i % 2000 == 500 ? "#" : secret ? "" : text[0] == '\\' ? "A" : text;
        assert_int_equal(bytes_append(wanted, shown, strlen(shown)), 0);
    }
    put_event(&out, "content", "done");
    static const char end[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    assert_int_equal(bytes_append(&out, end, sizeof(end) - 1), 0);
    return out;
}

static void long_reasoning_is_held_in_the_room_of_its_text(void **state)
{
    (void)state;
    size_t chunks[] = {0, 7, 4096};
    struct rein_policy *policy = kit_policy(yaml);
    struct bytes wanted, stream = make_stream(&wanted);
    for (size_t i = 0; i < 3; i++) {
        struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .chunk = chunks[i]};
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.ending, REIN_COMPLETE);
        assert_int_equal(seen.choices[0].reasoning.end - seen.choices[0].reasoning.start, bytes_len(&wanted));
        assert_memory_equal(kit_reasoning(&seen, 0), bytes_span(&wanted).data, bytes_len(&wanted));
        assert_string_equal(kit_content(&seen, 0), "done");
        assert_int_equal(seen.unreadable, 0);
        assert_int_equal(seen.decision.bytes_unjudged, 0);
        kit_seen_fini(&seen);
    }
    bytes_fini(&wanted);
    bytes_fini(&stream);
    rein_policy_unref(policy);
}

static void peer_23_more_than_the_ceiling_is_an_error_event(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy("version: 1\nname: g\nreasoning: { show: stream, release: end }\n"
                                            "limits: { stream_bytes: 16384 }\n");
    struct bytes wanted, stream = make_stream(&wanted);
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .chunk = 1000};
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.ending, REIN_OVERFLOW);
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.done, 0);
    assert_string_equal(kit_reasoning(&seen, 0), "");
    kit_seen_fini(&seen);
    bytes_fini(&wanted);
    bytes_fini(&stream);
    rein_policy_unref(policy);
}

/* One event that is larger than all that may wait, after text that went out. */
static void peer_23_an_event_larger_than_the_ceiling_is_an_error_event(void **state)
{
    (void)state;
    enum { LARGE = 70000 };
    struct rein_policy *policy = kit_policy("version: 1\nname: g\nreasoning: { show: stream, release: stream }\n"
                                            "limits: { stream_bytes: 65536 }\n");
    struct bytes stream;
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    bytes_init(&stream, STREAM_MAX);
    put_event(&stream, "content", "before");
    static const char head[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", tail[] = "\"}}]}\n\n";
    assert_int_equal(bytes_append(&stream, head, sizeof(head) - 1), 0);
    assert_int_equal(bytes_append(&stream, large, LARGE), 0);
    assert_int_equal(bytes_append(&stream, tail, sizeof(tail) - 1), 0);
    put_event(&stream, "content", "after");
    size_t chunks[] = {0, 1, 1000};
    for (size_t i = 0; i < 3; i++) {
        struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream), .chunk = chunks[i]};
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.ending, REIN_OVERFLOW);
        assert_string_equal(kit_content(&seen, 0), "before");
        assert_int_equal(seen.errors, 1);
        assert_int_equal(seen.done, 0);
        assert_true(seen.asks & REIN_ASK_STOP);
        kit_seen_fini(&seen);
    }
    free(large);
    bytes_fini(&stream);
    rein_policy_unref(policy);
}

#define AROUND(text, spelled)                                                                                          \
    ": a comment\r\nid: 7\r\ndata:{ \"vendor\" : {\"a\":[1.50,true,null,\"\\u00e9\\/\"]},\"id\":\"i\","                \
    "\"choices\":[ {\"index\":0 ,\"delta\":{\"role\":\"assistant\",\"content\":\"" text "\",\"tool_calls\":[],"        \
    "\"reasoning_content\":\"why \\ud83d\\ude00\"}" spelled ",\"finish_reason\":\"stop\",\"matched_stop\":7}],"        \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4},\"created\":1e3 }\r\n\r\n"
#define SPELLED(text) ",\"logprobs\":{\"content\":[{\"token\":\"" text "\",\"logprob\":-0.1}]},\"token_ids\":[5,6]"

/* A redaction replaces the inside of one string and takes out what spells the text out: role, finish reason, usage,
 * vendor fields, spaces, escapes and line ends stay as they came. */
static void an_edit_changes_one_string_and_nothing_else(void **state)
{
    (void)state;
    static const char in[] = AROUND("a zxviolet\\n\\\"b\\\" \xC3\xA9", SPELLED("a zxviolet")) "data: [DONE]\n\n";
    static const char wanted[] = AROUND("a #\\n\\\"b\\\" \xC3\xA9", "") "data: [DONE]\n\n";
    static const char clean[] = AROUND("a rose", SPELLED("a rose")) "data: [DONE]\n\n";
    struct rein_policy *policy = kit_policy(yaml);
    for (size_t chunk = 0; chunk < 4; chunk++) {
        struct kit_run run = {.policy = policy, .upstream = SPAN(in), .chunk = chunk};
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(bytes_append(&seen.out, "", 1), 0);
        assert_string_equal(bytes_span(&seen.out).data, wanted);
        kit_seen_fini(&seen);
        run.upstream = SPAN(clean);
        kit_run(&run, &seen);
        assert_int_equal(bytes_append(&seen.out, "", 1), 0);
        assert_string_equal(bytes_span(&seen.out).data, clean);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_reasoning_is_held_in_the_room_of_its_text),
        cmocka_unit_test(peer_23_more_than_the_ceiling_is_an_error_event),
        cmocka_unit_test(peer_23_an_event_larger_than_the_ceiling_is_an_error_event),
        cmocka_unit_test(an_edit_changes_one_string_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
