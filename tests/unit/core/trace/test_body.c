/* Answers in one body: they go out as they came or edited, and all of them is judged whoever holds the bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "rein/rein.h"
#include "tracekit.h"

static const char yaml[] = "version: 1\nname: t\nreasoning: { show: stream, release: stream }\nrules:\n"
                           "  - { id: name, literal: zxviolet, match: raw, action: redact }\n"
                           "  - { id: stop, regex: 'stop[0-9]{2}', action: refuse }\n"
                           "  - { id: seen, regex: 'seen[0-9]{2}', action: record }\n";

#define BODY(model, content)                                                                                           \
    "{\"id\":\"a\",\"object\":\"chat.completion\",\"model\":\"" model "\",\"choices\":[{\"index\":0,\"message\":{"     \
    "\"role\":\"assistant\",\"content\":\"" content "\"},\"finish_reason\":\"stop\"}],\"note\":\"seen34\"}"

struct fixture {
    struct rein_policy *policy;
    struct rein_engine *engine;
    struct rein_trace *trace;
};

static int set_up(void **state)
{
    static struct fixture f;
    f.policy = kit_policy(yaml);
    assert_int_equal(rein_engine_new(&f.engine), 0);
    struct rein_trace_options options = {
        .policy = f.policy, .engine = f.engine, .dialect = REIN_OPENAI_CHAT, .choices = 1, .model = "m"};
    assert_int_equal(rein_trace_new(&f.trace, &options), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    rein_trace_free(f->trace);
    rein_engine_free(f->engine);
    rein_policy_unref(f->policy);
    return 0;
}

/* Feeds the body in pieces; *u is what its end asks for. */
static void respond(struct fixture *f, const char *body, size_t piece, struct rein_update *u)
{
    struct rein_attempt attempt = {.delivery = REIN_DELIVER_OFF, .prefix = ""};
    assert_int_equal(rein_trace_prompt_end(f->trace, u), 0);
    assert_int_equal(rein_trace_attempt(f->trace, &attempt), 0);
    for (size_t at = 0, len = strlen(body); at < len; at += piece) {
        assert_int_equal(rein_trace_feed(f->trace, body + at, len - at < piece ? len - at : piece, u), 0);
        assert_int_equal(u->out_len, 0);
    }
    assert_int_equal(rein_trace_finish(f->trace, true, NULL, u), 0);
    assert_int_equal(u->out_len, 0);
    assert_true((u->asks & REIN_ASK_COMMIT) != 0);
}

static void check_end(struct fixture *f, const char *expected)
{
    struct rein_update u;
    assert_int_equal(rein_trace_committed(f->trace, &u), 0);
    assert_int_equal(u.asks, REIN_ASK_END);
    assert_int_equal(u.out_len, strlen(expected));
    assert_memory_equal(u.out, expected, u.out_len);
    assert_int_equal(rein_trace_decision(f->trace)->bytes_out, u.out_len);
}

static void an_untouched_body_goes_out_as_it_came(void **state)
{
    static const char body[] = BODY("m", "Plain, and \\u0065scaped.\\n") "\n";
    static const size_t pieces[] = {1, 7, 64, sizeof body};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct rein_update u;
        respond(*state, body, pieces[i], &u);
        check_end(*state, body);
        tear_down(state);
        set_up(state);
    }
}

static void an_edited_body_keeps_all_else(void **state)
{
    struct rein_update u;
    respond(*state, BODY("m", "It is zxviolet."), 64, &u);
    check_end(*state, BODY("m", "It is [redacted]."));
}

static void what_is_escaped_is_judged_like_what_is_not(void **state)
{
    struct rein_update u;
    respond(*state, BODY("m", "It is zx\\u0076iolet, a\\tzxviolet."), 64, &u);
    check_end(*state, BODY("m", "It is [redacted], a\\t[redacted]."));
}

static const struct rein_finding *find(struct fixture *f, const char *evidence)
{
    const struct rein_decision *d = rein_trace_decision(f->trace);
    for (size_t i = 0; i < d->findings_len; i++)
        if (d->findings[i].evidence_len == strlen(evidence) &&
            memcmp(d->findings[i].evidence, evidence, d->findings[i].evidence_len) == 0)
            return &d->findings[i];
    return NULL;
}

/* The refusal is queued while the strings behind what it stands on still have to be read. */
static void a_refused_body_is_judged_to_its_end(void **state)
{
    struct fixture *f = *state;
    struct rein_update u;
    respond(f, BODY("stop12", "Never shown."), 64, &u);
    assert_true((u.asks & REIN_ASK_STOP) != 0);
    assert_non_null(find(f, "stop12"));
    assert_non_null(find(f, "seen34"));
    assert_int_equal(rein_trace_committed(f->trace, &u), 0);
    assert_null(memmem(u.out, u.out_len, "Never", 5));
    assert_null(memmem(u.out, u.out_len, "stop12", 6));
    assert_int_equal(rein_trace_decision(f->trace)->ending, REIN_REFUSED);
}

/* What Rein says itself carries the response's id, but none that a rule acts on. */
static void an_id_that_a_rule_acts_on_is_not_said_again(void **state)
{
    static const char *const bodies[] = {
        "{\"id\":\"x-stop12\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hm.\"}}]}",
        "{\"id\":\"zxviolet\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"stop34\"}}]}",
        "{\"id\":\"zxvi\\u006flet\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"stop34\"}}]}",
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"stop34\"}}],\"id\":\"zxviolet\"}",
        "{\"id\":\"fine\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"stop34\"}}]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct fixture *f = *state;
        struct rein_update u;
        respond(f, bodies[i], 64, &u);
        assert_int_equal(rein_trace_committed(f->trace, &u), 0);
        assert_int_equal(rein_trace_decision(f->trace)->ending, REIN_REFUSED);
        assert_null(memmem(u.out, u.out_len, "stop12", 6));
        assert_null(memmem(u.out, u.out_len, "violet", 6));
        assert_null(memmem(u.out, u.out_len, "u006flet", 8));
        assert_int_equal(memmem(u.out, u.out_len, "\"fine\"", 6) != NULL, i == 4);
        tear_down(state);
        set_up(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_untouched_body_goes_out_as_it_came, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edited_body_keeps_all_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_escaped_is_judged_like_what_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_body_is_judged_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_that_a_rule_acts_on_is_not_said_again, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
