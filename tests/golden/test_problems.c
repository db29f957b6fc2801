/* Broken configs, policies, templates and lexicons: the exact messages for each.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A case is a folder in tests/golden/problems, or in tests/golden/broken, which has what people write who mean another
 * thing; there warnings count, too. It has input.yaml and expected.txt, one problem a line, as
 * "line:column: key: message". With REIN_UPDATE=1 expected.txt is written instead: read what comes out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/files.h"
#include "config/config.h"
#include "config/config_schema.h"
#include "config/keys.h"
#include "config/policy_files.h"
#include "rein/doc.h"

#define GOLDEN REIN_SOURCE_DIR "/tests/golden/"

enum { TEXT_MAX = 20000, CASES_MIN = 30, BROKEN_MIN = 50 };

/* The cases of one folder. */
struct case_set {
    const char *folder;
    bool has_warnings;
};
static const struct case_set *set; /* that is checked */

static char *set_path(const char *name)
{
    char *path = NULL;
    assert_true(asprintf(&path, GOLDEN "%s/%s", set->folder, name) > 0);
    return path;
}

static void read_folder(struct policy_files_folder *folder, const char *name, bool lists,
                        struct rein_problems *problems)
{
    char *path = set_path(name);
    assert_int_equal((lists ? policy_files_read_lists : policy_files_read)(folder, path, false, problems), 0);
    free(path);
}

static void check_policy(const struct rein_source *source, struct rein_problems *problems)
{
    struct policy_files_library files = {0};
    struct rein_policy *policy;
    read_folder(&files.templates, "library/templates", false, problems);
    read_folder(&files.lexicons, "library/lexicons", false, problems);
    read_folder(&files.lists, "library/lists", true, problems);
    read_folder(&files.policies, "library/policies", false, problems);
    struct rein_library library = policy_files_lend(&files);
    if (rein_policy_load(&policy, source, &library, problems) == 0)
        rein_policy_unref(policy);
    policy_files_library_fini(&files);
}

static void check_config(const char *path, struct rein_problems *problems)
{
    struct config *config;
    if (config_load(&config, path, problems) == 0)
        config_unref(config);
}

static void check_keys(const char *path, struct rein_problems *problems)
{
    struct keys *keys;
    if (keys_load(&keys, path, problems) == 0)
        keys_free(keys);
}

static const struct rein_schema *guess(const struct rein_source *source, struct rein_problems *problems)
{
    const struct rein_schema *const schemas[] = {config_schema(),
                                                 rein_schema_policy(),
                                                 rein_schema_template(),
                                                 rein_schema_lexicon(),
                                                 rein_schema_model(),
                                                 keys_schema(),
                                                 NULL};
    struct rein_doc *doc;
    if (rein_doc_read(&doc, source, problems) != 0)
        return NULL;
    const struct rein_schema *schema = rein_doc_guess(doc, schemas);
    rein_doc_free(doc);
    return schema != NULL ? schema : rein_schema_policy();
}

static void check_source(const struct rein_source *source, struct rein_problems *problems)
{
    const struct rein_schema *schema = guess(source, problems);
    if (schema == config_schema())
        check_config(source->name, problems);
    else if (schema == rein_schema_policy())
        check_policy(source, problems);
    else if (schema == keys_schema())
        check_keys(source->name, problems);
    else if (schema != NULL && rein_library_check(source, schema, problems) == 0)
        fail_msg("%s has no problems", source->name);
}

/* File names lose what is above the case, so that they are the same on every machine. */
static size_t write_one(const struct rein_problem *p, const char *folder, const char *kind, char *out, size_t room)
{
    size_t golden = strlen(GOLDEN), own = strlen(folder);
    const char *file = p->file;
    if (strncmp(file, folder, own) == 0 && file[own] == '/')
        file += own + 1;
    else if (strncmp(file, GOLDEN, golden) == 0)
        file += golden;
    bool is_input = strcmp(file, "input.yaml") == 0;
    return (size_t)snprintf(out, room, "%s%s%s%u:%u: %s: %s\n", kind, is_input ? "" : file, is_input ? "" : ":",
                            p->line, p->column, p->key, p->message);
}

static void write_problems(const struct rein_problems *problems, const char *folder, char out[TEXT_MAX])
{
    const struct rein_problem *p;
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rein_problems_count(problems) && at < TEXT_MAX; i++)
        at += write_one(rein_problems_at(problems, i), folder, "", out + at, TEXT_MAX - at);
    for (size_t i = 0; set->has_warnings && (p = rein_problems_warning(problems, i)) != NULL && at < TEXT_MAX; i++)
        at += write_one(p, folder, "warning: ", out + at, TEXT_MAX - at);
    assert_true(at < TEXT_MAX);
}

static void check_case(const char *folder, size_t *failed)
{
    char found[TEXT_MAX], *expected = NULL;
    size_t len = 0;
    struct policy_files_folder file = {0};
    struct rein_problems *problems;
    char *input = files_join(folder, "input.yaml"), *expected_path = files_join(folder, "expected.txt");
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(policy_files_read_file(&file, input, problems), 0);
    assert_int_equal(file.len, 1);
    check_source(&file.sources[0], problems);
    write_problems(problems, folder, found);
    if (getenv("REIN_UPDATE") != NULL)
        assert_int_equal(files_replace(expected_path, found, strlen(found)), 0);
    if (files_read(&expected, &len, expected_path, TEXT_MAX) != 0 || strcmp(found, expected) != 0 || len == 0) {
        print_error("%s\n--- expected\n%s--- found\n%s", folder, expected != NULL ? expected : "", found);
        (*failed)++;
    }
    free(expected);
    free(input);
    free(expected_path);
    policy_files_fini(&file);
    rein_problems_free(problems);
}

static void check_set(const struct case_set *cases_of, size_t at_least)
{
    struct files_list cases;
    size_t failed = 0, count = 0;
    set = cases_of;
    char *folder = set_path("");
    folder[strlen(folder) - 1] = '\0';
    assert_int_equal(files_folders(&cases, folder), 0);
    for (size_t i = 0; i < cases.len; i++) {
        if (strcmp(strrchr(cases.paths[i], '/'), "/library") == 0)
            continue;
        check_case(cases.paths[i], &failed);
        count++;
    }
    files_list_fini(&cases);
    free(folder);
    assert_true(count >= at_least);
    assert_int_equal(failed, 0);
}

static void test_every_case(void **state)
{
    (void)state;
    check_set(&(struct case_set){"problems", false}, CASES_MIN);
}

static void test_what_people_write_who_mean_another_thing(void **state)
{
    (void)state;
    check_set(&(struct case_set){"broken", true}, BROKEN_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_case),
                                       cmocka_unit_test(test_what_people_write_who_mean_another_thing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
