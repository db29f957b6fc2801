/* Torture: while rules are compiled and a text is matched, each allocation fails in turn. Nothing leaks, nothing
 * crashes, and the error says what it was. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "failing_heap.h"
#include "matching.h"

static int add_rules(struct ruleset *rules)
{
    static const char *const words[] = {"open sesame",
                                        ("Stra\xC3\x9F"
                                         "e"),
                                        "swordfish"};
    const struct rule_spec specs[] = {
        {.builtin = "card_number"},
        {.regex = "(?i)[^a-c]key\\b|x{2,3}$", .max_bytes = 20},
        {.literals = words, .literals_len = 3, .folded = true},
        {.regex = "(a|b)*c", .max_bytes = 100},
        {.regex = "a.{0,20}[\\W\xC3\xA9]z", .folded = true, .max_bytes = 100},
    };
    int rv = 0;
    for (size_t i = 0; i < sizeof(specs) / sizeof(*specs) && rv == 0; i++) {
        struct rule_spec spec = specs[i];
        const char *why;
        spec.withholds = true;
        spec.channels = 1 << REIN_ANSWER;
        rv = ruleset_add(rules, &spec, &why);
    }
    return rv != 0 ? rv : ruleset_finish(rules);
}

static int run(size_t *found_len)
{
    static const char text[] =
        "aab abababaaaabbc 4111 1111 1111 1111 OPEN s\xC3\xA9same aaabbbaxx aaaaaaaaaaaaaaaaaaaa xxx";
    struct ruleset *rules;
    struct match_list found = {0};
    int rv = ruleset_new(&rules, 4096);
    if (rv != 0)
        return rv;
    rv = add_rules(rules);
    if (rv == 0)
        rv = match_in_pieces(rules, (struct span){text, sizeof(text) - 1}, NULL, 0, &found, NULL, NULL);
    *found_len = found.len;
    match_list_fini(&found);
    ruleset_free(rules);
    return rv;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct failing_heap f = {0};
    failing_heap_use(&f);
    size_t wanted = 0, found;
    int rv = run(&wanted);
    size_t calls = f.calls;
    long leaked = f.blocks;
    size_t wrong = 0;
    for (size_t k = 1; k <= calls; k++) {
        f = (struct failing_heap){.fails_at = k};
        int failed = run(&found);
        wrong += failed != REIN_ENOMEM || f.blocks != 0;
    }
    rein_heap_set(NULL);
    assert_int_equal(rv, 0);
    assert_int_equal(leaked, 0);
    assert_int_equal(wanted, 4);
    assert_int_equal(wrong, 0);
    print_message("%zu allocations failed in turn\n", calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
