/* Questions to judges: how many are open at once, and what each of them quotes, however late it is asked.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rein/rein.h"

enum { SENTENCES = 100, OPEN_MAX = 8, ASIDE_MAX = 64, BODY_MAX = 16384 };

struct asked_run {
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct rein_trace *trace;
    struct rein_update update;
};

static void begin(struct asked_run *r, const char *more)
{
    char yaml[256], body[BODY_MAX];
    struct rein_judge_name judge = {"guard", "1", 1u << REIN_ANSWER};
    struct rein_library library = {.judges = &judge, .judges_len = 1};
    struct rein_problems *problems;
    int len = snprintf(yaml, sizeof yaml,
                       "version: 1\nname: p\nreasoning: { show: stream, release: stream }\njudges:\n"
                       "  - { id: harm, ask: guard, channels: [answer], action: refuse, every: { sentences: 1 }%s }\n",
                       more);
    struct rein_source source = {"p.yaml", yaml, (size_t)len};
    *r = (struct asked_run){.policy = NULL};
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_policy_load(&r->policy, &source, &library, problems), 0);
    rein_problems_free(problems);
    assert_int_equal(rein_engine_new(&r->engine), 0);
    struct rein_trace_options options = {
        .policy = r->policy, .engine = r->engine, .dialect = REIN_OPENAI_CHAT, .choices = 1, .model = "m", .id = "i"};
    assert_int_equal(rein_trace_new(&r->trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(r->trace, &r->update), 0);
    assert_int_equal(rein_trace_attempt(r->trace, &(struct rein_attempt){.delivery = REIN_DELIVER_OFF, .prefix = ""}),
                     0);
    len = snprintf(body, sizeof body, "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    for (unsigned i = 0; i < SENTENCES; i++)
        len += snprintf(body + len, sizeof body - (size_t)len, "This is number %u. ", i);
    len += snprintf(body + len, sizeof body - (size_t)len, "\"},\"finish_reason\":\"stop\"}]}");
    assert_int_equal(rein_trace_feed(r->trace, body, (size_t)len, &r->update), 0);
    assert_int_equal(rein_trace_finish(r->trace, true, NULL, &r->update), 0);
}

static void end(struct asked_run *r)
{
    rein_trace_free(r->trace);
    rein_engine_free(r->engine);
    rein_policy_unref(r->policy);
}

static const struct rein_question *questions(const struct asked_run *r, size_t *len)
{
    *len = 0;
    return (r->update.asks & REIN_ASK_JUDGE) != 0 ? rein_trace_questions(r->trace, len) : NULL;
}

/* The text up to the end of the sentence, and no further. */
static void check_quote(const struct rein_question *q, unsigned number)
{
    char last[40];
    int len = snprintf(last, sizeof last, "This is number %u. ", number);
    size_t quoted = q->text.len;
    while (quoted > 0 && q->text.text[quoted - 1] == ' ')
        quoted--;
    assert_true(quoted >= (size_t)len - 1);
    assert_memory_equal(q->text.text + quoted - (size_t)len + 1, last, (size_t)len - 1);
    assert_memory_equal(q->text.text, "This is number 0.", 17);
}

static void test_found_r12_eight_are_open(void **state)
{
    (void)state;
    struct asked_run r;
    uint32_t ids[SENTENCES];
    size_t len, asked = 0;
    begin(&r, "");
    for (size_t answered = 0; answered < SENTENCES; answered++) {
        const struct rein_question *q = questions(&r, &len);
        for (size_t i = 0; i < len; i++) {
            check_quote(&q[i], (unsigned)asked);
            ids[asked++] = q[i].id;
        }
        assert_true(asked - answered <= OPEN_MAX);
        assert_true(asked > answered);
        struct rein_answer safe = {.outcome = REIN_JUDGE_OPINED};
        assert_int_equal(rein_trace_answer(r.trace, ids[answered], &safe, &r.update), 0);
    }
    assert_int_equal(asked, SENTENCES);
    assert_true((r.update.asks & REIN_ASK_COMMIT) != 0);
    end(&r);
}

/* What they have no room for is recorded, and nothing waits for it. */
static void test_shadow_panels_are_busy(void **state)
{
    (void)state;
    struct asked_run r;
    size_t len;
    begin(&r, ", shadow: true");
    (void)questions(&r, &len);
    assert_int_equal(len, ASIDE_MAX);
    const struct rein_decision *d = rein_trace_decision(r.trace);
    assert_int_equal(d->asked_len, SENTENCES);
    for (size_t i = 0; i < d->asked_len; i++)
        assert_int_equal(d->asked[i].outcome, i < ASIDE_MAX ? REIN_JUDGE_OPEN : REIN_JUDGE_BUSY);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_r12_eight_are_open),
        cmocka_unit_test(test_shadow_panels_are_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
