/* Completion routes rebuilt as chat: the same events under every chunking, and nothing lost at the delimiter.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/completions_to_chat.h"
#include "base/buffer.h"

static bool read_completion(const json_t *event, struct completion_piece *out)
{
    const json_t *choice = json_array_get(json_object_get(event, "choices"), 0);
    const json_t *text = json_object_get(choice, "text");
    out->text = json_string_value(text);
    out->len = json_string_length(text);
    out->finish = json_string_value(json_object_get(choice, "finish_reason"));
    out->usage = json_object_get(event, "usage");
    return choice != NULL || out->usage != NULL;
}

/* Feeds and appends what goes on to `out`; NULL: the end. */
static int convert(struct stream_filter *chain, const char *data, size_t len, struct buffer *out)
{
    struct stream_piece piece = {.data = data, .len = len};
    int rv = data != NULL ? stream_filters_feed(chain, &piece) : stream_filters_end(chain, true, &piece);
    assert_int_equal(piece.turn, STREAM_GOES_ON);
    return rv < 0 || piece.len == 0 ? rv : buffer_add(out, piece.data, piece.len, BUFFER_NO_LIMIT);
}

/* What comes out of `input`, fed in pieces of `step` bytes; reasoning in this field. */
static char *rebuilt_in(const char *field, const char *input, bool streamed, size_t step)
{
    struct buffer out = {0};
    struct completions_to_chat_options options = {.streamed = streamed,
                                                  .read = read_completion,
                                                  .close = "</think>",
                                                  .field = field,
                                                  .model = "m",
                                                  .id = "i",
                                                  .created_s = 5,
                                                  .body_max = 4096};
    struct stream_filter *filter = completions_to_chat_new(&options);
    assert_non_null(filter);
    for (size_t at = 0, len = strlen(input); at < len; at += step)
        assert_int_equal(convert(filter, input + at, len - at < step ? len - at : step, &out), 0);
    assert_int_equal(convert(filter, NULL, 0, &out), 0);
    stream_filters_free(&filter);
    return out.data != NULL ? out.data : strdup("");
}

static char *rebuilt(const char *input, bool streamed, size_t step)
{
    return rebuilt_in(NULL, input, streamed, step);
}

/* The texts of a field in all events. */
static void gather_field(const char *events, const char *field, char *out)
{
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", field);
    *out = '\0';
    for (const char *at = events; (at = strstr(at, key)) != NULL;) {
        at += strlen(key);
        strncat(out, at, strcspn(at, "\""));
    }
}

static void test_split_at_every_cut(void **state)
{
    (void)state;
    static const char text[] = "one </th ink></think>\ntwo";
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        char input[1024], field[256], head[64];
        snprintf(head, sizeof head, "%.*s", (int)cut, text);
        json_t *first = json_pack("{s[{ss}]}", "choices", "text", head);
        json_t *second = json_pack("{s[{ssss}]}", "choices", "text", text + cut, "finish_reason", "stop");
        char *a = json_dumps(first, JSON_COMPACT), *b = json_dumps(second, JSON_COMPACT);
        snprintf(input, sizeof input, "data: %s\n\ndata: %s\r\n\r\ndata: [DONE]\n\n", a, b);
        char *out = rebuilt(input, true, cut);
        gather_field(out, "reasoning_content", field);
        assert_string_equal(field, "one </th ink>");
        gather_field(out, "content", field);
        assert_string_equal(field, "two");
        assert_non_null(strstr(out, "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
        free(out);
        free(a);
        free(b);
        json_decref(first);
        json_decref(second);
    }
}

/* A restart goes on in the field that the client has read reasoning from. */
static void test_another_field(void **state)
{
    (void)state;
    static const char input[] = "data: {\"choices\":[{\"text\":\"why</thi\"}]}\n\n"
                                "data: {\"choices\":[{\"text\":\"nk>\\nbecause\",\"finish_reason\":\"stop\"}]}\n\n";
    char field[256];
    char *out = rebuilt_in("reasoning", input, true, 9);
    gather_field(out, "reasoning", field);
    assert_string_equal(field, "why");
    gather_field(out, "content", field);
    assert_string_equal(field, "because");
    free(out);
    out = rebuilt_in("content", input, true, 9);
    gather_field(out, "content", field);
    assert_string_equal(field, "why</think>because");
    assert_null(strstr(out, "reasoning"));
    free(out);
}

static void test_events(void **state)
{
    (void)state;
    char *out = rebuilt("data: {\"choices\":[{\"text\":\"a\"}]}\n\nnoise\n\ndata: {broken\n\n"
                        "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n"
                        "data: {\"choices\":[],\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n",
                        true, 7);
    assert_string_equal(
        out,
        "data: "
        "{\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"reasoning_content\":\"a\"},\"finish_reason\":null}]}\n\n"
        "data: "
        "{\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
        "data: {\"id\":\"i\",\"object\":\"chat.completion.chunk\",\"created\":5,\"model\":\"m\",\"choices\":[],"
        "\"usage\":{\"total_tokens\":3}}\n\ndata: [DONE]\n\n");
    free(out);
}

static void test_an_error_is_passed_on(void **state)
{
    (void)state;
    char *out = rebuilt("data: {\"error\":{\"message\":\"no\"}}\n\n", true, 100);
    assert_string_equal(out, "data: {\"error\":{\"message\":\"no\"}}\n\n");
    free(out);
}

/* Without a finish the stream broke off: no end is made up. */
static void test_a_stream_that_breaks_off(void **state)
{
    (void)state;
    char *out = rebuilt("data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: [DONE]\n\n", true, 100);
    assert_null(strstr(out, "[DONE]"));
    free(out);
}

static void test_a_body(void **state)
{
    (void)state;
    char *out = rebuilt("{\"choices\":[{\"text\":\"why</think>\\n\\nbecause\",\"finish_reason\":\"stop\"}],"
                        "\"usage\":{\"total_tokens\":3}}",
                        false, 5);
    assert_string_equal(out,
                        "{\"id\":\"i\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"m\",\"choices\":[{"
                        "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"because\","
                        "\"reasoning_content\":\"why\"},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3}}");
    free(out);
}

static void test_limits(void **state)
{
    (void)state;
    struct buffer out = {0};
    struct completions_to_chat_options options = {
        .streamed = false, .read = read_completion, .close = "x", .model = "m", .id = "i", .body_max = 3};
    struct stream_filter *filter = completions_to_chat_new(&options);
    assert_non_null(filter);
    assert_int_equal(convert(filter, "1234", 4, &out), REIN_ELIMIT);
    assert_int_equal(convert(filter, NULL, 0, &out), REIN_EFORMAT);
    stream_filters_free(&filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_at_every_cut),
        cmocka_unit_test(test_another_field),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_an_error_is_passed_on),
        cmocka_unit_test(test_a_stream_that_breaks_off),
        cmocka_unit_test(test_a_body),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
