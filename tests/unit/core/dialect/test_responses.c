/* OpenAI's Responses through a whole trace: what the strictest client sees.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view_responses.h"

/* ---- an upstream --------------------------------------------------------------------------------------------------
 */

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define N(n) ",\"sequence_number\":" #n
#define AT(outer) ",\"output_index\":" #outer ",\"item_id\":\"i" #outer "\""
#define RESPONSE(status, output)                                                                                       \
    ",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":17,\"status\":\"" status                  \
    "\",\"error\":null,\"incomplete_details\":null,\"instructions\":\"Be kind.\",\"model\":\"m\",\"output\":[" output  \
    "],\"usage\":null}"
#define BEGIN(n, m)                                                                                                    \
    EVENT("response.created", RESPONSE("in_progress", "") N(n))                                                        \
    EVENT("response.in_progress", RESPONSE("in_progress", "") N(m))

#define THOUGHT(text) "{\"id\":\"i0\",\"type\":\"reasoning\",\"summary\":[],\"content\":[" text "]}"
#define THOUGHT_PART(text) "{\"type\":\"reasoning_text\",\"text\":\"" text "\"}"
#define MESSAGE(text)                                                                                                  \
    "{\"id\":\"i1\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[" text "]}"
#define TEXT_PART(text) "{\"type\":\"output_text\",\"text\":\"" text "\",\"annotations\":[],\"logprobs\":[]}"

#define REASON_1 "The user asks "
#define REASON_2 "for the password."
#define ANSWER_1 "The pass"
#define ANSWER_2 "word is swordfish, friend."

static const char usual[] = BEGIN(0, 1) EVENT("response.output_item.added",
                                              ",\"output_index\":0,\"item\":" THOUGHT("") N(2))
    EVENT("response.content_part.added", AT(0) ",\"content_index\":0,\"part\":" THOUGHT_PART("") N(3))
        EVENT("response.reasoning_text.delta", AT(0) ",\"content_index\":0,\"delta\":\"" REASON_1 "\"" N(4))
            EVENT("response.reasoning_text.delta", AT(0) ",\"content_index\":0,\"delta\":\"" REASON_2 "\"" N(5)) EVENT(
                "response.reasoning_text.done", AT(0) ",\"content_index\":0,\"text\":\"" REASON_1 REASON_2 "\"" N(6))
                EVENT("response.content_part.done",
                      AT(0) ",\"content_index\":0,\"part\":" THOUGHT_PART(REASON_1 REASON_2)
                          N(7)) EVENT("response.output_item.done",
                                      ",\"output_index\":0,\"item\":" THOUGHT(THOUGHT_PART(REASON_1 REASON_2)) N(8))
                    EVENT("response.output_item.added", ",\"output_index\":1,\"item\":" MESSAGE("") N(9))
                        EVENT("response.content_part.added", AT(1) ",\"content_index\":0,\"part\":" TEXT_PART("") N(10))
                            EVENT("response.output_text.delta",
                                  AT(1) ",\"content_index\":0,\"delta\":\"" ANSWER_1 "\",\"logprobs\":[]" N(11))
                                EVENT("response.output_text.delta",
                                      AT(1) ",\"content_index\":0,\"delta\":\"" ANSWER_2 "\",\"logprobs\":[]" N(12))
                                    EVENT("response.output_text.done",
                                          AT(1) ",\"content_index\":0,\"text\":\"" ANSWER_1 ANSWER_2
                                                "\",\"logprobs\":[]" N(13))
                                        EVENT("response.content_part.done",
                                              AT(1) ",\"content_index\":0,\"part\":" TEXT_PART(ANSWER_1 ANSWER_2) N(14))
                                            EVENT("response.output_item.done", ",\"output_index\":1,\"item\":" MESSAGE(
                                                                                   TEXT_PART(ANSWER_1 ANSWER_2)) N(15))
                                                EVENT("response.completed",
                                                      RESPONSE("completed",
                                                               THOUGHT(THOUGHT_PART(REASON_1 REASON_2)) "," MESSAGE(
                                                                   TEXT_PART(ANSWER_1 ANSWER_2))) N(16));

#define POLICY "version: 1\nname: t\nreasoning: {release: stream}\n"
#define RULE(channels, action, extra)                                                                                  \
    POLICY "rules:\n  - id: word\n    channels: [" channels "]\n    regex: swordfish|password\n    max_bytes: 32\n"    \
           "    action: " action "\n" extra

static void run(const char *yaml, const char *upstream, size_t chunk, struct kit_seen *seen)
{
    struct rein_policy *policy = kit_policy(yaml);
    struct kit_run r = {
        .view = &kit_view_responses, .policy = policy, .upstream = {upstream, strlen(upstream)}, .chunk = chunk};
    kit_run(&r, seen);
    rein_policy_unref(policy);
}

static const size_t chunks[] = {0, 1, 7, 64};

/* ---- tests ---------------------------------------------------------------------------------------------------------
 */

static void passes_unchanged(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct kit_seen seen;
        run(POLICY, usual, chunks[i], &seen);
        assert_int_equal(bytes_len(&seen.out), sizeof usual - 1);
        assert_memory_equal(bytes_span(&seen.out).data, usual, sizeof usual - 1);
        assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
        assert_int_equal(seen.decision.ending, REIN_COMPLETE);
        assert_int_equal(seen.decision.garbage_events, 0);
        kit_seen_fini(&seen);
    }
}

static void redacts_where_it_is_repeated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct kit_seen seen;
        run(RULE("reasoning, answer", "redact", "    replacement: \"[removed]\"\n"), usual, chunks[i], &seen);
        assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
        assert_string_equal(kit_reasoning(&seen, 0), "The user asks for the [removed].");
        assert_string_equal(kit_content(&seen, 0), "The [removed] is [removed], friend.");
        assert_false(kit_has(&seen, "swordfish"));
        assert_false(kit_has(&seen, "password"));
        assert_int_equal(seen.decision.findings_len, 3);
        kit_seen_fini(&seen);
    }
}

static void refuses_in_the_middle(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct kit_seen seen;
        run(RULE("answer", "refuse", "refusal: {message: \"No.\"}\n"), usual, chunks[i], &seen);
        assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.incomplete");
        assert_string_equal(kit_content(&seen, 0), "The \nNo.");
        assert_true(kit_has(&seen, "\"text\":\"The \""));
        assert_true(kit_has(&seen, "\"incomplete_details\":{\"reason\":\"content_filter\"}"));
        assert_false(kit_has(&seen, "swordfish"));
        kit_seen_fini(&seen);
    }
}

/* While an answer is held, reasoning comes behind it that is dropped with the refusal: it was not shown. */
static void what_was_dropped_is_not_repeated(void **state)
{
    (void)state;
    static const char upstream[] = BEGIN(0, 1) EVENT("response.output_item.added",
                                                     ",\"output_index\":0,\"item\":" THOUGHT("") N(2))
        EVENT("response.content_part.added", AT(0) ",\"content_index\":0,\"part\":" THOUGHT_PART("") N(3))
            EVENT("response.reasoning_text.delta", AT(0) ",\"content_index\":0,\"delta\":\"Hm. \"" N(4))
                EVENT("response.output_item.added", ",\"output_index\":1,\"item\":" MESSAGE("") N(5))
                    EVENT("response.content_part.added", AT(1) ",\"content_index\":0,\"part\":" TEXT_PART("") N(6))
                        EVENT("response.output_text.delta", AT(1) ",\"content_index\":0,\"delta\":\"The pass\"" N(7))
                            EVENT("response.reasoning_text.delta",
                                  AT(0) ",\"content_index\":0,\"delta\":\"Dropped. It is swordfish.\"" N(8));
    struct kit_seen seen;
    run(RULE("reasoning, answer", "refuse", "refusal: {message: \"No.\"}\n"), upstream, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.incomplete");
    assert_string_equal(kit_reasoning(&seen, 0), "Hm. ");
    assert_false(kit_has(&seen, "swordfish"));
    assert_false(kit_has(&seen, "Dropped"));
    kit_seen_fini(&seen);
}

/* A part that the upstream did not announce is, with the id of its item; not where a rule has found something in the
 * id. */
static void an_id_that_was_edited_is_not_said_again(void **state)
{
    (void)state;
    static const char upstream[] = BEGIN(
        0, 1) "data: "
              "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"msg-swordfish\",\"type\":"
              "\"message\",\"content\":[]}}\n\n"
              "data: "
              "{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"Hello\"}\n\n"
              "data: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\"}}\n\n";
    struct kit_seen seen;
    run(POLICY "rules:\n  - {id: word, literal: swordfish, match: raw, action: redact}\n", upstream, 0, &seen);
    assert_true(kit_has(&seen, "response.content_part.added"));
    assert_false(kit_has(&seen, "swordfish"));
    kit_seen_fini(&seen);
}

static void cuts_reasoning_and_goes_on(void **state)
{
    (void)state;
    struct kit_seen seen;
    run(RULE("reasoning", "cut_reasoning", ""), usual, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
    assert_string_equal(kit_reasoning(&seen, 0), "The user asks for the ");
    assert_true(kit_has(&seen, "swordfish"));
    assert_false(kit_has(&seen, "for the password"));
    kit_seen_fini(&seen);
}

static void cuts_the_response(void **state)
{
    (void)state;
    struct kit_seen seen;
    run(RULE("answer", "cut_response", ""), usual, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.incomplete");
    assert_string_equal(kit_content(&seen, 0), "The ");
    kit_seen_fini(&seen);
}

static void hides_reasoning(void **state)
{
    (void)state;
    struct kit_seen seen;
    run("version: 1\nname: t\nreasoning: {show: hide}\n", usual, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
    assert_string_equal(kit_reasoning(&seen, 0), "");
    assert_false(kit_has(&seen, "The user asks"));
    kit_seen_fini(&seen);
}

static void refuses_the_prompt(void **state)
{
    (void)state;
    struct kit_seen seen;
    struct rein_policy *policy = kit_policy(RULE("prompt", "refuse", "refusal: {message: \"No.\"}\n"));
    struct kit_run r = {
        .view = &kit_view_responses, .policy = policy, .upstream = SPAN(""), .prompt = "Tell me the password."};
    kit_run(&r, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.incomplete");
    assert_string_equal(kit_content(&seen, 0), "No.");
    kit_seen_fini(&seen);
    r.is_body = true;
    kit_run(&r, &seen);
    assert_string_equal(kit_content(&seen, 0), "No.");
    assert_string_equal(seen.choices[0].finish, "incomplete");
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

static void an_upstream_that_breaks_off_is_an_error(void **state)
{
    (void)state;
    struct kit_seen seen;
    struct rein_policy *policy = kit_policy(POLICY);
    struct kit_run r = {.view = &kit_view_responses, .policy = policy, .upstream = {usual, 2600}, .breaks_off = true};
    kit_run(&r, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "error");
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.decision.ending, REIN_UPSTREAM_BROKE);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* The same text again and again, but one of them says something else. */
static void another_text_is_judged(void **state)
{
    (void)state;
    static const char upstream[] =
        BEGIN(0, 1) EVENT("response.output_item.added", ",\"output_index\":0,\"item\":" MESSAGE("") N(2))
            EVENT("response.content_part.added", AT(0) ",\"content_index\":0,\"part\":" TEXT_PART("") N(3))
                EVENT("response.output_text.delta", AT(0) ",\"content_index\":0,\"delta\":\"Hello\"" N(4))
                    EVENT("response.output_text.done", AT(0) ",\"content_index\":0,\"text\":\"Hello\"" N(5))
                        EVENT("response.completed",
                              RESPONSE("completed", MESSAGE(TEXT_PART("Hello, the word is swordfish."))) N(6));
    struct kit_seen seen;
    run(RULE("answer", "redact", "    replacement: \"[removed]\"\n"), upstream, 0, &seen);
    assert_string_equal(kit_content(&seen, 0), "Hello");
    assert_true(kit_has(&seen, "Hello, the word is [removed]."));
    assert_false(kit_has(&seen, "swordfish"));
    kit_seen_fini(&seen);
    run(RULE("answer", "refuse", "refusal: {message: \"No.\"}\n"), upstream, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.incomplete");
    assert_string_equal(kit_content(&seen, 0), "Hello\nNo.");
    kit_seen_fini(&seen);
}

/* Nothing is streamed: the first time it is said is the text, and the others repeat it. */
static void a_text_that_is_only_repeated_is_judged_once(void **state)
{
    (void)state;
    static const char call[] = "{\"id\":\"i0\",\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"say\","
                               "\"arguments\":\"{\\\"to\\\":\\\"swordfish\\\"}\",\"status\":\"completed\"}";
    char upstream[4096];
    snprintf(
        upstream, sizeof upstream, "%s%s%s%s%s%s%s", BEGIN(0, 1),
        "data: "
        "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"i0\",\"type\":\"function_"
        "call\",\"call_id\":\"c\",\"name\":\"say\",\"arguments\":\"\"},\"sequence_number\":2}\n\n",
        "data: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":", call,
        ",\"sequence_number\":3}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[",
        call, "]},\"sequence_number\":4}\n\n");
    struct kit_seen seen;
    run(RULE("tool", "redact", "    replacement: \"[removed]\"\n"), upstream, 0, &seen);
    assert_false(kit_has(&seen, "swordfish"));
    assert_int_equal(seen.decision.findings_len, 1);
    kit_seen_fini(&seen);
    run(POLICY, upstream, 0, &seen);
    assert_memory_equal(bytes_span(&seen.out).data, upstream, strlen(upstream));
    kit_seen_fini(&seen);
}

/* As llama.cpp sends it: no numbers, no parts for reasoning, no output at the beginning. */
static void what_an_upstream_leaves_out_is_added(void **state)
{
    (void)state;
    static const char upstream[] =
        "data: "
        "{\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"object\":\"response\",\"status\":\"in_progress\"}}"
        "\n\n"
        "data: "
        "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"rs_a\",\"summary\":[],\"type\":\"reasoning\","
        "\"content\":[]}}\n\n"
        "data: {\"type\":\"response.reasoning_text.delta\",\"delta\":\"I think\",\"item_id\":\"rs_a\"}\n\n"
        "data: "
        "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"msg_b\",\"content\":[],\"role\":\"assistant\","
        "\"type\":\"message\"}}\n\n"
        "data: "
        "{\"type\":\"response.content_part.added\",\"item_id\":\"msg_b\",\"part\":{\"type\":\"output_text\",\"text\":"
        "\"\"}}\n\n"
        "data: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_b\",\"delta\":\"Hello\"}\n\n"
        "data: "
        "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"rs_a\",\"type\":\"reasoning\",\"summary\":[],"
        "\"content\":[{\"type\":\"reasoning_text\",\"text\":\"I think\"}]}}\n\n"
        "data: {\"type\":\"response.output_text.done\",\"item_id\":\"msg_b\",\"text\":\"Hello\"}\n\n"
        "data: "
        "{\"type\":\"response.content_part.done\",\"item_id\":\"msg_b\",\"part\":{\"type\":\"output_text\",\"text\":"
        "\"Hello\"}}\n\n"
        "data: "
        "{\"type\":\"response.output_item.done\",\"item\":{\"id\":\"msg_b\",\"type\":\"message\",\"role\":"
        "\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]}}\n\n"
        "data: "
        "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\"}}"
        "\n\n";
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        struct kit_seen seen;
        run(POLICY, upstream, chunks[i], &seen);
        assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
        assert_string_equal(kit_reasoning(&seen, 0), "I think");
        assert_string_equal(kit_content(&seen, 0), "Hello");
        assert_int_equal(seen.unreadable, 0);
        kit_seen_fini(&seen);
    }
}

static void parts_that_clients_do_not_know_are_renamed(void **state)
{
    (void)state;
    static const char upstream[] = BEGIN(0, 1) EVENT("response.output_item.added",
                                                     ",\"output_index\":0,\"item\":" THOUGHT("") N(2))
        EVENT("response.reasoning_part.added", AT(0) ",\"content_index\":0,\"part\":" THOUGHT_PART("") N(3))
            EVENT("response.reasoning_text.delta", AT(0) ",\"content_index\":0,\"delta\":\"Hm.\"" N(4)) EVENT(
                "response.reasoning_part.done", AT(0) ",\"content_index\":0,\"part\":" THOUGHT_PART("Hm.") N(5))
                EVENT("response.output_item.done", ",\"output_index\":0,\"item\":" THOUGHT(THOUGHT_PART("Hm.")) N(6))
                    EVENT("response.completed", RESPONSE("completed", THOUGHT(THOUGHT_PART("Hm."))) N(7));
    struct kit_seen seen;
    run(POLICY, upstream, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
    assert_false(kit_has(&seen, "reasoning_part"));
    assert_true(kit_has(&seen, "event: response.content_part.added\n"));
    assert_true(kit_has(&seen, "event: response.content_part.done\n"));
    kit_seen_fini(&seen);
}

static void errors_of_the_upstream_pass(void **state)
{
    (void)state;
    static const char failed[] = BEGIN(0, 1)
        EVENT("response.failed", ",\"response\":{\"id\":\"resp_1\",\"status\":\"failed\",\"error\":{\"code\":\"server_"
                                 "error\",\"message\":\"It failed.\"},\"output\":[]}" N(2));
    static const char error[] =
        BEGIN(0, 1) EVENT("error", ",\"code\":\"x\",\"message\":\"It failed.\",\"param\":null" N(2));
    struct kit_seen seen;
    run(POLICY, failed, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.failed");
    assert_int_equal(seen.decision.ending, REIN_UPSTREAM_BROKE);
    kit_seen_fini(&seen);
    run(POLICY, error, 0, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "error");
    assert_string_equal(seen.error, "It failed.");
    kit_seen_fini(&seen);
}

static void bodies_are_judged_and_edited(void **state)
{
    (void)state;
    static const char body[] =
        "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"incomplete_details\":null,\"error\":"
        "null,\"output\":[" THOUGHT(THOUGHT_PART("the password")) "," MESSAGE(
            TEXT_PART("It is swordfish.")) "],\"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"output_tokens_"
                                           "details\":{\"reasoning_tokens\":3}}}";
    struct rein_policy *policy = kit_policy(POLICY);
    struct kit_run r = {
        .view = &kit_view_responses, .policy = policy, .upstream = {body, sizeof body - 1}, .is_body = true};
    struct kit_seen seen;
    kit_run(&r, &seen);
    assert_int_equal(bytes_len(&seen.out), sizeof body - 1);
    assert_memory_equal(bytes_span(&seen.out).data, body, sizeof body - 1);
    assert_int_equal(seen.decision.prompt_tokens, 5);
    assert_int_equal(seen.decision.completion_tokens, 7);
    assert_int_equal(seen.decision.reasoning_tokens, 3);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    r.policy = policy = kit_policy(RULE("answer", "cut_response", ""));
    kit_run(&r, &seen);
    assert_string_equal(kit_content(&seen, 0), "It is ");
    assert_string_equal(seen.choices[0].finish, "incomplete");
    assert_true(kit_has(&seen, "\"incomplete_details\":{\"reason\":\"content_filter\"}"));
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    r.policy = policy = kit_policy(RULE("answer, reasoning", "redact", "    replacement: \"[removed]\"\n"));
    kit_run(&r, &seen);
    assert_string_equal(kit_content(&seen, 0), "It is [removed].");
    assert_string_equal(kit_reasoning(&seen, 0), "the [removed]");
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* Rein's instruction stands in what the upstream repeats of its request. */
static void an_added_instruction_is_not_repeated(void **state)
{
    static const struct span none[1]; /* it could be asked again, by an instruction like the first time */
    (void)state;
    struct kit_seen seen;
    struct rein_policy *policy = kit_policy(POLICY);
    struct kit_run r = {
        .view = &kit_view_responses, .policy = policy, .upstream = {usual, sizeof usual - 1}, .restarts = none};
    kit_run(&r, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
    assert_false(kit_has(&seen, "Be kind."));
    assert_true(kit_has(&seen, "\"instructions\":null"));
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

/* Not JSON, and behind the last event. */
static void a_done_behind_the_last_event_is_left_out(void **state)
{
    (void)state;
    static char upstream[sizeof usual + 32];
    struct kit_seen seen;
    snprintf(upstream, sizeof upstream, "%sdata: [DONE]\n\n", usual);
    run(POLICY, upstream, 0, &seen);
    assert_int_equal(bytes_len(&seen.out), sizeof usual - 1);
    assert_int_equal(seen.decision.garbage_events, 0);
    kit_seen_fini(&seen);
}

/* A stream of one long text, in pieces of which the last is another one. */
static char *long_stream(const char *type, size_t pieces, const char *piece, const char *last)
{
    size_t room = 2 * pieces * (strlen(piece) + 200) + (1 << 16), len = 0;
    char *out = malloc(room), *text = malloc(pieces * strlen(piece) + strlen(last) + 1);
    assert_true(out != NULL && text != NULL);
    text[0] = '\0';
    len += (size_t)snprintf(
        out + len, room - len, "%s%s%s", BEGIN(0, 1),
        EVENT("response.output_item.added", ",\"output_index\":0,\"item\":" MESSAGE("") N(2)),
        EVENT("response.content_part.added", AT(0) ",\"content_index\":0,\"part\":" TEXT_PART("") N(3)));
    static const char event[] =
        "data: {\"type\":\"response.%s.%s\"" AT(0) ",\"content_index\":0,\"%s\":\"%s\",\"sequence_number\":%zu}\n\n";
    size_t n = 4, text_len = 0;
    for (size_t i = 0; i <= pieces; i++) {
        const char *said = i < pieces ? piece : last;
        text_len += (size_t)sprintf(text + text_len, "%s", said);
        len += (size_t)snprintf(out + len, room - len, event, type, "delta", "delta", said, n++);
    }
    len += (size_t)snprintf(out + len, room - len, event, type, "done", "text", text, n++);
    snprintf(out + len, room - len,
             "data: "
             "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"output\":[{\"type\":\"message\","
             "\"content\":[{\"type\":\"output_text\",\"text\":\"%s\"}]}]},\"sequence_number\":%zu}\n\n",
             text, n);
    free(text);
    return out;
}

/* The events that repeat it may be longer than what may be held, and the text longer than what is kept. */
static void a_long_answer_is_repeated(void **state)
{
    (void)state;
    static const char limits[] = "limits: {stream_bytes: 16384}\n";
    char *stream = long_stream("output_text", 3000, "sixteen letters ", "swordfish.");
    char *redacts = NULL;
    assert_true(asprintf(&redacts, "%s%s", RULE("answer", "redact", "    replacement: \"[removed]\"\n"), limits) > 0);
    const size_t body_max[] = {1 << 20,
                               60000}; /* all of it is kept; or each of the events has room, but not all texts */
    for (size_t i = 0; i < 2; i++) {
        struct kit_seen seen;
        struct rein_policy *policy = kit_policy(POLICY "limits: {stream_bytes: 16384}\nrules:\n  - {id: never, "
                                                       "literal: never-said, match: raw, action: redact}\n");
        struct kit_run r = {.view = &kit_view_responses,
                            .policy = policy,
                            .upstream = {stream, strlen(stream)},
                            .body_max = body_max[i],
                            .chunk = 1000};
        kit_run(&r, &seen);
        assert_int_equal(bytes_len(&seen.out), strlen(stream));
        assert_memory_equal(bytes_span(&seen.out).data, stream, strlen(stream));
        kit_seen_fini(&seen);
        rein_policy_unref(policy);
        r.policy = policy = kit_policy(redacts);
        kit_run(&r, &seen);
        assert_string_equal(strict_responses(bytes_span(&seen.out), false), "response.completed");
        assert_false(kit_has(&seen, "swordfish"));
        kit_seen_fini(&seen);
        rein_policy_unref(policy);
    }
    free(redacts);
    free(stream);
}

/* Held text counts, whatever an event that repeats all may have. */
static void what_is_held_has_its_limit(void **state)
{
    (void)state;
    struct kit_seen seen;
    char *stream = long_stream("reasoning_text", 3000, "sixteen letters ", "end");
    struct rein_policy *policy =
        kit_policy("version: 1\nname: t\nreasoning: {release: end}\nlimits: {stream_bytes: 16384}\n"
                   "rules:\n  - {id: never, literal: never-said, match: raw, action: redact}\n");
    struct kit_run r = {.view = &kit_view_responses,
                        .policy = policy,
                        .upstream = {stream, strlen(stream)},
                        .body_max = 1 << 20,
                        .chunk = 1000};
    kit_run(&r, &seen);
    assert_string_equal(strict_responses(bytes_span(&seen.out), false), "error");
    assert_int_equal(seen.decision.ending, REIN_OVERFLOW);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_added_instruction_is_not_repeated),
        cmocka_unit_test(a_done_behind_the_last_event_is_left_out),
        cmocka_unit_test(a_long_answer_is_repeated),
        cmocka_unit_test(what_is_held_has_its_limit),
        cmocka_unit_test(passes_unchanged),
        cmocka_unit_test(redacts_where_it_is_repeated),
        cmocka_unit_test(refuses_in_the_middle),
        cmocka_unit_test(what_was_dropped_is_not_repeated),
        cmocka_unit_test(an_id_that_was_edited_is_not_said_again),
        cmocka_unit_test(cuts_reasoning_and_goes_on),
        cmocka_unit_test(cuts_the_response),
        cmocka_unit_test(hides_reasoning),
        cmocka_unit_test(refuses_the_prompt),
        cmocka_unit_test(an_upstream_that_breaks_off_is_an_error),
        cmocka_unit_test(another_text_is_judged),
        cmocka_unit_test(a_text_that_is_only_repeated_is_judged_once),
        cmocka_unit_test(what_an_upstream_leaves_out_is_added),
        cmocka_unit_test(parts_that_clients_do_not_know_are_renamed),
        cmocka_unit_test(errors_of_the_upstream_pass),
        cmocka_unit_test(bodies_are_judged_and_edited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
