/* Tests of the server's config: values, defaults, secrets, routes. What is said of broken ones: tests/golden/problems.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"
#include "files.h"
#include "keys.h"

/* A folder of its own for each test, with policies/p.yaml in it. */
struct fixture {
    char folder[64], path[128];
};

static void write_file(const struct fixture *f, const char *name, const char *text)
{
    char *path = files_join(f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->folder, sizeof(f->folder), "/tmp/rein-config-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/rein.yaml", f->folder);
    char *policies = files_join(f->folder, "policies");
    assert_int_equal(mkdir(policies, 0700), 0);
    free(policies);
    write_file(f, "policies/p.yaml", "version: 1\nname: default\n");
    write_file(f, "policies/q.yml", "{\"version\": 1, \"name\": \"strict\"}");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
    int rv = system(command);
    free(f);
    return rv;
}

/* NULL if the config has problems; the first one's message is then in `why`. */
static struct config *load(struct fixture *f, const char *text, char why[300])
{
    struct rein_problems *problems;
    struct config *config = NULL;
    write_file(f, "rein.yaml", text);
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = config_load(&config, f->path, problems);
    const struct rein_problem *first = rein_problems_at(problems, 0);
    snprintf(why, 300, "%s: %s", first != NULL ? first->key : "", first != NULL ? first->message : "");
    assert_int_equal(rv, first == NULL ? 0 : REIN_EPOLICY);
    rein_problems_free(problems);
    return config;
}

static const char minimal[] = "version: 1\n"
                              "upstreams: [{ name: local, url: 'http://127.0.0.1:9000/' }]\n"
                              "routes: [{ name: all, upstream: local }]\n";

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    char why[300], path[200];
    struct config *c = load(f, minimal, why);
    assert_string_equal(why, ": ");
    assert_string_equal(c->listen.host, "127.0.0.1");
    assert_int_equal(c->listen.port, 8080);
    assert_true(c->listen.loopback);
    assert_int_equal(c->admin.port, 8081);
    assert_null(c->keys_file);
    assert_null(c->keys);
    assert_int_equal(c->workers, 1);
    assert_string_equal(c->upstreams[0].kind, "openai");
    assert_string_equal(c->upstreams[0].url, "http://127.0.0.1:9000");
    assert_string_equal(c->upstreams[0].path_prefix, "/v1");
    assert_null(c->upstreams[0].authorization);
    assert_null(c->upstreams[0].open);
    assert_int_equal(c->policies_len, 2);
    assert_string_equal(rein_policy_settings(c->routes[0].policy)->name, "default");
    assert_ptr_equal(c->routes[0].upstream, &c->upstreams[0]);
    assert_int_equal(c->limits.body_bytes, 4194304);
    assert_int_equal(c->limits.json_depth, 64);
    assert_int_equal(c->timeouts.connect_ms, 5000);
    assert_int_equal(c->store.on_error, CONFIG_STORE_REFUSE);
    assert_int_equal(c->store.keep_days, 30);
    snprintf(path, sizeof(path), "%s/rein.db", f->folder);
    assert_string_equal(c->store.path, path);
    config_unref(c);
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    char why[300];
    write_file(f, "secret", "sk-from-file \n");
    assert_int_equal(setenv("REIN_TEST_KEY", "sk-from-environment", 1), 0);
    struct config *c = load(f,
                            "version: 1\n"
                            "listen: { address: '[::1]:0' }\n"
                            "admin: { address: '127.0.0.2:9' }\n"
                            "workers: 0\n"
                            "upstreams:\n"
                            "  - { name: a, url: 'https://api.example.com', api_key_file: secret, path_prefix: '' }\n"
                            "  - { name: b, url: 'http://10.0.0.1:8000', api_key_env: REIN_TEST_KEY,\n"
                            "      reasoning: { open: '<r>', close: '</r>', opened: true }, path_prefix: /api/v2/ }\n"
                            "routes:\n"
                            "  - { name: one, match: { models: ['gpt-*', 'o?'] }, upstream: a, policy: strict }\n"
                            "  - { name: two, match: { models: ['*-r1*-7b'] }, upstream: b }\n"
                            "limits: { body_bytes: 2048, connections_per_address: 3 }\n"
                            "timeouts: { drain_ms: 0, idle_ms: 7 }\n"
                            "store: { url: 'sqlite:/var/lib/rein/x.db', on_error: serve, keep_days: 0 }\n",
                            why);
    assert_string_equal(why, ": ");
    assert_string_equal(c->listen.host, "::1");
    assert_int_equal(c->listen.port, 0);
    assert_true(c->listen.loopback);
    assert_true(c->admin.loopback);
    assert_true(c->workers >= 1);
    assert_string_equal(c->upstreams[0].authorization, "Bearer sk-from-file");
    assert_string_equal(c->upstreams[0].path_prefix, "");
    assert_string_equal(c->upstreams[1].authorization, "Bearer sk-from-environment");
    assert_string_equal(c->upstreams[1].path_prefix, "/api/v2");
    assert_string_equal(c->upstreams[1].open, "<r>");
    assert_string_equal(c->upstreams[1].close, "</r>");
    assert_true(c->upstreams[1].opened);
    assert_false(c->upstreams[0].opened);
    assert_int_equal(c->limits.body_bytes, 2048);
    assert_int_equal(c->limits.connections_per_address, 3);
    assert_int_equal(c->timeouts.drain_ms, 0);
    assert_int_equal(c->timeouts.idle_ms, 7);
    assert_string_equal(c->store.path, "/var/lib/rein/x.db");
    assert_int_equal(c->store.on_error, CONFIG_STORE_SERVE);
    assert_ptr_equal(config_route_for(c, "gpt-4"), &c->routes[0]);
    assert_ptr_equal(config_route_for(c, "gpt-"), &c->routes[0]);
    assert_ptr_equal(config_route_for(c, "o?"), &c->routes[0]); /* only * is special */
    assert_null(config_route_for(c, "o1"));
    assert_ptr_equal(config_route_for(c, "deepseek-r1-distill-7b-7b"), &c->routes[1]);
    assert_null(config_route_for(c, "deepseek-r1-distill-7b-"));
    assert_null(config_route_for(c, ""));
    config_unref(c);
    unsetenv("REIN_TEST_KEY");
}

static void test_off_loopback_with_keys(void **state)
{
    struct fixture *f = *state;
    char why[300], text[KEYS_TEXT_MAX], token[KEYS_TEXT_MAX], config[500];
    char *keys = files_join(f->folder, "keys.yaml"), *tokens = files_join(f->folder, "token.yaml");
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(keys_add(keys, "alice", "rein-", text, problems), 0);
    assert_int_equal(keys_reset(tokens, "admin", "rein-admin-", token), 0);
    snprintf(config, sizeof(config),
             "listen: { address: '0.0.0.0:8080', keys_file: keys.yaml }\n"
             "admin: { address: '[::]:8081', token_file: token.yaml }\n%s",
             minimal);
    struct config *c = load(f, config, why);
    assert_string_equal(why, ": ");
    assert_false(c->listen.loopback);
    assert_string_equal(keys_find(c->keys, text), "alice");
    assert_string_equal(keys_find(c->tokens, token), "admin");
    assert_null(keys_find(c->keys, token));
    config_unref(c);
    /* The last key is gone: nobody could come in, and that is said. */
    assert_int_equal(keys_revoke(keys, "alice", problems), 0);
    assert_null(load(f, config, why));
    assert_string_equal(why, "listen.keys_file: the file holds no keys: nobody could come in");
    rein_problems_free(problems);
    free(keys);
    free(tokens);
}

static void test_secrets_that_no_header_can_carry(void **state)
{
    struct fixture *f = *state;
    char why[300];
    static const char text[] = "version: 1\nupstreams: [{ name: a, url: 'http://h', api_key_file: secret }]\n"
                               "routes: [{ name: all, upstream: a }]\n";
    write_file(f, "secret", "sk-1\r\nx-evil: 1\n");
    assert_null(load(f, text, why));
    assert_string_equal(why,
                        "upstreams[0].api_key_file: the key that it holds has characters that no header can carry");
    write_file(f, "secret", "\n");
    assert_null(load(f, text, why));
    assert_string_equal(why, "upstreams[0].api_key_file: the key that it holds is empty");
}

static void test_checking_needs_no_secrets(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems;
    struct config *config = NULL;
    write_file(f, "rein.yaml",
               "version: 1\nlisten: { address: '0.0.0.0:1', keys_file: none.yaml }\n"
               "upstreams: [{ name: a, url: 'http://h', api_key_env: REIN_TEST_NO_SUCH_VARIABLE }]\n"
               "routes: [{ name: all, upstream: a }]\n");
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(config_load(&config, f->path, problems), REIN_EPOLICY);
    rein_problems_free(problems);
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(config_load_without_secrets(&config, f->path, problems), 0);
    config_unref(config);
    rein_problems_free(problems);
}

static void test_two_policies_of_one_name(void **state)
{
    struct fixture *f = *state;
    char why[300];
    write_file(f, "policies/z.json", "{\"version\": 1, \"name\": \"strict\"}");
    assert_null(load(f, minimal, why));
    assert_string_equal(why, "name: another policy is called `strict` too");
}

static void test_references_are_counted(void **state)
{
    struct fixture *f = *state;
    char why[300];
    struct config *c = load(f, minimal, why);
    assert_ptr_equal(config_ref(c), c);
    config_unref(c);
    assert_int_equal(c->routes_len, 1);
    config_unref(c);
    config_unref(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_values),
        TEST(test_off_loopback_with_keys),
        TEST(test_secrets_that_no_header_can_carry),
        TEST(test_checking_needs_no_secrets),
        TEST(test_two_policies_of_one_name),
        TEST(test_references_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
