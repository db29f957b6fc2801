/* Names and how often they occur: in order, at most so many.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataset/name_counts.h"

static void check_counts(const struct name_counts *counts, const char *expected)
{
    json_t *object = name_counts_object(counts);
    char *text = json_dumps(object, JSON_COMPACT);
    assert_string_equal(text, expected);
    free(text);
    json_decref(object);
}

static void test_names_are_in_order(void **state)
{
    (void)state;
    static struct name_counts counts;
    static const char *const names[] = {"fraud", "ab", "abc", "a", NULL, "abc", "", "b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(name_counts_add(&counts, names[i]), 0);
    assert_int_equal(name_counts_add_list(&counts, "b,,weapons,a"), 0);
    assert_int_equal(name_counts_add_list(&counts, ""), 0);
    assert_int_equal(name_counts_add_list(&counts, NULL), 0);
    check_counts(&counts, "{\"-\":2,\"a\":2,\"ab\":1,\"abc\":2,\"b\":2,\"fraud\":1,\"weapons\":1}");
    name_counts_fini(&counts);
    check_counts(&counts, "{}");
}

static void test_too_many_are_counted_together(void **state)
{
    (void)state;
    static struct name_counts counts;
    char name[16];
    for (int i = 0; i < NAMES_MAX + 7; i++) {
        snprintf(name, sizeof name, "n%03d", i);
        assert_int_equal(name_counts_add(&counts, name), 0);
    }
    assert_int_equal(counts.len, NAMES_MAX);
    assert_int_equal(counts.others, 7);
    assert_int_equal(name_counts_add(&counts, "n000"), 0);
    assert_int_equal(counts.names[0].n, 2);
    name_counts_fini(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names_are_in_order),
                                       cmocka_unit_test(test_too_many_are_counted_together)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
