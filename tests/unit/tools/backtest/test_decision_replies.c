/* Which reply of a record answers which question.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backtest/decision_replies.h"

static const char record[] = "{\"opinions\":["
                             "{\"panel\":\"p\",\"judge\":\"j\",\"channel\":\"prompt\",\"attempt\":0,\"choice\":0,"
                             "\"offset\":0,\"len\":67,\"outcome\":\"opined\",\"risk\":0.5,\"heard\":0,\"said\":0},"
                             "{\"panel\":\"p\",\"judge\":\"j\",\"channel\":\"answer\",\"attempt\":0,\"choice\":0,"
                             "\"offset\":3,\"len\":10,\"outcome\":\"opined\",\"risk\":0.7,\"heard\":13,\"said\":1}]}";

/* What is masked of a prompt may have had a longer or a shorter placeholder; a stretch of an answer is what it was. */
static void of_a_prompt_there_is_one_question(void **state)
{
    (void)state;
    static const struct {
        struct rein_asked asked;
        bool is_answered;
    } cases[] = {
        {{.panel = "p", .judge = "j", .channel = REIN_PROMPT, .len = 67}, true},
        {{.panel = "p", .judge = "j", .channel = REIN_PROMPT, .len = 63}, true},
        {{.panel = "p", .judge = "other", .channel = REIN_PROMPT, .len = 67}, false},
        {{.panel = "p", .judge = "j", .channel = REIN_ANSWER, .offset = 3, .len = 10}, true},
        {{.panel = "p", .judge = "j", .channel = REIN_ANSWER, .offset = 3, .len = 11}, false},
        {{.panel = "p", .judge = "j", .channel = REIN_ANSWER, .offset = 2, .len = 10}, false},
    };
    json_t *decision = json_loads(record, 0, NULL);
    assert_non_null(decision);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct decision_replies replies = {.decision = decision};
        struct rein_answer answer;
        uint32_t id = 0;
        replies_begin(&replies, 0);
        replies_ask(&replies, 7, &cases[i].asked);
        assert_int_equal(replies.is_unanswered, !cases[i].is_answered);
        assert_int_equal(replies_take(&replies, 13, &id, &answer), cases[i].is_answered);
        assert_int_equal(id, cases[i].is_answered ? 7 : 0);
    }
    json_decref(decision);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(of_a_prompt_there_is_one_question)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
