/* Anthropic's Messages through a trace: what a client gets of clean, edited, refused, cut and broken responses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "describe.h"
#include "dialect/anthropic_messages/state.h"
#include "dice.h"
#include "messageskit.h"

#define SECRET "zx-violet-42"
#define ALL "reasoning, answer, tool"
#define RULE(action, show, channels)                                                                                   \
    "version: 1\nname: t\nreasoning: { show: " show ", release: stream }\n"                                            \
    "refusal: { message: I stop here., finish_reason: content_filter }\n"                                              \
    "rules:\n  - { id: prompt, channels: [prompt], literal: " SECRET ", match: raw, action: refuse }\n"                \
    "  - { id: secret, channels: [" channels "], literal: " SECRET ", match: raw, action: " action " }\n"

static struct rein_policy *policies[5];
enum { REDACT, REFUSE, CUT, CUT_REASONING, HIDE };

static int set_up_policies(void **state)
{
    static const char *const texts[] = {RULE("redact", "stream", ALL), RULE("refuse", "stream", ALL),
                                        RULE("cut_response", "stream", ALL),
                                        RULE("cut_reasoning", "stream", "reasoning"), RULE("redact", "hide", ALL)};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        policies[i] = kit_policy(texts[i]);
    return 0;
}

static int tear_down_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < 5; i++)
        rein_policy_unref(policies[i]);
    return 0;
}

struct want {
    const char *content, *reasoning, *arguments, *finish;
    unsigned blocks, signatures;
};

static void check_seen(struct kit_seen *seen, const char *upstream, const struct want *want)
{
    if (seen->broken > 0 || seen->done != 1 || seen->unreadable > 0)
        print_error("%s\n%s\n---\n%.*s\n", seen->why, upstream, (int)bytes_len(&seen->out),
                    bytes_span(&seen->out).data);
    assert_int_equal(seen->broken, 0);
    assert_int_equal(seen->unreadable, 0);
    assert_int_equal(seen->done, 1);
    assert_int_equal(seen->after_done, 0);
    assert_int_equal(seen->choices[0].roles, 1);
    assert_string_equal(kit_content(seen, 0), want->content);
    assert_string_equal(kit_reasoning(seen, 0), want->reasoning);
    assert_string_equal(kit_arguments(seen, 0), want->arguments);
    assert_string_equal(seen->choices[0].finish, want->finish);
    assert_int_equal(seen->blocks[1], want->blocks);
    assert_int_equal(seen->signatures, want->signatures);
    assert_false(kit_has(seen, "violet"));
}

static void run_stream(unsigned policy, const char *upstream, const struct want *want)
{
    static const size_t chunks[] = {0, 1, 7, 64};
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct kit_run run = {.view = &kit_view_messages,
                              .policy = policies[policy],
                              .upstream = {upstream, strlen(upstream)},
                              .chunk = chunks[i]};
        struct kit_seen seen;
        kit_run(&run, &seen);
        check_seen(&seen, upstream, want);
        kit_seen_fini(&seen);
    }
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

#define CLEAN                                                                                                          \
    MSTART MTHINKING(0) MPING MTHINK(0, "") MTHINK(0, "So it ") MTHINK(0, "is.") MSIGN(0) MSTOP(0) MTEXT(1)            \
        MSAY(1, "Yes, ") MSAY(1, "indeed.") MSTOP(1) MTOOL(2, "look") MINPUT(2, "") MINPUT(2, "{\\\"a\\\":")           \
            MINPUT(2, "1}") MSTOP(2) MEND("tool_use") MLAST

static void test_a_clean_stream_passes_byte_for_byte(void **state)
{
    (void)state;
    static const char *const streams[] = {
        CLEAN,
        /* one block begins before the one before it has ended */
        MSTART MTHINKING(0) MTHINK(0, "a") MTEXT(1) MSAY(1, "b")
            MDELTA(0, "\"type\":\"signature_delta\",\"signature\":\"\"") MSTOP(0) MSTOP(1) MEND("end_turn") MLAST,
        /* blocks without content, and with content from the beginning */
        MSTART MTEXT(0) MSTOP(0) MBLOCK(1, "\"type\":\"text\",\"text\":\"x\"") MSTOP(1)
            MBLOCK(2, "\"type\":\"redacted_thinking\",\"data\":\"c2VjcmV0\"") MSTOP(2) MEND("end_turn") MLAST,
        /* thinking that is not shown by the upstream */
        MSTART MTHINKING(0) MSIGN(0) MSTOP(0) MTEXT(1) MSAY(1, "x") MSTOP(1) MEND("end_turn") MLAST,
        /* padding, and a last event with white space */
        MSTART "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
               "{\"type\":\"text\",\"text\":\"\"}   }\n\n" MSAY(0, "x") MSTOP(0)
                   MEND("max_tokens") "event: message_stop\ndata: {\"type\":\"message_stop\"    }\n\n",
        /* no names */
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"content\":[]}}\n\ndata: "
        "{\"index\":0,\"content_block\":{\"text\":\"\",\"type\":\"text\"},\"type\":\"content_block_start\"}\n\ndata: "
        "{\"delta\":{\"text\":\"x\",\"type\":\"text_delta\"},\"index\":0,\"type\":\"content_block_delta\"}\n\ndata: "
        "{\"type\":\"content_block_stop\",\"index\":0}\n\n" MEND("end_turn") "data: {\"type\":\"message_stop\"}\n\n",
    };
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        for (size_t chunk = 0; chunk < 40; chunk += 13) {
            struct kit_run run = {.view = &kit_view_messages,
                                  .policy = policies[REFUSE],
                                  .upstream = {streams[i], strlen(streams[i])},
                                  .chunk = chunk};
            struct kit_seen seen;
            kit_run(&run, &seen);
            assert_int_equal(seen.broken, 0);
            assert_int_equal(bytes_append(&seen.out, "", 1), 0);
            assert_string_equal(bytes_span(&seen.out).data, streams[i]);
            assert_int_equal(seen.decision.ending, REIN_COMPLETE);
            kit_seen_fini(&seen);
        }
}

static void test_texts_are_told_apart(void **state)
{
    (void)state;
    run_stream(REFUSE, CLEAN, &(struct want){"Yes, indeed.", "So it is.", "{\"a\":1}", "tool_use", 3, 1});
}

static void test_an_edited_block_loses_its_signature(void **state)
{
    (void)state;
    /* in the block itself, whole and over two deltas */
    run_stream(REDACT,
               MSTART MTHINKING(0) MTHINK(0, "I know zx-vio") MTHINK(0, "let-42.") MSIGN(0) MSTOP(0) MTEXT(1)
                   MSAY(1, "x") MSTOP(1) MEND("end_turn") MLAST,
               &(struct want){"x", "I know [redacted].", "", "end_turn", 2, 0});
    /* in another one */
    run_stream(REDACT,
               MSTART MTHINKING(0) MTHINK(0, "fine") MSIGN(0) MSTOP(0) MTEXT(1) MSAY(1, "a " SECRET " b") MSTOP(1)
                   MTHINKING(2) MTHINK(2, "b " SECRET) MSIGN(2) MSTOP(2) MEND("end_turn") MLAST,
               &(struct want){"a [redacted] b", "fineb [redacted]", "", "end_turn", 3, 1});
}

static void test_a_match_goes_over_blocks(void **state)
{
    (void)state;
    run_stream(REDACT,
               MSTART MTEXT(0) MSAY(0, "It is zx-vio") MSTOP(0) MTEXT(1) MSAY(1, "let-42!") MSTOP(1) MEND("end_turn")
                   MLAST,
               &(struct want){"It is [redacted]!", "", "", "end_turn", 2, 0});
}

static void test_arguments_are_edited(void **state)
{
    (void)state;
    run_stream(REDACT,
               MSTART MTOOL(0, "look") MINPUT(0, "{\\\"q\\\":\\\"zx-vio") MINPUT(0, "let-42\\\"}") MSTOP(0)
                   MEND("tool_use") MLAST,
               &(struct want){"", "", "{\"q\":\"[redacted]\"}", "tool_use", 1, 0});
}

static void test_a_refusal_closes_what_is_open(void **state)
{
    (void)state;
    static const struct {
        const char *upstream;
        struct want want;
    } cases[] = {
        {MSTART MTHINKING(0) MTHINK(0, "Hm.") MSIGN(0) MSTOP(0) MTEXT(1) MSAY(1, "So: ") MSAY(1, SECRET) MSTOP(1)
             MEND("end_turn") MLAST,
         {"So: \nI stop here.", "Hm.", "", "refusal", 3, 1}},
        /* nothing of the block was shown: it never begins */
        {MSTART MTEXT(0) MPING MSAY(0, "zx-vio") MSAY(0, "let-42") MSTOP(0) MEND("end_turn") MLAST,
         {"I stop here.", "", "", "refusal", 1, 0}},
        /* two are open */
        {MSTART MTHINKING(0) MTHINK(0, "Hm.") MTEXT(1) MSAY(1, "x") MSAY(1, SECRET) MSTOP(0) MSTOP(1) MEND("end_turn")
             MLAST,
         {"x\nI stop here.", "Hm.", "", "refusal", 3, 0}},
        /* in a tool's arguments */
        {MSTART MTOOL(0, "look") MINPUT(0, "{\\\"q\\\":") MINPUT(0, "\\\"" SECRET "\\\"}") MSTOP(0) MEND("tool_use")
             MLAST,
         {"I stop here.", "", "{\"q\":\"", "refusal", 2, 0}},
        /* in what begins a block */
        {MSTART MTEXT(0) MSAY(0, "a") MSTOP(0) MBLOCK(1, "\"type\":\"text\",\"text\":\"" SECRET "\"") MSTOP(1)
             MEND("end_turn") MLAST,
         {"a\nI stop here.", "", "", "refusal", 2, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run_stream(REFUSE, cases[i].upstream, &cases[i].want);
}

static void test_an_answer_is_cut(void **state)
{
    (void)state;
    run_stream(CUT, MSTART MTEXT(0) MSAY(0, "one ") MSAY(0, "two " SECRET " three") MSTOP(0) MEND("end_turn") MLAST,
               &(struct want){"one two ", "", "", "refusal", 1, 0});
    run_stream(CUT_REASONING,
               MSTART MTHINKING(0) MTHINK(0, "a ") MTHINK(0, SECRET) MTHINK(0, " b") MSIGN(0) MSTOP(0) MTEXT(1)
                   MSAY(1, "c") MSTOP(1) MEND("end_turn") MLAST,
               &(struct want){"c", "a ", "", "end_turn", 2, 0});
}

static void test_hidden_reasoning_has_no_block(void **state)
{
    (void)state;
    run_stream(HIDE,
               MSTART MTHINKING(0) MTHINK(0, "") MTHINK(0, "a ") MTHINK(0, "b") MSIGN(0) MSTOP(0) MTEXT(1) MSAY(1, "c")
                   MSTOP(1) MTHINKING(2) MTHINK(2, "d") MSIGN(2) MSTOP(2) MTOOL(3, "look") MINPUT(3, "{}") MSTOP(3)
                       MEND("tool_use") MLAST,
               &(struct want){"c", "", "{}", "tool_use", 2, 0});
}

/* A member's name that says reasoning is text all the same, where no format has it. */
static void test_names_of_members(void **state)
{
    (void)state;
    static const char *const members[] = {"\"thinking" SECRET "\":\"a\"", "\"reasoning_" SECRET "\":{\"a\":\"b\"}",
                                          "\"" SECRET "\":1", "\"thinking" SECRET "\":7"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char stream[2048];
        snprintf(
            stream, sizeof stream,
            "%sdata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
            "{\"type\":\"thinking\",\"thinking\":\"\",%s}}\n\n"
            "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",%s}}\n\n%s",
            MSTART, members[i], members[i], MSTOP(0) MTEXT(1) MSAY(1, "yes") MSTOP(1) MEND("end_turn") MLAST);
        struct kit_run run = {
            .view = &kit_view_messages, .policy = policies[REDACT], .upstream = {stream, strlen(stream)}, .chunk = 50};
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_false(kit_has(&seen, SECRET));
        assert_int_equal(seen.decision.findings_len, 2);
        kit_seen_fini(&seen);
    }
}

/* Reasoning of other servers is reasoning: hidden, and judged over its pieces. */
static void test_reasoning_in_other_shapes(void **state)
{
    (void)state;
    static const char *const deltas[][2] = {
        {"\"type\":\"thinking_delta\",\"text\":\"zx-vio\"", "\"type\":\"thinking_delta\",\"text\":\"let-42\""},
        {"\"text\":\"zx-vio\",\"type\":\"reasoning_delta\"", "\"text\":\"let-42\",\"type\":\"reasoning_delta\""},
        {"\"type\":\"x\",\"reasoning\":\"zx-vio\"", "\"type\":\"x\",\"reasoning\":\"let-42\""},
        {"\"type\":\"x\",\"reasoning_content\":\"zx-vio\"", "\"type\":\"x\",\"reasoning_content\":\"let-42\""},
        {"\"type\":\"summary_delta\",\"summary\":\"zx-vio\"", "\"type\":\"summary_delta\",\"summary\":\"let-42\""},
    };
    for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++)
        for (unsigned policy = REDACT; policy <= HIDE; policy += HIDE - REDACT) {
            char stream[2048];
            snprintf(stream, sizeof stream,
                     "%s"
                     "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{%s}}\n\n"
                     "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{%s}}\n\n%s",
                     MSTART MTHINKING(0), deltas[i][0], deltas[i][1],
                     MSTOP(0) MTEXT(1) MSAY(1, "yes") MSTOP(1) MEND("end_turn") MLAST);
            struct kit_run run = {.view = &kit_view_messages,
                                  .policy = policies[policy],
                                  .upstream = {stream, strlen(stream)},
                                  .chunk = 50};
            struct kit_seen seen;
            kit_run(&run, &seen);
            assert_false(kit_has(&seen, "zx-vio"));
            assert_false(kit_has(&seen, "let-42"));
            assert_int_equal(seen.decision.flow[REIN_REASONING].received, 12);
            assert_int_equal(kit_has(&seen, "[redacted]"), policy == REDACT);
            assert_int_equal(seen.blocks[1], policy == REDACT ? 2 : 1);
            kit_seen_fini(&seen);
        }
}

static void test_a_prompt_is_refused(void **state)
{
    (void)state;
    struct kit_run run = {.view = &kit_view_messages, .policy = policies[REFUSE], .prompt = "say " SECRET};
    struct kit_seen seen;
    kit_run(&run, &seen);
    check_seen(&seen, "", &(struct want){"I stop here.", "", "", "refusal", 1, 0});
    assert_true(kit_has(&seen, "\"id\":\"chatcmpl-own\"")); /* the caller's */
    kit_seen_fini(&seen);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void run_end(const char *upstream, bool breaks_off, unsigned errors, enum rein_ending ending)
{
    struct kit_run run = {.view = &kit_view_messages,
                          .policy = policies[REFUSE],
                          .upstream = {upstream, strlen(upstream)},
                          .chunk = 11,
                          .breaks_off = breaks_off};
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_int_equal(seen.errors, errors);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.after_done, 0);
    assert_int_equal(seen.decision.ending, ending);
    kit_seen_fini(&seen);
}

static void test_each_end_is_proper(void **state)
{
    (void)state;
#define BEGUN_TEXT MSTART MTEXT(0) MSAY(0, "x")
#define FAILED                                                                                                         \
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
    run_end(BEGUN_TEXT, true, 1, REIN_UPSTREAM_BROKE);
    run_end(BEGUN_TEXT, false, 1, REIN_UPSTREAM_BROKE);
    run_end(MSTART, false, 1, REIN_UPSTREAM_BROKE);
    run_end(BEGUN_TEXT FAILED, false, 1, REIN_UPSTREAM_BROKE);
    run_end(FAILED, false, 1, REIN_UPSTREAM_BROKE);
    run_end("", false, 1, REIN_UPSTREAM_BROKE);
    run_end(BEGUN_TEXT MSTOP(0) MEND("end_turn"), false, 0, REIN_COMPLETE);
    run_end(BEGUN_TEXT MSTOP(0) MLAST, false, 0, REIN_COMPLETE);
    run_end(BEGUN_TEXT MSTOP(0) MEND("end_turn") MLAST MSAY(0, "late"), false, 0, REIN_COMPLETE);
}

/* Strings in the last event are text like all others. */
static void test_the_last_event_is_judged(void **state)
{
    (void)state;
    run_stream(REFUSE,
               MSTART MTEXT(0) MSAY(0, "x") MSTOP(0) MEND("end_turn")
                   MEVENT("message_stop", ",\"note\":\"" SECRET "\""),
               &(struct want){"x\nI stop here.", "", "", "end_turn", 2, 0});
    run_stream(REDACT,
               MSTART MTEXT(0) MSAY(0, "x") MSTOP(0) MEND("end_turn")
                   MEVENT("message_stop", ",\"note\":\"" SECRET "\""),
               &(struct want){"x", "", "", "end_turn", 1, 0});
}

/* What a name or a comment says is text, too; the event that is left has its name. */
static void test_what_is_outside_is_judged(void **state)
{
    (void)state;
    run_stream(
        REDACT,
        MSTART MTEXT(0) ": " SECRET "\nevent: content_block_delta\ndata: "
                        "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":"
                        "\"x\"}}\n\n" MSTOP(0) MEND("end_turn") MLAST,
        &(struct want){"x", "", "", "end_turn", 1, 0});
    struct kit_run run = {.view = &kit_view_messages, .policy = policies[REDACT]};
    run.upstream = SPAN(MSTART MTEXT(0) "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\ndata: "
                                        "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" SECRET
                                        "\"}}\n\n" MSTOP(0) MEND("end_turn") MLAST);
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_string_equal(kit_content(&seen, 0), "[redacted]");
    assert_true(kit_has(&seen, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\", \"index\":0,"));
    kit_seen_fini(&seen);
}

/* ---- bodies ------------------------------------------------------------------------------------------------------ */

#define BODY(blocks, reason)                                                                                           \
    "{\"id\":\"msg_up\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[" blocks              \
    "],\"stop_reason\":\"" reason "\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}"
#define BTHINK(text, signature) "{\"type\":\"thinking\",\"thinking\":\"" text "\",\"signature\":\"" signature "\"}"
#define BTEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"
#define BTOOL(input) "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"look\",\"input\":" input "}"

static void run_body(unsigned policy, const char *upstream, const char *out)
{
    struct kit_run run = {.view = &kit_view_messages,
                          .policy = policies[policy],
                          .upstream = {upstream, strlen(upstream)},
                          .is_body = true};
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_int_equal(bytes_append(&seen.out, "", 1), 0);
    assert_string_equal(bytes_span(&seen.out).data, out);
    assert_int_equal(seen.unreadable, 0);
    kit_seen_fini(&seen);
}

static void test_bodies(void **state)
{
    (void)state;
#define SIGNED BTHINK("a", "c2ln") "," BTEXT("b") "," BTHINK("c", "ZWQ=")
    run_body(REFUSE, BODY(SIGNED, "end_turn"), BODY(SIGNED, "end_turn"));
    run_body(REFUSE, BODY("", "end_turn"), BODY("", "end_turn"));
    run_body(REDACT, BODY(BTHINK(SECRET, "c2ln") "," BTHINK("b", "ZWQ="), "end_turn"),
             BODY("{\"type\":\"thinking\",\"thinking\":\"[redacted]\"}," BTHINK("b", "ZWQ="), "end_turn"));
    run_body(
        REDACT, BODY(BTHINK("a", "c2ln") "," BTEXT(SECRET) "," BTOOL("{\"q\":\"" SECRET "\",\"n\":[1]}"), "tool_use"),
        BODY(BTHINK("a", "c2ln") "," BTEXT("[redacted]") "," BTOOL("{\"q\":\"[redacted]\",\"n\":[1]}"), "tool_use"));
    run_body(
        REFUSE, BODY(BTHINK("a", "c2ln") "," BTEXT("x " SECRET), "end_turn"),
        "{\"id\":\"msg_up\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":"
        "\"text\","
        "\"text\":\"I stop here.\"}],\"stop_reason\":\"refusal\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,"
        "\"output_tokens\":5}}");
    run_body(CUT, BODY(BTEXT("x " SECRET " y"), "end_turn"), BODY(BTEXT("x "), "refusal"));
}

static void test_bodies_that_are_no_answer(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}", "{}", "{\"content\":[]}",
        "[]"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct kit_run run = {.view = &kit_view_messages,
                              .policy = policies[REFUSE],
                              .upstream = {bodies[i], strlen(bodies[i])},
                              .is_body = true};
        struct kit_seen seen;
        kit_run(&run, &seen);
        assert_int_equal(seen.errors, 1);
        assert_true(kit_has(&seen, "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":"));
        assert_int_equal(seen.decision.ending, REIN_UPSTREAM_BROKE);
        kit_seen_fini(&seen);
    }
}

/* ---- known shapes ------------------------------------------------------------------------------------------------ */

/* An event that is recognised by its shape means what it means when it is read for the first time. */
static void test_known_shapes_change_nothing(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "{\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}%s}",
        "{\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"%s\"}%s}",
        "{\"delta\":{\"partial_json\":\"%s\",\"type\":\"input_json_delta\"%s},\"type\":\"content_block_delta\","
        "\"index\":%d}",
        "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":\"text\",\"text\":\"%s\"%s}}",
        "{\"type\":\"content_block_stop\",\"index\":%d%s,\"note\":\"%s\"}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":%d}%s,\"x\":"
        "\"%s\"}",
    };
    static const char *const texts[] = {"", "a", "b c", "\\u00e9\\n", "long and longer than the others"},
                             *const pads[] = {"", " ", "       "};
    static struct description known, fresh;
    struct messages_state states[2] = {0};
    struct dice d = dice_of(7);
    struct event_reader *reader = NULL, *other = NULL;
    const struct event *event = NULL;
    const struct dialect *dialect = dialect_find(REIN_ANTHROPIC_MESSAGES);
    assert_int_equal(event_reader_new(&reader, dialect, &states[0]), 0);
    for (unsigned i = 0; i < 4000; i++) {
        char payload[300], *out = payload;
        const char *text = texts[dice_below(&d, 5)], *pad = pads[dice_below(&d, 3)];
        for (const char *at = payloads[dice_below(&d, sizeof payloads / sizeof *payloads)]; *at != '\0'; at++) {
            bool is_place = *at == '%', is_pad = is_place && at[1] == 's' && at[2] != '\\' && at[2] != '"';
            if (!is_place)
                *out++ = *at;
            else if (at[1] == 'd')
                out += sprintf(out, "%u", i % 3);
            else
                out += sprintf(out, "%s", is_pad ? pad : text);
            at += is_place;
        }
        struct span span = {payload, (size_t)(out - payload)};
        assert_int_equal(event_reader_new(&other, dialect, &states[1]), 0);
        assert_int_equal(event_read(reader, span, false, &event), 0);
        describe(&known, span, event);
        struct event_note note = event->note;
        assert_int_equal(event_read(other, span, false, &event), 0);
        describe(&fresh, span, event);
        assert_string_equal(known.text, fresh.text);
        assert_memory_equal(&note.at, &event->note.at, sizeof note.at);
        assert_int_equal(note.kind << 24 | note.part << 16 | note.outer,
                         event->note.kind << 24 | event->note.part << 16 | event->note.outer);
        event_reader_free(other);
    }
    event_reader_free(reader);
}

static void test_counts(void **state)
{
    (void)state;
    struct kit_run run = {.view = &kit_view_messages, .policy = policies[REFUSE]};
    run.upstream = SPAN(CLEAN);
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.prompt_tokens, 7);
    assert_int_equal(seen.decision.completion_tokens, 9);
    kit_seen_fini(&seen);
    run.is_body = true;
    run.upstream = SPAN("{\"content\":[],\"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":1,\"cache_read_input_"
                        "tokens\":20,\"cache_creation_input_tokens\":300,\"output_tokens\":4000}}");
    kit_run(&run, &seen);
    assert_int_equal(seen.decision.prompt_tokens, 321);
    assert_int_equal(seen.decision.completion_tokens, 4000);
    kit_seen_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_clean_stream_passes_byte_for_byte),
        cmocka_unit_test(test_texts_are_told_apart),
        cmocka_unit_test(test_an_edited_block_loses_its_signature),
        cmocka_unit_test(test_a_match_goes_over_blocks),
        cmocka_unit_test(test_arguments_are_edited),
        cmocka_unit_test(test_a_refusal_closes_what_is_open),
        cmocka_unit_test(test_an_answer_is_cut),
        cmocka_unit_test(test_hidden_reasoning_has_no_block),
        cmocka_unit_test(test_names_of_members),
        cmocka_unit_test(test_reasoning_in_other_shapes),
        cmocka_unit_test(test_a_prompt_is_refused),
        cmocka_unit_test(test_each_end_is_proper),
        cmocka_unit_test(test_the_last_event_is_judged),
        cmocka_unit_test(test_what_is_outside_is_judged),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_bodies_that_are_no_answer),
        cmocka_unit_test(test_known_shapes_change_nothing),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, set_up_policies, tear_down_policies);
}
