/* The reference pages in docs/reference are those that the tables produce.
 * SPDX-License-Identifier: Apache-2.0
 *
 * REIN_UPDATE=1 writes them anew; so does `rein check --reference NAME`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "backends/backend.h"
#include "base/files.h"
#include "cli/check_builtins.h"
#include "config/config_schema.h"
#include "demo/demo_script.h"
#include "distill/style.h"
#include "judges/described.h"
#include "policytest/cases.h"
#include "rein/doc.h"

enum { PAGE_MAX = 1 << 20 };

static void check_text(const char *name, const char *page)
{
    char *committed = NULL, *path = NULL;
    size_t len;
    assert_true(asprintf(&path, REIN_SOURCE_DIR "/docs/reference/%s.md", name) > 0);
    if (getenv("REIN_UPDATE") != NULL)
        assert_int_equal(files_replace(path, page, strlen(page)), 0);
    assert_int_equal(files_read(&committed, &len, path, PAGE_MAX), 0);
    assert_string_equal(page, committed);
    free(committed);
    free(path);
}

static void check_page(const struct rein_schema *schema)
{
    char *page;
    assert_int_equal(rein_schema_reference(schema, &page), 0);
    check_text(schema->name, page);
    rein_text_free(page);
}

static void test_pages(void **state)
{
    (void)state;
    check_page(config_schema());
    check_page(rein_schema_policy());
    check_page(rein_schema_template());
    check_page(rein_schema_lexicon());
    check_page(rein_schema_model());
    check_page(keys_schema());
    check_page(judge_description_schema());
    check_page(&demo_schema);
    check_page(&cases_schema);
    check_page(&style_schema);
}

static void test_fields(void **state)
{
    (void)state;
    char *page = backend_fields_page();
    assert_non_null(page);
    check_text("request-fields", page);
    free(page);
}

static void test_builtins(void **state)
{
    (void)state;
    char *page = cli_builtins_page();
    assert_non_null(page);
    check_text("builtins", page);
    free(page);
}

/* A document of one key, `value`, that is checked as the row's values are. */
static void check_example(const struct rein_schema *schema, const struct rein_key *row)
{
    if (row->example == NULL)
        fail_msg("%s: %s has no example", schema->name, row->path);
    struct rein_key keys[] = {{.path = "", .type = REIN_TYPE_MAP}, *row, {.path = NULL}};
    keys[1].path = "value";
    const struct rein_schema one = {.name = "one", .keys = keys};
    char *text = NULL;
    int len = asprintf(&text, "value: %s\n", row->example);
    assert_true(len > 0);
    struct rein_problems *problems;
    assert_int_equal(rein_problems_new(&problems), 0);
    struct rein_doc *doc = NULL;
    int rv = rein_doc_read(&doc, &(struct rein_source){.name = row->path, .text = text, .len = (size_t)len}, problems);
    rv = rv == 0 ? rein_doc_check(doc, &one, problems) : rv;
    if (rv != 0)
        fail_msg("%s: the example of %s: %s", schema->name, row->path, rein_problems_at(problems, 0)->message);
    rein_doc_free(doc);
    rein_problems_free(problems);
    free(text);
}

static bool reference_is_leaf(const struct rein_key *row)
{
    return row->type != REIN_TYPE_MAP && row->type != REIN_TYPE_LIST && row->instead == NULL &&
           (row->flags & REIN_KEY_LATER) == 0;
}

/* In the tables of files that people write by hand, each key has an example that the table itself accepts. */
static void test_examples(void **state)
{
    (void)state;
    const struct rein_schema *const schemas[] = {rein_schema_policy(), rein_schema_template(), rein_schema_lexicon(),
                                                 keys_schema(), &cases_schema};
    for (size_t s = 0; s < sizeof(schemas) / sizeof(*schemas); s++)
        for (const struct rein_key *row = schemas[s]->keys; row->path != NULL; row++)
            if (reference_is_leaf(row))
                check_example(schemas[s], row);
}

/* Each leaf below a map of properties has its example as a value of its own type. */
static void check_json_examples(const json_t *schema, size_t *texts, size_t *numbers, size_t *lists)
{
    const char *key;
    json_t *value;
    const json_t *example = json_array_get(json_object_get(schema, "examples"), 0);
    *texts += json_is_string(example);
    *numbers += json_is_number(example);
    *lists += json_is_array(example);
    if (json_is_array(json_object_get(schema, "enum")) && json_object_get(schema, "description") != NULL)
        assert_true(json_is_string(example));
    json_object_foreach(json_object_get(schema, "properties"), key, value)
    {
        check_json_examples(value, texts, numbers, lists);
    }
    if (json_object_get(schema, "items") != NULL)
        check_json_examples(json_object_get(schema, "items"), texts, numbers, lists);
}

static void test_json_schema(void **state)
{
    (void)state;
    char *text;
    assert_int_equal(rein_schema_json(rein_schema_policy(), &text), 0);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    rein_text_free(text);
    assert_non_null(root);
    const char *type, *channel, *required;
    json_int_t fallback;
    int rv = json_unpack(root, "{s{s{s{s{s{s{s[ssss!]}}}s[ss!]}}s{s{s{sI}}}}}", "properties", "rules", "items",
                         "properties", "channels", "items", "enum", &channel, &type, &type, &type, "required",
                         &required, &type, "hold", "properties", "max_bytes", "default", &fallback);
    assert_int_equal(rv, 0);
    assert_string_equal(channel, "prompt");
    assert_string_equal(required, "id");
    assert_int_equal(fallback, 4096);
    size_t texts = 0, numbers = 0, lists = 0;
    check_json_examples(root, &texts, &numbers, &lists);
    assert_true(texts > 20 && numbers > 20 && lists > 10);
    const char *masked, *first, *second;
    rv = json_unpack(root, "{s{s{s{s{s{s[s!]}s{s[[ss!]!]}}}}}}", "properties", "rules", "items", "properties",
                     "replacement", "examples", &masked, "roles", "examples", &first, &second);
    assert_int_equal(rv, 0);
    assert_string_equal(masked, "[card number]");
    assert_string_equal(second, "tool");
    json_decref(root);
}

/* Parents stand before their children, and every row says what it is for. */
static void test_tables_are_in_order(void **state)
{
    (void)state;
    const struct rein_schema *const schemas[] = {config_schema(),       rein_schema_policy(), rein_schema_template(),
                                                 rein_schema_lexicon(), rein_schema_model(),  keys_schema(),
                                                 &demo_schema,          &cases_schema,        &style_schema};
    for (size_t s = 0; s < sizeof(schemas) / sizeof(*schemas); s++) {
        const struct rein_key *keys = schemas[s]->keys;
        for (const struct rein_key *row = keys; row->path != NULL; row++) {
            size_t len = strlen(row->path);
            while (len > 0 && (row->path[len] == '\0' || strchr(".[", row->path[len]) == NULL))
                len--;
            bool has_parent = row == keys;
            for (const struct rein_key *at = keys; at < row; at++)
                has_parent = has_parent || (strlen(at->path) == len && strncmp(at->path, row->path, len) == 0);
            if (!has_parent || row->about == NULL)
                fail_msg("%s: %s has no parent before it, or no meaning", schemas[s]->name, row->path);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),    cmocka_unit_test(test_fields),      cmocka_unit_test(test_builtins),
        cmocka_unit_test(test_examples), cmocka_unit_test(test_json_schema), cmocka_unit_test(test_tables_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
