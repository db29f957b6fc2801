/* The keys of a document in words: defaults filled in, and the same value however it is written.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policydiff/key_list.h"

static struct key_list list_of(const char *text)
{
    struct rein_problems *problems;
    struct rein_doc *doc;
    struct rein_source source = {"policy.yaml", text, strlen(text)};
    struct key_list list = {0};
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(rein_doc_read(&doc, &source, problems), 0);
    assert_int_equal(rein_doc_check(doc, rein_schema_policy(), problems), 0);
    assert_int_equal(key_list_make(&list, doc, rein_schema_policy()), 0);
    rein_doc_free(doc);
    rein_problems_free(problems);
    return list;
}

static const char *value_at(const struct key_list *list, const char *key)
{
    const struct key_list_row *row = key_list_find(list, key, 0);
    if (row == NULL)
        fail_msg("there is no %s", key);
    return row->value;
}

static void assert_same(const char *one, const char *other)
{
    struct key_list a = list_of(one), b = list_of(other);
    assert_int_equal(a.len, b.len);
    for (size_t i = 0; i < a.len; i++) {
        assert_string_equal(a.rows[i].key, b.rows[i].key);
        if (a.rows[i].value == NULL || b.rows[i].value == NULL)
            assert_ptr_equal(a.rows[i].value, b.rows[i].value);
        else
            assert_string_equal(a.rows[i].value, b.rows[i].value);
    }
    key_list_fini(&a);
    key_list_fini(&b);
}

static void test_values(void **state)
{
    (void)state;
    struct key_list list = list_of("version: 1\nname: a\nhold: { max_bytes: 100 }\nrules:\n"
                                   "  - { id: x, channels: [tool, answer], literal: zebra, action: redact }\n"
                                   "request: { allow: [logit_bias, user] }\n");
    assert_string_equal(value_at(&list, "name"), "a");
    assert_string_equal(value_at(&list, "hold.max_bytes"), "100");
    assert_string_equal(value_at(&list, "limits.stream_bytes"), "262144");
    assert_true(key_list_find(&list, "limits.stream_bytes", 0)->is_default);
    assert_false(key_list_find(&list, "hold.max_bytes", 0)->is_default);
    assert_string_equal(value_at(&list, "rules"), "[x]");
    assert_string_equal(value_at(&list, "rules[x].channels"), "[answer, tool]");
    assert_string_equal(value_at(&list, "rules[x].literal"), "[\"zebra\"]");
    assert_string_equal(value_at(&list, "request.allow"), "[\"logit_bias\", \"user\"]");
    assert_null(value_at(&list, "rules[x].regex"));
    assert_null(value_at(&list, "model"));
    assert_null(key_list_find(&list, "rules[y].literal", 0));
    key_list_fini(&list);
}

/* Layout, the order of keys, and defaults that are said make no difference. */
static void test_the_same_in_other_words(void **state)
{
    (void)state;
    assert_same("version: 1\nname: a\n",
                "name: 'a'\nversion: 1\nhold: { max_bytes: 4096 }\nlexicons: [english]\nrequest: { allow: [] }\n"
                "steer: {}\nrules: []\n");
    assert_same("version: 1\nname: a\npatterns: { harmful_additions: { action: record, threshold: 0.50 } }\n",
                "version: 1\nname: a\npatterns: { harmful_additions: { threshold: 5e-1, action: record } }\n");
    assert_same("version: 1\nname: a\nrules: [{ id: x, channels: [answer, tool], literal: a, action: record }]\n",
                "version: 1\nname: a\nrules: [{ literal: a, id: x, action: record, channels: [tool, answer] }]\n");
}

/* No entry hides behind another with the same id. */
static void test_entries_of_one_id(void **state)
{
    (void)state;
    struct key_list list = list_of("version: 1\nname: a\nrules:\n"
                                   "  - { id: x, channels: [answer], literal: one, action: record }\n"
                                   "  - { id: x, channels: [answer], literal: two, action: record }\n");
    assert_string_equal(value_at(&list, "rules"), "[x, 1]");
    assert_string_equal(value_at(&list, "rules[x].literal"), "[\"one\"]");
    assert_string_equal(value_at(&list, "rules[1].literal"), "[\"two\"]");
    key_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_the_same_in_other_words),
        cmocka_unit_test(test_entries_of_one_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
