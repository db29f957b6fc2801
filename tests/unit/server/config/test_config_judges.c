/* Judges of the config: what they are, where they run, and what policies know of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "configkit.h"
#include "judges/described.h"

static const char head[] = "version: 1\nlisten: { address: 127.0.0.1:0 }\nadmin: { address: 127.0.0.1:0 }\n"
                           "upstreams: [{ name: up, url: http://127.0.0.1:9 }]\nroutes: [{ name: all, upstream: up }]\n"
                           "store: { url: sqlite:rein.db }\n";

static struct config *load_judges(struct fixture *f, const char *judges, struct rein_problems *problems)
{
    char text[4096];
    struct config *config = NULL;
    snprintf(text, sizeof text, "%s%s", head, judges);
    write_file(f, "rein.yaml", text);
    (void)!config_load(&config, f->path, problems);
    return config;
}

static void test_kinds_and_descriptions(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    setenv("JUDGE_KEY", "k1", 1);
    setenv("JUDGE_SECRET", "s1", 1);
    write_file(f, "own.yaml",
               "version: 1\nname: own\nrequest: { route: json, path: /classify, body: '{\"text\":\"{text}\"}' }\n"
               "reply: { fields: [{ find: json, at: /risk, decides: [answer] }] }\n");
    write_file(f, "policies/p.yaml",
               "version: 1\nname: default\njudges:\n  - { id: a, ask: guard, action: refuse }\n"
               "  - { id: b, ask: own, channels: [answer], action: record }\n");
    struct config *config = load_judges(
        f,
        "judges:\n"
        "  - { name: guard, kind: llama_guard, url: \"http://127.0.0.1:8001/\", model: lg3, api_key_env: JUDGE_KEY, "
        "secret_env: JUDGE_SECRET, calls: 3, timeout_ms: 700, second_ms: 200 }\n"
        "  - { name: own, description: own.yaml, url: \"https://judge.example\", probe: false }\n",
        problems);
    for (size_t i = 0; i < rein_problems_count(problems); i++)
        print_error("%s: %s\n", rein_problems_at(problems, i)->key, rein_problems_at(problems, i)->message);
    assert_non_null(config);
    assert_int_equal(config->judges_len, 2);
    const struct judge_settings *guard = &config->judges[0].settings, *own = &config->judges[1].settings;
    assert_ptr_equal(guard->kind, &judge_llama_guard);
    assert_string_equal(guard->url, "http://127.0.0.1:8001");
    assert_string_equal(guard->path, "/v1/chat/completions");
    assert_string_equal(guard->authorization, "Bearer k1");
    assert_string_equal(guard->secret, "s1");
    assert_int_equal(guard->calls_max, 3);
    assert_int_equal(guard->timeout_ms, 700);
    assert_int_equal(guard->second_ms, 200);
    assert_int_equal(guard->failures, 5);
    assert_true(config->judges[0].probe);
    assert_ptr_equal(own->kind, &judge_described_json);
    assert_string_equal(own->path, "/classify");
    assert_null(own->model);
    assert_null(own->authorization);
    assert_false(config->judges[1].probe);
    assert_string_not_equal(guard->version, own->version);
    config_unref(config);

    /* Another model is another judge, so the policy has another version. */
    struct config *again =
        load_judges(f,
                    "judges:\n  - { name: guard, kind: llama_guard, url: \"http://127.0.0.1:8001/\", model: lg4 }\n"
                    "  - { name: own, description: own.yaml, url: \"https://judge.example\" }\n",
                    problems);
    assert_non_null(again);
    config_unref(again);
    rein_problems_free(problems);
}

static void test_problems(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *judges, *key, *message;
    } cases[] = {
        {"judges: [{ name: a, kind: llama_guard, url: http://x }]\n", "judges[0].model", "is missing"},
        {"judges: [{ name: a, url: http://x, model: m }]\n", "judges[0]", "needs either `kind` or `description`"},
        {"judges: [{ name: a, kind: instruct, description: x.yaml, url: http://x, model: m }]\n", "judges[0]",
         "needs either `kind` or `description`"},
        {"judges: [{ name: a, description: none.yaml, url: http://x, model: m }]\n", "judges[0].description",
         "cannot be read: No such file"},
        {"judges: [{ name: a, kind: instruct, model: m }]\n", "judges[0].url", "is missing"},
        {"judges: [{ name: a, kind: llamaguard, url: http://x, model: m }]\n", "judges[0].kind", "llama_guard"},
        {"judges: [{ name: a, kind: instruct, url: http://x, model: m }, { name: a, kind: instruct, url: http://x, "
         "model: "
         "m }]\n",
         "judges[1].name", "another judge has the name `a`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rein_problems *problems;
        assert_int_equal(rein_problems_new(&problems), 0);
        assert_null(load_judges(f, cases[i].judges, problems));
        assert_int_equal(rein_problems_count(problems), 1);
        assert_string_equal(rein_problems_at(problems, 0)->key, cases[i].key);
        if (strstr(rein_problems_at(problems, 0)->message, cases[i].message) == NULL)
            assert_string_equal(rein_problems_at(problems, 0)->message, cases[i].message);
        rein_problems_free(problems);
    }
}

static void test_a_policy_names_only_judges_that_are_there(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    write_file(f, "policies/p.yaml", "version: 1\nname: default\njudges: [{ id: a, ask: gard, action: record }]\n");
    assert_null(load_judges(f, "judges: [{ name: guard, kind: instruct, url: http://x, model: m }]\n", problems));
    assert_int_equal(rein_problems_count(problems), 1);
    assert_string_equal(rein_problems_at(problems, 0)->message, "there is no judge `gard`; did you mean `guard`?");
    rein_problems_free(problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds_and_descriptions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_problems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_policy_names_only_judges_that_are_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
