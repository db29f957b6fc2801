/* The memory of checked prefills: what it knows, what it forgets, and what it never mixes up.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backends/prefix_cache.h"

static void test_remembers_and_forgets(void **state)
{
    (void)state;
    static struct prefix_cache v;
    struct prefix_cache_note note;
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 0, &note), PREFIX_CACHE_UNKNOWN);
    prefix_cache_put(&v, "u", "m", "p", PREFIX_CACHE_GOOD, (struct prefix_cache_note){7, "because"}, 1000);
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 1000, &note), PREFIX_CACHE_GOOD);
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 1000 + PREFIX_CACHE_GOOD_MS, &note), PREFIX_CACHE_UNKNOWN);
    prefix_cache_put(&v, "u", "m", "p", PREFIX_CACHE_BAD, (struct prefix_cache_note){7, "because"}, 1000);
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 1000 + PREFIX_CACHE_BAD_MS - 1, &note), PREFIX_CACHE_BAD);
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 1000 + PREFIX_CACHE_BAD_MS, &note), PREFIX_CACHE_UNKNOWN);
    prefix_cache_clear(&v);
    assert_int_equal(prefix_cache_find(&v, "u", "m", "p", 1000, &note), PREFIX_CACHE_UNKNOWN);
}

/* More keys than slots: entries go, but none answers for another. */
static void test_never_answers_for_another(void **state)
{
    (void)state;
    static struct prefix_cache v;
    struct prefix_cache_note note;
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%u", i);
        assert_int_equal(prefix_cache_find(&v, "u", model, "p", 0, &note), PREFIX_CACHE_UNKNOWN);
        prefix_cache_put(&v, "u", model, "p", PREFIX_CACHE_GOOD, (struct prefix_cache_note){7, "because"}, 0);
        assert_int_equal(prefix_cache_find(&v, "um", model + 1, "p", 0, &note), PREFIX_CACHE_UNKNOWN);
    }
    for (unsigned i = 0; i < 1000; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%u", i);
        known += prefix_cache_find(&v, "u", model, "p", 0, &note) == PREFIX_CACHE_GOOD;
    }
    assert_in_range(known, 1, PREFIX_CACHE_SLOTS);
    prefix_cache_clear(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers_and_forgets),
        cmocka_unit_test(test_never_answers_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
