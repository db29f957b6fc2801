/* JSON documents: what they hold, where they say a text is wrong, and what is left when members are taken out. That
 * they read what jansson reads is a property of its own. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rein/json.h"

static struct rein_json *read_text(const char *text)
{
    struct rein_json *json = NULL;
    struct rein_json_problem problem;
    int rv = rein_json_read(&json, text, strlen(text), 8, &problem);
    if (rv != 0)
        fail_msg("%s: %d at line %u, column %u", text, rv, problem.line, problem.column);
    return json;
}

static void test_holds_what_the_text_says(void **state)
{
    (void)state;
    struct rein_json *json = read_text(" {\"a\": [1, -2.5, \"x\\u00e9\\n\"], \"b\": {}, \"\": null} ");
    const struct rein_json_node *root = rein_json_root(json), *a = rein_json_get(root, "a");
    assert_true(rein_json_is(root, REIN_JSON_OBJECT));
    assert_int_equal(root->span, 10);
    assert_int_equal(rein_json_count(root), 3);
    assert_int_equal(rein_json_count(a), 3);
    const struct rein_json_node *item = rein_json_first(a);
    int64_t value = 0;
    assert_true(rein_json_integer(item, &value));
    assert_int_equal(value, 1);
    item = rein_json_next(a, item);
    assert_true(rein_json_is(item, REIN_JSON_REAL));
    assert_false(rein_json_integer(item, &value));
    assert_int_equal(item->len, 4);
    assert_memory_equal(item->text, "-2.5", 4);
    item = rein_json_next(a, item);
    assert_true(rein_json_says(item, "x\xc3\xa9\n"));
    assert_false(rein_json_says(item, "x"));
    assert_null(rein_json_next(a, item));
    assert_null(rein_json_first(rein_json_get(root, "b")));
    assert_true(rein_json_is(rein_json_get(root, ""), REIN_JSON_NULL));
    assert_null(rein_json_get(root, "c"));
    rein_json_free(json);
}

static void test_nothing_is_in_nothing(void **state)
{
    (void)state;
    int64_t value;
    assert_null(rein_json_get(NULL, "a"));
    assert_null(rein_json_first(NULL));
    assert_int_equal(rein_json_count(NULL), 0);
    assert_false(rein_json_says(NULL, ""));
    assert_false(rein_json_is(NULL, REIN_JSON_NULL));
    assert_false(rein_json_integer(NULL, &value));
    struct rein_json *json = read_text("\"a\"");
    assert_null(rein_json_get(rein_json_root(json), "a"));
    assert_null(rein_json_first(rein_json_root(json)));
    rein_json_free(json);
    rein_json_free(NULL);
}

static void test_says_where_a_text_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum rein_json_fault fault;
        unsigned line, column;
    } cases[] = {
        {"", REIN_JSON_MALFORMED, 1, 1},
        {"{", REIN_JSON_MALFORMED, 1, 2},
        {"[1,\n 2,\n  x]", REIN_JSON_MALFORMED, 3, 3},
        {"[\"\xc3\xa9\xe2\x82\xac\",]", REIN_JSON_MALFORMED, 1, 7},
        {"[\"ab\xff\"]", REIN_JSON_NO_UTF8, 1, 5},
        {"[\"ab\\ud800\"]", REIN_JSON_HALF_PAIR, 1, 5},
        {"[\"ab\\u0000\"]", REIN_JSON_NUL, 1, 5},
        {"[1] 2", REIN_JSON_MALFORMED, 1, 5},
        {"{\"a\":1,\n\"b\":2,\n \"\\u0061\":3}", REIN_JSON_KEY_TWICE, 3, 2},
        {"[[[[[[[[[1]]]]]]]]]", REIN_JSON_TOO_DEEP, 1, 9},
        {"[{\"a\":[[[[[[{", REIN_JSON_TOO_DEEP, 1, 13},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rein_json *json = NULL;
        struct rein_json_problem problem = {0};
        assert_int_equal(rein_json_read(&json, cases[i].text, strlen(cases[i].text), 8, &problem), REIN_EFORMAT);
        assert_null(json);
        if (problem.fault != cases[i].fault || problem.line != cases[i].line || problem.column != cases[i].column)
            fail_msg("%s: fault %d at line %u, column %u", cases[i].text, (int)problem.fault, problem.line,
                     problem.column);
    }
}

/* Where the string stands that no program can hold, in which part of the document. */
static void test_found_r9_a_bad_string_is_named(void **state)
{
    static const struct {
        const char *text, *place;
    } cases[] = {
        {"\"\\u0000\"", ""},
        {"{\"a\":\"\\ud800\"}", "a"},
        {"{\"a\":{},\"b\":[[1],{\"c\":2,\"d\":\"\\udc00\"}]}", "b[1].d"},
        {"[[1,2],[],[\"x\",[\"y\",\"\xff\"]]]", "[2][1][1]"},
        {"{\"a\":[1,{\"\\u0000\":1}]}", "a[1]"},
        {"{\"a\":[{\"b\":1,\"\\u0000\":1}]}", "a[0]"},
        {"{\"caf\xc3\xa9\":\"\\u0000\"}", "caf\xc3\xa9"},
        {"{\"a\":1,\"a\":2}", ""},
        {"[1,", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rein_json *json = NULL;
        struct rein_json_problem problem;
        assert_int_equal(rein_json_read(&json, cases[i].text, strlen(cases[i].text), 8, &problem), REIN_EFORMAT);
        assert_string_equal(problem.place, cases[i].place);
    }
    /* As far as it fits, and no character cut in two, whatever the length of what stands before. */
    for (size_t shift = 0; shift < 4; shift++) {
        struct rein_json *json = NULL;
        struct rein_json_problem problem;
        char text[256] = "{\"";
        memset(text + 2, 'x', shift);
        for (size_t n = 0; n < 60; n++)
            strcat(text, "\xe2\x82\xac");
        strcat(text, "\":\"\xff\"}");
        assert_int_equal(rein_json_read(&json, text, strlen(text), 8, &problem), REIN_EFORMAT);
        size_t len = strlen(problem.place);
        assert_true(len > sizeof problem.place - 4 && (len - shift) % 3 == 0);
    }
}

static void test_found_r9_large_numbers_are_numbers(void **state)
{
    static const char *const texts[] = {"9223372036854775808", "-9223372036854775809", "99999999999999999999999999",
                                        "1e400", "-1.5e999"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct rein_json *json = read_text(texts[i]);
        int64_t value;
        assert_true(rein_json_is(rein_json_root(json), REIN_JSON_HUGE));
        assert_false(rein_json_integer(rein_json_root(json), &value));
        rein_json_free(json);
    }
}

static void test_has_ceilings(void **state)
{
    (void)state;
    struct rein_json *json = NULL;
    struct rein_json_problem problem;
    assert_int_equal(rein_json_read(&json, "1", 1, REIN_JSON_DEPTH_MAX + 1, &problem), REIN_EINVAL);
    assert_int_equal(rein_json_read(&json, "1", (size_t)REIN_JSON_BYTES_MAX + 1, 8, &problem), REIN_ELIMIT);
    assert_null(json);
    char deep[2 * REIN_JSON_DEPTH_MAX];
    memset(deep, '[', REIN_JSON_DEPTH_MAX);
    memset(deep + REIN_JSON_DEPTH_MAX, ']', REIN_JSON_DEPTH_MAX);
    assert_int_equal(rein_json_read(&json, deep, sizeof deep, REIN_JSON_DEPTH_MAX, &problem), 0);
    rein_json_free(json);
}

/* An object of so many keys that to compare each with each would take minutes. */
static void test_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 200000, EACH = 16 };
    char *text = malloc((size_t)KEYS * EACH + 64);
    assert_non_null(text);
    for (int twice = 0; twice < 2; twice++) {
        size_t len = 0;
        for (int i = 0; i < KEYS; i++)
            len += (size_t)sprintf(text + len, "%s\"%d\":%d", i > 0 ? "," : "{", i, i % 10);
        len += (size_t)sprintf(text + len, ",\"%s\":0}", twice ? "77777" : "last");
        struct rein_json *json = NULL;
        struct rein_json_problem problem = {0};
        assert_int_equal(rein_json_read(&json, text, len, 8, &problem), twice ? REIN_EFORMAT : 0);
        if (twice)
            assert_int_equal(problem.fault, REIN_JSON_KEY_TWICE);
        else
            assert_int_equal(rein_json_count(rein_json_root(json)), KEYS + 1);
        rein_json_free(json);
    }
    free(text);
}

static void drop(struct rein_json *json, const char *text, size_t nth, const char *wanted)
{
    const struct rein_json_node *root = rein_json_root(json), *key = rein_json_first(root);
    for (; nth > 0; nth--)
        key = rein_json_next(root, key);
    struct rein_json_place place = rein_json_drop(json, key);
    if (place.len != strlen(wanted) || memcmp(text + place.at, wanted, place.len) != 0)
        fail_msg("expected %s, found %.*s", wanted, (int)place.len, text + place.at);
}

static void test_members_are_taken_out(void **state)
{
    (void)state;
    static const char text[] = "{ \"a\" : 1, \"b\\u0041\" : [1, {\"c\":2}] , \"d\":\"\\\"x\\\"\", \"e\":\"plain\"}";
    struct rein_json *json = read_text(text);
    const struct rein_json_node *root = rein_json_root(json);
    drop(json, text, 1, "\"b\\u0041\" : [1, {\"c\":2}]");
    assert_int_equal(rein_json_count(root), 3);
    assert_null(rein_json_get(root, "bA"));
    assert_true(rein_json_says(rein_json_next(root, rein_json_first(root)), "d"));
    drop(json, text, 0, "\"a\" : 1");
    assert_true(rein_json_says(rein_json_first(root), "d"));
    drop(json, text, 1, "\"e\":\"plain\"");
    drop(json, text, 0, "\"d\":\"\\\"x\\\"\"");
    assert_null(rein_json_first(root));
    assert_int_equal(rein_json_count(root), 0);
    rein_json_free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_what_the_text_says),
        cmocka_unit_test(test_nothing_is_in_nothing),
        cmocka_unit_test(test_says_where_a_text_is_wrong),
        cmocka_unit_test(test_found_r9_a_bad_string_is_named),
        cmocka_unit_test(test_found_r9_large_numbers_are_numbers),
        cmocka_unit_test(test_has_ceilings),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_members_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
