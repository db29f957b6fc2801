/* What of a kept decision is played, in which API, and how it is cut.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backtest/decision_script.h"
#include "backtest/decision_turns.h"

static json_t *decision_of(const char *dialect, bool streamed, const char *texts)
{
    json_t *list = json_loads(texts, 0, NULL);
    assert_non_null(list);
    return json_pack("{sssbs[{}{}]so}", "dialect", dialect, "streamed", (int)streamed, "attempts", "texts", list);
}

static void test_texts_of_an_attempt(void **state)
{
    (void)state;
    json_t *decision = decision_of("openai-chat", true,
                                   "[{\"channel\":\"prompt\",\"attempt\":0,\"text\":\"ask\"},"
                                   "{\"channel\":\"answer\",\"attempt\":0,\"choice\":1,\"text\":\"a\"},"
                                   "{\"channel\":\"reasoning\",\"attempt\":1,\"text\":\"b\"},"
                                   "{\"channel\":\"tool\",\"attempt\":1,\"text\":null}]");
    struct decision_script script;
    assert_int_equal(decision_script_read(&script, decision, 0, 2), 0);
    assert_int_equal(script.said.len, 1);
    assert_int_equal(script.said.choices, 2);
    assert_int_equal(script.texts[0].choice, 1);
    assert_string_equal(script.texts[0].text, "a");
    decision_script_fini(&script);
    assert_int_equal(decision_script_read(&script, decision, 1, 2), 0);
    assert_int_equal(script.said.len, 2);
    assert_int_equal(script.texts[0].channel, REIN_REASONING);
    assert_int_equal(script.texts[1].len, 0);
    decision_script_fini(&script);
    assert_int_equal(decision_script_read(&script, decision, 2, 2), 0);
    assert_int_equal(script.said.len, 0);
    decision_script_fini(&script);
    json_decref(decision);
}

/* Behind a turn without bytes, a tool was named. */
static void test_a_tool_without_arguments_is_named(void **state)
{
    (void)state;
    json_t *decision =
        decision_of("openai-chat", true,
                    "[{\"channel\":\"reasoning\",\"attempt\":0,\"choice\":1,\"text\":\"ab\",\"turns\":[[0,1],[2,1]]},"
                    "{\"channel\":\"answer\",\"attempt\":0,\"choice\":1,\"text\":\"c\",\"turns\":[[1,1],[3,0]]},"
                    "{\"channel\":\"answer\",\"attempt\":1,\"text\":\"d\",\"turns\":[[0,1]]}]");
    const json_t *texts = json_object_get(decision, "texts");
    struct decision_script script;
    struct decision_turn *turns;
    size_t len;
    assert_int_equal(decision_script_read(&script, decision, 0, 2), 0);
    assert_int_equal(script.said.len, 3);
    assert_int_equal(script.texts[2].channel, REIN_TOOL);
    assert_int_equal(script.texts[2].choice, 1);
    assert_int_equal(script.texts[2].len, 0);
    decision_script_fini(&script);
    assert_int_equal(decision_turns_read(&turns, &len, texts, 0), 0);
    static const size_t order[] = {0, 1, 0, 2};
    assert_int_equal(len, 4);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(turns[i].text, order[i]);
    assert_int_equal(turns[3].len, 0);
    free(turns);
    assert_int_equal(decision_turns_read(&turns, &len, texts, 1), 0);
    assert_int_equal(len, 1);
    free(turns);
    json_decref(decision);
}

static void test_its_own_api_or_one_that_decides_the_same(void **state)
{
    (void)state;
    static const char tool[] = "[{\"channel\":\"tool\",\"attempt\":1,\"text\":\"{\\\"n\\\":1}\"}]";
    static const char masked[] = "[{\"channel\":\"tool\",\"attempt\":1,\"text\":\"{\\\"n\\\":*}\"}]";
    static const char twice[] = "[{\"channel\":\"answer\",\"attempt\":0,\"text\":\"a\"},"
                                "{\"channel\":\"answer\",\"attempt\":0,\"text\":\"ab\"}]";
    static const struct {
        const char *dialect;
        bool streamed;
        const char *texts;
        const struct wire *wire;
    } cases[] = {
        {"openai-chat", true, tool, &wire_chat},
        {"openai-embeddings", false, "[]", &wire_chat},
        {"openai-responses", false, masked, &wire_responses},
        {"openai-responses", true, twice, &wire_responses},
        {"anthropic-messages", false, tool, &wire_messages},
        {"anthropic-messages", true, masked, &wire_messages},
        {"anthropic-messages", false, masked, &wire_messages},
        {"anthropic-messages", true, twice, &wire_chat},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *decision = decision_of(cases[i].dialect, cases[i].streamed, cases[i].texts);
        const struct wire *wire;
        assert_int_equal(decision_script_wire(&wire, decision, 1), 0);
        assert_string_equal(wire->name, cases[i].wire->name);
        json_decref(decision);
    }
}

static void test_more_texts_than_there_are_places(void **state)
{
    (void)state;
    json_t *decision = decision_of("openai-chat", true, "[]"), *texts = json_object_get(decision, "texts");
    const struct wire *wire;
    for (int i = 0; i < 7; i++)
        json_array_append_new(texts, json_pack("{sssi}", "channel", "answer", "attempt", 1));
    assert_int_equal(decision_script_wire(&wire, decision, 1), REIN_ELIMIT);
    json_decref(decision);
}

static void test_pieces_are_whole_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa9\xe2\x82\xac!";
    const struct wire_text said = {.text = text, .len = sizeof text - 1};
    static const size_t from_start[] = {0, 1, 1, 3, 3, 3, 6, 7, 7};
    for (size_t max = 1; max < sizeof from_start / sizeof *from_start; max++)
        assert_int_equal(decision_script_piece(&said, 0, max), from_start[max]);
    assert_int_equal(decision_script_piece(&said, 1, 1), 2); /* at least one */
    assert_int_equal(decision_script_piece(&said, 3, 1), 3);
    assert_int_equal(decision_script_piece(&said, 6, SIZE_MAX), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_of_an_attempt), cmocka_unit_test(test_a_tool_without_arguments_is_named),
        cmocka_unit_test(test_its_own_api_or_one_that_decides_the_same),
        cmocka_unit_test(test_more_texts_than_there_are_places), cmocka_unit_test(test_pieces_are_whole_characters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
