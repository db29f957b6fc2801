/* `prefix.show`: the client's reasoning begins with a prefilled prefix, under whatever name and in whatever pieces.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tracekit.h"

#define PREFIX "Is it \"safe\"?\n"
#define ESCAPED "Is it \\\"safe\\\"?\\n"

#define EVENT(choice, delta) "data: {\"id\":\"u\",\"choices\":[{\"index\":" #choice ",\"delta\":{" delta "}}]}\n\n"
#define ROLE EVENT(0, "\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"\"")
#define THINK(text) EVENT(0, "\"reasoning_content\":\"" text "\"")
#define SAY(text) EVENT(0, "\"content\":\"" text "\"")
#define FINISH "data: {\"id\":\"u\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static const char *const templates[] = {
    "version: 1\nname: check\nkind: prefix\ntext: \"" ESCAPED "\"\n",
    "version: 1\nname: again\nkind: corrective\ntext: Again.\n",
};
static const char rules[] = "rules:\n"
                            "  - { id: r, literal: zxred, match: raw, action: redact, replacement: '#' }\n"
                            "  - { id: n, literal: zxno, match: raw, action: refuse }\n"
                            "  - { id: c, literal: zxcut, match: raw, channels: [reasoning], action: cut_reasoning }\n"
                            "  - { id: s, literal: zxsteer, match: raw, channels: [reasoning], action: steer }\n"
                            "steer: { template: again, max_attempts: 2 }\n";

static struct rein_policy *policy_of(const char *show, const char *reasoning)
{
    char yaml[2048];
    snprintf(yaml, sizeof(yaml),
             "version: 1\nname: p\nprefix: { template: check, deliver: auto, when: always, show: %s }\n"
             "reasoning: { show: %s, release: stream }\nrefusal: { message: NO }\n%s",
             show, reasoning, rules);
    return kit_policy_with(yaml, templates, 2);
}

static struct kit_run run_of(struct rein_policy *policy, const char *stream)
{
    return (struct kit_run){.policy = policy, .upstream = {stream, strlen(stream)}, .prefix = PREFIX};
}

struct show_case {
    const char *name, *stream;
    const char *reasoning, *content; /* what the client joins */
    uint64_t received;               /* bytes of reasoning, the model's own */
    bool opened;
};

static const struct show_case cases[] = {
    {"as it comes", ROLE THINK(" I look.") THINK(" Fine.") SAY("Yes.") FINISH DONE, PREFIX " I look. Fine.", "Yes.", 14,
     false},
    {"nothing is sent before the reasoning", THINK("A") SAY("B") FINISH DONE, PREFIX "A", "B", 1, false},
    {"blank at first", ROLE THINK("\\n") THINK("A") SAY("\\nB") FINISH DONE, PREFIX "\nA", "\nB", 2, false},
    {"a pair in two events", ROLE THINK("\\ud83d") THINK("\\ude00") SAY("B") FINISH DONE, PREFIX "\xF0\x9F\x98\x80",
     "B", 4, false},
    {"inline, opened by the prompt", ROLE SAY("A") SAY("</th") SAY("ink>B") FINISH DONE, "", PREFIX "A</think>B", 1,
     true},
    {"inline, opened by the model", ROLE SAY("<think>A</think>B") FINISH DONE, "", "<think>" PREFIX "A</think>B", 1,
     false},
    {"redacted at its beginning", ROLE THINK("zxr") THINK("ed on") SAY("B") FINISH DONE, PREFIX "# on", "B", 8, false},
    {"cut after some of it", ROLE THINK("Azx") THINK("cut more") SAY("B") FINISH DONE, PREFIX "A", "B", 11, false},
    {"cut before any of it", ROLE THINK("zxcut more") SAY("B") FINISH DONE, "", "B", 10, false},
    {"refused before any of it", ROLE THINK("zxno") SAY("B") FINISH DONE, "", "NO", 4, false},
    {"refused in the answer", ROLE THINK("A") SAY("Bzxno") FINISH DONE, PREFIX "A", "B\nNO", 1, false},
    {"no reasoning", ROLE SAY("B") FINISH DONE, "", "B", 0, false},
    {"reasoning after the answer", ROLE SAY("B") THINK("A") FINISH DONE, "A", "B", 1, false},
};

static void check_case(const struct show_case *c, struct rein_policy *policy, size_t chunk, size_t cut)
{
    struct kit_seen seen;
    struct kit_run run = run_of(policy, c->stream);
    run.chunk = chunk;
    run.cut = cut;
    run.opened = c->opened;
    kit_run(&run, &seen);
    if (strcmp(kit_reasoning(&seen, 0), c->reasoning) != 0 || strcmp(kit_content(&seen, 0), c->content) != 0)
        fail_msg("%s, chunk %zu, cut %zu: '%s', '%s'", c->name, chunk, cut, kit_reasoning(&seen, 0),
                 kit_content(&seen, 0));
    assert_int_equal(seen.decision.flow[REIN_REASONING].received, c->received);
    assert_true(seen.decision.flow[REIN_REASONING].released <= c->received);
    assert_int_equal(seen.decision.bytes_unjudged, 0);
    assert_int_equal(seen.unreadable, 0);
    assert_int_equal(seen.done, 1);
    kit_seen_fini(&seen);
}

static void it_leads_the_reasoning_under_every_chunking(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of("true", "stream");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_case(&cases[i], policy, 0, 0);
        check_case(&cases[i], policy, 1, 0);
        for (size_t cut = 1; cut < strlen(cases[i].stream); cut++)
            check_case(&cases[i], policy, 0, cut);
    }
    rein_policy_unref(policy);
}

static void it_is_in_the_first_event_with_reasoning_and_nothing_else_changes(void **state)
{
    (void)state;
    static const char stream[] = ROLE "data: {\"id\":\"u\",\"created\":7,\"model\":\"x\",\"choices\":[{\"index\":0,"
                                      "\"delta\":{\"reasoning\":\"A\",\"odd\":1},\"logprobs\":{\"content\":[{"
                                      "\"token\":\"A\"}]},\"token_ids\":[5]}]}\n\n" SAY("B") FINISH DONE;
    static const char wanted[] = ROLE "data: {\"id\":\"u\",\"created\":7,\"model\":\"x\",\"choices\":[{\"index\":0,"
                                      "\"delta\":{\"reasoning\":\"" ESCAPED "A\",\"odd\":1},\"logprobs\":{"
                                      "\"content\":[{\"token\":\"A\"}]},\"token_ids\":[5]}]}\n\n" SAY("B") FINISH DONE;
    struct rein_policy *policy = policy_of("true", "stream");
    struct kit_run run = run_of(policy, stream);
    struct kit_seen seen;
    kit_run(&run, &seen);
    assert_int_equal(bytes_len(&seen.out), sizeof(wanted) - 1);
    assert_memory_equal(bytes_span(&seen.out).data, wanted, sizeof(wanted) - 1);
    assert_int_equal(seen.decision.flow[REIN_REASONING].released, 1);
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

static void every_name_and_every_choice_has_it(void **state)
{
    (void)state;
    static const char names[] = EVENT(0, "\"reasoning\":\"A\",\"reasoning_content\":\"A\"") SAY("B") FINISH DONE;
    static const char parts[] =
        EVENT(0, "\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"A\"}]}]") SAY("B")
            FINISH DONE;
    static const char choices[] = EVENT(1, "\"reasoning_content\":\"A1\"") EVENT(0, "\"reasoning_content\":\"A0\"")
        EVENT(1, "\"reasoning_content\":\"B1\"") EVENT(1, "\"content\":\"C1\"") EVENT(0, "\"content\":\"C0\"") FINISH
        "data: {\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE;
    struct rein_policy *policy = policy_of("true", "stream");
    for (size_t chunk = 0; chunk < 3; chunk++) {
        struct kit_seen seen;
        struct kit_run run = run_of(policy, names);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_true(kit_has(&seen, "\"reasoning\":\"" ESCAPED "A\",\"reasoning_content\":\"" ESCAPED "A\""));
        kit_seen_fini(&seen);
        run = run_of(policy, parts);
        run.chunk = chunk;
        kit_run(&run, &seen);
        assert_true(kit_has(&seen, "\"text\":\"" ESCAPED "A\""));
        kit_seen_fini(&seen);
        run = run_of(policy, choices);
        run.chunk = chunk;
        run.choices = 2;
        kit_run(&run, &seen);
        assert_string_equal(kit_reasoning(&seen, 0), PREFIX "A0");
        assert_string_equal(kit_reasoning(&seen, 1), PREFIX "A1B1");
        assert_string_equal(kit_content(&seen, 1), "C1");
        kit_seen_fini(&seen);
    }
    rein_policy_unref(policy);
}

static void a_body_has_it_in_each_message(void **state)
{
    (void)state;
    static const char body[] = "{\"id\":\"u\",\"choices\":[{\"index\":0,\"message\":{\"reasoning_content\":\"A\","
                               "\"content\":\"B\"},\"logprobs\":{\"content\":[{\"token\":\"A\"}]}},"
                               "{\"index\":1,\"message\":{\"content\":\"C\",\"reasoning_content\":\"D\"}}]}";
    struct rein_policy *policy = policy_of("true", "stream");
    struct kit_run run = run_of(policy, body);
    struct kit_seen seen;
    run.is_body = true;
    run.choices = 2;
    kit_run(&run, &seen);
    assert_string_equal(kit_reasoning(&seen, 0), PREFIX "A");
    assert_string_equal(kit_reasoning(&seen, 1), PREFIX "D");
    assert_string_equal(kit_content(&seen, 1), "C");
    assert_true(kit_has(&seen, "logprobs"));
    kit_seen_fini(&seen);
    rein_policy_unref(policy);
}

static void it_is_hidden_unless_the_policy_shows_a_prefilled_one(void **state)
{
    (void)state;
    static const char stream[] = ROLE THINK("A") SAY("B") FINISH DONE;
    struct rein_policy *hides = policy_of("false", "stream"), *shows = policy_of("true", "stream");
    struct kit_run runs[] = {run_of(hides, stream), run_of(shows, stream)};
    runs[1].prefix = NULL; /* delivered in words, or not at all */
    for (size_t i = 0; i < 2; i++) {
        struct kit_seen seen;
        kit_run(&runs[i], &seen);
        assert_int_equal(bytes_len(&seen.out), sizeof(stream) - 1);
        assert_memory_equal(bytes_span(&seen.out).data, stream, sizeof(stream) - 1);
        kit_seen_fini(&seen);
    }
    rein_policy_unref(hides);
    rein_policy_unref(shows);
}

/* ---- a restart ----------------------------------------------------------------------------------------------------
 */

/* Feeds until the step asks for something, commits as often as that is wanted. */
static unsigned feed(struct rein_trace *trace, const char *stream, struct bytes *out)
{
    struct rein_update u;
    unsigned asks = 0;
    assert_int_equal(rein_trace_feed(trace, stream, strlen(stream), &u), 0);
    for (;;) {
        asks |= u.asks;
        assert_int_equal(bytes_append(out, u.out, u.out_len), 0);
        if (!(u.asks & REIN_ASK_COMMIT))
            return asks;
        assert_int_equal(rein_trace_committed(trace, &u), 0);
    }
}

/* Plays a steered response; `first` ends with what steers. Returns the client's bytes. */
static struct bytes steered(struct rein_policy *policy, const char *first, const char *shown, uint64_t *offset)
{
    struct rein_engine *engine = NULL;
    struct rein_trace *trace = NULL;
    struct rein_update u;
    struct bytes out;
    struct rein_trace_options options = {
        .policy = policy, .dialect = REIN_OPENAI_CHAT, .streamed = true, .choices = 1, .model = "m", .id = "own"};
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_PREFILL, .prefix = PREFIX, .continues_shown = true};
    bytes_init(&out, 1 << 16);
    assert_int_equal(rein_engine_new(&engine), 0);
    options.engine = engine;
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &attempt), 0);
    assert_true((feed(trace, first, &out) & REIN_ASK_RESTART) != 0);
    struct rein_source seen = rein_trace_shown_reasoning(trace);
    assert_int_equal(seen.len, strlen(shown));
    assert_memory_equal(seen.text, shown, seen.len);
    attempt.prefix = "Again.";
    assert_int_equal(rein_trace_attempt(trace, &attempt), 0);
    assert_true((feed(trace, ROLE THINK(" Right zxred.") SAY("Yes.") FINISH DONE, &out) & REIN_ASK_END) != 0);
    const struct rein_decision *d = rein_trace_decision(trace);
    *offset = d->findings[d->findings_len - 1].offset;
    rein_trace_free(trace);
    rein_engine_free(engine);
    return out;
}

static void a_restart_goes_on_from_it_and_does_not_repeat_it(void **state)
{
    (void)state;
    struct rein_policy *policy = policy_of("true", "stream");
    uint64_t offset;
    struct bytes out = steered(policy, ROLE THINK(" I look.") THINK(" zxsteer"), PREFIX " I look. ", &offset);
    struct span all = bytes_span(&out);
    const char *at = memmem(all.data, all.len, ESCAPED " I look.", strlen(ESCAPED " I look."));
    assert_non_null(at);
    at += strlen(ESCAPED);
    assert_null(memmem(at, all.len - (size_t)(at - all.data), "safe", 4));
    assert_null(memmem(all.data, all.len, "Again", 5));
    assert_non_null(memmem(all.data, all.len, " Right #.", 9));
    assert_int_equal(offset, strlen(" I look. ") + strlen(" Right ")); /* of the model's text */
    bytes_fini(&out);
    out = steered(policy, ROLE THINK("zxsteer"), "", &offset);
    all = bytes_span(&out);
    assert_null(memmem(all.data, all.len, "safe", 4)); /* the second call did not begin with it */
    bytes_fini(&out);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_leads_the_reasoning_under_every_chunking),
        cmocka_unit_test(it_is_in_the_first_event_with_reasoning_and_nothing_else_changes),
        cmocka_unit_test(every_name_and_every_choice_has_it),
        cmocka_unit_test(a_body_has_it_in_each_message),
        cmocka_unit_test(it_is_hidden_unless_the_policy_shows_a_prefilled_one),
        cmocka_unit_test(a_restart_goes_on_from_it_and_does_not_repeat_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
