/* Tests of the server's config: values, defaults, secrets, routes. What is said of broken ones: tests/golden/problems.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_schema.h"
#include "config/keys.h"
#include "configkit.h"

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
    assert_string_equal(c->routes[0].policy->name, "default");
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
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "gpt-4", CONFIG_API_CHAT}), &c->routes[0]);
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "gpt-", CONFIG_API_CHAT}), &c->routes[0]);
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "o?", CONFIG_API_CHAT}),
                     &c->routes[0]); /* only * is special */
    assert_null(config_route_for(c, &(struct config_asked){NULL, "o1", CONFIG_API_CHAT}));
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "deepseek-r1-distill-7b-7b", CONFIG_API_CHAT}),
                     &c->routes[1]);
    assert_null(config_route_for(c, &(struct config_asked){NULL, "deepseek-r1-distill-7b-", CONFIG_API_CHAT}));
    assert_null(config_route_for(c, &(struct config_asked){NULL, "", CONFIG_API_CHAT}));
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
    assert_string_equal(
        why,
        "listen.keys_file: the file contains no keys, so all requests would be refused: add one with `rein key add`");
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
                        "upstreams[0].api_key_file: the key in it has characters that are not allowed in a header");
    write_file(f, "secret", "\n");
    assert_null(load(f, text, why));
    assert_string_equal(why, "upstreams[0].api_key_file: the key in it is empty");
}

static int check_config(struct fixture *f, const char *text, struct rein_problems **problems,
                        struct rein_problems **absent)
{
    struct config *config = NULL;
    write_file(f, "rein.yaml", text);
    assert_int_equal(rein_problems_new(problems), 0);
    assert_int_equal(rein_problems_new(absent), 0);
    int rv = config_check(&config, f->path, *problems, *absent);
    config_unref(config);
    return rv;
}

static void test_checking_needs_no_secrets(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems, *absent;
    static const char text[] = "version: 1\nlisten: { address: '0.0.0.0:1', keys_file: none.yaml }\n"
                               "upstreams: [{ name: a, url: 'http://h', api_key_env: REIN_TEST_NO_SUCH_VARIABLE },\n"
                               "  { name: b, url: 'http://h', api_key_file: no-such-file }]\n"
                               "routes: [{ name: all, upstream: a }]\n";
    assert_int_equal(check_config(f, text, &problems, &absent), 0);
    assert_int_equal(rein_problems_count(absent), 3);
    rein_problems_free(absent);
    rein_problems_free(problems);
    char why[300];
    assert_null(load(f, text, why)); /* who serves needs them */
}

/* What is there is looked at, whoever asks. */
static void test_found_s3_checking_refuses_secrets_that_serving_refuses(void **state)
{
    struct fixture *f = *state;
    struct rein_problems *problems, *absent;
    char why[300];
    static const char *const texts[] = {
        "listen: { keys_file: empty.yaml }\n",
        "listen: { keys_file: broken.yaml }\n",
        "listen: { keys_file: policies }\n",
        "admin: { token_file: empty.yaml }\n",
    };
    write_file(f, "empty.yaml", "version: 1\nkeys: []\n");
    write_file(f, "broken.yaml", "version: 1\nkeys: [{ name: a, hash: 12 }]\n");
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char text[600];
        snprintf(text, sizeof(text), "%s%s", minimal, texts[i]);
        assert_int_equal(check_config(f, text, &problems, &absent), REIN_EPOLICY);
        rein_problems_free(absent);
        rein_problems_free(problems);
        assert_null(load(f, text, why));
    }
}

static void test_found_u10_a_missing_keys_file_names_its_key_and_what_makes_it(void **state)
{
    struct fixture *f = *state;
    char why[300], text[600];
    snprintf(text, sizeof(text), "%slisten: { keys_file: none.yaml }\n", minimal);
    assert_null(load(f, text, why));
    assert_string_equal(why,
                        "listen.keys_file: the file `none.yaml` does not exist: make it with `rein key add FILE NAME`");
    snprintf(text, sizeof(text), "%sadmin: { token_file: none.yaml }\n", minimal);
    assert_null(load(f, text, why));
    assert_string_equal(why,
                        "admin.token_file: the file `none.yaml` does not exist: make it with `rein key token FILE`");
}

/* What the system would refuse to open twice. */
static void test_found_r10_listeners_that_take_each_others_port(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *listen, *admin;
        bool is_refused;
    } pairs[] = {
        {"127.0.0.1:9", "127.0.0.1:9", true},
        {"127.0.0.1:9", "127.0.0.1:10", false},
        {"127.0.0.1:9", "127.0.0.2:9", false},
        {"0.0.0.0:9", "127.0.0.1:9", true},
        {"127.0.0.1:9", "0.0.0.0:9", true},
        {"[::]:9", "127.0.0.1:9", true},
        {"0.0.0.0:9", "[::]:9", true},
        {"0.0.0.0:9", "[::1]:9", false},
        {"[::1]:9", "[0:0:0:0:0:0:0:1]:9", true},
        {"127.0.0.1:0", "127.0.0.1:0", false},
    };
    char why[300], text[900];
    write_file(f, "k.yaml",
               "version: 1\nkeys: [{ name: a, hash: "
               "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' }]\n");
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        snprintf(text, sizeof(text),
                 "%slisten: { address: '%s', keys_file: k.yaml }\nadmin: { address: '%s', token_file: k.yaml }\n",
                 minimal, pairs[i].listen, pairs[i].admin);
        struct config *c = load(f, text, why);
        if ((c == NULL) != pairs[i].is_refused)
            fail_msg("%s and %s: `%s`", pairs[i].listen, pairs[i].admin, why);
        config_unref(c);
    }
}

/* ---- where decisions are kept ---- */

static void same_file(const struct fixture *f, const char *path, const char *name)
{
    char wanted[200];
    snprintf(wanted, sizeof(wanted), "%s/%s", f->folder, name);
    assert_string_equal(path, wanted);
}

static void test_found_s12_an_older_store_goes_on_being_used(void **state)
{
    struct fixture *f = *state;
    char why[300], text[500];
    snprintf(text, sizeof(text), "%sstore: { url: 'sqlite:data/rein.db' }\n", minimal);
    struct config *c = load(f, text, why); /* neither file is there */
    same_file(f, c->store.path, "data/rein.db");
    assert_null(c->store.wanted);
    config_unref(c);

    write_file(f, "rein.db", "older");
    c = load(f, text, why);
    same_file(f, c->store.path, "rein.db");
    same_file(f, c->store.wanted, "data/rein.db");
    assert_int_equal(files_make_folder_of(c->store.wanted), 0);
    assert_int_equal(files_make_folder_of(c->store.wanted), 0);
    config_unref(c);

    write_file(f, "data/rein.db", "newer"); /* what the config names is there: nothing else is looked at */
    c = load(f, text, why);
    same_file(f, c->store.path, "data/rein.db");
    assert_null(c->store.wanted);
    config_unref(c);
}

static void test_found_s12_only_a_file_of_that_name_is_an_older_store(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"data/other.db", "data/policies", "data/", "other.db"};
    char why[300], text[500];
    write_file(f, "rein.db", "of another server");
    for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
        snprintf(text, sizeof(text), "%sstore: { url: 'sqlite:%s' }\n", minimal, urls[i]);
        struct config *c = load(f, text, why);
        same_file(f, c->store.path, urls[i]);
        assert_null(c->store.wanted);
        config_unref(c);
    }
}

/* ---- images: a backend by the environment, keys at the first start ---- */

static void test_found_u7_the_environment_names_the_backend(void **state)
{
    struct fixture *f = *state;
    static const char both[] = "version: 1\n"
                               "upstreams: [{ name: a, url: 'http://fallback:1', url_env: REIN_TEST_URL }]\n"
                               "routes: [{ name: all, upstream: a }]\n";
    static const char alone[] = "version: 1\n"
                                "upstreams: [{ name: a, url_env: REIN_TEST_URL }]\n"
                                "routes: [{ name: all, upstream: a }]\n";
    static const char neither[] = "version: 1\nupstreams: [{ name: a }]\nroutes: [{ name: all, upstream: a }]\n";
    char why[300];
    const char *values[] = {NULL, "", "http://model:8000/"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(values[i] != NULL ? setenv("REIN_TEST_URL", values[i], 1) : unsetenv("REIN_TEST_URL"), 0);
        struct config *c = load(f, both, why);
        assert_string_equal(c->upstreams[0].url, i < 2 ? "http://fallback:1" : "http://model:8000");
        config_unref(c);
        c = load(f, alone, why);
        assert_int_equal(c != NULL, i == 2);
        if (c == NULL)
            assert_string_equal(why,
                                "upstreams[0].url_env: the environment variable `REIN_TEST_URL` is not set: set it to "
                                "the root of the backend, such as http://127.0.0.1:8000");
        config_unref(c);
    }
    assert_int_equal(setenv("REIN_TEST_URL", "model:8000", 1), 0);
    assert_null(load(f, both, why));
    assert_string_equal(why, "upstreams[0].url_env: must begin with http:// or https://");
    assert_null(load(f, neither, why));
    assert_string_equal(why, "upstreams[0].url: is missing: it is the root of the backend, such as "
                             "http://127.0.0.1:8000");
    unsetenv("REIN_TEST_URL");
}

static struct config *load_first(struct fixture *f)
{
    struct rein_problems *problems;
    struct config *c = NULL;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(config_load_with_first_keys(&c, f->path, problems), 0);
    rein_problems_free(problems);
    return c;
}

static void test_found_u7_the_first_start_makes_keys(void **state)
{
    struct fixture *f = *state;
    static const char *const secrets[] = {"keys.yaml.secret", "token.yaml.secret"};
    char text[500], why[300];
    snprintf(text, sizeof(text),
             "%slisten: { address: '0.0.0.0:0', keys_file: keys.yaml }\n"
             "admin: { address: '0.0.0.0:0', token_file: token.yaml }\n",
             minimal);
    assert_null(load(f, text, why)); /* nothing is made unless it was asked for */
    struct config *c = load_first(f);
    const struct keys *const keys[] = {c->keys, c->tokens};
    for (size_t i = 0; i < 2; i++) {
        char *path = files_join(f->folder, secrets[i]), *secret;
        struct stat st;
        size_t len;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(files_read(&secret, &len, path, 200), 0);
        secret[strcspn(secret, "\n")] = '\0';
        assert_string_equal(keys_find(keys[i], secret), i == 0 ? "first" : "admin");
        free(secret);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    config_unref(c);
    c = load_first(f); /* what is there stays, and no secret is written again */
    assert_int_equal(keys_count(c->keys), 1);
    for (size_t i = 0; i < 2; i++) {
        char *path = files_join(f->folder, secrets[i]);
        assert_int_not_equal(access(path, F_OK), 0);
        free(path);
    }
    config_unref(c);
}

static void test_two_policies_of_one_name(void **state)
{
    struct fixture *f = *state;
    char why[300];
    write_file(f, "policies/z.json", "{\"version\": 1, \"name\": \"strict\"}");
    assert_null(load(f, minimal, why));
    assert_string_equal(why, "name: another policy has the name `strict` too: rename one of them");
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

static void test_a_request_goes_where_its_api_is(void **state)
{
    struct fixture *f = *state;
    char why[300];
    struct config *c = load(f,
                            "version: 1\n"
                            "upstreams:\n"
                            "  - { name: a, url: 'http://h:1', kind: mistral }\n"
                            "  - { name: b, url: 'http://h:2', kind: mistral, apis: [messages] }\n"
                            "  - { name: c, url: 'http://h:3', kind: vllm }\n"
                            "routes:\n"
                            "  - { name: one, match: { models: ['m*'] }, upstream: a }\n"
                            "  - { name: two, match: { models: ['m*', 'n'] }, upstream: b }\n"
                            "  - { name: three, match: { models: ['n'] }, upstream: c }\n",
                            why);
    assert_non_null(c);
    assert_string_equal(why, ": ");
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "m1", CONFIG_API_CHAT}), &c->routes[0]);
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "m1", CONFIG_API_MESSAGES}), &c->routes[1]);
    assert_null(config_route_for(c, &(struct config_asked){NULL, "m1", CONFIG_API_RESPONSES}));
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "n", CONFIG_API_MESSAGES}), &c->routes[1]);
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "n", CONFIG_API_CHAT}), &c->routes[2]);
    assert_ptr_equal(config_route_for(c, &(struct config_asked){NULL, "n", ~0u}), &c->routes[1]);
    assert_int_equal(config_apis_of(c, &(struct config_asked){NULL, "m1", 0}),
                     CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_EMBEDDINGS);
    assert_int_equal(config_apis_of(c, &(struct config_asked){NULL, "x", 0}), 0);
    assert_int_equal(config_apis_of(c, &(struct config_asked){NULL, NULL, 0}),
                     CONFIG_API_CHAT | CONFIG_API_MESSAGES | CONFIG_API_RESPONSES | CONFIG_API_EMBEDDINGS);
    config_unref(c);
}

static void test_apis_that_cannot_be(void **state)
{
    static const char *const cases[][2] = {
        {"apis: []", "upstreams[0].apis: "},
        {"apis: [chats]", "upstreams[0].apis"},
        {"kind: completions, apis: [messages], template: { begin: '', system: '{content}', user: '{content}', "
         "assistant: '{content}', generate: g }",
         "upstreams[0].apis: is always [chat] for the kind `completions`: remove it"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[300], text[600];
        snprintf(text, sizeof text,
                 "version: 1\nupstreams: [{ name: a, url: 'http://h:1', %s }]\nroutes: [{ name: r, upstream: a }]\n",
                 cases[i][0]);
        assert_null(load(f, text, why));
        why[strlen(cases[i][1])] = '\0';
        assert_string_equal(why, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_request_goes_where_its_api_is),
        TEST(test_apis_that_cannot_be),
        TEST(test_defaults),
        TEST(test_values),
        TEST(test_off_loopback_with_keys),
        TEST(test_secrets_that_no_header_can_carry),
        TEST(test_checking_needs_no_secrets),
        TEST(test_found_s3_checking_refuses_secrets_that_serving_refuses),
        TEST(test_found_u10_a_missing_keys_file_names_its_key_and_what_makes_it),
        TEST(test_found_r10_listeners_that_take_each_others_port),
        TEST(test_found_s12_an_older_store_goes_on_being_used),
        TEST(test_found_s12_only_a_file_of_that_name_is_an_older_store),
        TEST(test_found_u7_the_environment_names_the_backend),
        TEST(test_found_u7_the_first_start_makes_keys),
        TEST(test_two_policies_of_one_name),
        TEST(test_references_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
