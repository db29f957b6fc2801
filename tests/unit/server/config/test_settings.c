/* Tests of the config's settings: one table for all, what a reload takes, and doors that it never opens.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_schema.h"
#include "config/keys.h"
#include "configkit.h"

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
        check_refused(next, setting->key, "cannot be changed by a reload", why);
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
                   row->type == REIN_TYPE_INT              ? "7"
                   : row->type == REIN_TYPE_BOOL           ? (strcmp(row->fallback, "true") == 0 ? "false" : "true")
                   : strstr(row->path, "endpoint") != NULL ? "'http://127.0.0.1:9'"
                   : is_address                            ? "'127.0.0.1:9'"
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
    check_refused(reload(f, running, minimal, why), "listen.keys_file", "everyone could use that address", why);
    running->listen.loopback = true;
    running->admin.loopback = false;
    check_refused(reload(f, running, minimal, why), "admin.token_file", "everyone could use that address", why);
    running->admin.loopback = true;
    struct config *next = reload(f, running, minimal, why);
    assert_string_equal(why, ": ");
    config_unref(next);
    config_unref(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found_s3_a_setting_takes_its_range_and_no_more),
        TEST(test_found_s3_each_number_of_the_config_is_a_setting),
        TEST(test_found_s3_a_reload_takes_a_setting_or_says_that_it_needs_a_restart),
        TEST(test_found_s3_each_key_that_takes_a_restart_is_refused_at_reload),
        TEST(test_found_s1_reload_never_opens_a_door),
        TEST(test_found_s1_the_open_socket_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
