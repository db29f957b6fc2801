/* Property: kept text is what was sent, however it came, but for what is secret, which is nowhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "dice.h"
#include "rein/rein.h"
#include "tracekit.h"

enum { TEXT_MAX = 1200, EVENTS_MAX = 400000 };

static const char yaml[] = "version: 1\nname: p\nlog: { text: full }\nrules:\n"
                           "  - { id: card, channels: [answer, tool], builtin: card_number, action: redact }\n"
                           "  - { id: mail, channels: [reasoning], builtin: email, action: record, shadow: true }\n"
                           "  - { id: word, channels: [answer], literal: gadget, action: record }\n";
static const char *const secrets[] = {"4111 1111 1111 1111", "5500000000000004", "jo.doe@example.org", "al@mail.test"};
enum { SECRETS = sizeof secrets / sizeof *secrets };
static const char *const words[] = {
    "a gadget ",          "and so on. ",       "4111 of ",       "jo@ ",        "\n\n", "{\"n\": \"x\"} ",
    "Gr\xC3\xBC\xC3\x9F", "\xF0\x9F\x98\x80 ", "\\u0041 \"q\" ", "1234567 is ", "- "};
enum { WORDS = sizeof words / sizeof *words };

/* Words, and secrets with a blank on both sides. The beginning does not come again, so that no piece looks like a
 * repetition of the one before it. */
static size_t make_text(struct dice *dice, char out[TEXT_MAX])
{
    size_t len = 0, count = 1 + dice_below(dice, 30);
    len += (size_t)snprintf(out, TEXT_MAX, "Q. ");
    for (size_t i = 0; i < count; i++)
        len += (size_t)(dice_below(dice, 5) > 0
                            ? snprintf(out + len, TEXT_MAX - len, "%s", words[dice_below(dice, WORDS)])
                            : snprintf(out + len, TEXT_MAX - len, " %s ", secrets[dice_below(dice, SECRETS)]));
    return len;
}

/* Appends a text as events of a few bytes each. */
static size_t write_events(struct dice *dice, char *out, size_t len, const char *field, const char *text)
{
    for (size_t at = 0, all = strlen(text), step; at < all; at += step) {
        step = 1 + dice_below(dice, 40);
        step = step < all - at ? rein_text_whole(text + at, step) : all - at;
        step = step > 0 ? step : rein_text_whole(text + at, 4);
        bool is_tool = strcmp(field, "arguments") == 0;
        json_t *delta = is_tool
                            ? json_pack("{s[{sis{ss%}}]}", "tool_calls", "index", 0, "function", field, text + at, step)
                            : json_pack("{ss%}", field, text + at, step);
        json_t *event = json_pack("{s[{siso}]}", "choices", "index", 0, "delta", delta);
        char *line = json_dumps(event, dice_below(dice, 2) > 0 ? JSON_ENSURE_ASCII : 0);
        len += (size_t)snprintf(out + len, EVENTS_MAX - len, "data: %s\n\n", line);
        free(line);
        json_decref(event);
    }
    return len;
}

static void send(struct rein_trace *trace, struct dice *dice, const char *events)
{
    struct rein_update u;
    for (size_t at = 0, all = strlen(events), step; at < all; at += step) {
        step = 1 + dice_below(dice, 900);
        step = step < all - at ? step : all - at;
        assert_int_equal(rein_trace_feed(trace, events + at, step, &u), 0);
        if ((u.asks & REIN_ASK_COMMIT) != 0)
            assert_int_equal(rein_trace_committed(trace, &u), 0);
    }
    assert_int_equal(rein_trace_finish(trace, true, NULL, &u), 0);
}

/* What is not masked is what was sent, and no secret is left. */
static void check_kept(const struct rein_text *kept, const char *sent)
{
    assert_int_equal(kept->len, strlen(sent));
    assert_int_equal(kept->text_len, strlen(sent));
    assert_true(kept->whole);
    size_t at = 0;
    for (size_t i = 0; i <= kept->masks_len; i++) {
        size_t end = i < kept->masks_len ? (size_t)kept->masks[i].offset : kept->text_len;
        assert_true(at <= end && end <= kept->text_len);
        assert_memory_equal(kept->text + at, sent + at, end - at);
        at = end;
        for (size_t len = i < kept->masks_len ? (size_t)kept->masks[i].len : 0; len > 0; len--)
            assert_int_equal(kept->text[at++], '*');
    }
    for (size_t i = 0; i < SECRETS; i++)
        if (memmem(kept->text, kept->text_len, secrets[i], strlen(secrets[i])) != NULL)
            fail_msg("%s in %.*s", secrets[i], (int)kept->text_len, kept->text);
}

static void kept_text_is_what_was_sent(void **state)
{
    (void)state;
    static const char *const fields[] = {"reasoning_content", "content", "arguments"};
    static char texts[4][TEXT_MAX], events[EVENTS_MAX];
    struct rein_policy *policy = kit_policy(yaml);
    struct rein_engine *engine;
    assert_int_equal(rein_engine_new(&engine), 0);
    const char *is_long = getenv("REIN_LONG");
    unsigned long count = is_long != NULL && strcmp(is_long, "1") == 0 ? 20000 : 400;
    for (unsigned long seed = 1; seed <= count; seed++) {
        struct dice dice = dice_of(seed);
        struct rein_trace *trace;
        struct rein_update u;
        struct rein_trace_options options = {
            .policy = policy, .engine = engine, .streamed = true, .choices = 1, .body_max = 1 << 20};
        const struct rein_text *kept;
        size_t len = 0, kept_len;
        for (size_t i = 0; i < 4; i++)
            make_text(&dice, texts[i]);
        for (size_t i = 0; i < 3; i++)
            len = write_events(&dice, events, len, fields[i], texts[i + 1]);
        snprintf(events + len, EVENTS_MAX - len,
                 "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        assert_int_equal(rein_trace_new(&trace, &options), 0);
        assert_int_equal(rein_trace_prompt(trace, "user", texts[0], strlen(texts[0])), 0);
        assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
        assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
        send(trace, &dice, events);
        assert_int_equal(rein_trace_texts(trace, &kept, &kept_len), 0);
        assert_int_equal(kept_len, 4);
        for (size_t i = 0; i < kept_len; i++) {
            assert_int_equal(kept[i].channel, REIN_PROMPT + i);
            check_kept(&kept[i], texts[i]);
        }
        rein_trace_free(trace);
    }
    rein_engine_free(engine);
    rein_policy_unref(policy);
}

/* ---- characters that are cut ---- */

enum ending { LEFT, BROKEN_OFF, WITHOUT_END, STOPPED, STEERED, ENDINGS };

/* Reasoning, and an answer, that end where they end: maybe in the middle of a character. Each event has a few bytes. */
static size_t write_raw_events(struct dice *dice, char *out, size_t len, const char *field, const char *text,
                               size_t end)
{
    for (size_t at = 0, step; at < end; at += step) {
        step = 1 + dice_below(dice, 7);
        step = step < end - at ? step : end - at;
        len += (size_t)snprintf(out + len, EVENTS_MAX - len,
                                "data: {\"choices\":[{\"index\":0,\"delta\":{\"%s\":\"%.*s\"}}]}\n\n", field, (int)step,
                                text + at);
    }
    return len;
}

static void end_response(struct rein_trace *trace, enum ending ending)
{
    static const char stop[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
                               "\"arguments\":\"stop here\"}}]}}]}\n\n",
                      steer[] =
                          "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
                          "\"arguments\":\"turn here\"}}]}}]}\n\n";
    struct rein_update u;
    int rv = 0;
    if (ending == STOPPED || ending == STEERED) {
        const char *event = ending == STOPPED ? stop : steer;
        rv = rein_trace_feed(trace, event, strlen(event), &u);
        assert_true((u.asks & REIN_ASK_STOP) != 0);
    } else if (ending != LEFT) {
        rv = rein_trace_finish(trace, ending == WITHOUT_END, NULL, &u);
    }
    assert_int_equal(rv, 0);
}

/* `room`: bytes that could be kept of it. */
static void check_characters(unsigned long seed, const struct rein_text *kept, const char *sent, size_t end,
                             size_t room)
{
    size_t whole = rein_text_whole(sent, end < room ? end : room);
    if (kept->text_len != whole || memcmp(kept->text, sent, whole) != 0)
        fail_msg("seed %lu: %zu of %zu bytes are kept, not %zu: %s", seed, kept->text_len, end, whole, sent);
    json_t *utf8 = json_stringn(kept->text, kept->text_len);
    assert_non_null(utf8);
    json_decref(utf8);
    assert_int_equal(kept->len, end);
    assert_int_equal(kept->whole, kept->text_len == end);
}

static void kept_text_ends_in_no_part_of_a_character(void **state)
{
    (void)state;
    static const char *const letters[] = {"a", "b ", "\xC3\xA9", "\xE6\xBC\xA2", "\xF0\x9F\x98\x80", "."};
    static const char *const fields[] = {"reasoning_content", "content"};
    static const char rules[] = "version: 1\nname: p\nlog: { text: full, max_bytes: 1024 }\nrules:\n"
                                "  - { id: stop, channels: [tool], literal: stop here, action: cut_response }\n"
                                "  - { id: turn, channels: [tool], literal: turn here, action: steer }\n";
    static const char *const templates[] = {"version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n"};
    static char texts[2][TEXT_MAX + 8], events[EVENTS_MAX];
    struct rein_policy *policy = kit_policy_with(rules, templates, 1);
    struct rein_engine *engine;
    assert_int_equal(rein_engine_new(&engine), 0);
    for (unsigned long seed = 1; seed <= 500; seed++) {
        struct dice dice = dice_of(seed);
        struct rein_trace_options options = {
            .policy = policy, .engine = engine, .streamed = true, .choices = 1, .body_max = 1 << 20};
        struct rein_trace *trace;
        struct rein_update u;
        const struct rein_text *kept;
        size_t len = 0, kept_len, ends[2];
        for (size_t i = 0; i < 2; i++) {
            size_t wanted = 1 + dice_below(&dice, dice_below(&dice, 4) > 0 ? 40 : TEXT_MAX), made = 0;
            while (made < wanted)
                made += (size_t)sprintf(texts[i] + made, "%s", letters[dice_below(&dice, 6)]);
            ends[i] = wanted;
            len = write_raw_events(&dice, events, len, fields[i], texts[i], wanted);
        }
        enum ending ending = (enum ending)dice_below(&dice, ENDINGS);
        assert_int_equal(rein_trace_new(&trace, &options), 0);
        assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
        assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
        assert_int_equal(rein_trace_feed(trace, events, len, &u), 0);
        end_response(trace, ending);
        for (int again = 0; again < 2; again++) { /* and so does what is handed over twice */
            assert_int_equal(rein_trace_texts(trace, &kept, &kept_len), 0);
            assert_true(kept_len >= 2);
            size_t room = 1024;
            for (size_t i = 0; i < 2; room -= ends[i] < room ? ends[i] : room, i++)
                check_characters(seed, &kept[i], texts[i], ends[i], room);
        }
        rein_trace_free(trace);
    }
    rein_engine_free(engine);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kept_text_is_what_was_sent),
                                       cmocka_unit_test(kept_text_ends_in_no_part_of_a_character)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
