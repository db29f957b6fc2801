/* Faults in the state of a trace, seeded by hand: the structure's predicate sees each of them. Each test begins with a
 * real trace that holds text back, so the predicate is seen to be true, and then false for one reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dies.h"
#include "trace/trace_state.h"
#include "tracekit.h"

#define EVENT(text) "data: {\"id\":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"

/* Inline reasoning, a held half of a match, an undecided half of a tag, and half an event. */
static const char stream[] = EVENT("<think>I think of it. ") EVENT("This may become a sec") EVENT("re") "data: {\"id\"";
static const char rest[] = ":\"r\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"t more\"}}]}\n\n";

struct fixture {
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct rein_trace *trace;
};

static int trace_with_held_text(void **state)
{
    static struct fixture f;
    struct rein_update update;
    f.policy = kit_policy("version: 1\nname: p\nreasoning: { show: stream, release: stream }\nrules:\n"
                          "  - { id: secret, channels: [reasoning, answer], literal: secret-word, action: refuse }\n");
    assert_int_equal(rein_engine_new(&f.engine), 0);
    struct rein_trace_options options = {.policy = f.policy,
                                         .engine = f.engine,
                                         .dialect = REIN_OPENAI_CHAT,
                                         .streamed = true,
                                         .choices = 1,
                                         .model = "m",
                                         .id = "r"};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF};
    assert_int_equal(rein_trace_new(&f.trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(f.trace, &update), 0);
    assert_int_equal(rein_trace_attempt(f.trace, &attempt), 0);
    assert_int_equal(rein_trace_feed(f.trace, stream, sizeof(stream) - 1, &update), 0);
    assert_true(update.held > 0);
    assert_true(trace_is_sound(f.trace, true));
    *state = &f;
    return 0;
}

static int trace_gone(void **state)
{
    struct fixture *f = *state;
    rein_trace_free(f->trace);
    rein_engine_free(f->engine);
    rein_policy_unref(f->policy);
    return 0;
}

static struct rein_trace *trace_of(void **state)
{
    return ((struct fixture *)*state)->trace;
}

static struct text *text_of(struct rein_trace *t)
{
    struct channel_lane *lane = t->lanes;
    return &lane->texts[lane->has_reasoning_text ? 1 : 0].text;
}

static void feed_again(void *trace)
{
    struct rein_update update;
    (void)!rein_trace_feed(trace, rest, sizeof(rest) - 1, &update);
}

/* Seeds a value for as long as the checks take. */
#define SEED(place, value, checks)                                                                                     \
    do {                                                                                                               \
        __typeof__(place) before_ = (place);                                                                           \
        (place) = (value);                                                                                             \
        checks;                                                                                                        \
        (place) = before_;                                                                                             \
    } while (0)

static void a_piece_that_was_freed_in_the_gates_queue(void **state)
{
    struct gate *gate = &trace_of(state)->gate;
    assert_true(gate_is_sound(gate, true));
    assert_true(bytes_len(&gate->pieces) > 0);
    SEED(gate->pieces.end, gate->pieces.end - sizeof(struct gate_piece), assert_false(gate_is_sound(gate, true)));
    SEED(gate->pushed, bytes_len(&gate->events), assert_false(gate_is_sound(gate, false)));
    assert_true(gate_is_sound(gate, true));
}

static void a_text_that_is_cleared_beyond_what_was_received(void **state)
{
    struct text *text = text_of(trace_of(state));
    assert_true(text_is_sound(text) && text->received > 0);
    SEED(text->cleared, text->received + 1, assert_false(text_is_sound(text)));
    SEED(text->released, text->received + 1, assert_false(text_is_sound(text)));
    SEED(text->base, text->base + 1, assert_false(text_is_sound(text)));
    SEED(text->cleared, text->received + 1, assert_true(dies_of_assertion(feed_again, trace_of(state))));
    assert_true(text_is_sound(text));
}

static void a_lanes_run_that_is_out_of_order(void **state)
{
    struct lane *lane = &trace_of(state)->lanes->lane;
    assert_true(lane->splits && lane_is_sound(lane, true));
    struct lane_run *first = (struct lane_run *)(void *)bytes_at(&lane->runs, 0);
    SEED(first->end, lane->runs_start, assert_false(lane_is_sound(lane, true)));
    SEED(first->end, lane->decided + 1, assert_false(lane_is_sound(lane, true)));
    SEED(lane->decided, lane->decided + 1, assert_false(lane_is_sound(lane, false)));
    SEED(lane->decided, lane->decided + 1, assert_true(dies_of_assertion(feed_again, trace_of(state))));
    assert_true(lane_is_sound(lane, true));
}

static void a_verdict_without_a_finding(void **state)
{
    struct findings *findings = &trace_of(state)->findings;
    assert_true(findings_is_sound(findings) && findings->len == 0);
    SEED(findings->verdict, REIN_REFUSE, assert_false(findings_is_sound(findings)));
    SEED(findings->len, findings->cap + 1, assert_false(findings_is_sound(findings)));
}

static void a_frame_that_begins_behind_what_was_searched(void **state)
{
    struct framer *framer = &trace_of(state)->framer;
    assert_true(framer_is_sound(framer));
    SEED(framer->line_start, framer->scanned + 1, assert_false(framer_is_sound(framer)));
    SEED(framer->payload_len, framer->line_start + 1, assert_false(framer_is_sound(framer)));
    SEED(framer->head_lines, framer->head_len + 1, assert_false(framer_is_sound(framer))); /* lines behind the head */
    SEED(framer->line_start, framer->scanned + 1, assert_true(dies_of_assertion(feed_again, trace_of(state))));
}

static void end_trace(void *trace)
{
    struct rein_update update;
    (void)!rein_trace_finish(trace, true, NULL, &update);
}

/* Each of these functions looks for itself, whoever calls it. */
static void a_fault_that_is_there_when_the_response_ends(void **state)
{
    struct rein_trace *t = trace_of(state);
    struct lane *lane = &t->lanes->lane;
    assert_false(dies_of_assertion(end_trace, t));
    SEED(lane->decided, lane->decided + 1, assert_true(dies_of_assertion(end_trace, t)));
    SEED(text_of(t)->judged, text_of(t)->received + 1, assert_true(dies_of_assertion(end_trace, t)));
    SEED(t->gate.raw.end, t->gate.raw.end - 1, assert_true(dies_of_assertion(end_trace, t)));
}

static void an_end_that_is_due_while_the_response_runs(void **state)
{
    struct rein_trace *t = trace_of(state);
    SEED(t->end_due, true, assert_false(trace_is_sound(t, false)));
    SEED(t->end_asked, true, assert_false(trace_is_sound(t, false)));
    SEED(t->lanes_len, 0, assert_false(trace_is_sound(t, false)));
    SEED(t->end_asked, true, assert_true(dies_of_assertion(feed_again, t)));
    assert_true(trace_is_sound(t, true));
}

/* A step that failed left the state behind as it was: no later step may use it. */
static void a_step_after_a_failed_one(void **state)
{
    struct rein_trace *t = trace_of(state);
    struct rein_update update = {.out_len = 1};
    t->phase = TRACE_BROKEN;
    assert_int_equal(rein_trace_feed(t, EVENT("x"), sizeof(EVENT("x")) - 1, &update), REIN_ESTATE);
    assert_int_equal(rein_trace_finish(t, true, NULL, &update), REIN_ESTATE);
    assert_int_equal(rein_trace_give_up(t, &update), REIN_ESTATE);
    assert_int_equal(rein_trace_committed(t, &update), REIN_ESTATE);
}

int main(void)
{
#define SEEDED(name) cmocka_unit_test_setup_teardown(name, trace_with_held_text, trace_gone)
    const struct CMUnitTest tests[] = {
        SEEDED(a_piece_that_was_freed_in_the_gates_queue),
        SEEDED(a_text_that_is_cleared_beyond_what_was_received),
        SEEDED(a_lanes_run_that_is_out_of_order),
        SEEDED(a_verdict_without_a_finding),
        SEEDED(a_frame_that_begins_behind_what_was_searched),
        SEEDED(a_fault_that_is_there_when_the_response_ends),
        SEEDED(an_end_that_is_due_while_the_response_runs),
        SEEDED(a_step_after_a_failed_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
