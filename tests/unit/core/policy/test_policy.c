/* Tests of policies: settings and their defaults, patterns and rules, versions, what the shipped ones say.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is said of broken policies is in tests/golden/problems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "modelkit.h"
#include "policy/policy.h"
#include "rein/doc.h"

static struct rein_source source(const char *name, const char *text)
{
    return (struct rein_source){name, text, strlen(text)};
}

static const char lexicon_text[] = "version: 1\n"
                                   "name: english\n"
                                   "language: en\n"
                                   "entries:\n"
                                   "  - id: illegal\n"
                                   "    class: names_harm\n"
                                   "    phrases: [this is illegal, \"Doesn\xe2\x80\x99t  look Legal\"]\n"
                                   "    match: [this is illegal]\n";

/* A library of a few documents; fails the test with the problems if the policy does not load. */
static struct rein_policy *load_beside(const char *policy_text, const char *lexicon, struct rein_policy *peer)
{
    struct rein_source templates[] = {
        source("checklist.yaml", "version: 1\nname: checklist\nkind: prefix\ntext: I look first.\n"),
        source("other.yaml", "version: 1\nname: other\nkind: primer\ntext: Safety first.\n"),
        source("corrective.yaml", "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n")};
    struct rein_source lexicons[] = {source("english.yaml", lexicon)}, policy = source("policy.yaml", policy_text);
    struct rein_library library = {.templates = templates, .templates_len = 3, .lexicons = lexicons, .lexicons_len = 1};
    struct rein_problems *problems;
    struct rein_policy *loaded = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = rein_policy_load_beside(&loaded, &policy, &library, &peer, peer != NULL, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%u: %s: %s\n", rein_problems_at(problems, i)->line, rein_problems_at(problems, i)->key,
                    rein_problems_at(problems, i)->message);
    rein_problems_free(problems);
    assert_int_equal(rv, 0);
    return loaded;
}

static struct rein_policy *load_with(const char *policy_text, const char *lexicon)
{
    return load_beside(policy_text, lexicon, NULL);
}

static struct rein_policy *load(const char *policy_text)
{
    return load_with(policy_text, lexicon_text);
}

static void test_an_empty_policy_proxies(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: empty\n");
    const struct rein_policy_settings *s = rein_policy_settings(policy);
    assert_string_equal(s->name, "empty");
    assert_int_equal(strlen(s->version), 64);
    assert_int_equal(s->prefix.deliver, REIN_DELIVER_OFF);
    assert_int_equal(s->prefix.when, REIN_WHEN_NEVER);
    assert_string_equal(s->prefix.text, "");
    assert_true(s->reasoning.show);
    assert_int_equal(s->reasoning.release, REIN_RELEASE_SENTENCE);
    assert_int_equal(s->steer.max_attempts, 2);
    assert_int_equal(s->steer.max_added_ms, 10000);
    assert_int_equal(s->steer.fallback, REIN_REFUSE);
    assert_string_equal(s->steer.corrective, "");
    assert_string_equal(s->refusal.message, "I can't help with that.");
    assert_string_equal(s->refusal.finish_reason, "content_filter");
    assert_false(s->refusal.reply_before_first_byte);
    assert_int_equal(s->hold_max_bytes, 4096);
    assert_int_equal(s->stream_max_bytes, 262144);
    assert_int_equal(s->worst_hold, 0);
    assert_int_equal(s->log.text, REIN_KEEP_EVIDENCE);
    assert_false(s->may_steer);
    assert_null(s->request.allow[0]);
    assert_int_equal(s->request.unknown, REIN_UNKNOWN_REFUSE);
    assert_false(s->request.pass_unjudged_parts);
    assert_int_equal(policy->rules_len, 0);
    rein_policy_unref(policy);
}

static void test_settings(void **state)
{
    (void)state;
    struct rein_policy *policy =
        load("version: 1\nname: p\n"
             "prefix: { template: other, deliver: prefill, when: always, show: false }\n"
             "reasoning: { show: stream, release: end }\n"
             "steer: { max_attempts: 3, max_added_ms: 5, fallback: cut_response }\n"
             "refusal: { message: 'No.', finish_reason: stop, before_first_byte: reply }\n"
             "request: { allow: [top_k, chat_template_kwargs], unknown: pass, unjudged_parts: pass }\n"
             "hold: { max_bytes: 100 }\nlimits: { stream_bytes: 5000 }\nlog: { text: full }\n"
             "patterns: { strong_vacillation: { action: steer } }\n");
    const struct rein_policy_settings *s = rein_policy_settings(policy);
    assert_string_equal(s->prefix.template_name, "other");
    assert_string_equal(s->prefix.text, "Safety first.");
    assert_int_equal(s->prefix.deliver, REIN_DELIVER_PREFILL);
    assert_int_equal(s->prefix.when, REIN_WHEN_ALWAYS);
    assert_false(s->prefix.show);
    assert_int_equal(s->reasoning.release, REIN_RELEASE_END);
    assert_int_equal(s->steer.max_attempts, 3);
    assert_int_equal(s->steer.max_added_ms, 5);
    assert_int_equal(s->steer.fallback, REIN_CUT_RESPONSE);
    assert_string_equal(s->steer.corrective, "Wait.");
    assert_true(s->may_steer);
    assert_string_equal(s->refusal.message, "No.");
    assert_string_equal(s->refusal.finish_reason, "stop");
    assert_true(s->refusal.reply_before_first_byte);
    assert_string_equal(s->request.allow[1], "chat_template_kwargs");
    assert_null(s->request.allow[2]);
    assert_int_equal(s->request.unknown, REIN_UNKNOWN_PASS);
    assert_true(s->request.pass_unjudged_parts);
    assert_int_equal(s->hold_max_bytes, 100);
    assert_int_equal(s->stream_max_bytes, 5000);
    assert_int_equal(s->log.text, REIN_KEEP_FULL);
    rein_policy_unref(policy);
}

static void test_patterns(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: p\npatterns:\n"
                                      "  lack_of_safety_awareness: { action: steer, shadow: true }\n"
                                      "  harmful_additions: { action: cut_reasoning, threshold: 0.875 }\n"
                                      "  inconsistency: { complies: { action: refuse } }\n");
    const struct policy_pattern *p = policy->patterns;
    assert_int_equal(p[REIN_LACK_OF_SAFETY_AWARENESS].action, REIN_STEER);
    assert_true(p[REIN_LACK_OF_SAFETY_AWARENESS].shadow);
    assert_false(rein_policy_settings(policy)->may_steer); /* a shadow does nothing */
    assert_int_equal(p[REIN_HARMFUL_ADDITIONS].action, REIN_CUT_REASONING);
    assert_true(p[REIN_HARMFUL_ADDITIONS].threshold == 0.875);
    assert_true(policy->pattern_settings.threshold[REIN_HARMFUL_ADDITIONS] == 0.875);
    assert_int_equal(p[REIN_INCONSISTENCY_COMPLIES].action, REIN_REFUSE);
    assert_true(p[REIN_INCONSISTENCY_COMPLIES].threshold == pattern_default_threshold[REIN_INCONSISTENCY_COMPLIES]);
    assert_int_equal(p[REIN_INCONSISTENCY_REFUSES].action, REIN_ALLOW);
    assert_true(policy->pattern_settings.enabled[REIN_HARMFUL_ADDITIONS]);
    assert_false(policy->pattern_settings.enabled[REIN_WEAK_VACILLATION]);
    rein_policy_unref(policy);
}

static size_t matches(const struct rein_policy *policy, enum rein_channel channel, const char *text)
{
    struct match_list found = {0};
    assert_int_equal(matcher_scan(policy->ruleset, channel, (struct span){text, strlen(text)}, &found), 0);
    size_t len = found.len;
    match_list_fini(&found);
    return len;
}

static void test_rules(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: p\nrules:\n"
                                      "  - { id: a, literal: [secret word, other], action: redact, replacement: XX }\n"
                                      "  - { id: b, literal: exact, match: raw, action: refuse, channels: [answer] }\n"
                                      "  - { id: c, regex: 'k[0-9]{3}', action: refuse, shadow: true }\n"
                                      "  - { id: d, literal: asked, action: refuse, channels: [prompt] }\n");
    assert_int_equal(policy->rules_len, 4);
    assert_string_equal(policy->rules[0].id, "a");
    assert_string_equal(policy->rules[0].replacement, "XX");
    assert_string_equal(policy->rules[1].replacement, "[redacted]");
    assert_int_equal(policy->rules[1].action, REIN_REFUSE);
    assert_true(policy->rules[2].shadow);
    assert_int_equal(matches(policy, REIN_TOOL, "a SECRET word"), 1);     /* literals are folded */
    assert_int_equal(matches(policy, REIN_ANSWER, "Exact"), 0);           /* unless they say otherwise */
    assert_int_equal(matches(policy, REIN_ANSWER, "exact k123 K456"), 2); /* regexes are raw */
    assert_int_equal(matches(policy, REIN_REASONING, "exact"), 0);
    assert_int_equal(matches(policy, REIN_OTHER, "exact"), 1); /* unknown places are looked at too */
    assert_int_equal(matches(policy, REIN_PROMPT, "asked for the secret word"), 1);
    assert_int_equal(matches(policy, REIN_OTHER, "asked"), 0);
    /* The shadow and the prompt's rule withhold nothing. */
    assert_int_equal(ruleset_worst_hold(policy->ruleset, 2), 0);
    assert_int_equal(ruleset_worst_hold(policy->ruleset, 3), 0);
    assert_true(rein_policy_settings(policy)->worst_hold >= strlen("secret word") - 1);
    rein_policy_unref(policy);
}

static void test_signals(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: p\nlexicons: [english]\n");
    struct rein_engine *engine;
    struct signal_hit hits[SIGNAL_HITS_MAX];
    assert_int_equal(rein_engine_new(&engine), 0);
    assert_int_equal(signals_scan(policy->signals, engine, REIN_REASONING, SPAN("But THIS  is illegal!"), hits), 1);
    assert_int_equal(hits[0].class, SIGNAL_NAMES_HARM);
    assert_string_equal(signals_entry_id(policy->signals, hits[0].entry), "illegal");
    assert_int_equal(signals_scan(policy->signals, engine, REIN_REASONING, SPAN("It doesn't look legal."), hits), 1);
    assert_int_equal(signals_scan(policy->signals, engine, REIN_REASONING, SPAN("This is fine."), hits), 0);
    rein_engine_free(engine);
    rein_policy_unref(policy);
}

static void version_of(const char *policy_text, const char *lexicon, char out[65])
{
    struct rein_policy *policy = load_with(policy_text, lexicon);
    snprintf(out, 65, "%s", rein_policy_settings(policy)->version);
    rein_policy_unref(policy);
}

static void test_versions(void **state)
{
    (void)state;
    static const char first[] = "version: 1\nname: p\nprefix: { template: other }\nhold: { max_bytes: 4096 }\n";
    static const char again[] = "# the same, said otherwise\nprefix:\n  template: \"other\"\nname: p\nversion: 1\n";
    static const char *const others[] = {
        "version: 1\nname: q\nprefix: { template: other }\n",
        "version: 1\nname: p\nprefix: { template: checklist }\n",
        "version: 1\nname: p\n",
        "version: 1\nname: p\nprefix: { template: other }\nhold: { max_bytes: 4095 }\n",
        "version: 1\nname: p\nprefix: { template: other }\nrules: [{ id: a, literal: x, action: record }]\n",
    };
    char version[65], other[65], changed_lexicon[1000];
    version_of(first, lexicon_text, version);
    version_of(again, lexicon_text, other);
    assert_string_equal(version, other);
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        version_of(others[i], lexicon_text, other);
        assert_string_not_equal(version, other);
    }
    snprintf(changed_lexicon, sizeof(changed_lexicon), "%s    weight: 2\n", lexicon_text);
    version_of(first, changed_lexicon, other);
    assert_string_not_equal(version, other);
}

/* A file of an earlier version keeps its meaning and its version, which was taken from Rein 0.1.1. */
static void test_an_earlier_word_means_the_same(void **state)
{
    (void)state;
    static const char now[] = "version: 1\nname: p\nreasoning: { release: end }\n";
    static const char before[] = "version: 1\nname: p\nreasoning: { release: verdict }\n";
    static const char other[] = "version: 1\nname: p\nreasoning: { release: sentence }\n";
    const char *const texts[] = {now, before};
    char version[65];
    for (size_t i = 0; i < 2; i++) {
        struct rein_policy *policy = load(texts[i]);
        assert_int_equal(rein_policy_settings(policy)->reasoning.release, REIN_RELEASE_END);
        rein_policy_unref(policy);
        version_of(texts[i], lexicon_text, version);
        assert_string_equal(version, "7fcbd7fd6401e77d4344f557e43e904ba9de2e6f9e3fe3527553853e94728e02");
    }
    version_of(other, lexicon_text, version);
    assert_string_not_equal(version, "7fcbd7fd6401e77d4344f557e43e904ba9de2e6f9e3fe3527553853e94728e02");
}

/* A key that is newer than a policy does not change the policy's version, unless it changes the policy. */
static void test_a_new_key_keeps_versions(void **state)
{
    (void)state;
    char before[65], same[65], other[65];
    version_of("version: 1\nname: p\n", lexicon_text, before);
    version_of("version: 1\nname: p\nupstream_errors: pass\n", lexicon_text, same);
    version_of("version: 1\nname: p\nrequest: { unknown: refuse, unjudged_parts: refuse }\n", lexicon_text, other);
    assert_string_equal(same, other);
    version_of("version: 1\nname: p\nrequest: { unknown: drop }\n", lexicon_text, other);
    assert_string_not_equal(same, other);
    version_of("version: 1\nname: p\nupstream_errors: withhold\n", lexicon_text, other);
    assert_string_equal(same, before);
    assert_string_not_equal(other, before);
}

/* The version of a policy that names a model is that of the model's weights, too. */
static void test_a_model_is_part_of_the_version(void **state)
{
    (void)state;
    static const char text[] = "version: 1\nname: p\nmodel: tiny\nlexicons: []\n"
                               "patterns: { outcome_risk: { answer: { action: steer, threshold: 0.7 } } }\n"
                               "steer: { template: corrective }\n";
    static struct modelkit kit;
    char versions[2][65];
    modelkit_init(&kit);
    for (size_t i = 0; i < 2; i++) {
        char *weights = modelkit_yaml(&kit);
        struct rein_source policy = source("p.yaml", text), model = source("m.yaml", weights),
                           template = source("c.yaml", "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n");
        struct rein_library library = {.templates = &template, .templates_len = 1, .models = &model, .models_len = 1};
        struct rein_problems *problems = NULL;
        struct rein_policy *loaded = NULL;
        assert_int_equal(rein_problems_new(&problems), 0);
        assert_int_equal(rein_policy_load(&loaded, &policy, &library, problems), 0);
        assert_string_equal(rein_policy_settings(loaded)->model, "tiny");
        assert_true(rein_policy_settings(loaded)->may_steer);
        assert_int_equal(loaded->pattern_settings.answer_bytes, 600);
        assert_int_equal(loaded->pattern_settings.min_sentences, 5);
        assert_true(loaded->pattern_settings.acts[REIN_OUTCOME_RISK_ANSWER]);
        assert_false(loaded->pattern_settings.enabled[REIN_OUTCOME_RISK_REASONING]);
        memcpy(versions[i], rein_policy_settings(loaded)->version, 65);
        rein_policy_unref(loaded);
        rein_problems_free(problems);
        free(weights);
        kit.weights[7]++;
    }
    assert_string_not_equal(versions[0], versions[1]);
}

static void test_signals_are_shared(void **state)
{
    (void)state;
    static const char text[] = "version: 1\nname: p\nlexicons: [english]\n";
    char changed[1000];
    snprintf(changed, sizeof(changed), "%s    weight: 2\n", lexicon_text);
    struct rein_policy *first = load(text);
    struct rein_policy *second = load_beside(text, lexicon_text, first);
    struct rein_policy *other = load_beside(text, changed, first);
    struct rein_policy *none = load_beside("version: 1\nname: p\n", lexicon_text, first);
    assert_ptr_equal(second->signals, first->signals);
    assert_ptr_not_equal(other->signals, first->signals);
    assert_ptr_not_equal(none->signals, first->signals);
    rein_policy_unref(first);
    struct rein_engine *engine;
    struct signal_hit hits[SIGNAL_HITS_MAX];
    assert_int_equal(rein_engine_new(&engine), 0);
    assert_int_equal(signals_scan(second->signals, engine, REIN_REASONING, SPAN("this is illegal"), hits),
                     1); /* outlives the first policy */
    rein_engine_free(engine);
    rein_policy_unref(second);
    rein_policy_unref(other);
    rein_policy_unref(none);
}

static void test_references_are_counted(void **state)
{
    (void)state;
    struct rein_policy *policy = load("version: 1\nname: p\n");
    assert_ptr_equal(rein_policy_ref(policy), policy);
    rein_policy_unref(policy);
    assert_string_equal(rein_policy_settings(policy)->name, "p");
    rein_policy_unref(policy);
    rein_policy_unref(NULL);
}

static void test_classes_are_those_of_signals(void **state)
{
    (void)state;
    const struct rein_key *row = rein_schema_lexicon()->keys;
    while (strcmp(row->path, "entries[].class") != 0)
        row++;
    int count = 0;
    for (; row->words[count] != NULL; count++)
        assert_string_equal(row->words[count], signal_class_name((enum signal_class)count));
    assert_int_equal(count, SIGNAL_CLASSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_policy_proxies),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_an_earlier_word_means_the_same),
        cmocka_unit_test(test_a_new_key_keeps_versions),
        cmocka_unit_test(test_a_model_is_part_of_the_version),
        cmocka_unit_test(test_signals_are_shared),
        cmocka_unit_test(test_references_are_counted),
        cmocka_unit_test(test_classes_are_those_of_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
