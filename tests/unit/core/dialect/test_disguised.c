/* Texts that could get past in another form: as numbers, as escaped keys, or spelled out token by token.
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

#define HALF_1 "zx-violet-4"
#define HALF_2 "2-lantern"
#define END FINISH("stop") DONE

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

#define NOTE(value)                                                                                                    \
    EVENT("{\"index\":0,\"note\":" value ",\"delta\":{\"content\":\"said\"},\"finish_reason\":null}") END
#define BODY(inside)                                                                                                   \
    "{\"id\":\"b\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," inside                              \
    "},\"finish_reason\":\"stop\"}]}"

static void check_number(const char *upstream, bool is_body, bool matches)
{
    struct rein_policy *policy = rules_policy("redact", "stream", "stream");
    struct kit_run run = run_of(policy, upstream);
    struct kit_seen seen;
    run.is_body = is_body;
    kit_run(&run, &seen);
    bool is_out = kit_has(&seen, "411111111111") || kit_has(&seen, "4.11111111");
    if (is_out == matches || seen.unreadable > 0 || kit_has(&seen, "\"#") != matches)
        print_error("of %s\ncame %.*s\n", upstream, (int)bytes_len(&seen.out), bytes_span(&seen.out).data);
    assert_int_equal(is_out, !matches);
    assert_int_equal(kit_has(&seen, "\"#"), matches);
    assert_int_equal(seen.unreadable, 0);
    assert_int_equal(seen.decision.verdict, matches ? REIN_REDACT : REIN_ALLOW);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

static void test_found_t5_a_number_is_text(void **state)
{
    (void)state;
    static const char *const streams[] = {
        NOTE("4111111111111111"),
        NOTE("{\"card\":4111111111111111}"),
        NOTE("[1,[4111111111111111],2]"),
        NOTE("{\"id\":{\"x\":0},\"data\":{\"input\":4111111111111111}}"),
        NOTE("4.111111111111111e15"),
        NOTE("4.111111111111111E+15"),
        NOTE("4111111111111111.0"),
        NOTE("411111111111111100e-2"),
        DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{\"card\":4111111111111111}}}]") END,
        DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":{\"id\":4111111111111111}}}]") END,
        DELTA("\"function_call\":{\"arguments\":{\"usage\":{\"index\":[4111111111111111]}}}") END,
        DELTA("\"content\":4111111111111111") END,
    };
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
        check_number(streams[i], false, true);
    check_number(BODY("\"content\":\"said\",\"note\":{\"card\":4111111111111111}"), true, true);
    check_number(BODY("\"tool_calls\":[{\"function\":{\"name\":\"pay\",\"arguments\":{\"n\":4111111111111111}}}]"),
                 true, true);
}

static void test_found_t5_numbers_that_count_are_no_text(void **state)
{
    (void)state;
    static const char *const members[] = {
        "\"created\":4111111111111111",
        "\"usage\":{\"prompt_tokens\":4111111111111111,\"some_details\":{\"x\":4111111111111111}}",
        "\"timings\":{\"prompt_ms\":4111111111111111,\"other_ms\":4111111111111111}",
        "\"id\":4111111111111111",
        "\"prompt_logprobs\":[{\"4111111111111112\":{\"logprob\":4111111111111111,\"rank\":1}}]",
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        char stream[1024];
        snprintf(
            stream, sizeof stream,
            "data: {%s,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"said\"},\"finish_reason\":null}]}\n\n" END,
            members[i]);
        check_number(stream, false, false);
    }
    check_number(EVENT("{\"index\":0,\"delta\":{\"content\":\"said\"},\"logprobs\":{\"content\":[{\"token\":\"said\","
                       "\"logprob\":-4111111111111111,\"id\":4111111111111111,\"bytes\":[4111111111111111]}]},"
                       "\"token_ids\":[4111111111111111],\"finish_reason\":null}") END,
                 false, false);
}

static void test_found_t5_a_number_that_refuses(void **state)
{
    (void)state;
    struct rein_policy *policy = rules_policy("refuse", "stream", "stream");
    struct kit_run run = run_of(policy, NOTE("4111111111111111"));
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_false(kit_has(&seen, "41111111"));
    assert_true(kit_has(&seen, "I stop here."));
    check_proper_end(&seen);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* ---- what spells a text out -------------------------------------------------------------------------------------- */

#define SPELLS(text, members) EVENT("{\"index\":0,\"delta\":{" text "}," members ",\"finish_reason\":null}")
#define TOKEN(text) "{\"token\":\"" text "\",\"logprob\":-1,\"bytes\":[122],\"top_logprobs\":[]}"
#define LOGPROBS(tokens) "\"logprobs\":{\"content\":[" tokens "]}"

static void check_unspelled(const char *show, const char *stream)
{
    struct rein_policy *policy = rules_policy("redact", "stream", show);
    for (size_t chunk = 0; chunk < 2; chunk++) {
        struct kit_run run = run_of(policy, stream);
        struct kit_seen seen;
        run.chunk = chunk;
        kit_run(&run, &seen);
        bool is_out = kit_has(&seen, "zx") || kit_has(&seen, "violet") || kit_has(&seen, "77001");
        if (is_out)
            print_error("of %s\ncame %.*s\n", stream, (int)bytes_len(&seen.out), bytes_span(&seen.out).data);
        assert_false(is_out);
        assert_true(kit_has(&seen, "said"));
        assert_int_equal(seen.unreadable, 0);
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

static void test_found_t6_nothing_is_spelled_before_it_is_said(void **state)
{
    (void)state;
    static const char *const streams[] = {
        SPELLS("\"content\":\"\"", LOGPROBS(TOKEN("zx-") "," TOKEN("violet"))) CONTENT("said " SECRET) END,
        SPELLS("\"content\":\"\"", LOGPROBS(TOKEN("zx-"))) SPELLS("\"content\":\"\"", LOGPROBS(TOKEN("violet")))
            CONTENT(SECRET " said") END,
        SPELLS("\"content\":\"said\"", LOGPROBS(TOKEN("said") "," TOKEN(" zx-"))) CONTENT(" " SECRET) END,
        SPELLS("\"content\":\"said\"", LOGPROBS(TOKEN("zx-"))) CONTENT(" " SECRET) END,
        SPELLS("\"content\":\"said \"", "\"logprobs\":{\"tokens\":[\"zx\"],\"token_logprobs\":[-1]}") CONTENT(SECRET)
            END,
        SPELLS("\"content\":\"\",\"logprobs\":{\"content\":[" TOKEN("violet") "]}", "\"seed\":1")
            CONTENT("said " SECRET) END,
        SPELLS("\"content\":\"\"", "\"token_ids\":[77001,77001]") CONTENT(SECRET " said") END,
        SPELLS("\"content\":\"\",\"token_id\":77001", "\"seed\":1") CONTENT(SECRET " said") END,
        SPELLS("\"role\":\"assistant\"", "\"token_ids\":[77001]") CONTENT(SECRET) CONTENT(" said") END,
        SPELLS("\"content\":\"s\"", "\"token_ids\":[77001,77001]") CONTENT("aid " SECRET) CONTENT("said") END,
        "data: {\"token_ids\":[77001],\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n" CONTENT(
            SECRET " said") END,
        "data: {\"choices\":[],\"completion_probabilities\":[{\"token\":\"zx\"}]}\n\n" CONTENT(SECRET " said") END,
    };
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
        check_unspelled("stream", streams[i]);
}

static void test_found_t6_nothing_spells_hidden_reasoning(void **state)
{
    (void)state;
    static const char *const streams[] = {
        SPELLS("\"reasoning_content\":\"zx thinks\"", LOGPROBS(TOKEN("zx"))) CONTENT("said") END,
        SPELLS("\"reasoning_content\":\"\"", LOGPROBS(TOKEN("zx"))) REASONING("zx") CONTENT("said") END,
        SPELLS("\"content\":\"\"", LOGPROBS(TOKEN("zx"))) REASONING("zx") CONTENT("said") END,
        SPELLS("\"content\":\"\"", "\"token_ids\":[77001]") REASONING("zx") CONTENT("said") END,
        REASONING("zx") SPELLS("\"content\":\"said\"", LOGPROBS(TOKEN("zx") "," TOKEN("said"))) END,
        SPELLS("\"role\":\"assistant\"", LOGPROBS(TOKEN("zx"))) CONTENT("<think>zx</think>said") END,
        SPELLS("\"content\":\"<think>\"", LOGPROBS(TOKEN("zx"))) CONTENT("zx</think>said") END,
    };
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++)
        check_unspelled("hide", streams[i]);
}

/* What spells out the text that it comes with goes out with it, byte for byte; so do the parts of a character. */
static void test_found_t6_what_spells_its_own_text_stays(void **state)
{
    (void)state;
    static const char *const streams[] = {
        SPELLS("\"content\":\"said\"", LOGPROBS(TOKEN("sa") "," TOKEN("id")) ",\"token_ids\":[5,6]") END,
        SPELLS("\"content\":\"\\nSo\"", LOGPROBS(TOKEN("So"))) END,
        SPELLS("\"reasoning_content\":\"\xF0\x9F\x98\x80 yes\"",
               LOGPROBS(TOKEN("\\\\xf0\\\\x9f") "," TOKEN("\xEF\xBF\xBD") "," TOKEN(" yes"))) END,
        SPELLS("\"content\":\"\",\"token_id\":7351", "\"seed\":1")
            SPELLS("\"content\":\" \xF0\x9F\x98\x80\",\"token_id\":9", "\"seed\":1") END,
        SPELLS("\"content\":\"\"", "\"logprobs\":{\"content\":[]}") END,
        CONTENT("said") EVENT("{\"index\":0,\"delta\":{\"content\":\"\"},\"token_ids\":[2],\"finish_reason\":\"stop\"}")
            DONE,
    };
    struct rein_policy *policy = rules_policy("redact", "stream", "stream");
    for (size_t i = 0; i < sizeof(streams) / sizeof(*streams); i++) {
        struct kit_run run = run_of(policy, streams[i]);
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(bytes_append(&seen.out, "", 1), 0);
        assert_string_equal(seen.out.data, streams[i]);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

/* ---- keys in disguise -------------------------------------------------------------------------------------------- */

static size_t put_escaped(char *out, const char *text)
{
    size_t len = 0;
    for (; *text != '\0'; text++)
        len += (size_t)sprintf(out + len, "\\u%04x", (unsigned char)*text);
    return len;
}

/* Each known key as a list of escapes: what stands there is judged, hidden, and joined as under the plain key. */
static void test_found_t7_a_key_in_escapes_is_the_key(void **state)
{
    (void)state;
    static const char *const keys[] = {"content",  "reasoning_content", "reasoning",      "reasoning_text",
                                       "thinking", "refusal",           "thinking_blocks"};
    struct rein_policy *policy = rules_policy("redact", "stream", "stream");
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char key[256], stream[2048];
        put_escaped(key, keys[i]);
        snprintf(stream, sizeof stream, DELTA("\"%s\":\"" HALF_1 "\"") DELTA("\"%s\":\"" HALF_2 "\"") END, key, key);
        struct kit_run run = run_of(policy, stream);
        struct kit_seen seen;
        kit_run(&run, &seen);
        check_no_secret(&seen);
        assert_int_equal(seen.decision.verdict, REIN_REDACT);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
    policy = rules_policy("redact", "stream", "hide");
    char key[256], type[256], stream[2048];
    put_escaped(key, "reasoning_content");
    put_escaped(type, "thinking");
    snprintf(stream, sizeof stream,
             DELTA("\"%s\":\"the thought\"") DELTA("\"content\":[{\"type\":\"%s\",\"text\":\"the thought\"}]")
                 CONTENT("said") END,
             key, type);
    struct kit_run run = run_of(policy, stream);
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_false(kit_has(&seen, "thought"));
    assert_true(kit_has(&seen, "said"));
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_t5_a_number_is_text),
        cmocka_unit_test(test_found_t5_numbers_that_count_are_no_text),
        cmocka_unit_test(test_found_t5_a_number_that_refuses),
        cmocka_unit_test(test_found_t6_nothing_is_spelled_before_it_is_said),
        cmocka_unit_test(test_found_t6_nothing_spells_hidden_reasoning),
        cmocka_unit_test(test_found_t6_what_spells_its_own_text_stays),
        cmocka_unit_test(test_found_t7_a_key_in_escapes_is_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
