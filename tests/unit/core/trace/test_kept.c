/* Kept text: what log.text keeps of prompts and responses, and what it masks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rein/rein.h"
#include "releasekit.h"
#include "tracekit.h"

#define HEAD "version: 1\nname: p\n"
#define RULES                                                                                                          \
    "rules:\n"                                                                                                         \
    "  - { id: stop, channels: [answer], literal: \"stop here\", action: refuse }\n"                                   \
    "  - { id: word, channels: [reasoning, answer], literal: \"gadget\", action: record, shadow: true }\n"             \
    "  - { id: card, channels: [answer, tool], builtin: card_number, action: redact }\n"

static struct rein_engine *engine;

static struct rein_trace *begin(struct rein_policy *policy)
{
    struct rein_trace *trace;
    struct rein_trace_options options = {
        .policy = policy, .engine = engine, .streamed = true, .choices = 1, .body_max = 1 << 20};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    return trace;
}

/* Sends events; answers commits and restarts at once. */
static void feed(struct rein_trace *trace, const char *events, size_t chunk)
{
    struct rein_update u;
    for (size_t at = 0, len = strlen(events); at < len;) {
        size_t step = chunk > 0 && chunk < len - at ? chunk : len - at;
        assert_int_equal(rein_trace_feed(trace, events + at, step, &u), 0);
        if ((u.asks & REIN_ASK_COMMIT) != 0)
            assert_int_equal(rein_trace_committed(trace, &u), 0);
        at += step;
    }
}

static void finish(struct rein_trace *trace)
{
    struct rein_update u;
    assert_int_equal(rein_trace_finish(trace, true, NULL, &u), 0);
    if ((u.asks & REIN_ASK_COMMIT) != 0)
        assert_int_equal(rein_trace_committed(trace, &u), 0);
}

static void ask(struct rein_trace *trace, const char *prompt)
{
    struct rein_update u;
    assert_int_equal(rein_trace_prompt(trace, "user", prompt, strlen(prompt)), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
}

#define DELTA(text) "data: {\"choices\":[{\"index\":0,\"delta\":{" text "}}]}\n\n"
#define DONE "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"

/* Text number i, as "channel attempt choice whole len text|rule@offset+len ...". */
static const char *describe(struct rein_trace *trace, size_t i)
{
    static char out[2048];
    const struct rein_text *texts;
    size_t len;
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    if (i >= len)
        return "none";
    const struct rein_text *t = &texts[i];
    assert_int_equal(t->n, i);
    int at = snprintf(out, sizeof out, "%s %u %u %s %u %.*s", rein_channel_name(t->channel), t->attempt, t->choice,
                      t->whole ? "whole" : "cut", (unsigned)t->len, (int)t->text_len, t->text);
    for (size_t k = 0; k < t->masks_len; k++)
        at += snprintf(out + at, sizeof out - (size_t)at, "|%s@%u+%u%s", t->masks[k].rule, (unsigned)t->masks[k].offset,
                       (unsigned)t->masks[k].len, t->masks[k].is_open ? " open" : "");
    for (size_t k = 0; k < t->found_len; k++)
        at += snprintf(out + at, sizeof out - (size_t)at, "|found %s@%u+%u", t->found[k].rule,
                       (unsigned)t->found[k].offset, (unsigned)t->found[k].len);
    return out;
}

static const char stream[] =
    DELTA("\"reasoning_content\":\"A gadget 4111 1111\"") DELTA("\"reasoning_content\":\" 1111 1111.\"")
        DELTA("\"content\":\"The gad\"") DELTA("\"content\":\"get: 5500 0000 \"") DELTA("\"content\":\"0000 0004!\"")
            DELTA("\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                  "\"arguments\":\"{\\\"n\\\":\\\"4111\\\\u003111111111111\\\"}\"}}]") DONE;

static void test_found_u1_full_masks_what_is_secret_everywhere(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: full }\n");
    for (size_t chunk = 0; chunk < 9; chunk++) {
        struct rein_trace *trace = begin(policy);
        ask(trace, "My card: 4111 1111 1111 1111, gadget");
        feed(trace, stream, chunk);
        finish(trace);
        assert_string_equal(describe(trace, 0), "prompt 0 0 whole 36 My card: *******************, gadget|card@9+19");
        assert_string_equal(describe(trace, 1),
                            "reasoning 0 0 whole 29 A gadget *******************.|card@9+19|found word@2+6");
        assert_string_equal(describe(trace, 2),
                            "answer 0 0 whole 32 The gadget: *******************!|card@12+19|found word@4+6|found "
                            "card@12+19");
        assert_string_equal(describe(trace, 4), "none");
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

static void test_redacted_masks_what_any_rule_found(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: redacted }\n");
    struct rein_trace *trace = begin(policy);
    ask(trace, "gadget");
    feed(trace, stream, 0);
    finish(trace);
    assert_string_equal(describe(trace, 0), "prompt 0 0 whole 6 gadget"); /* no rule of prompts */
    assert_string_equal(describe(trace, 1),
                        "reasoning 0 0 whole 29 A ****** *******************.|word@2+6|card@9+19|found word@2+6");
    assert_string_equal(describe(trace, 2), "answer 0 0 whole 32 The ******: *******************!|word@4+6|card@12+19"
                                            "|found word@4+6|found card@12+19");
    assert_string_equal(describe(trace, 3), "tool 0 0 whole 29 {\"n\":\"*********************\"}|card@6+21|found "
                                            "card@6+21");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

/* The name of the user is kept nowhere; that a rule found something in it is, where it was. */
static void test_of_the_users_name_only_matches_are_kept(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy(HEAD "log: { text: full }\nrules: [ { id: x, channels: [prompt], literal: jo, action: record } ]\n");
    for (int found = 0; found <= 1; found++) {
        struct rein_trace *trace = begin(policy);
        const struct rein_text *texts;
        size_t len;
        const char *name = found ? "mo jo@example.org" : "al@example.org";
        assert_int_equal(rein_trace_prompt(trace, "user_id", name, strlen(name)), 0);
        ask(trace, "hello jo");
        assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
        assert_int_equal(len, 1 + found);
        if (found)
            assert_string_equal(describe(trace, 0), "prompt 0 0 whole 17 *****************|@0+17|found x@3+2");
        assert_string_equal(describe(trace, (size_t)found),
                            found ? "prompt 0 0 whole 8 hello jo|found x@6+2" : "prompt 0 0 whole 8 hello jo");
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

/* What the string's own reader gets of it counts, not what the array that is kept looks like. */
static void strings_of_fields_are_judged_one_by_one(void **state)
{
    (void)state;
    static const char *const fields[] = {"tab\there", "{\"a\": \"x\\nthe \\\"key\\\" 42\"}",
                                         "the \"key\" 7 \x01 and the \"key\" 8", ""};
    struct rein_policy *policy = kit_policy(
        HEAD "log: { text: full }\nrules:\n"
             "  - { id: key, channels: [prompt], regex: 'the \"key\" [0-9]{1,4}', action: record, secret: true }\n");
    struct rein_trace *trace = begin(policy);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_int_equal(rein_trace_prompt(trace, "field", fields[i], strlen(fields[i])), 0);
    ask(trace, "hello");
    feed(trace, DELTA("\"content\":\"hi\"") DONE, 0);
    assert_string_equal(describe(trace, 0),
                        "prompt 0 0 whole 95 [\"tab\\there\",\"{\\\"a\\\": \\\"x\\\\n******************\\\"}\","
                        "\"************* \\u0001 and *************\",\"\"]|key@28+18|key@52+13|key@77+13"
                        "|found key@28+18|found key@52+13|found key@77+13");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

static void what_is_cut_of_a_field_is_masked(void **state)
{
    (void)state;
    static const char key[] = "-----BEGIN PRIVATE KEY-----\\nMIIB1x2y";
    char field[512];
    struct rein_policy *policy =
        kit_policy(HEAD "log: { text: full, max_bytes: 1024 }\nrules:\n"
                        "  - { id: key, channels: [prompt], builtin: private_key, action: record, secret: true }\n");
    for (size_t room = 4; room < 64; room++) { /* from one that has no room to one that has all */
        struct rein_trace *trace = begin(policy);
        memset(field, 'a', sizeof field);
        memcpy(field + sizeof field - 1 - room, key, sizeof key - 1 < room ? sizeof key - 1 : room);
        field[sizeof field - 1] = '\0';
        assert_int_equal(rein_trace_prompt(trace, "field", field, strlen(field)), 0);
        ask(trace, "hello");
        feed(trace, DELTA("\"content\":\"hi\"") DONE, 0);
        const struct rein_text *texts;
        size_t len;
        assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
        assert_null(memmem(texts[0].text, texts[0].text_len, key, 12));
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

static void turns_are_kept_of_texts_that_came_at_the_same_time(void **state)
{
    (void)state;
    static const char in_order[] = DELTA("\"reasoning_content\":\"So. \"") DELTA("\"reasoning_content\":\"And. \"")
        DELTA("\"content\":\"Yes.\"") DONE;
    static const char at_once[] = DELTA("\"reasoning_content\":\"So. \"") DELTA("\"content\":\"Yes\"")
        DELTA("\"reasoning_content\":\"And. \"") DELTA("\"content\":\", I\"") DELTA("\"content\":\" do.\"") DONE;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: full }\n");
    const struct rein_text *texts;
    size_t len;
    struct rein_trace *trace = begin(policy);
    ask(trace, "hello");
    feed(trace, in_order, 0);
    finish(trace);
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    assert_int_equal(len, 3);
    for (size_t i = 0; i < len; i++)
        assert_null(texts[i].turns);
    rein_trace_free(trace);
    trace = begin(policy);
    ask(trace, "hello");
    feed(trace, at_once, 0);
    finish(trace);
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    assert_null(texts[0].turns);
    const struct rein_turn reasoning[] = {{0, 4}, {7, 5}}, answer[] = {{4, 3}, {12, 7}};
    assert_int_equal(texts[1].turns_len, 2);
    assert_memory_equal(texts[1].turns, reasoning, sizeof reasoning);
    assert_int_equal(texts[2].turns_len, 2);
    assert_memory_equal(texts[2].turns, answer, sizeof answer);
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

#define NAME(call, name)                                                                                               \
    DELTA("\"tool_calls\":[{\"index\":" call ",\"function\":{\"name\":\"" name "\",\"arguments\":\"\"}}]")

/* A name ends the reasoning. If no text follows, only a turn without bytes says so. */
static void a_tool_that_is_only_named_is_a_turn_without_bytes(void **state)
{
    (void)state;
    static const char named[] = DELTA("\"reasoning_content\":\"So. \"") NAME("0", "look") NAME("1", "say") DONE;
    static const char called[] = DELTA("\"reasoning_content\":\"So. \"") NAME("0", "look")
        DELTA("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{}\"}}]") DONE;
    static const char alone[] = NAME("0", "look") DONE;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: full }\n");
    const char *const streams[] = {named, called, alone};
    for (size_t i = 0; i < 3; i++) {
        const struct rein_text *texts;
        size_t len;
        struct rein_trace *trace = begin(policy);
        ask(trace, "hello");
        feed(trace, streams[i], 0);
        finish(trace);
        assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
        assert_int_equal(len, i == 0 ? 2 : i == 1 ? 3 : 1);
        const struct rein_turn turns[] = {{0, 4}, {4, 0}};
        for (size_t k = 0; k < len; k++)
            assert_int_equal(texts[k].turns_len, i == 0 && k == 1 ? 2 : 0);
        if (i == 0)
            assert_memory_equal(texts[1].turns, turns, sizeof turns);
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

static void test_what_a_stop_cut_off_is_masked(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: full }\n");
    struct rein_trace *trace = begin(policy);
    ask(trace, "hello");
    feed(trace, DELTA("\"content\":\"stop here, 4111 1111 1111\""), 0);
    finish(trace);
    assert_string_equal(describe(trace, 1), "answer 0 0 whole 25 stop here, **************|@11+14 open|found stop@0+9");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

/* A text that ends with a broken response did not end by itself. */
static void test_what_broke_off_is_masked(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy(HEAD RULES "log: { text: full }\n");
    for (int whole = 0; whole < 2; whole++) {
        struct rein_trace *trace = begin(policy);
        struct rein_update u;
        ask(trace, "hello");
        feed(trace, DELTA("\"content\":\"Yes, 4111 1111 1111\""), 0);
        assert_int_equal(rein_trace_finish(trace, whole != 0, NULL, &u), 0);
        assert_int_equal(rein_trace_decision(trace)->ending, REIN_UPSTREAM_BROKE);
        assert_string_equal(describe(trace, 1), "answer 0 0 whole 19 Yes, **************|@5+14 open");
        rein_trace_free(trace);
        trace = begin(policy); /* and one that did */
        ask(trace, "hello");
        feed(trace, DELTA("\"content\":\"Yes, 4111 1111 1111\"") DONE, 0);
        finish(trace);
        assert_string_equal(describe(trace, 1), "answer 0 0 whole 19 Yes, 4111 1111 1111");
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

static void test_the_ceiling_cuts(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy(HEAD RULES "log: { text: full, max_bytes: 1024, channels: [prompt, answer] }\n");
    struct rein_trace *trace = begin(policy);
    char prompt[2001], events[4096] = "";
    memset(prompt, 'x', 2000);
    prompt[2000] = '\0';
    ask(trace, prompt);
    snprintf(events, sizeof events,
             DELTA("\"reasoning_content\":\"Hm\"") DELTA("\"content\":\"%.500s\"") DELTA("\"content\":\" %.30s\"") DONE,
             prompt, prompt);
    feed(trace, events, 0);
    finish(trace);
    const struct rein_text *texts;
    size_t len;
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    assert_int_equal(len, 2);
    assert_int_equal(texts[0].len, 2000);
    assert_int_equal(texts[0].text_len, 512);
    assert_false(texts[0].whole);
    assert_int_equal(texts[1].channel, REIN_ANSWER);
    assert_int_equal(texts[1].len, 531);
    assert_int_equal(texts[1].text_len, 512);
    assert_false(texts[1].whole);
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

static void test_evidence_alone_keeps_no_text(void **state)
{
    (void)state;
    struct rein_policy *policy = kit_policy(HEAD RULES);
    struct rein_trace *trace = begin(policy);
    ask(trace, "hello");
    feed(trace, stream, 0);
    finish(trace);
    assert_string_equal(describe(trace, 0), "none");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

static void test_stopped_attempts_are_kept(void **state)
{
    (void)state;
    static const char template[] = "version: 1\nname: c\nkind: corrective\ntext: \"Let me be careful.\"\n";
    const char *const templates[] = {template};
    struct rein_policy *policy =
        kit_policy_with("version: 1\nname: p\n"
                        "reasoning: { release: end }\nsteer: { template: c, max_attempts: 2 }\nlog: { text: full }\n"
                        "rules:\n  - { id: bad, channels: [reasoning], literal: \"wrong way\", action: steer }\n",
                        templates, 1);
    struct rein_trace *trace = begin(policy);
    ask(trace, "hello");
    struct rein_update u;
    const char *first = DELTA("\"reasoning_content\":\"The wrong way.\"");
    assert_int_equal(rein_trace_feed(trace, first, strlen(first), &u), 0);
    assert_true((u.asks & REIN_ASK_RESTART) != 0);
    assert_int_equal(rein_trace_committed(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.delivery = REIN_DELIVER_INSTRUCT,
                                                                      .prefix = "Let me be careful."}),
                     0);
    feed(trace, DELTA("\"reasoning_content\":\"Better.\"") DELTA("\"content\":\"Hi.\"") DONE, 0);
    finish(trace);
    assert_string_equal(describe(trace, 1), "reasoning 0 0 whole 14 The wrong way.");
    assert_string_equal(describe(trace, 2), "reasoning 1 0 whole 7 Better.");
    assert_string_equal(describe(trace, 3), "answer 1 0 whole 3 Hi.");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

/* ---- what stops the response before it is judged itself -------------------------------------------------------- */

static const char lexicon[] = "version: 1\nname: own\nlanguage: en\nentries:\n"
                              "  - { id: b, class: adopts_goal, phrases: [plan], match: [plan] }\n"
                              "  - { id: c, class: prompt_harm, phrases: [bomb], match: [bomb], category: weapons }\n";

/* Of each channel, as much is kept as counts as received. Returns how much of the answer. */
static uint64_t check_counted(struct rein_trace *trace)
{
    uint64_t kept[REIN_CHANNELS] = {0};
    const struct rein_text *texts;
    size_t len;
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(texts[i].text_len, texts[i].len);
        kept[texts[i].channel] += texts[i].len;
    }
    const struct rein_decision *decision = rein_trace_decision(trace);
    for (int c = REIN_PROMPT; c <= REIN_TOOL; c++)
        assert_int_equal(kept[c], decision->flow[c].received);
    return kept[REIN_ANSWER];
}

/* The answer's first bytes end the reasoning, which is refused as a whole. */
static void test_the_bytes_that_end_the_reasoning_are_kept(void **state)
{
    (void)state;
    static const struct rein_source source = {"own.yaml", lexicon, sizeof lexicon - 1};
    static const char *const streams[] = {
        DELTA("\"reasoning_content\":\"My plan\"") DELTA("\"content\":\"Sure, \"") DELTA("\"content\":\"so.\"") DONE,
        DELTA("\"reasoning_content\":\"My plan\",\"content\":\"Sure, \"") DELTA("\"content\":\"so.\"") DONE,
        DELTA("\"content\":\"<think>My plan</think>Sure, \"") DELTA("\"content\":\"so.\"") DONE,
    };
    struct rein_policy *policy =
        release_policy(HEAD "lexicons: [own]\nlog: { text: full }\n"
                            "patterns: { lack_of_safety_awareness: { action: cut_response, threshold: 0.3 } }\n",
                       &source, NULL);
    for (size_t i = 0; i < 3; i++)
        for (size_t chunk = 0; chunk < 9; chunk++) {
            struct rein_trace *trace = begin(policy);
            struct rein_update u;
            assert_int_equal(rein_trace_prompt(trace, "user", "a bomb", 6), 0);
            assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
            assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = i < 2}), 0);
            feed(trace, streams[i], chunk);
            finish(trace);
            assert_int_equal(rein_trace_decision(trace)->ending, REIN_CUT);
            assert_int_equal(check_counted(trace), strlen("Sure, "));
            assert_string_equal(describe(trace, 2), "answer 0 0 whole 6 Sure, ");
            rein_trace_free(trace);
        }
    rein_policy_unref(policy);
}

/* So many bytes of the answer have come that nothing waits for the reasoning any more: then its last word is one. */
static void test_the_bytes_that_end_a_wait_are_kept(void **state)
{
    (void)state;
    enum { EVENTS = 9, EVENT = 80 };
    static char events[EVENTS * 200 + 200];
    char words[EVENT + 1];
    memset(words, 'x', EVENT);
    words[EVENT] = '\0';
    struct rein_policy *policy = kit_policy(
        HEAD "log: { text: full }\nrules:\n"
             "  - { id: stop, channels: [reasoning], regex: 'stop( it)?', max_bytes: 9, action: cut_response }\n");
    int len = snprintf(events, sizeof events, DELTA("\"reasoning_content\":\"I stop\""));
    for (int i = 0; i < EVENTS; i++)
        len += snprintf(events + len, sizeof events - (size_t)len, DELTA("\"content\":\"%s\""), words);
    snprintf(events + len, sizeof events - (size_t)len, DONE);
    for (size_t chunk = 0; chunk < 9; chunk++) {
        struct rein_trace *trace = begin(policy);
        ask(trace, "hello");
        feed(trace, events, chunk);
        finish(trace);
        assert_int_equal(rein_trace_decision(trace)->ending, REIN_CUT);
        assert_int_equal(check_counted(trace), 7 * EVENT);
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_u1_full_masks_what_is_secret_everywhere),
        cmocka_unit_test(test_redacted_masks_what_any_rule_found),
        cmocka_unit_test(test_of_the_users_name_only_matches_are_kept),
        cmocka_unit_test(strings_of_fields_are_judged_one_by_one),
        cmocka_unit_test(what_is_cut_of_a_field_is_masked),
        cmocka_unit_test(turns_are_kept_of_texts_that_came_at_the_same_time),
        cmocka_unit_test(a_tool_that_is_only_named_is_a_turn_without_bytes),
        cmocka_unit_test(test_what_a_stop_cut_off_is_masked),
        cmocka_unit_test(test_what_broke_off_is_masked),
        cmocka_unit_test(test_the_ceiling_cuts),
        cmocka_unit_test(test_evidence_alone_keeps_no_text),
        cmocka_unit_test(test_stopped_attempts_are_kept),
        cmocka_unit_test(test_the_bytes_that_end_the_reasoning_are_kept),
        cmocka_unit_test(test_the_bytes_that_end_a_wait_are_kept),
    };
    if (rein_engine_new(&engine) != 0)
        return 1;
    int rv = cmocka_run_group_tests(tests, NULL, NULL);
    rein_engine_free(engine);
    return rv;
}
