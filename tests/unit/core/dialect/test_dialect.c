/* Events that the dialect writes itself: exact bytes, valid JSON, and nothing of an event that fails half-way.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "dialect/dialect.h"
#include "dialect/event.h"
#include "dialect/sse.h"

static const struct dialect_voice voice = {NULL, "chatcmpl-\"1\"", "model\\x", 1700000000};

#define HEAD                                                                                                           \
    "data: "                                                                                                           \
    "{\"id\":\"chatcmpl-\\\"1\\\"\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"            \
    "\"model\\\\x\",\"choices\":"

static const struct dialect *chat(void)
{
    return dialect_find(REIN_OPENAI_CHAT);
}

static void check_said(struct bytes *out, const char *expected)
{
    assert_int_equal(bytes_append(out, "", 1), 0);
    assert_string_equal(bytes_span(out).data, expected);
    bytes_clear(out);
}

static void test_events(void **state)
{
    (void)state;
    struct bytes out;
    bytes_init(&out, 1 << 16);
    assert_int_equal(chat()->say_text(&out, &voice, 0, false, SPAN("No \"that\".\n\xC3\xA9")), 0);
    check_said(&out, HEAD "[{\"index\":0,\"delta\":{\"content\":\"No \\\"that\\\".\\n\xC3\xA9\"},\"logprobs\":null,"
                          "\"finish_reason\":null}]}\n\n");
    assert_int_equal(chat()->say_text(&out, &voice, 2, true, SPAN("x")), 0);
    check_said(&out,
               HEAD "[{\"index\":2,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
                    "\"finish_reason\":null}]}\n\n" HEAD
                    "[{\"index\":2,\"delta\":{\"content\":\"x\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    assert_int_equal(chat()->say_text(&out, &voice, 0, false, SPAN("")), 0);
    check_said(&out, "");
    assert_int_equal(chat()->say_finish(&out, &voice, 1, "content_filter"), 0);
    check_said(&out, HEAD "[{\"index\":1,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"content_filter\"}]}\n\n");
    assert_int_equal(chat()->say_usage(&out, &voice, 5, -1), 0);
    check_said(&out, HEAD "[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":0,\"total_tokens\":5}}\n\n");
    assert_int_equal(chat()->say_end(&out, &voice), 0);
    check_said(&out, "data: [DONE]\n\n");
    assert_int_equal(chat()->say_error(&out, &voice, "upstream_error", "upstream_broke", "It \"broke\"."), 0);
    check_said(&out, "data: {\"error\":{\"message\":\"It \\\"broke\\\".\",\"type\":\"upstream_error\",\"param\":null,"
                     "\"code\":\"upstream_broke\"}}\n\n");
    bytes_fini(&out);
}

static void test_bodies(void **state)
{
    (void)state;
    struct bytes out;
    bytes_init(&out, 1 << 16);
    assert_int_equal(chat()->say_body(&out, &voice, 3, SPAN("No.\x01"), "stop"), 0);
    json_t *body = json_loadb(bytes_span(&out).data, bytes_len(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(body);
    json_t *choices = json_object_get(body, "choices");
    assert_int_equal(json_array_size(choices), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *choice = json_array_get(choices, i), *message = json_object_get(choice, "message");
        assert_int_equal(json_integer_value(json_object_get(choice, "index")), i);
        assert_string_equal(json_string_value(json_object_get(message, "content")), "No.\x01");
        assert_string_equal(json_string_value(json_object_get(message, "role")), "assistant");
        assert_string_equal(json_string_value(json_object_get(choice, "finish_reason")), "stop");
    }
    json_decref(body);
    bytes_clear(&out);
    assert_int_equal(chat()->say_error_body(&out, &voice, "invalid_request_error", NULL, "bad"), 0);
    check_said(&out,
               "{\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    bytes_fini(&out);
}

/* What is said is understood by the reader, and framed as one event each. */
static void test_is_understood(void **state)
{
    (void)state;
    struct bytes out;
    struct framer framer;
    struct frame frame;
    struct event_reader *reader = NULL;
    bytes_init(&out, 1 << 16);
    framer_init(&framer, &framing_sse, 1 << 16);
    assert_int_equal(event_reader_new(&reader, chat(), NULL), 0);
    assert_int_equal(chat()->say_text(&out, &voice, 1, true, SPAN("a\r\nb\n\ndata: c")), 0);
    assert_int_equal(chat()->say_finish(&out, &voice, 1, "stop"), 0);
    assert_int_equal(chat()->say_end(&out, &voice), 0);
    size_t events = 0;
    while (framer_next(&framer, bytes_span(&out), true, &frame) == 1) {
        const struct event *d = NULL;
        assert_int_equal(frame.kind, FRAME_DATA);
        assert_false(frame.unterminated);
        if (chat()->is_terminal(frame.payload)) {
            assert_int_equal(events, 3);
        } else {
            assert_int_equal(event_read(reader, frame.payload, false, &d), 0);
            assert_int_equal(d->parts_len, 1);
            assert_int_equal(d->parts[0].choice, 1);
            assert_int_equal(d->parts[0].has_end, events == 2);
            assert_int_equal(d->parts[0].begins.len > 0, events == 0);
        }
        events++;
        bytes_consume(&out, frame.raw.len);
    }
    assert_int_equal(events, 4);
    event_reader_free(reader);
    framer_fini(&framer);
    bytes_fini(&out);
}

static void test_terminal(void **state)
{
    (void)state;
    assert_true(chat()->is_terminal(SPAN("[DONE]")));
    assert_true(chat()->is_terminal(SPAN("[DONE] ")));
    assert_false(chat()->is_terminal(SPAN("[DONE")));
    assert_false(chat()->is_terminal(SPAN("{}")));
    assert_false(chat()->is_terminal(SPAN("")));
}

static void check_rewritten(enum event_mark mark, struct span with, const char *expected)
{
    struct bytes out;
    bytes_init(&out, 1 << 16);
    assert_int_equal(chat()->rewrite(NULL, mark, with, &out), 0);
    check_said(&out, expected);
    bytes_fini(&out);
}

/* What is there instead of a mark leaves the event valid JSON. */
static void test_marks_are_rewritten(void **state)
{
    (void)state;
    check_rewritten(EVENT_BEGINS, SPAN(""), "");
    check_rewritten(EVENT_SPELLS, SPAN(""), "");
    check_rewritten(EVENT_ENDS, SPAN("content_\"filter"), "\"content_\\\"filter\"");
    check_rewritten(EVENT_ENDS, (struct span){NULL, 0}, "null");
    check_rewritten(EVENT_HAS_ID, SPAN("\"chatcmpl-1\""), "\"chatcmpl-1\"");
}

/* An answer that ended by itself. */
static void test_an_end_without_a_reason(void **state)
{
    (void)state;
    struct bytes out;
    bytes_init(&out, 1 << 16);
    assert_int_equal(chat()->say_finish(&out, &voice, 1, NULL), 0);
    check_said(&out, HEAD "[{\"index\":1,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\n");
    bytes_fini(&out);
}

/* A message that does not fit leaves nothing of itself behind. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    for (size_t limit = 5; limit < 420; limit += 7) {
        struct bytes out;
        bytes_init(&out, limit);
        assert_int_equal(bytes_append(&out, "prior", 5), 0);
        int rv = chat()->say_text(&out, &voice, 0, true, SPAN("a text"));
        assert_true(rv == 0 || rv == REIN_ELIMIT);
        if (rv != 0)
            assert_int_equal(bytes_len(&out), 5);
        assert_memory_equal(bytes_span(&out).data, "prior", 5);
        bytes_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_is_understood),
        cmocka_unit_test(test_marks_are_rewritten),
        cmocka_unit_test(test_an_end_without_a_reason),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
