/* Evidence: what findings quote, and what of it must not be seen.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rein/rein.h"

static const char lexicon_text[] =
    "version: 1\nname: tiny\nlanguage: en\nentries:\n"
    "  - { id: p, class: prompt_harm, category: fraud, phrases: [a dark thing], match: [a dark thing], weight: 2 }\n"
    "  - { id: c, class: commits_to_comply, phrases: [i will do it], match: [i will do it] }\n";

static struct rein_engine *engine;

static struct rein_policy *load(const char *yaml)
{
    struct rein_policy *policy = NULL;
    struct rein_source text = {"p", yaml, strlen(yaml)}, lexicon = {"l", lexicon_text, sizeof lexicon_text - 1};
    struct rein_library library = {.lexicons = &lexicon, .lexicons_len = 1};
    struct rein_problems *problems = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = rein_policy_load(&policy, &text, &library, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    assert_int_equal(rv, 0);
    rein_problems_free(problems);
    return policy;
}

/* Runs a stream, cut every `chunk` bytes; the caller frees the trace. */
static struct rein_trace *run(struct rein_policy *policy, const char *prompt, const char *events, size_t chunk)
{
    struct rein_trace *trace;
    struct rein_update u;
    struct rein_trace_options options = {.policy = policy, .engine = engine, .streamed = true, .choices = 1};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", prompt, strlen(prompt)), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    assert_int_equal(rein_trace_attempt(trace, &(struct rein_attempt){.is_apart = true}), 0);
    for (size_t at = 0, len = strlen(events); at < len;) {
        size_t step = chunk > 0 && chunk < len - at ? chunk : len - at;
        assert_int_equal(rein_trace_feed(trace, events + at, step, &u), 0);
        if ((u.asks & REIN_ASK_COMMIT) != 0)
            assert_int_equal(rein_trace_committed(trace, &u), 0);
        at += step;
    }
    assert_int_equal(rein_trace_finish(trace, true, NULL, &u), 0);
    return trace;
}

static const struct rein_finding *finding(struct rein_trace *trace, const char *id)
{
    const struct rein_decision *d = rein_trace_decision(trace);
    for (size_t i = 0; i < d->findings_len; i++)
        if (strcmp(d->findings[i].id, id) == 0)
            return &d->findings[i];
    fail_msg("%s was not found", id);
    return NULL;
}

static void check_evidence(struct rein_trace *trace, const char *id, const char *wanted)
{
    const struct rein_finding *f = finding(trace, id);
    char text[600];
    snprintf(text, sizeof text, "%.*s", (int)f->evidence_len, f->evidence);
    assert_string_equal(text, wanted);
}

#define SAY(field, text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"" field "\":\"" text "\"}}]}\n\n"
#define DONE "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
#define THINK(text) SAY("reasoning_content", text)

static void test_found_u3_a_late_finding_quotes_what_its_steps_point_to(void **state)
{
    (void)state;
    struct rein_policy *policy =
        load("version: 1\nname: p\nlexicons: [tiny]\nreasoning: { release: stream }\npatterns:\n"
             "  lack_of_safety_awareness: { action: record, threshold: 0.3 }\n"
             "rules:\n  - { id: mail, channels: [answer], builtin: email, action: record }\n");
    for (size_t chunk = 0; chunk < 40; chunk += 3) {
        struct rein_trace *trace =
            run(policy, "Tell me of a dark thing. A dark thing.",
                THINK("Let me see. First, I will do") THINK(" it now. Birds sing in spring. ")
                    THINK("Then i will do it for jo@example.org again. So be it.") SAY("content", "Ok.") DONE,
                chunk);
        check_evidence(trace, "lack_of_safety_awareness",
                       "First, I will do it now. \nThen i will do it for ************** again. ");
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

static void a_secret_that_reaches_into_evidence_is_masked(void **state)
{
    (void)state;
    struct rein_policy *policy =
        load("version: 1\nname: p\nlexicons: []\nrules:\n"
             "  - { id: digits, channels: [answer], regex: 'no\\. [0-9]{4}', action: record }\n"
             "  - { id: tail, channels: [answer], regex: '[0-9]{4} [a-z]{3,9}', action: record }\n"
             "  - { id: card, channels: [answer], builtin: card_number, action: redact }\n");
    for (size_t chunk = 0; chunk < 40; chunk += 3) {
        struct rein_trace *trace =
            run(policy, "hello", SAY("content", "Card no. 4111 1111 1111") SAY("content", " 1111 please") DONE, chunk);
        check_evidence(trace, "digits", "no. ****");
        check_evidence(trace, "tail", "**** please");
        rein_trace_free(trace);
    }
    rein_policy_unref(policy);
}

/* What is kept of a long match ends in the middle of a secret, of a rule that looks elsewhere. */
static void a_secret_at_the_end_of_evidence_is_masked(void **state)
{
    (void)state;
    struct rein_policy *policy =
        load("version: 1\nname: p\nlexicons: []\nrules:\n"
             "  - { id: long, channels: [answer], regex: 'ab{500} [0-9 ]{19} end', action: record }\n"
             "  - { id: card, channels: [tool], builtin: card_number, action: record }\n");
    char events[1200], text[600];
    memset(text, 'b', 501);
    text[0] = 'a';
    memcpy(text + 501, " 4111 1111 1111 1111 end", 25);
    snprintf(events, sizeof events, SAY("content", "%s") DONE, text);
    struct rein_trace *trace = run(policy, "hello", events, 0);
    const struct rein_finding *f = finding(trace, "long");
    assert_int_equal(f->evidence_len, 512);
    assert_memory_equal(f->evidence + 500, "b **********", 12);
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

/* The same place of another text is not the same. */
static void a_secret_of_another_text_masks_nothing(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: p\nlexicons: []\nrules:\n"
                                      "  - { id: word, channels: [prompt], literal: gadget, action: record }\n"
                                      "  - { id: card, channels: [prompt], builtin: card_number, action: record }\n");
    struct rein_trace *trace;
    struct rein_update u;
    struct rein_trace_options options = {.policy = policy, .engine = engine, .streamed = true, .choices = 1};
    assert_int_equal(rein_trace_new(&trace, &options), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", "4111 1111 1111 1111", 19), 0);
    assert_int_equal(rein_trace_prompt(trace, "user", "A gadget", 8), 0);
    assert_int_equal(rein_trace_prompt_end(trace, &u), 0);
    check_evidence(trace, "word", "gadget");
    check_evidence(trace, "card", "*******************");
    rein_trace_free(trace);
    rein_policy_unref(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_u3_a_late_finding_quotes_what_its_steps_point_to),
        cmocka_unit_test(a_secret_that_reaches_into_evidence_is_masked),
        cmocka_unit_test(a_secret_at_the_end_of_evidence_is_masked),
        cmocka_unit_test(a_secret_of_another_text_masks_nothing),
    };
    if (rein_engine_new(&engine) != 0)
        return 1;
    int rv = cmocka_run_group_tests(tests, NULL, NULL);
    rein_engine_free(engine);
    return rv;
}
