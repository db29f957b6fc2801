/* Torture: while a JSON document is read, each allocation fails in turn. Nothing leaks, and the error says what it was.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "failing_heap.h"
#include "rein/json.h"

enum { MANY = 500 };

/* More values than there is room for at first, more keys than are compared in pairs, a string that is decoded. */
static size_t write_text(char *out, size_t cap, const char *last_key)
{
    size_t len = (size_t)snprintf(out, cap, "{\"text\":\"a\\nb\"");
    for (int i = 0; i < MANY; i++)
        len += (size_t)snprintf(out + len, cap - len, ",\"k%d\":[%d]", i, i);
    return len + (size_t)snprintf(out + len, cap - len, ",\"%s\":1}", last_key);
}

static int read_once(struct failing_heap *f, const char *text, size_t len)
{
    struct rein_json *json = NULL;
    struct rein_json_problem problem;
    failing_heap_use(f);
    int rv = rein_json_read(&json, text, len, 4, &problem);
    rein_json_free(json);
    rein_heap_set(NULL);
    return rv;
}

static void fail_each(const char *last_key, int wanted)
{
    char text[MANY * 16];
    size_t len = write_text(text, sizeof text, last_key);
    struct failing_heap whole = {0};
    assert_int_equal(read_once(&whole, text, len), wanted);
    assert_int_equal(whole.blocks, 0);
    assert_true(whole.calls > 4);
    for (size_t k = 1; k <= whole.calls; k++) {
        struct failing_heap f = {.fails_at = k};
        int rv = read_once(&f, text, len);
        if (rv != REIN_ENOMEM || f.blocks != 0)
            fail_msg("allocation %zu of %zu failed: result %d, %ld blocks left", k, whole.calls, rv, f.blocks);
    }
}

static void test_whole(void **state)
{
    (void)state;
    fail_each("last", 0);
}

static void test_refused(void **state)
{
    (void)state;
    fail_each("k7", REIN_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
