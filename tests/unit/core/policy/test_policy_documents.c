/* A policy keeps what it was made of; its resolved text, loaded again, is the same policy.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "rein/doc.h"

#define SOURCE REIN_SOURCE_DIR "/config/"

static struct policy_files_library files;
static struct rein_problems *problems;

static int read_library(void **state)
{
    (void)state;
    assert_int_equal(lexicon_cache_use_own(), 0);
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(policy_files_read(&files.templates, SOURCE "templates", true, problems), 0);
    assert_int_equal(policy_files_read(&files.lexicons, SOURCE "lexicons", true, problems), 0);
    assert_int_equal(policy_files_read(&files.models, SOURCE "models", false, problems), 0);
    return 0;
}

static int free_library(void **state)
{
    (void)state;
    policy_files_library_fini(&files);
    rein_problems_free(problems);
    return 0;
}

static struct rein_policy *load(const char *text)
{
    static const char base[] =
        "version: 1\nname: base\nrules:\n  - { id: z, channels: [answer], literal: zz, action: record }\n";
    static const struct rein_source lists[] = {{"lists/names.txt", "Ann\nBob # no comment\n", 21}},
                                    policies[] = {{"base.yaml", base, sizeof base - 1}};
    struct rein_policy *policy = NULL;
    struct rein_library library = policy_files_lend(&files);
    library.lists = lists;
    library.lists_len = 1;
    library.policies = policies;
    library.policies_len = 1;
    const struct rein_source source = {"test.yaml", text, strlen(text)};
    int rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%u: %s: %s\n", rein_problems_at(problems, i)->line, rein_problems_at(problems, i)->key,
                    rein_problems_at(problems, i)->message);
    assert_int_equal(rv, 0);
    return policy;
}

/* The text that was written is there, and what it resolves to is the same policy, whose own text is the same again. */
static void expect_same_again(const char *text)
{
    size_t len, again_len;
    struct rein_policy *policy = load(text);
    const struct rein_policy_document *documents = rein_policy_documents(policy, &len);
    assert_true(len >= 1);
    assert_string_equal(documents[0].kind, "policy");
    assert_string_equal(documents[0].name, rein_policy_settings(policy)->name);
    assert_string_equal(documents[0].source, text);
    struct rein_policy *again = load(documents[0].resolved);
    const struct rein_policy_document *others = rein_policy_documents(again, &again_len);
    assert_string_equal(rein_policy_settings(again)->version, rein_policy_settings(policy)->version);
    assert_string_equal(others[0].resolved, documents[0].resolved);
    assert_int_equal(again_len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(strlen(documents[i].digest), 64);
        assert_string_equal(documents[i].digest, others[i].digest);
    }
    rein_policy_unref(again);
    rein_policy_unref(policy);
}

static void test_resolved_text_is_the_same_policy(void **state)
{
    static const char *const names[] = {SOURCE "policies/default.yaml", SOURCE "policies/empty.yaml",
                                        REIN_SOURCE_DIR "/tests/fixtures/0.1/config/policies/default.yaml"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct policy_files_folder file = {0};
        assert_int_equal(policy_files_read_file(&file, names[i], problems), 0);
        expect_same_again(file.sources[0].text);
        policy_files_fini(&file);
    }
    expect_same_again(
        "version: 1\nname: words\n"
        "rules:\n"
        "  - { id: a, channels: [answer], words: [one, two three], near: { words: four, before: 20 }, action: redact "
        "}\n"
        "  - { id: b, channels: [answer], words: { file: names.txt }, except: { words: [five] }, action: record }\n"
        "  - { id: c, channels: [prompt], builtin: phone, action: refuse, severity: high, tags: [x], message: No. }\n");
    expect_same_again(
        "version: 1\n"
        "name: all # of them\n"
        "prefix: { template: short, when: always, deliver: off, show: true }\n"
        "lexicons: [english]\n"
        "hold: { max_bytes: 512 }\n"
        "log: { text: none }\n"
        "patterns:\n"
        "  strong_vacillation: { action: record, threshold: 0.50 }\n"
        "  inconsistency: { complies: { action: refuse } }\n"
        "rules:\n"
        "  - { id: a, channels: [answer, tool], regex: '\\d{3}\\s\"x\"\\\\', action: redact, replacement: \"[\\t]\" }\n"
        "  - { id: b, channels: [prompt], literal: [\"n\xC3\xA4he\", \"1.0\", 'no', 12], match: folded, action: refuse "
        "}\n"
        "  - id: c\n    channels: [answer]\n    builtin: email\n    action: record\n    shadow: true\n"
        "refusal: { message: \"No.\\nNot this.\" }\n");
}

static void test_documents_are_all_that_it_resolves_to(void **state)
{
    size_t len;
    struct rein_policy *policy =
        load("version: 1\nname: p\nprefix: { template: short, when: always }\nlexicons: [english]\n"
             "steer: { template: corrective }\n"
             "patterns: { strong_vacillation: { action: steer } }\n");
    const struct rein_policy_document *documents = rein_policy_documents(policy, &len);
    static const char *const wanted[][2] = {
        {"policy", "p"}, {"template", "short"}, {"template", "corrective"}, {"lexicon", "english"}};
    (void)state;
    assert_int_equal(len, 4);
    for (size_t i = 0; i < len; i++) {
        assert_string_equal(documents[i].kind, wanted[i][0]);
        assert_string_equal(documents[i].name, wanted[i][1]);
        assert_int_equal(documents[i].source != NULL, i == 0);
        assert_int_equal(documents[i].resolved != NULL, i < 3);
    }
    assert_non_null(strstr(documents[1].resolved, "\"text\": "));
    rein_policy_unref(policy);
}

/* What is extended is in the resolved text; files of words are documents. */
static void test_extended_and_listed(void **state)
{
    static const char text[] = "version: 1\nname: p\nextends: base\nrules:\n"
                               "  - { id: a, channels: [answer], words: { file: names.txt }, action: record }\n"
                               "  - { id: b, channels: [tool], words: { file: [names.txt] }, action: record }\n";
    size_t len;
    struct rein_policy *policy = load(text);
    const struct rein_policy_document *documents = rein_policy_documents(policy, &len);
    (void)state;
    assert_int_equal(len, 2);
    assert_string_equal(documents[0].source, text);
    assert_non_null(strstr(documents[0].resolved, "\"zz\""));
    assert_null(strstr(documents[0].resolved, "extends"));
    assert_string_equal(documents[1].kind, "list");
    assert_string_equal(documents[1].name, "names.txt");
    rein_policy_unref(policy);
    expect_same_again(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resolved_text_is_the_same_policy),
        cmocka_unit_test(test_documents_are_all_that_it_resolves_to),
        cmocka_unit_test(test_extended_and_listed),
    };
    return cmocka_run_group_tests(tests, read_library, free_library);
}
