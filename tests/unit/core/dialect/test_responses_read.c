/* Reading events of Responses: what each string is, and that known shapes are recognised whatever their number.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/dialect.h"
#include "dialect/event.h"
#include "dialect/openai_responses/field.h"

struct reading_test {
    struct event_reader *reader;
    void *state;
};

static int open_reader(void **state)
{
    static struct reading_test t;
    const struct dialect *dialect = dialect_find(REIN_OPENAI_RESPONSES);
    t.state = calloc(1, dialect->state_size);
    *state = &t;
    return t.state != NULL ? event_reader_new(&t.reader, dialect, t.state) : -1;
}

static int close_reader(void **state)
{
    struct reading_test *t = *state;
    event_reader_free(t->reader);
    free(t->state);
    return 0;
}

static const struct event *read_ok(void **state, const char *payload)
{
    const struct event *event = NULL;
    struct reading_test *t = *state;
    if (event_read(t->reader, (struct span){payload, strlen(payload)}, false, &event) != 0)
        fail_msg("not read: %s", payload);
    return event;
}

static void refuses(void **state, const char *payload)
{
    const struct event *event = NULL;
    struct reading_test *t = *state;
    if (event_read(t->reader, (struct span){payload, strlen(payload)}, false, &event) != REIN_EFORMAT)
        fail_msg("read: %s", payload);
}

#define DELTA(text, number)                                                                                            \
    "{\"type\":\"response.output_text.delta\",\"item_id\":\"i\",\"output_index\":2,\"content_index\":1,\"delta\":"     \
    "\"" text "\",\"sequence_number\":" number "}"

static void numbers_differ_in_events_of_one_shape(void **state)
{
    static const char *const numbers[] = {"4", "5", "0", "99", "100", "123456789012345678901234567890"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char payload[256];
        snprintf(payload, sizeof payload, DELTA("%s", "%s"), i % 2 ? "a longer text" : "x", numbers[i]);
        const struct event *event = read_ok(state, payload);
        const struct range count = event->note.count;
        assert_int_equal(count.len, strlen(numbers[i]));
        assert_memory_equal(payload + count.at, numbers[i], count.len);
        assert_int_equal(event->note.at[AT_TAIL].at, strlen(payload) - 1);
        const struct piece *text = &event->pieces[1];
        assert_int_equal(text->place.kind, PIECE_STREAM);
        assert_int_equal(text->place.text, responses_text(RESPONSES_TEXT, 2, 1));
        assert_int_equal(text->len, i % 2 ? 13 : 1);
    }
    /* Not numbers of JSON, and not counts. */
    refuses(state, DELTA("x", "04"));
    refuses(state, DELTA("x", ""));
    refuses(state, DELTA("x", "4 5"));
    assert_int_equal(read_ok(state, DELTA("x", "4.0"))->note.count.len, 0);
    assert_int_equal(read_ok(state, DELTA("x", "-4"))->note.count.len, 0);
    assert_int_equal(read_ok(state, DELTA("x", "7"))->note.count.len, 1);
}

static const struct piece *find_piece(const struct event *event, const char *payload, const char *text)
{
    for (size_t i = 0; i < event->pieces_len; i++)
        if (event->pieces[i].len == strlen(text) && memcmp(payload + event->pieces[i].at, text, strlen(text)) == 0)
            return &event->pieces[i];
    fail_msg("no piece '%s' in %s", text, payload);
    return NULL;
}

struct wanted_piece {
    const char *payload, *text;
    uint32_t id;
    uint8_t channel, kind;
    bool ends;
};

static void each_text_has_its_place(void **state)
{
    const struct wanted_piece all[] = {
        {"{\"type\":\"response.reasoning_text.delta\",\"output_index\":1,\"content_index\":3,\"delta\":\"t\"}", "t",
         responses_text(RESPONSES_REASONING, 1, 3), REIN_REASONING, PIECE_STREAM, false},
        {"{\"delta\":\"t\",\"summary_index\":3,\"output_index\":1,\"type\":\"response.reasoning_summary_text.delta\"}",
         "t", responses_text(RESPONSES_SUMMARY, 1, 3), REIN_REASONING, PIECE_STREAM, false},
        {"{\"type\":\"response.refusal.delta\",\"output_index\":0,\"content_index\":0,\"delta\":\"t\"}", "t",
         responses_text(RESPONSES_REFUSAL, 0, 0), REIN_ANSWER, PIECE_STREAM, false},
        {"{\"type\":\"response.function_call_arguments.delta\",\"output_index\":4,\"delta\":\"t\"}", "t",
         responses_text(RESPONSES_ARGUMENTS, 4, 0), REIN_TOOL, PIECE_STREAM, false},
        {"{\"type\":\"response.custom_tool_call_input.done\",\"output_index\":4,\"input\":\"t\"}", "t",
         responses_text(RESPONSES_INPUT, 4, 0), REIN_TOOL, PIECE_ECHO, true},
        {"{\"type\":\"response.output_text.done\",\"output_index\":0,\"content_index\":0,\"text\":\"t\"}", "t",
         responses_text(RESPONSES_TEXT, 0, 0), REIN_ANSWER, PIECE_ECHO, true},
        {"{\"type\":\"response.content_part.done\",\"output_index\":0,\"content_index\":2,\"part\":{\"text\":\"t\","
         "\"type\":\"reasoning_text\"}}",
         "t", responses_text(RESPONSES_REASONING, 0, 2), REIN_REASONING, PIECE_ECHO, true},
        {"{\"type\":\"response.output_item.done\",\"output_index\":3,\"item\":{\"type\":\"message\",\"content\":[{"
         "\"type\":\"output_text\",\"text\":\"a\"},{\"type\":\"refusal\",\"refusal\":\"t\"}]}}",
         "t", responses_text(RESPONSES_REFUSAL, 3, 1), REIN_ANSWER, PIECE_ECHO, true},
        {"{\"type\":\"response.output_item.added\",\"output_index\":3,\"item\":{\"type\":\"function_call\",\"name\":"
         "\"t\",\"arguments\":\"\"}}",
         "t", responses_text(RESPONSES_NAME, 3, 0), REIN_OTHER, PIECE_ECHO, false},
        {"{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"reasoning\",\"summary\":[{\"type\":"
         "\"summary_text\",\"text\":\"a\"}]},{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":"
         "\"t\"}]}]}}",
         "t", responses_text(RESPONSES_TEXT, 1, 0), REIN_ANSWER, PIECE_ECHO, true},
        {"{\"type\":\"response.of_next_year.delta\",\"output_index\":0,\"delta\":\"t\"}", "t",
         responses_text(RESPONSES_SPOKEN, 0, 0), REIN_ANSWER, PIECE_STREAM, false},
        {"{\"type\":\"response.next_call_input.delta\",\"output_index\":0,\"delta\":\"t\"}", "t",
         responses_text(RESPONSES_CODE, 0, 0), REIN_TOOL, PIECE_STREAM, false},
        {"{\"type\":\"response.in_progress\",\"response\":{\"instructions\":\"t\"}}", "t", 0, REIN_OTHER, PIECE_WHOLE,
         false},
        {"{\"type\":\"t\"}", "t", 0, REIN_OTHER, PIECE_WHOLE, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct piece *piece = find_piece(read_ok(state, all[i].payload), all[i].payload, all[i].text);
        assert_int_equal(piece->place.text, all[i].id);
        assert_int_equal(piece->place.channel, all[i].channel);
        assert_int_equal(piece->place.kind, all[i].kind);
        assert_int_equal(piece->place.ends, all[i].ends);
    }
}

/* Whatever stands next to it: clients read one member. */
static void the_type_says_which_member_is_the_text(void **state)
{
    static const char delta[] =
        "{\"text\":\"other\",\"arguments\":\"more\",\"delta\":\"t\",\"type\":\"response.output_text.delta\"}";
    static const char done[] = "{\"delta\":\"other\",\"text\":\"more\",\"arguments\":\"t\",\"type\":\"response."
                               "function_call_arguments.done\"}";
    const struct event *event = read_ok(state, delta);
    assert_int_equal(find_piece(event, delta, "t")->place.kind, PIECE_STREAM);
    assert_int_equal(find_piece(event, delta, "other")->place.kind, PIECE_WHOLE);
    assert_int_equal(find_piece(event, delta, "more")->place.kind, PIECE_WHOLE);
    event = read_ok(state, done);
    assert_int_equal(find_piece(event, done, "t")->place.text, responses_text(RESPONSES_ARGUMENTS, 0, 0));
    assert_int_equal(find_piece(event, done, "t")->place.kind, PIECE_ECHO);
    assert_int_equal(find_piece(event, done, "other")->place.kind, PIECE_WHOLE);
    assert_int_equal(find_piece(event, done, "more")->place.kind, PIECE_WHOLE);
}

static void what_cannot_be_kept_apart_is_refused(void **state)
{
    refuses(state, "{\"type\":\"response.output_text.delta\",\"output_index\":16384,\"delta\":\"x\"}");
    refuses(state,
            "{\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":4096,\"delta\":\"x\"}");
    refuses(state, "{\"type\":\"response.output_text.delta\",\"delta\":\"x\",\"delta\":\"y\"}");
    refuses(state, "{\"type\":\"a\",\"type\":\"b\"}");
    refuses(state, "[]");
    refuses(state, "[DONE]");
}

/* Items without a number are told apart by their ids, in the order in which they come. */
static void items_without_numbers_get_them(void **state)
{
    read_ok(state, "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"a\",\"type\":\"reasoning\"}}");
    read_ok(state, "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"b\",\"type\":\"message\"}}");
    static const char first[] = "{\"type\":\"response.reasoning_text.delta\",\"item_id\":\"a\",\"delta\":\"t\"}";
    static const char second[] = "{\"type\":\"response.output_text.delta\",\"item_id\":\"b\",\"delta\":\"t\"}";
    assert_int_equal(find_piece(read_ok(state, first), first, "t")->place.text,
                     responses_text(RESPONSES_REASONING, 0, 0));
    assert_int_equal(find_piece(read_ok(state, second), second, "t")->place.text, responses_text(RESPONSES_TEXT, 1, 0));
    assert_int_equal(read_ok(state, second)->note.outer, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_differ_in_events_of_one_shape, open_reader, close_reader),
        cmocka_unit_test_setup_teardown(each_text_has_its_place, open_reader, close_reader),
        cmocka_unit_test_setup_teardown(the_type_says_which_member_is_the_text, open_reader, close_reader),
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_apart_is_refused, open_reader, close_reader),
        cmocka_unit_test_setup_teardown(items_without_numbers_get_them, open_reader, close_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
