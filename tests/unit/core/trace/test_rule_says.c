/* Tests of what a rule says besides its matches: the words of its refusal, whose messages it judges, what is masked,
 * how bad a match is; and of a whole policy in shadow. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tracekit.h"

#define HEAD                                                                                                           \
    "version: 1\nname: p\nreasoning: { show: stream, release: stream }\nrefusal: { message: Never., "                  \
    "before_first_byte: reply }\n"
#define EVENT(n, text) "data: {\"id\":\"up\",\"choices\":[{\"index\":" #n ",\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH(n) "data: {\"id\":\"up\",\"choices\":[{\"index\":" #n ",\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define SAID(n, text)                                                                                                  \
    "{\"index\":" #n ",\"message\":{\"role\":\"assistant\",\"content\":\"" text "\"},\"finish_reason\":\"stop\"}"

static const char two_words[] = HEAD
    "rules:\n"
    "  - { id: calm, literal: despair, action: refuse, message: Call a friend., finish_reason: stop, severity: high,\n"
    "      tags: [care, helpline] }\n"
    "  - { id: plain, literal: swindle, action: refuse }\n"
    "  - { id: cut, literal: scissors, action: cut_response, finish_reason: stop }\n"
    "  - { id: ask, literal: despair, channels: [prompt], roles: [user], action: refuse, message: We can talk. }\n"
    "  - { id: ask-too, literal: gloom, channels: [prompt], action: refuse }\n";

static void run_text(struct kit_seen *seen, const char *yaml, const char *upstream, bool is_body, const char *prompt)
{
    struct rein_policy *policy = kit_policy(yaml);
    struct kit_run run = {
        .policy = policy, .upstream = {upstream, strlen(upstream)}, .is_body = is_body, .choices = 2, .prompt = prompt};
    kit_run(&run, seen);
    rein_policy_unref(policy);
}

static void check_choice(struct kit_seen *seen, unsigned choice, const char *content, const char *finish)
{
    assert_string_equal(kit_content(seen, choice), content);
    assert_string_equal(seen->choices[choice].finish, finish);
}

/* Choices that different rules end read as these rules say, streamed and as one body. */
static void test_found_u14_each_rule_refuses_in_its_own_words(void **state)
{
    (void)state;
    static const char stream[] = EVENT(0, "In despair. ") EVENT(1, "A swindle. ") FINISH(0) FINISH(1) DONE;
    static const char body[] = "{\"id\":\"up\",\"choices\":[" SAID(0, "In despair.") "," SAID(1, "A swindle.") "]}";
    struct kit_seen seen;
    for (unsigned is_body = 0; is_body < 2; is_body++) {
        run_text(&seen, two_words, is_body ? body : stream, is_body, NULL);
        check_choice(&seen, 0, is_body ? "Call a friend." : "In \nCall a friend.", "stop");
        check_choice(&seen, 1, is_body ? "Never." : "A \nNever.", "content_filter");
        kit_seen_fini(&seen);
    }
}

static void test_a_cut_ends_as_its_rule_says(void **state)
{
    (void)state;
    static const char stream[] = EVENT(0, "Use scissors. ") EVENT(1, "A swindle. ") FINISH(0) FINISH(1) DONE;
    static const char body[] = "{\"id\":\"up\",\"choices\":[" SAID(0, "Use scissors.") "," SAID(1, "A swindle.") "]}";
    struct kit_seen seen;
    for (unsigned is_body = 0; is_body < 2; is_body++) {
        run_text(&seen, two_words, is_body ? body : stream, is_body, NULL);
        check_choice(&seen, 0, "Use ", "stop");
        assert_string_equal(seen.choices[1].finish, "content_filter");
        kit_seen_fini(&seen);
    }
}

/* A string in a place that no format knows refuses with its rule's words, too. */
static void test_a_string_elsewhere_refuses_likewise(void **state)
{
    (void)state;
    static const char stream[] =
        "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hm. \",\"x\":{\"y\":\"despair\"}}}]}"
        "\n\n" FINISH(0) DONE;
    struct kit_seen seen;
    run_text(&seen, two_words, stream, false, NULL);
    assert_true(kit_has(&seen, "Call a friend."));
    kit_seen_fini(&seen);
}

static void check_prompt(const char *prompt, const char *content)
{
    static const char stream[] = EVENT(0, "Hello.") FINISH(0) EVENT(1, "Hello.") FINISH(1) DONE;
    struct kit_seen seen;
    run_text(&seen, two_words, stream, false, prompt);
    assert_string_equal(kit_content(&seen, 0), content);
    kit_seen_fini(&seen);
}

static void test_of_several_rules_that_refuse_a_prompt_the_first_speaks(void **state)
{
    (void)state;
    check_prompt("hello", "Hello.");
    check_prompt("gloom", "Never.");
    check_prompt("gloom and despair", "We can talk.");
}

/* The verdict after one message of a speaker. */
static enum rein_action ask_as(struct rein_policy *policy, const char *speaker, const char *text)
{
    struct rein_engine *engine;
    struct rein_trace *trace;
    struct rein_update update;
    assert_int_equal(rein_engine_new(&engine), 0);
    struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .streamed = true};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, speaker, text, strlen(text)), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &update), 0);
    enum rein_action verdict = rein_trace_decision(trace)->verdict;
    rein_trace_free(trace);
    rein_engine_free(engine);
    return verdict;
}

static void test_roles_choose_the_messages(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy(HEAD "rules:\n"
                        "  - { id: a, literal: alpha, channels: [prompt], roles: [system], action: refuse }\n"
                        "  - { id: b, literal: beta, channels: [prompt], roles: [user, tool], action: refuse }\n"
                        "  - { id: c, literal: gamma, channels: [prompt], action: refuse }\n");
    static const struct {
        const char *speaker;
        bool alpha, beta;
    } rows[] = {
        {"system", true, false}, {"developer", true, false}, {"user", false, true},    {"assistant", false, false},
        {"tool", false, true},   {"function", false, true},  {"narrator", true, true}, {"", true, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ask_as(policy, rows[i].speaker, "an alpha"), rows[i].alpha ? REIN_REFUSE : REIN_ALLOW);
        assert_int_equal(ask_as(policy, rows[i].speaker, "a beta"), rows[i].beta ? REIN_REFUSE : REIN_ALLOW);
        assert_int_equal(ask_as(policy, rows[i].speaker, "a gamma"), REIN_REFUSE);
    }
    rein_policy_unref(policy);
}

/* Evidence of the secret rule, and of another rule that quotes the secret. */
static void test_found_u2_a_secret_is_masked_wherever_it_is_quoted(void **state)
{
    (void)state;
    struct rein_policy *policy =
        kit_policy(HEAD "rules:\n"
                        "  - { id: badge, regex: 'B-[0-9]{4}', channels: [prompt], action: record, secret: true }\n"
                        "  - { id: line, regex: 'my badge is .{6}', channels: [prompt], action: record,\n"
                        "      severity: low, tags: pii }\n");
    struct rein_engine *engine;
    struct rein_trace *trace;
    static const char text[] = "my badge is B-1234 now";
    assert_int_equal(rein_engine_new(&engine), 0);
    struct rein_trace_options options = {.policy = policy, .engine = engine, .choices = 1, .streamed = true};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", text, strlen(text)), 0);
    const struct rein_decision *d = rein_trace_decision(trace);
    assert_int_equal(d->findings_len, 2);
    for (size_t i = 0; i < d->findings_len; i++) {
        bool is_badge = strcmp(d->findings[i].id, "badge") == 0;
        const char *wanted = is_badge ? "******" : "my badge is ******";
        assert_int_equal(d->findings[i].evidence_len, strlen(wanted));
        assert_memory_equal(d->findings[i].evidence, wanted, strlen(wanted));
        assert_int_equal(d->findings[i].severity, is_badge ? REIN_SEVERITY_NONE : REIN_SEVERITY_LOW);
        assert_string_equal(d->findings[i].tags, is_badge ? "" : "pii");
    }
    rein_trace_free(trace);
    rein_engine_free(engine);
    rein_policy_unref(policy);
}

static void test_a_policy_in_shadow_judges_and_leaves_all_as_it_is(void **state)
{
    (void)state;
    static const char yaml[] = "version: 1\nname: p\nshadow: true\nreasoning: { show: hide }\nrules:\n"
                               "  - { id: r, literal: swindle, action: refuse }\n"
                               "  - { id: s, literal: card, action: redact }\n"
                               "  - { id: p, literal: gloom, channels: [prompt], action: refuse }\n";
    static const char stream[] =
        "data: {\"id\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"A card\"}}]}\n\n" EVENT(
            0, "A swindle. ") EVENT(1, "Hello.") FINISH(0) FINISH(1) DONE;
    struct kit_seen seen;
    run_text(&seen, yaml, stream, false, "gloom");
    assert_int_equal(bytes_len(&seen.out), strlen(stream));
    assert_memory_equal(bytes_span(&seen.out).data, stream, strlen(stream));
    assert_int_equal(seen.decision.findings_len, 3);
    assert_int_equal(seen.decision.verdict, REIN_RECORD);
    assert_int_equal(seen.decision.shadow, REIN_REFUSE);
    kit_seen_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_u14_each_rule_refuses_in_its_own_words),
        cmocka_unit_test(test_a_cut_ends_as_its_rule_says),
        cmocka_unit_test(test_a_string_elsewhere_refuses_likewise),
        cmocka_unit_test(test_of_several_rules_that_refuse_a_prompt_the_first_speaks),
        cmocka_unit_test(test_roles_choose_the_messages),
        cmocka_unit_test(test_found_u2_a_secret_is_masked_wherever_it_is_quoted),
        cmocka_unit_test(test_a_policy_in_shadow_judges_and_leaves_all_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
