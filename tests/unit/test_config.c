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
#include "config_schema.h"
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

/* As a program would that runs with `before`. NULL if the config has problems; the first one's message is then in
 * `why`. */
static struct config *reload(struct fixture *f, const struct config *before, const char *text, char why[300])
{
    struct rein_problems *problems;
    struct config *config = NULL;
    write_file(f, "rein.yaml", text);
    assert_int_equal(rein_problems_new(&problems), 0);
    int rv = config_reload(&config, f->path, before, problems);
    const struct rein_problem *first = rein_problems_at(problems, 0);
    snprintf(why, 300, "%s: %s", first != NULL ? first->key : "", first != NULL ? first->message : "");
    assert_int_equal(rv, first == NULL ? 0 : REIN_EPOLICY);
    rein_problems_free(problems);
    return config;
}

static struct config *load(struct fixture *f, const char *text, char why[300])
{
    return reload(f, NULL, text, why);
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
            assert_string_equal(why, "upstreams[0].url_env: the environment has no variable `REIN_TEST_URL`: set it to "
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

/* ---- the settings ---- */

/* The smallest config, with one more key: "limits.choices" becomes `limits: { choices: VALUE }`. */
static void write_with(char text[600], const char *key, const char *value)
{
    const char *dot = strchr(key, '.');
    if (dot == NULL)
        snprintf(text, 600, "%s%s: %s\n", minimal, key, value);
    else
        snprintf(text, 600, "%s%.*s: { %s: %s }\n", minimal, (int)(dot - key), key, dot + 1, value);
}

static struct config *load_with(struct fixture *f, const struct config *before, const char *key, int64_t value,
                                char why[300])
{
    char text[600], number[32];
    snprintf(number, sizeof(number), "%lld", (long long)value);
    write_with(text, key, number);
    return reload(f, before, text, why);
}

static void check_value(struct config *c, const struct config_setting *setting, int64_t expected, const char *why)
{
    if (c == NULL || config_setting_value(c, setting) != (uint64_t)expected)
        fail_msg("%s: %lld, not %lld: %s", setting->key, c != NULL ? (long long)config_setting_value(c, setting) : -1LL,
                 (long long)expected, why);
    config_unref(c);
}

static void check_refused(struct config *c, const char *key, const char *words, const char *why)
{
    if (c != NULL || strncmp(why, key, strlen(key)) != 0 || strstr(why, words) == NULL)
        fail_msg("%s: expected `%s`, got `%s`", key, words, why);
}

static void test_found_s3_a_setting_takes_its_range_and_no_more(void **state)
{
    struct fixture *f = *state;
    char why[300];
    for (const struct config_setting *setting = config_settings(); setting->key != NULL; setting++) {
        check_value(load(f, minimal, why), setting, setting->usual, why);
        check_value(load_with(f, NULL, setting->key, setting->lowest, why), setting, setting->lowest, why);
        check_value(load_with(f, NULL, setting->key, setting->highest, why), setting, setting->highest, why);
        check_refused(load_with(f, NULL, setting->key, setting->lowest - 1, why), setting->key, "must be from", why);
        check_refused(load_with(f, NULL, setting->key, setting->highest + 1, why), setting->key, "must be from", why);
    }
}

static const struct config_setting *find_setting(const char *key)
{
    for (const struct config_setting *setting = config_settings(); setting->key != NULL; setting++)
        if (strcmp(setting->key, key) == 0)
            return setting;
    return NULL;
}

/* The schema, the struct and the reload know the same settings. */
static void test_found_s3_each_number_of_the_config_is_a_setting(void **state)
{
    (void)state;
    for (const struct rein_key *row = config_schema()->keys; row->path != NULL; row++) {
        const struct config_setting *setting = find_setting(row->path);
        bool is_number =
            row->type == REIN_TYPE_INT && strchr(row->path, '[') == NULL && strcmp(row->path, "version") != 0;
        if (is_number != (setting != NULL) && strcmp(row->path, "workers") != 0) /* which has a meaning of its own */
            fail_msg("%s: stands in one table alone", row->path);
        if (setting == NULL)
            continue;
        assert_int_equal(setting->needs_restart, (row->flags & REIN_KEY_RESTART) != 0);
        assert_int_equal(setting->lowest, row->min);
        assert_int_equal(setting->highest, row->max);
    }
}

static void test_found_s3_a_reload_takes_a_setting_or_says_that_it_needs_a_restart(void **state)
{
    struct fixture *f = *state;
    char why[300], path[300];
    struct config *running = load(f, minimal, why);
    assert_non_null(running);
    for (const struct config_setting *setting = config_settings(); setting->key != NULL; setting++) {
        struct config *next = load_with(f, running, setting->key, setting->usual + 1, why);
        if (!setting->needs_restart) {
            check_value(next, setting, setting->usual + 1, why);
            continue;
        }
        check_refused(next, setting->key, "changes with a restart only", why);
        snprintf(path, sizeof(path), "from `%lld` to `%lld`", (long long)setting->usual, (long long)setting->usual + 1);
        assert_non_null(strstr(why, path));
    }
    config_unref(running);
}

static void test_found_s3_each_key_that_takes_a_restart_is_refused_at_reload(void **state)
{
    struct fixture *f = *state;
    char why[300], text[600];
    size_t tried = 0;
    struct config *running = load(f, minimal, why);
    assert_non_null(running);
    for (const struct rein_key *row = config_schema()->keys; row->path != NULL; row++) {
        if ((row->flags & REIN_KEY_RESTART) == 0)
            continue;
        bool is_address = strstr(row->path, "address") != NULL;
        write_with(text, row->path,
                   row->type == REIN_TYPE_INT ? "7"
                   : is_address               ? "'127.0.0.1:9'"
                                              : "'sqlite:other.db'");
        check_refused(reload(f, running, text, why), row->path, "restart Rein", why);
        struct config *fresh = load(f, text, why); /* who is not running yet may begin with it */
        assert_string_equal(why, ": ");
        config_unref(fresh);
        tried++;
    }
    assert_true(tried >= 4);
    config_unref(running);
}

/* ---- doors ---- */

static void test_found_s1_reload_never_opens_a_door(void **state)
{
    struct fixture *f = *state;
    char why[300], text[KEYS_TEXT_MAX], config[900];
    char *keys = files_join(f->folder, "keys.yaml");
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(keys_add(keys, "alice", "rein-", text, problems), 0);
    rein_problems_free(problems);
    static const char open[] = "listen: { address: '0.0.0.0:8080', keys_file: keys.yaml }\n"
                               "admin: { address: '[::]:8081', token_file: keys.yaml }\n";
    /* What the file says now, and the key that must be named. */
    static const struct {
        const char *listen, *admin, *named;
    } edits[] = {
        {"{ address: '127.0.0.1:8080' }", "{ address: '[::]:8081', token_file: keys.yaml }", "listen."},
        {"{}", "{ address: '[::]:8081', token_file: keys.yaml }", "listen."},
        {"{ address: '[::1]:0' }", "{ address: '[::]:8081', token_file: keys.yaml }", "listen."},
        {"{ address: '0.0.0.0:8080' }", "{ address: '[::]:8081', token_file: keys.yaml }", "listen."},
        {"{ address: '127.0.0.1:8080', keys_file: keys.yaml }", "{ address: '[::]:8081', token_file: keys.yaml }",
         "listen.address"},
        {"{ address: '0.0.0.0:8080', keys_file: none.yaml }", "{ address: '[::]:8081', token_file: keys.yaml }", ""},
        {"{ address: '0.0.0.0:8080', keys_file: empty.yaml }", "{ address: '[::]:8081', token_file: keys.yaml }",
         "listen.keys_file"},
        {"{ address: '0.0.0.0:8080', keys_file: keys.yaml }", "{ address: '[::1]:8081' }", "admin."},
        {"{ address: '0.0.0.0:8080', keys_file: keys.yaml }", "{}", "admin."},
        {"{ address: '0.0.0.0:8080', keys_file: keys.yaml }", "{ address: '[::]:8081', token_file: empty.yaml }",
         "admin.token_file"},
    };
    write_file(f, "empty.yaml", "version: 1\nkeys: []\n");
    snprintf(config, sizeof(config), "%s%s", minimal, open);
    struct config *running = load(f, config, why);
    assert_string_equal(why, ": ");
    for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
        snprintf(config, sizeof(config), "%slisten: %s\nadmin: %s\n", minimal, edits[i].listen, edits[i].admin);
        check_refused(reload(f, running, config, why), edits[i].named, "", why);
    }
    config_unref(running);
    free(keys);
}

/* What decides is where the socket was opened, whatever the file and the config that runs say of it. */
static void test_found_s1_the_open_socket_decides(void **state)
{
    struct fixture *f = *state;
    char why[300];
    struct config *running = load(f, minimal, why);
    assert_non_null(running);
    running->listen.loopback = false;
    check_refused(reload(f, running, minimal, why), "listen.keys_file", "everyone could come in", why);
    running->listen.loopback = true;
    running->admin.loopback = false;
    check_refused(reload(f, running, minimal, why), "admin.token_file", "everyone could come in", why);
    running->admin.loopback = true;
    struct config *next = reload(f, running, minimal, why);
    assert_string_equal(why, ": ");
    config_unref(next);
    config_unref(running);
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
        TEST(test_found_s12_an_older_store_goes_on_being_used),
        TEST(test_found_s12_only_a_file_of_that_name_is_an_older_store),
        TEST(test_found_u7_the_environment_names_the_backend),
        TEST(test_found_u7_the_first_start_makes_keys),
        TEST(test_two_policies_of_one_name),
        TEST(test_references_are_counted),
        TEST(test_found_s3_a_setting_takes_its_range_and_no_more),
        TEST(test_found_s3_each_number_of_the_config_is_a_setting),
        TEST(test_found_s3_a_reload_takes_a_setting_or_says_that_it_needs_a_restart),
        TEST(test_found_s3_each_key_that_takes_a_restart_is_refused_at_reload),
        TEST(test_found_s1_reload_never_opens_a_door),
        TEST(test_found_s1_the_open_socket_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
