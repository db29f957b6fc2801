/* Upstreams that send all of the text so far in each event: as the delta, or in a message beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "peerkit.h"
#include "json/text.h"

#define CARD "4111 1111 1111 1111"

static struct rein_policy *cards;

static int load(void **state)
{
    (void)state;
    cards =
        kit_policy("version: 1\nname: c\nreasoning: { show: stream, release: stream }\n"
                   "rules:\n  - { id: c, builtin: card_number, channels: [reasoning, answer, tool], action: redact, "
                   "replacement: '#' }\n"
                   "  - { id: w, regex: '\\bviolet\\b', channels: [reasoning, answer, tool], action: redact, "
                   "replacement: '#' }\n");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    rein_policy_unref(cards);
    return 0;
}

static void put(struct bytes *out, const char *text)
{
    assert_int_equal(bytes_append(out, text, strlen(text)), 0);
}

static void put_string(struct bytes *out, const char *text, size_t len)
{
    put(out, "\"");
    assert_int_equal(json_escape(out, (struct span){text, len}), 0);
    put(out, "\"");
}

enum shape { DELTA_REPEATS, REASONING_REPEATS, MESSAGE_REPEATS, MESSAGE_BESIDE, SHAPES };

/* The text, `step` bytes more in each event. */
static void put_stream(struct bytes *out, enum shape shape, const char *text, size_t step)
{
    size_t len = strlen(text);
    for (size_t at = 0, end; at < len; at = end) {
        end = at + step < len ? at + step : len;
        while (end < len && ((unsigned char)text[end] & 0xC0) == 0x80)
            end++;
        put(out, "data: {\"choices\":[{\"index\":0,");
        if (shape == MESSAGE_BESIDE) {
            put(out, "\"delta\":{\"content\":");
            put_string(out, text + at, end - at);
            put(out, "},");
        }
        put(out, shape == DELTA_REPEATS       ? "\"delta\":{\"content\":"
                 : shape == REASONING_REPEATS ? "\"delta\":{\"reasoning_content\":"
                                              : "\"message\":{\"content\":");
        put_string(out, text, end);
        put(out, "}}]}\n\n");
    }
    put(out, FINISH("stop") DONE);
}

/* No event shows more of the card than its first digits, and none the whole word. */
static void check_events(const struct kit_seen *seen)
{
    assert_false(kit_has(seen, "1111 1111 1111"));
    assert_false(kit_has(seen, "violet"));
    assert_int_equal(seen->decision.bytes_unjudged, 0);
    assert_int_equal(seen->errors, 0);
    assert_int_equal(seen->unreadable, 0);
    assert_int_equal(seen->done, 1);
}

static void found_t9_texts_that_are_repeated(void **state)
{
    (void)state;
    static const char text[] = "My card is " CARD ", \"violet\" as \xC3\xA4 \xF0\x9F\x98\x80 flower is, and so on.";
    static const char shown[] = "My card is #, \\\"#\\\" as \xC3\xA4 \xF0\x9F\x98\x80 flower is, and so on.\"";
    for (int shape = 0; shape < SHAPES; shape++)
        for (size_t step = 1; step < 40; step += step < 7 ? 2 : 16) {
            struct bytes stream;
            struct kit_seen seen;
            bytes_init(&stream, 1 << 20);
            put_stream(&stream, (enum shape)shape, text, step);
            struct kit_run run = {.policy = cards, .upstream = bytes_span(&stream)};
            kit_run(&run, &seen);
            check_events(&seen);
            assert_true(kit_has(&seen, shown));
            kit_seen_fini(&seen);
            bytes_fini(&stream);
        }
}

/* A stream that goes on is what it was, also where a piece begins like the one before. */
static void found_t9_texts_that_go_on(void **state)
{
    (void)state;
    static const char *const streams[] = {
        CONTENT("ha") CONTENT("ha ") CONTENT("no") FINISH("stop") DONE,
        CONTENT("h") CONTENT("h") CONTENT("hm") CONTENT(" card " CARD) FINISH("stop") DONE,
        CONTENT("The") CONTENT("There is " CARD) CONTENT(" violet") FINISH("stop") DONE,
        CONTENT("") CONTENT("4111 ") CONTENT("1111 1111 ") CONTENT("1111") FINISH("stop") DONE,
    };
    static const char *const shown[] = {"haha no", "hhhm card #", "TheThere is # #", "#"};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct kit_seen seen;
        struct kit_run run = run_of(cards, streams[i]);
        kit_run(&run, &seen);
        assert_string_equal(kit_content(&seen, 0), shown[i]);
        check_proper_end(&seen);
        kit_seen_fini(&seen);
    }
}

/* What is refused is refused in the first event that has it. */
static void found_t9_is_refused(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy("version: 1\nname: c\nrefusal: { message: NO, finish_reason: stop }\n"
                   "rules:\n  - { id: c, builtin: card_number, channels: [answer], action: refuse }\n");
    for (int shape = 0; shape < SHAPES; shape++) {
        if (shape == REASONING_REPEATS)
            continue;
        struct bytes stream;
        struct kit_seen seen;
        bytes_init(&stream, 1 << 20);
        put_stream(&stream, (enum shape)shape, "My card is " CARD " or so", 3);
        struct kit_run run = {.policy = policy, .upstream = bytes_span(&stream)};
        kit_run(&run, &seen);
        assert_int_equal(seen.decision.verdict, REIN_REFUSE);
        assert_false(kit_has(&seen, "4111"));
        kit_seen_fini(&seen);
        bytes_fini(&stream);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_t9_texts_that_are_repeated),
        cmocka_unit_test(found_t9_texts_that_go_on),
        cmocka_unit_test(found_t9_is_refused),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
