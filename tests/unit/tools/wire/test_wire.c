/* Responses as upstreams send them: the engine reads back the texts that were written, in each API, at every cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rein/rein.h"
#include "tracekit.h"
#include "wire/wire.h"

/* clang-format off */
#define TEXT(channel, choice, text) {channel, choice, text, sizeof(text) - 1, 0}
#define REASONING(series, text) {REIN_REASONING, 0, text, sizeof(text) - 1, series}
#define SCRIPT(of, len_, choices_, name_) {.texts = of, .len = len_, .choices = choices_, .name = name_}
/* clang-format on */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct rein_engine *engine;
static struct rein_policy *policy;

static const struct wire_text of_chat[] = {
    TEXT(REIN_REASONING, 0, "The first \"thought\".\n"),
    TEXT(REIN_REASONING, 0, "The \xc3\xa9second\\ one"),
    TEXT(REIN_ANSWER, 0, "An answer, \xe2\x82\xac 5."),
    TEXT(REIN_TOOL, 0, "{\"a\": 1}"),
    TEXT(REIN_ANSWER, 0, "A refusal"),
    TEXT(REIN_TOOL, 0, "no object"),
    TEXT(REIN_ANSWER, 0, "spoken"),
    TEXT(REIN_ANSWER, 0, "content of the other object"),
    TEXT(REIN_REASONING, 1, "Another choice thinks"),
    TEXT(REIN_TOOL, 1, "{}"),
};
static const struct wire_text of_messages[] = {
    TEXT(REIN_REASONING, 0, "The first \"thought\".\n"),
    TEXT(REIN_TOOL, 0, "{\"a\": 1, \"b\": [2.50, \"\\u00e9\"]}"),
    TEXT(REIN_REASONING, 0, "Another server's \xc3\xa9"),
    TEXT(REIN_ANSWER, 0, "An answer, \xe2\x82\xac 5."),
    TEXT(REIN_TOOL, 0, "{\"c\": { } }"),
    TEXT(REIN_TOOL, 0, "{\"n\": ****}"),
};
static const struct wire_text of_responses[] = {
    TEXT(REIN_REASONING, 0, "The first \"thought\".\n"),
    TEXT(REIN_ANSWER, 0, "An answer, \xe2\x82\xac 5."),
    TEXT(REIN_REASONING, 0, "The second\\ one"),
    TEXT(REIN_TOOL, 0, "no object"),
    TEXT(REIN_ANSWER, 0, "Another answer"),
    TEXT(REIN_REASONING, 0, "The third one"),
    TEXT(REIN_TOOL, 0, "{\"a\": 1}"),
};

static const struct response {
    const struct wire *wire;
    struct wire_script script;
} responses[] = {
    {&wire_chat, SCRIPT(of_chat, COUNT(of_chat), 2, NULL)},
    {&wire_chat, SCRIPT(of_chat, 4, 1, "m")},
    {&wire_messages, SCRIPT(of_messages, COUNT(of_messages), 1, NULL)},
    {&wire_messages, SCRIPT(of_messages, COUNT(of_messages), 1, "m")},
    {&wire_responses, SCRIPT(of_responses, COUNT(of_responses), 1, NULL)},
    {&wire_responses, SCRIPT(of_responses, COUNT(of_responses), 1, "m")},
};

static void write_text(struct buffer *out, const struct response *r, size_t i, size_t max)
{
    const struct wire_text *text = &r->script.texts[i];
    assert_int_equal(r->wire->open(out, &r->script, i), 0);
    for (size_t at = 0, len; at < text->len; at += len) {
        len = text->len - at < max ? text->len - at : rein_text_whole(text->text + at, max);
        for (size_t wider = max; len == 0;)
            len = rein_text_whole(text->text + at, ++wider);
        assert_int_equal(r->wire->piece(out, &r->script, i, text->text + at, len), 0);
    }
    assert_int_equal(r->wire->close(out, &r->script, i), 0);
}

/* max 0: as a body. */
static struct buffer write_response(const struct response *r, size_t max)
{
    struct buffer out = {.data = NULL};
    assert_true(r->wire->fits(&r->script, max > 0));
    if (max == 0) {
        assert_int_equal(r->wire->body(&out, &r->script), 0);
        return out;
    }
    assert_int_equal(r->wire->begin(&out, &r->script), 0);
    for (size_t i = 0; i < r->script.len; i++)
        write_text(&out, r, i, max);
    for (unsigned c = 0; c < r->script.choices; c++)
        assert_int_equal(r->wire->last(&out, &r->script, c), 0);
    assert_int_equal(r->wire->done(&out, &r->script), 0);
    return out;
}

/* Returns whether the response has ended. */
static bool take(struct rein_trace *trace, struct rein_update *u, int rv)
{
    assert_int_equal(rv, 0);
    unsigned asks = u->asks;
    while ((u->asks & REIN_ASK_COMMIT) != 0) {
        assert_int_equal(rein_trace_committed(trace, u), 0);
        asks |= u->asks;
    }
    return (asks & REIN_ASK_END) != 0;
}

static struct rein_trace *judge(const struct response *r, struct span bytes, bool streamed, size_t cut)
{
    struct rein_trace_options options = {.policy = policy,
                                         .engine = engine,
                                         .dialect = r->wire->dialect,
                                         .streamed = streamed,
                                         .choices = r->script.choices,
                                         .body_max = 1 << 20};
    struct rein_trace *trace;
    struct rein_update u;
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    take(trace, &u, rein_trace_prompt_end(trace, &u));
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
    bool is_over = take(trace, &u, rein_trace_feed(trace, bytes.data, cut, &u));
    if (!is_over && bytes.len > cut)
        is_over = take(trace, &u, rein_trace_feed(trace, bytes.data + cut, bytes.len - cut, &u));
    assert_int_equal(is_over, streamed);
    if (!is_over)
        is_over = take(trace, &u, rein_trace_finish(trace, true, NULL, &u));
    assert_true(is_over);
    return trace;
}

/* The text that is kept as the nth. Those of a body of chat or Messages are judged by channel. */
static const struct wire_text *text_at(const struct response *r, size_t n, bool streamed)
{
    bool is_in_order = streamed || r->wire == &wire_responses;
    for (unsigned choice = 0; choice < r->script.choices; choice++)
        for (int c = REIN_REASONING; c <= (is_in_order ? REIN_REASONING : REIN_TOOL); c++)
            for (size_t i = 0; i < r->script.len; i++) {
                const struct wire_text *text = &r->script.texts[i];
                if (text->choice == choice && (is_in_order || (int)text->channel == c) && n-- == 0)
                    return text;
            }
    fail();
    return NULL;
}

static void check_texts(const struct response *r, struct rein_trace *trace, bool streamed)
{
    const struct rein_decision *d = rein_trace_decision(trace);
    const struct rein_text *texts;
    size_t len;
    assert_int_equal(d->ending, REIN_COMPLETE);
    assert_int_equal(rein_trace_texts(trace, &texts, &len), 0);
    assert_int_equal(len, r->script.len);
    for (size_t i = 0; i < len; i++) {
        const struct wire_text *text = text_at(r, i, streamed);
        assert_true(texts[i].whole);
        assert_int_equal(texts[i].channel, text->channel);
        assert_int_equal(texts[i].choice, text->choice);
        assert_int_equal(texts[i].text_len, text->len);
        assert_memory_equal(texts[i].text, text->text, text->len);
    }
    bool has_name = false;
    for (size_t i = 0; i < d->findings_len; i++)
        has_name |= d->findings[i].channel == REIN_OTHER;
    assert_int_equal(has_name, r->script.name != NULL); /* else texts are all that is judged */
}

static void test_texts_are_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(responses); i++)
        for (size_t max = 0; max < 40; max++) {
            struct buffer bytes = write_response(&responses[i], max);
            struct rein_trace *trace = judge(&responses[i], (struct span){bytes.data, bytes.len}, max > 0, bytes.len);
            check_texts(&responses[i], trace, max > 0);
            rein_trace_free(trace);
            buffer_clear(&bytes);
        }
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(responses); i++) {
        struct buffer bytes = write_response(&responses[i], 20);
        for (size_t cut = 0; cut <= bytes.len; cut += 1 + cut % 97) {
            struct rein_trace *trace = judge(&responses[i], (struct span){bytes.data, bytes.len}, true, cut);
            check_texts(&responses[i], trace, true);
            rein_trace_free(trace);
        }
        buffer_clear(&bytes);
    }
}

/* Texts that go on after others, of which the record says so (rein_text.turns). */
static void test_parts_of_a_body(void **state)
{
    (void)state;
    static const struct wire_text texts[] = {TEXT(REIN_REASONING, 0, "One, two."), TEXT(REIN_REASONING, 0, "Other."),
                                             TEXT(REIN_TOOL, 0, "{\"a\":1}")};
    static const struct wire_part parts[] = {{0, 0, 4}, {2, 0, 3}, {1, 0, 3}, {0, 4, 5}, {2, 3, 4}, {1, 3, 3}};
    static const size_t turns[] = {2, 2, 0};
    struct response r = {&wire_messages, SCRIPT(texts, COUNT(texts), 1, NULL)};
    r.script.parts = parts;
    r.script.parts_len = COUNT(parts);
    struct buffer bytes = write_response(&r, 0);
    struct rein_trace *trace = judge(&r, (struct span){bytes.data, bytes.len}, false, bytes.len);
    const struct rein_text *kept;
    size_t len;
    check_texts(&r, trace, false);
    assert_int_equal(rein_trace_texts(trace, &kept, &len), 0);
    for (size_t i = 0; i < COUNT(turns); i++)
        assert_int_equal(kept[i].turns_len, turns[i] > 0 ? turns[i] : kept[i].turns_len);
    assert_int_equal(kept[0].turns[1].at, 7); /* behind the beginning of the other */
    assert_int_equal(kept[1].turns[1].at, 12);
    rein_trace_free(trace);
    buffer_clear(&bytes);
}

/* The parts of a reasoning, of its summary, and what stands alone are told apart. */
static void test_series(void **state)
{
    (void)state;
    static const struct wire_text texts[] = {REASONING(2, "s"), REASONING(1, "r"), REASONING(2, "s")};
    static const struct wire_text alone[] = {REASONING(1, "r"), REASONING(0, "a")};
    static const struct {
        const struct wire_text *texts;
        size_t len;
        unsigned series[3];
    } cases[] = {{texts, 3, {2, 1, 2}}, {alone, 2, {1, 2}}, {alone + 1, 1, {1}}};
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int streamed = 0; streamed < 2; streamed++) {
            const struct response r = {&wire_responses, SCRIPT(cases[i].texts, cases[i].len, 1, NULL)};
            struct buffer bytes = write_response(&r, (size_t)streamed);
            struct rein_trace *trace = judge(&r, (struct span){bytes.data, bytes.len}, streamed, bytes.len);
            const struct rein_text *kept;
            size_t len;
            assert_int_equal(rein_trace_texts(trace, &kept, &len), 0);
            assert_int_equal(len, cases[i].len);
            for (size_t k = 0; k < len; k++)
                assert_int_equal(kept[k].series, cases[i].series[k]);
            rein_trace_free(trace);
            buffer_clear(&bytes);
        }
}

static void test_what_has_no_place(void **state)
{
    (void)state;
    static const struct wire_text twice[] = {TEXT(REIN_ANSWER, 0, "a"), TEXT(REIN_ANSWER, 0, "b")};
    static const struct wire_text other_choice[] = {TEXT(REIN_ANSWER, 1, "a")};
    struct wire_text thoughts[13];
    for (size_t i = 0; i < COUNT(thoughts); i++)
        thoughts[i] = (struct wire_text){.channel = REIN_REASONING, .text = "a", .len = 1};
    struct wire_script script = SCRIPT(twice, 2, 1, NULL);
    assert_false(wire_messages.fits(&script, true));
    assert_true(wire_chat.fits(&script, true) && wire_responses.fits(&script, false));
    script = (struct wire_script)SCRIPT(other_choice, 1, 2, NULL);
    assert_false(wire_messages.fits(&script, true) || wire_responses.fits(&script, true));
    assert_true(wire_chat.fits(&script, true));
    script = (struct wire_script)SCRIPT(thoughts, 12, 1, NULL);
    assert_true(wire_chat.fits(&script, true));
    script.len = 13;
    assert_false(wire_chat.fits(&script, true));
    assert_true(wire_responses.fits(&script, true));
}

int main(void)
{
    static const char yaml[] =
        "version: 1\nname: p\nlog: { text: full }\npatterns: {}\nrules:\n"
        "  - { id: word, channels: [reasoning, answer, tool], regex: \"[a-zA-Z]\", action: record }\n";
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts_are_read_back), cmocka_unit_test(test_cut_anywhere),
                                       cmocka_unit_test(test_parts_of_a_body), cmocka_unit_test(test_series),
                                       cmocka_unit_test(test_what_has_no_place)};
    policy = kit_policy(yaml);
    assert_int_equal(rein_engine_new(&engine), 0);
    int rv = cmocka_run_group_tests(tests, NULL, NULL);
    rein_engine_free(engine);
    rein_policy_unref(policy);
    return rv;
}
