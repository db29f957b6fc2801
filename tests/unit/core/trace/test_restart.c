/* A restart that does not wait for the commit: whenever the store answers, the client gets the same bytes, none of them
 * before the row is there. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracekit.h"

#define EVENT(fields) "data: {\"id\":\"u\",\"choices\":[{\"index\":0," fields "}]}\n\n"
#define ROLE EVENT("\"delta\":{\"role\":\"assistant\",\"content\":\"\"}")
#define THINK(text) EVENT("\"delta\":{\"reasoning_content\":\"" text "\"}")
#define SAY(text) EVENT("\"delta\":{\"content\":\"" text "\"}")
#define END EVENT("\"delta\":{},\"finish_reason\":\"stop\"") "data: [DONE]\n\n"

static const char *const templates[] = {
    "version: 1\nname: check\nkind: prefix\ntext: Safe?\n",
    "version: 1\nname: again\nkind: corrective\ntext: Again.\n",
};

static struct rein_policy *policy_of(const char *fallback)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "version: 1\nname: p\nprefix: { template: check, deliver: auto, when: always }\n"
             "reasoning: { show: stream, release: stream }\nrefusal: { message: NO }\n"
             "rules:\n"
             "  - { id: r, literal: zxred, match: raw, action: redact, replacement: '#' }\n"
             "  - { id: s, literal: zxsteer, match: raw, channels: [reasoning], action: steer }\n"
             "steer: { template: again, max_attempts: 3, fallback: %s }\n",
             fallback);
    return kit_policy_with(yaml, templates, 2);
}

/* A session whose store answers `delay` steps after it was asked. */
struct late {
    struct rein_engine *engine;
    struct rein_trace *trace;
    struct bytes out;
    unsigned delay, wait, asks; /* wait: steps until the store answers, 0: it was not asked */
};

static void late_open(struct late *late, struct rein_policy *policy, unsigned delay)
{
    struct rein_update u;
    struct rein_trace_options options = {
        .policy = policy, .dialect = REIN_OPENAI_CHAT, .streamed = true, .choices = 1, .model = "m", .id = "own"};
    *late = (struct late){.delay = delay};
    bytes_init(&late->out, 1 << 16);
    assert_int_equal(rein_engine_new(&late->engine), 0);
    options.engine = late->engine;
    assert_int_equal(rein_trace_new(&late->trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(late->trace, &u), 0);
}

static void late_close(struct late *late)
{
    bytes_fini(&late->out);
    rein_trace_free(late->trace);
    rein_engine_free(late->engine);
}

static void answer_store(struct late *late);

static void take(struct late *late, const struct rein_update *u)
{
    assert_true(late->wait == 0 || u->out_len == 0); /* nothing goes out while the store is asked */
    assert_int_equal(bytes_append(&late->out, u->out, u->out_len), 0);
    late->asks |= u->asks;
    if (u->asks & REIN_ASK_COMMIT)
        late->wait = late->delay + 1;
    if (late->wait == 1)
        answer_store(late);
}

static void answer_store(struct late *late)
{
    struct rein_update u;
    late->wait = 0;
    assert_int_equal(rein_trace_committed(late->trace, &u), 0);
    take(late, &u);
}

/* One step, after which the store may answer. */
static void step(struct late *late, const char *data, size_t len)
{
    struct rein_update u;
    assert_int_equal(rein_trace_feed(late->trace, data, len, &u), 0);
    take(late, &u);
    if (late->wait > 1 && --late->wait == 1)
        answer_store(late);
}

static void attempt(struct late *late, const char *shown)
{
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_PREFILL, .prefix = "Safe?", .continues_shown = true};
    struct rein_source seen = rein_trace_shown_reasoning(late->trace);
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)seen.len, seen.text);
    assert_string_equal(text, shown);
    late->asks = 0;
    assert_int_equal(rein_trace_attempt(late->trace, &attempt), 0);
}

/* Feeds a call's events, `size` bytes at a time, until it is to be stopped. */
static void play(struct late *late, const char *stream, size_t size)
{
    size_t len = strlen(stream);
    for (size_t at = 0; at < len && !(late->asks & (REIN_ASK_STOP | REIN_ASK_END)); at += size)
        step(late, stream + at, len - at < size ? len - at : size);
}

static void drain(struct late *late)
{
    while (late->wait > 0)
        answer_store(late);
}

static const char first[] = ROLE THINK(" I look.") THINK(" Here zxst") THINK("eer is more.");
static const char second[] = ROLE THINK(" Still zxred,") THINK(" and zxsteer.");
static const char third[] = ROLE THINK(" Right.") SAY("Yes, zxred.") END;
static const unsigned delays[] = {0, 1, 2, 3, 5, 8, 1000};
enum { DELAYS = sizeof delays / sizeof *delays };

static void the_client_gets_the_same_whenever_the_store_answers(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of("refuse");
    struct bytes whole = {0};
    for (size_t i = 0; i < DELAYS; i++) {
        struct late late;
        late_open(&late, policy, delays[i]);
        attempt(&late, "");
        play(&late, first, 64);
        assert_true((late.asks & REIN_ASK_RESTART) != 0);
        attempt(&late, " I look. Here ");
        play(&late, second, 64);
        drain(&late);
        assert_true((late.asks & REIN_ASK_RESTART) != 0);
        attempt(&late, " I look. Here  Still #, and ");
        play(&late, third, 64);
        drain(&late);
        assert_true((late.asks & REIN_ASK_END) != 0);
        if (i == 0)
            whole = late.out, bytes_init(&late.out, 1);
        else
            assert_memory_equal(bytes_span(&late.out).data, bytes_span(&whole).data, bytes_len(&whole));
        assert_null(memmem(bytes_span(&whole).data, bytes_len(&whole), "zx", 2));
        assert_non_null(memmem(bytes_span(&whole).data, bytes_len(&whole), "Yes, #.", 7));
        assert_int_equal(rein_trace_decision(late.trace)->bytes_out, bytes_len(&whole));
        assert_int_equal(rein_trace_decision(late.trace)->bytes_unjudged, 0);
        late_close(&late);
    }
    bytes_fini(&whole);
    rein_policy_unref(policy);
}

/* Where the reasoning goes on is counted, unless it is known from elsewhere. */
static void findings_count_from_what_was_shown(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of("refuse");
    for (uint64_t origin = 0; origin <= 40; origin += 40) {
        struct rein_attempt again = {
            .delivery = REIN_DELIVER_PREFILL, .prefix = "Safe?", .continues_shown = true, .origin = origin};
        struct late late;
        late_open(&late, policy, 0);
        attempt(&late, "");
        play(&late, first, 64);
        assert_int_equal(rein_trace_attempt(late.trace, &again), 0);
        late.asks = 0;
        play(&late, second, 64);
        const struct rein_decision *d = rein_trace_decision(late.trace);
        size_t i = 0;
        while (i < d->findings_len && (d->findings[i].attempt == 0 || strcmp(d->findings[i].id, "r") != 0))
            i++;
        assert_true(i < d->findings_len);
        assert_int_equal(d->findings[i].offset, (origin > 0 ? origin : strlen(" I look. Here ")) + strlen(" Still "));
        late_close(&late);
    }
    rein_policy_unref(policy);
}

/* No other attempt is made, and that is known before the store has answered. */
static void it_may_be_given_up_before_the_store_answers(void **state)
{
    (void)state;
    static const char *const fallbacks[] = {"refuse", "cut_response"};
    for (size_t k = 0; k < 2 * DELAYS; k++) {
        struct rein_policy *policy = policy_of(fallbacks[k % 2]);
        struct rein_update u;
        struct late late;
        late_open(&late, policy, delays[k / 2]);
        attempt(&late, "");
        play(&late, first, 1000);
        assert_true((late.asks & REIN_ASK_RESTART) != 0);
        late.asks = 0;
        assert_int_equal(rein_trace_give_up(late.trace, &u), 0);
        take(&late, &u);
        drain(&late);
        assert_true((late.asks & REIN_ASK_END) != 0);
        struct span all = bytes_span(&late.out);
        assert_non_null(memmem(all.data, all.len, "\" Here \"", 8));
        assert_null(memmem(all.data, all.len, "zx", 2));
        assert_int_equal(memmem(all.data, all.len, "\"NO\"", 4) != NULL, k % 2 == 0);
        assert_non_null(memmem(all.data, all.len, "[DONE]", 6));
        assert_int_equal(rein_trace_decision(late.trace)->bytes_out, all.len);
        late_close(&late);
        rein_policy_unref(policy);
    }
}

/* The upstream of the second attempt breaks off while the store is still at it. */
static void it_may_fail_before_the_store_answers(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of("refuse");
    struct rein_update u;
    struct late late;
    late_open(&late, policy, 1000);
    attempt(&late, "");
    play(&late, first, 1000);
    attempt(&late, " I look. Here ");
    play(&late, ROLE THINK(" Right."), 1000);
    assert_int_equal(rein_trace_finish(late.trace, false, "gone", &u), 0);
    take(&late, &u);
    struct span all = bytes_span(&late.out);
    assert_null(memmem(all.data, all.len, "Right", 5));
    drain(&late);
    all = bytes_span(&late.out);
    const char *shown = memmem(all.data, all.len, " Here ", 6), *right = memmem(all.data, all.len, " Right.", 7);
    const char *gone = memmem(all.data, all.len, "gone", 4);
    assert_true(shown != NULL && shown < right && right < gone);
    late_close(&late);
    rein_policy_unref(policy);
}

/* An attempt without a prefix: a restart is asked for if the caller may be able to continue, and told from where. */
static void without_a_prefix_it_is_tried_if_the_caller_may(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *shown, *field;
    } calls[] = {
        {first, " I look. Here ", "reasoning_content"},
        {ROLE EVENT("\"delta\":{\"reasoning\":\"One.\"}") EVENT("\"delta\":{\"reasoning\":\"zxsteer\"}"), "One.",
         "reasoning"},
        {ROLE SAY("<think>One") SAY(". zxsteer"), "One. ", "content"},
        {ROLE THINK("zxsteer"), "", "reasoning_content"},
    };
    struct rein_policy *policy = policy_of("refuse");
    for (size_t i = 0; i < 2 * sizeof calls / sizeof *calls; i++) {
        struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF, .may_continue = i % 2 == 0};
        struct late late;
        late_open(&late, policy, 0);
        assert_int_equal(rein_trace_attempt(late.trace, &attempt), 0);
        play(&late, calls[i / 2].stream, 1000);
        struct span all = bytes_span(&late.out);
        bool restarts = attempt.may_continue || *calls[i / 2].shown == '\0';
        assert_int_equal((late.asks & REIN_ASK_RESTART) != 0, restarts);
        assert_int_equal(memmem(all.data, all.len, "NO\"", 3) != NULL, !restarts);
        if (attempt.may_continue) {
            struct rein_source seen = rein_trace_shown_reasoning(late.trace);
            assert_string_equal(seen.name, calls[i / 2].field);
            assert_int_equal(seen.len, strlen(calls[i / 2].shown));
            assert_memory_equal(seen.text, calls[i / 2].shown, seen.len);
        }
        late_close(&late);
    }
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_client_gets_the_same_whenever_the_store_answers),
        cmocka_unit_test(findings_count_from_what_was_shown),
        cmocka_unit_test(it_may_be_given_up_before_the_store_answers),
        cmocka_unit_test(it_may_fail_before_the_store_answers),
        cmocka_unit_test(without_a_prefix_it_is_tried_if_the_caller_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
