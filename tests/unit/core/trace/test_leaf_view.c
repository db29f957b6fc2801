/* JSON inside text: what its reader will get of it is judged, and what a redaction leaves is JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "peerkit.h"
#include "json/text.h"

static struct rein_policy *redacts_all, *refuses_all;

#define RULES(action)                                                                                                  \
    "version: 1\nname: j\nreasoning: { show: stream, release: stream }\n"                                              \
    "refusal: { message: NO, finish_reason: content_filter }\nrules:\n"                                                \
    "  - { id: mail, channels: [reasoning, answer, tool], builtin: email, action: " action " }\n"                      \
    "  - { id: card, channels: [reasoning, answer, tool], builtin: card_number, action: " action " }\n"                \
    "  - { id: word, channels: [reasoning, answer, tool], regex: '\\bviolet\\b', action: " action " }\n"               \
    "  - { id: site, channels: [reasoning, answer, tool], literal: 'https://zx.example/a', action: " action " }\n"     \
    "  - { id: face, channels: [reasoning, answer, tool], literal: \"zx\\U0001F600\", match: raw, action: " action     \
    " }\n"                                                                                                             \
    "  - { id: first, channels: [reasoning, answer, tool], regex: '^rm -rf', action: " action " }\n"                   \
    "  - { id: pair, channels: [reasoning, answer, tool], regex: '\"pass\": ?\"[^\"]*\"', max_bytes: 60, "             \
    "action: " action " }\n"

static int load(void **state)
{
    (void)state;
    redacts_all = kit_policy(RULES("redact, replacement: 'a \"#\" b'"));
    refuses_all = kit_policy(RULES("refuse"));
    return 0;
}

static int unload(void **state)
{
    (void)state;
    rein_policy_unref(redacts_all);
    rein_policy_unref(refuses_all);
    return 0;
}

enum place { ARGUMENTS, ANSWER, ANSWER_BEHIND_REASONING, PLACES };

#define THOUGHT "<think>so</think>\n"

static const char *const before[] = {"\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"", "\"content\":\"",
                                     "\"content\":\""};
static const char *const behind[] = {"\"}}]", "\"", "\""};

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static void put_piece(struct bytes *out, enum place place, const char *text, size_t len)
{
    put(out, "data: {\"choices\":[{\"index\":0,\"delta\":{");
    put(out, before[place]);
    assert_int_equal(json_escape(out, (struct span){text, len}), 0);
    put(out, behind[place]);
    put(out, "},\"finish_reason\":null}]}\n\n");
}

/* The source in events of `step` bytes; returns what the client reads of it. */
static const char *shown(struct rein_policy *policy, enum place place, const char *source, size_t step,
                         struct kit_seen *seen)
{
    struct bytes stream;
    size_t len = strlen(source);
    bytes_init(&stream, 1 << 24);
    if (place == ANSWER_BEHIND_REASONING)
        put_piece(&stream, place, THOUGHT, sizeof THOUGHT - 1);
    for (size_t at = 0; at < len; at += step)
        put_piece(&stream, place, source + at, at + step < len ? step : len - at);
    put(&stream, FINISH("stop") DONE);
    struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream)};
    kit_run(&run, seen);
    bytes_fini(&stream);
    assert_int_equal(seen->decision.bytes_unjudged, 0);
    if (place == ANSWER_BEHIND_REASONING)
        return kit_content(seen, 0) + sizeof THOUGHT - 1;
    return place == ARGUMENTS ? kit_arguments(seen, 0) : kit_content(seen, 0);
}

/* The same JSON, whatever its spelling. */
static void check_json(const char *source, const char *wanted, const char *seen)
{
    json_error_t error;
    json_t *a = json_loads(wanted, JSON_DECODE_ANY, &error), *b = json_loads(seen, JSON_DECODE_ANY, &error);
    assert_non_null(a);
    if (!json_equal(a, b))
        print_error("of    %s\ncame  %s\nnot   %s\n", source, seen, wanted);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

/* What hides in the source, and what a reader gets of it after a redaction. */
static const struct json_case {
    const char *source, *wanted;
} cases[] = {
    {"{\"to\":\"zx\\u0040mail.example\"}", "{\"to\":\"a \\\"#\\\" b\"}"},
    {"{\"to\":\"\\u007ax@mail.ex\\u0061mple\", \"n\":1}", "{\"to\":\"a \\\"#\\\" b\",\"n\":1}"},
    {"{\"text\":\"a\\nviolet\\tb\"}", "{\"text\":\"a\\na \\\"#\\\" b\\tb\"}"},
    {"{\"text\":\"a\\nbob@mail.example\"}", "{\"text\":\"a\\na \\\"#\\\" b\"}"},
    {"{\"url\":\"https:\\/\\/zx.example\\/a\"}", "{\"url\":\"a \\\"#\\\" b\"}"},
    {"[\"zx\\ud83d\\ude00\",\"zx\\uD83D\\uDE00!\"]", "[\"a \\\"#\\\" b\",\"a \\\"#\\\" b!\"]"},
    {"{\"card\":4111111111111111,\"n\":1}", "{\"card\":\"a \\\"#\\\" b\",\"n\":1}"},
    {"{\"card\": 4.111111111111111e15 }", "{\"card\":\"a \\\"#\\\" b\"}"},
    {"[4111111111111111.0]", "[\"a \\\"#\\\" b\"]"},
    {"{\"cards\":[1,4111111111111111,null]}", "{\"cards\":[1,\"a \\\"#\\\" b\",null]}"},
    {"{\"cmd\":\"rm -rf /\",\"x\":\"do rm -rf\"}", "{\"cmd\":\"a \\\"#\\\" b /\",\"x\":\"do rm -rf\"}"},
    {"{\"pass\":\"hunter2\",\"x\":true}", "{\"a \\\"#\\\" b\":\"a \\\"#\\\" b\",\"x\":true}"},
    {"{\"a@b.example\":{\"c@d.exampl\\u0065\":2}}", "{\"a \\\"#\\\" b\":{\"a \\\"#\\\" b (2)\":2}}"},
    {"{\"a\":\"\\\"violet\\\" \\\\\\\"violet\"}", "{\"a\":\"\\\"a \\\"#\\\" b\\\" \\\\\\\"a \\\"#\\\" b\"}"},
    {" \n[ \"viol\\u0065t\" ]\n", "[\"a \\\"#\\\" b\"]"},
};

static void found_t4_and_h2_in_every_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int place = 0; place < PLACES; place++)
            for (size_t step = 1; step < 40; step += step < 8 ? 1 : 31) {
                struct kit_seen seen;
                const char *text = shown(redacts_all, (enum place)place, cases[i].source, step, &seen);
                check_json(cases[i].source, cases[i].wanted, text);
                check_proper_end(&seen);
                assert_true(seen.decision.findings_len > 0);
                kit_seen_fini(&seen);
            }
}

static void found_t4_refuses_what_the_reader_would_get(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int place = 0; place < PLACES; place++) {
            struct kit_seen seen;
            const char *text = shown(refuses_all, (enum place)place, cases[i].source, 3, &seen);
            assert_int_equal(seen.decision.verdict, REIN_REFUSE);
            assert_null(strstr(text, "violet"));
            assert_null(strstr(text, "4111"));
            kit_seen_fini(&seen);
        }
}

/* No escape is taken apart, and nothing is found that only the source has. */
static void found_h2_keeps_what_only_the_source_spells(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{\"a\":\"\\nviole\\u0074s\"}",
        "{\"a\":\"x\\u0040\",\"b\":\"y.example\"}",

        "{\"n\":41111111,\"m\":11111111}",
        "[true,false,null,-1.5e+3,0]",
        "{}",
        "[]",
        "{\"a\":\"rm\\u002d-rf\"}",
    };
    struct rein_policy *eats = kit_policy("version: 1\nname: e\nrules:\n  - { id: n, channels: [tool, answer], regex: "
                                          "'nviolets|0074|u0[0-9]', action: redact }\n");
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        for (size_t step = 1; step < 40; step += 19)
            for (int place = 0; place < PLACES; place++) {
                struct kit_seen seen;
                assert_string_equal(shown(redacts_all, (enum place)place, sources[i], step, &seen), sources[i]);
                kit_seen_fini(&seen);
                assert_string_equal(shown(eats, (enum place)place, sources[i], step, &seen), sources[i]);
                kit_seen_fini(&seen);
            }
    rein_policy_unref(eats);
}

/* What begins like JSON and is none is judged as the text that it is. */
static void found_t4_text_that_is_no_json(void **state)
{
    (void)state;
    static const struct json_case texts[] = {
        {"[1] write to zx@mail.example now", "[1] write to # now"},
        {"[4111 1111 1111 1111] is it", "[#] is it"},
        {"[4111111111111111 is it]", "[# is it]"},
        {"{name} at violet's", "{name} at #'s"},
        {"[violet] and {violet}", "[#] and {#}"},
        {"[2024-01-02] C:\\new violet", "[2024-01-02] C:\\new #"},
        {"{\"a\":1} and then violet \\nviolet", "{\"a\":1} and then # \\nviolet"},
        {"{'a':'violet'}", "{'a':'#'}"},
        {"{\"a\":NaN,\"b\":\"viol\\u0065t\"}", "{\"a\":NaN,\"b\":\"#\"}"},
        {"{\"a\":1}\n{\"b\":\"viol\\u0065t\"}", "{\"a\":1}\n{\"b\":\"#\"}"},
        {"{\"a\":\"viol\\u0065t", "{\"a\":\"#"},
        {"[\"\\q\\u12 violet", "[\"\\q\\u12 #"},
    };
    struct rein_policy *policy = kit_policy(RULES("redact, replacement: '#'"));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int place = 0; place < PLACES - 1; place++)
            for (size_t step = 1; step < 60; step += step < 3 ? 1 : 47) {
                struct kit_seen seen;
                assert_string_equal(shown(policy, (enum place)place, texts[i].source, step, &seen), texts[i].wanted);
                kit_seen_fini(&seen);
            }
    rein_policy_unref(policy);
}

/* A finding is one, in the source and in the leaf, and its evidence is what the reader gets. */
static void found_t4_is_found_once(void **state)
{
    (void)state;
    struct kit_seen seen;
    shown(redacts_all, ARGUMENTS, "{\"a\":\"violet\",\"b\":\"v\\u0069olet\",\"c\":4111111111111111}", 1, &seen);
    assert_int_equal(seen.decision.findings_len, 3);
    assert_int_equal(seen.findings[0].offset, 6);
    assert_int_equal(seen.findings[0].len, 6);
    assert_int_equal(seen.findings[1].offset, 19);
    assert_int_equal(seen.findings[1].len, 11);
    kit_seen_fini(&seen);
}

static void found_t4_in_requests(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy("version: 1\nname: q\nrefusal: { message: NO, finish_reason: stop }\nrules:\n"
                   "  - { id: mail, channels: [prompt], builtin: email, action: refuse }\n"
                   "  - { id: word, channels: [prompt], regex: '\\bviolet\\b', action: refuse }\n"
                   "  - { id: card, channels: [prompt], builtin: card_number, action: refuse }\n");
    static const char *const prompts[] = {
        "{\"to\":\"zx\\u0040mail.example\"}", "[\"\\nviolet\"]", "\"v\\u0069olet\"", " {\"a\":{\"viol\\u0065t\":1}}",
        "{\"n\":4.111111111111111e15}",
    };
    for (size_t i = 0; i < sizeof prompts / sizeof *prompts; i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(policy, CONTENT("x") FINISH("stop") DONE);
        run.prompt = prompts[i];
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.verdict, REIN_REFUSE);
        assert_int_equal(seen.decision.findings_len, 1);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

/* Strings of unknown members, which stand alone. */
static void found_h2_in_strings_that_stand_alone(void **state)
{
    (void)state;
    struct kit_seen seen;
    static const char stream[] =
        EVENT("{\"index\":0,\"delta\":{\"content\":\"said\",\"result\":\"{\\\"to\\\":\\\"zx\\\\u0040mail.example\\\","
              "\\\"n\\\":4111111111111111}\"}}") FINISH("stop") DONE;
    struct kit_run run = run_of(redacts_all, stream);
    kit_run(&run, &seen);
    assert_true(kit_has(
        &seen, "\"result\":\"{\\\"to\\\":\\\"a \\\\\\\"#\\\\\\\" b\\\",\\\"n\\\":\\\"a \\\\\\\"#\\\\\\\" b\\\"}\""));
    check_proper_end(&seen);
    kit_seen_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_t4_and_h2_in_every_place),
        cmocka_unit_test(found_t4_refuses_what_the_reader_would_get),
        cmocka_unit_test(found_h2_keeps_what_only_the_source_spells),
        cmocka_unit_test(found_t4_text_that_is_no_json),
        cmocka_unit_test(found_t4_is_found_once),
        cmocka_unit_test(found_t4_in_requests),
        cmocka_unit_test(found_h2_in_strings_that_stand_alone),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
