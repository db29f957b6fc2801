/* Limits of keys: a bucket that fills evenly, and requests that are open.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/key_limits.h"

static struct key key_with(const char *name, unsigned per_minute, unsigned open)
{
    struct key key = {.expires_s = KEY_NEVER, .requests_per_minute = per_minute, .open_streams = open};
    snprintf(key.name, sizeof key.name, "%s", name);
    return key;
}

static void test_requests_per_minute(void **state)
{
    (void)state;
    struct key_limits *limits;
    struct key key = key_with("a", 6, 0), other = key_with("b", 6, 0);
    unsigned retry_s;
    assert_int_equal(key_limits_new(&limits), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(key_limits_enter(limits, &key, 1000, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 1000, &retry_s), KEY_TOO_MANY_REQUESTS);
    assert_int_equal(retry_s, 11);
    assert_int_equal(key_limits_enter(limits, &other, 1000, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 10900, &retry_s), KEY_TOO_MANY_REQUESTS);
    assert_int_equal(retry_s, 1);
    assert_int_equal(key_limits_enter(limits, &key, 11000, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 11000, &retry_s), KEY_TOO_MANY_REQUESTS);
    /* A long pause fills it once, not more. A clock of another thread may be a little behind. */
    assert_int_equal(key_limits_enter(limits, &key, 10000, &retry_s), KEY_TOO_MANY_REQUESTS);
    for (int i = 0; i < 6; i++)
        assert_int_equal(key_limits_enter(limits, &key, 9000000, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 9000000, &retry_s), KEY_TOO_MANY_REQUESTS);
    key_limits_free(limits);
}

static void test_open_requests(void **state)
{
    (void)state;
    struct key_limits *limits;
    struct key key = key_with("a", 0, 2), free_of = key_with("c", 0, 0);
    unsigned retry_s;
    assert_int_equal(key_limits_new(&limits), 0);
    assert_int_equal(key_limits_enter(limits, &key, 0, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 0, &retry_s), KEY_ADMITTED);
    assert_int_equal(key_limits_enter(limits, &key, 0, &retry_s), KEY_TOO_MANY_OPEN);
    assert_int_equal(retry_s, 1);
    key_limits_leave(limits, &key);
    assert_int_equal(key_limits_enter(limits, &key, 0, &retry_s), KEY_ADMITTED);
    for (int i = 0; i < 100; i++)
        assert_int_equal(key_limits_enter(limits, &free_of, 0, &retry_s), KEY_ADMITTED);
    key_limits_leave(limits, &free_of);
    key_limits_free(limits);
}

/* Names that are not used any more make room for others. */
static void test_the_table_has_a_ceiling(void **state)
{
    (void)state;
    struct key_limits *limits;
    struct key key;
    unsigned retry_s;
    char name[32];
    assert_int_equal(key_limits_new(&limits), 0);
    for (int i = 0; i < 2 * KEYS_MAX; i++) {
        snprintf(name, sizeof name, "k%d", i);
        key = key_with(name, 1, 0);
        assert_int_equal(key_limits_enter(limits, &key, 0, &retry_s), KEY_ADMITTED);
        if (i > 0)
            key_limits_leave(limits, &key);
    }
    key = key_with("more", 1, 0);
    assert_int_equal(key_limits_enter(limits, &key, 1000, &retry_s), KEY_TOO_MANY_OPEN);
    assert_int_equal(key_limits_enter(limits, &key, 60000, &retry_s), KEY_ADMITTED);
    key = key_with("k0", 1, 1); /* it is still open */
    assert_int_equal(key_limits_enter(limits, &key, 60000, &retry_s), KEY_TOO_MANY_OPEN);
    key_limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_per_minute),
        cmocka_unit_test(test_open_requests),
        cmocka_unit_test(test_the_table_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
