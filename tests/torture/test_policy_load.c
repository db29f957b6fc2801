/* Loading a policy while each allocation fails in turn: no crash, no leak, an error that says so.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_heap.h"
#include "modelkit.h"
#include "rein/doc.h"

static struct rein_source source(const char *name, const char *text)
{
    return (struct rein_source){name, text, strlen(text)};
}

static const char good_policy[] = "version: 1\n"
                                  "name: torture\n"
                                  "prefix: { template: opening, when: risky }\n"
                                  "patterns:\n"
                                  "  strong_vacillation: { action: steer }\n"
                                  "  inconsistency: { complies: { action: refuse, threshold: 0.75 } }\n"
                                  "rules:\n"
                                  "  - { id: a, literal: [some words, others], action: redact }\n"
                                  "  - { id: b, regex: 'key-[0-9]{4,8}', channels: [answer], action: refuse }\n"
                                  "lexicons: [words]\n";
static const char bad_policy[] = "version: 2\n"
                                 "rules:\n"
                                 "  - { id: a, litteral: x, action: drop }\n"
                                 "  - { id: a, regex: '(', action: refuse }\n"
                                 "name: [a\n";
static const char wrong_policy[] = "version: 1\n"
                                   "name: wrong\n"
                                   "rules:\n"
                                   "  - { id: a, litteral: x, action: drop }\n"
                                   "  - { id: b, regex: '(', action: refuse }\n"
                                   "  - { id: b, builtin: nothing, action: refuse }\n"
                                   "prefix: { template: missing }\n"
                                   "lexicons: [wordz]\n";

static const char lexicon[] = "version: 1\n"
                              "name: words\n"
                              "language: en\n"
                              "entries:\n"
                              "  - { id: a, class: names_harm, phrases: [this is illegal], match: [this is illegal] }\n"
                              "  - { id: b, class: prompt_harm, category: weapons, regex: 'bombs?', match: [bomb] }\n";

static char *model; /* a file of weights */

static int load(const char *text, struct failing_heap *failing)
{
    struct rein_source templates[] = {
        source("opening.yaml", "version: 1\nname: opening\nkind: prefix\ntext: I look first.\n"),
        source("corrective.yaml", "version: 1\nname: corrective\nkind: corrective\ntext: Wait.\n")};
    struct rein_source lexicons[] = {source("words.yaml", lexicon)}, policy = source("policy.yaml", text);
    struct rein_source models[] = {source("tiny.yaml", model)};
    struct rein_library library = {.templates = templates,
                                   .templates_len = 2,
                                   .lexicons = lexicons,
                                   .lexicons_len = 1,
                                   .models = models,
                                   .models_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *loaded = NULL;
    failing_heap_use(failing);
    int rv = rein_problems_new(&problems);
    if (rv == 0)
        rv = rein_policy_load(&loaded, &policy, &library, problems);
    if (rv == 0)
        rein_policy_unref(loaded);
    rein_problems_free(problems);
    rein_heap_set(NULL);
    return rv;
}

static void fail_each(const char *text, int wanted)
{
    struct failing_heap whole = {0};
    assert_int_equal(load(text, &whole), wanted);
    assert_int_equal(whole.blocks, 0);
    assert_true(whole.calls > 8);
    for (size_t k = 1; k <= whole.calls; k++) {
        struct failing_heap failing = {.fails_at = k};
        int rv = load(text, &failing);
        if (rv != REIN_ENOMEM || failing.blocks != 0)
            fail_msg("allocation %zu of %zu failed: result %d (%s), %ld blocks left", k, whole.calls, rv,
                     rein_strerror(rv), failing.blocks);
    }
}

static void test_good_policy(void **state)
{
    (void)state;
    fail_each(good_policy, 0);
}

static void test_policy_with_a_model(void **state)
{
    (void)state;
    fail_each("version: 1\nname: p\nlexicons: [words]\nmodel: tiny\n"
              "patterns: { outcome_risk: { reasoning: { action: record } } }\n",
              0);
}

static void test_malformed_policy(void **state)
{
    (void)state;
    fail_each(bad_policy, REIN_EPOLICY);
}

static void test_wrong_policy(void **state)
{
    (void)state;
    fail_each(wrong_policy, REIN_EPOLICY);
}

static int print_schema(int (*print)(const struct rein_schema *, char **), struct failing_heap *failing)
{
    char *text = NULL;
    failing_heap_use(failing);
    int rv = print(rein_schema_policy(), &text);
    if (rv == 0)
        rein_text_free(text);
    rein_heap_set(NULL);
    return rv;
}

static void test_schemas(void **state)
{
    (void)state;
    int (*const prints[])(const struct rein_schema *, char **) = {rein_schema_json, rein_schema_reference};
    for (size_t i = 0; i < 2; i++) {
        struct failing_heap whole = {0};
        assert_int_equal(print_schema(prints[i], &whole), 0);
        for (size_t k = 1; k <= whole.calls; k++) {
            struct failing_heap failing = {.fails_at = k};
            assert_int_equal(print_schema(prints[i], &failing), REIN_ENOMEM);
            assert_int_equal(failing.blocks, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_policy),      cmocka_unit_test(test_policy_with_a_model),
        cmocka_unit_test(test_malformed_policy), cmocka_unit_test(test_wrong_policy),
        cmocka_unit_test(test_schemas),
    };
    model = modelkit_usual();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(model);
    return failed;
}
