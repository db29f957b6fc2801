/* Texts that get past in pieces: what one text holds while others have their turn, names in pieces, numbers, keys in
 * disguise, what spells a text out, and lists that are full. SPDX-License-Identifier: Apache-2.0 */
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

static const char *const releases[] = {"stream", "sentence", "verdict"};

static struct rein_policy *policy_of(const char *action, const char *release, const char *show)
{
    char yaml[1024];
    const char *instead = strcmp(action, "redact") == 0 ? ", replacement: \"#\"" : "";
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: i\nreasoning: { show: %s, release: %s }\n"
             "refusal: { message: I stop here., finish_reason: content_filter }\n"
             "rules:\n  - { id: secret, literal: " SECRET ", match: raw, action: %s%s }\n"
             "  - { id: word, regex: 'lily\\b', action: %s%s }\n"
             "  - { id: card, builtin: card_number, action: %s%s }\n",
             show, release, action, instead, action, instead, action, instead);
    return kit_policy(yaml);
}

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
            struct rein_policy *policy = policy_of(k == 0 ? "redact" : "refuse", releases[r], "stream");
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
        struct rein_policy *policy = policy_of("redact", "stream", "stream");
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
        struct rein_policy *policy = policy_of("redact", releases[r], "stream");
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
        struct rein_policy *policy = policy_of(k == 0 ? "redact" : "refuse", "stream", "stream");
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

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

#define NOTE(value) EVENT("{\"index\":0,\"note\":" value ",\"delta\":{\"content\":\"said\"},\"finish_reason\":null}") END
#define BODY(inside) "{\"id\":\"b\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," inside              \
                     "},\"finish_reason\":\"stop\"}]}"

static void check_number(const char *upstream, bool is_body, bool matches)
{
    struct rein_policy *policy = policy_of("redact", "stream", "stream");
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
    check_number(BODY("\"tool_calls\":[{\"function\":{\"name\":\"pay\",\"arguments\":{\"n\":4111111111111111}}}]"), true,
                 true);
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
        snprintf(stream, sizeof stream,
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
    struct rein_policy *policy = policy_of("refuse", "stream", "stream");
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
    struct rein_policy *policy = policy_of("redact", "stream", show);
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
        SPELLS("\"content\":\"said \"", "\"logprobs\":{\"tokens\":[\"zx\"],\"token_logprobs\":[-1]}") CONTENT(SECRET) END,
        SPELLS("\"content\":\"\",\"logprobs\":{\"content\":[" TOKEN("violet") "]}", "\"seed\":1")
            CONTENT("said " SECRET) END,
        SPELLS("\"content\":\"\"", "\"token_ids\":[77001,77001]") CONTENT(SECRET " said") END,
        SPELLS("\"content\":\"\",\"token_id\":77001", "\"seed\":1") CONTENT(SECRET " said") END,
        SPELLS("\"role\":\"assistant\"", "\"token_ids\":[77001]") CONTENT(SECRET) CONTENT(" said") END,
        SPELLS("\"content\":\"s\"", "\"token_ids\":[77001,77001]") CONTENT("aid " SECRET) CONTENT("said") END,
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
    struct rein_policy *policy = policy_of("redact", "stream", "stream");
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
    static const char *const keys[] = {"content", "reasoning_content", "reasoning", "reasoning_text", "thinking",
                                       "refusal", "thinking_blocks"};
    struct rein_policy *policy = policy_of("redact", "stream", "stream");
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
    policy = policy_of("redact", "stream", "hide");
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

/* ---- choices and keys that are refused --------------------------------------------------------------------------- */

#define CHOICE(n, text) "{\"index\":" #n ",\"delta\":{\"content\":\"" text "\"},\"finish_reason\":null}"
#define LAST(n) "{\"index\":" #n ",\"delta\":{},\"finish_reason\":\"stop\"}"
#define MESSAGE(n, more, text)                                                                                         \
    "{\"index\":" #n ",\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"" more "},\"finish_reason\":\"stop\"}"

static void test_found_t15_a_refused_choice_leaves_the_others_alone(void **state)
{
    (void)state;
    static const char *const streams[] = {
        EVENT(CHOICE(0, "first " SECRET) "," CHOICE(1, "second is said")) EVENT(LAST(0) "," LAST(1)) DONE,
        EVENT(CHOICE(0, "first " HALF_1)) EVENT(CHOICE(1, "second ")) EVENT(CHOICE(0, HALF_2))
            EVENT(CHOICE(1, "is said")) EVENT(LAST(0)) EVENT(LAST(1)) DONE,
        EVENT("{\"index\":0,\"" SECRET "\":1,\"delta\":{}}," CHOICE(1, "second is said")) EVENT(LAST(0) "," LAST(1)) DONE,
    };
    for (size_t asked = 1; asked <= 2; asked++) { /* one that came unasked is a choice, too */
        struct rein_policy *policy = policy_of("refuse", "stream", "stream");
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
        "{\"id\":\"b\",\"choices\":[" MESSAGE(0, ",\"note\":{\"" SECRET "\":1}", "first") ","
            MESSAGE(1, "", "second is said") "]}",
        "{\"id\":\"b\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
        "{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"" SECRET "\"}}]},\"finish_reason\":\"tool_calls\"},"
            MESSAGE(1, "", "second is said") "]}",
    };
    static const char *const actions[] = {"refuse", "cut_response"};
    for (size_t k = 0; k < 2; k++) {
        struct rein_policy *policy = policy_of(actions[k], "stream", "stream");
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
    struct rein_policy *policy = policy_of("redact", "stream", "stream");
    static const char body[] = "{\"id\":\"b\",\"" SECRET "\":1,\"x\":{\"a " SECRET "\":2,\"" SECRET "\":3},\"choices\":["
        MESSAGE(0, "", "said") "]}";
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
    policy = policy_of("refuse", "stream", "stream");
    run = run_of(policy, body);
    run.is_body = true;
    kit_run(&run, &seen);
    check_no_secret(&seen);
    assert_int_equal(seen.unreadable, 0);
    assert_string_equal(kit_content(&seen, 0), "I stop here.");
    kit_seen_fini(&seen);
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
        cmocka_unit_test(test_found_t5_a_number_is_text),
        cmocka_unit_test(test_found_t5_numbers_that_count_are_no_text),
        cmocka_unit_test(test_found_t5_a_number_that_refuses),
        cmocka_unit_test(test_found_t6_nothing_is_spelled_before_it_is_said),
        cmocka_unit_test(test_found_t6_nothing_spells_hidden_reasoning),
        cmocka_unit_test(test_found_t6_what_spells_its_own_text_stays),
        cmocka_unit_test(test_found_t7_a_key_in_escapes_is_the_key),
        cmocka_unit_test(test_found_t15_a_refused_choice_leaves_the_others_alone),
        cmocka_unit_test(test_found_t15_a_refused_choice_of_a_body_leaves_the_others_alone),
        cmocka_unit_test(test_found_t15_a_matched_key_does_not_empty_what_it_stands_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
