/* The memory of checked prefills: what it knows, what it forgets, and what it never mixes up.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "verified.h"

static void test_remembers_and_forgets(void **state)
{
    (void)state;
    static struct verified v;
    struct verified_note note;
    assert_int_equal(verified_find(&v, "u", "m", "p", 0, &note), VERIFIED_UNKNOWN);
    verified_put(&v, "u", "m", "p", VERIFIED_GOOD, (struct verified_note){7, "because"}, 1000);
    assert_int_equal(verified_find(&v, "u", "m", "p", 1000, &note), VERIFIED_GOOD);
    assert_int_equal(verified_find(&v, "u", "m", "p", 1000 + VERIFIED_GOOD_MS, &note), VERIFIED_UNKNOWN);
    verified_put(&v, "u", "m", "p", VERIFIED_BAD, (struct verified_note){7, "because"}, 1000);
    assert_int_equal(verified_find(&v, "u", "m", "p", 1000 + VERIFIED_BAD_MS - 1, &note), VERIFIED_BAD);
    assert_int_equal(verified_find(&v, "u", "m", "p", 1000 + VERIFIED_BAD_MS, &note), VERIFIED_UNKNOWN);
    verified_clear(&v);
    assert_int_equal(verified_find(&v, "u", "m", "p", 1000, &note), VERIFIED_UNKNOWN);
}

/* More keys than slots: entries go, but none answers for another. */
static void test_never_answers_for_another(void **state)
{
    (void)state;
    static struct verified v;
    struct verified_note note;
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%u", i);
        assert_int_equal(verified_find(&v, "u", model, "p", 0, &note), VERIFIED_UNKNOWN);
        verified_put(&v, "u", model, "p", VERIFIED_GOOD, (struct verified_note){7, "because"}, 0);
        assert_int_equal(verified_find(&v, "um", model + 1, "p", 0, &note), VERIFIED_UNKNOWN);
    }
    for (unsigned i = 0; i < 1000; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%u", i);
        known += verified_find(&v, "u", model, "p", 0, &note) == VERIFIED_GOOD;
    }
    assert_in_range(known, 1, VERIFIED_SLOTS);
    verified_clear(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembers_and_forgets),
        cmocka_unit_test(test_never_answers_for_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
