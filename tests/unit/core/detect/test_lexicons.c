/* The shipped lexicons: each entry is found in its `match` sentences and in none of its `unlike` ones.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/lexicon_cache.h"
#include "config/policy_files.h"
#include "rein/doc.h"

static void entries_hold_their_own_tests(void **state)
{
    (void)state;
    struct rein_problems *problems = NULL;
    struct policy_files_folder folder = {0};
    assert_int_equal(rein_problems_new(&problems), 0);
    assert_int_equal(policy_files_read(&folder, REIN_SOURCE_DIR "/config/lexicons", true, problems), 0);
    assert_true(folder.len > 0);
    for (size_t i = 0; i < folder.len; i++) {
        int rv = rein_library_check(&folder.sources[i], rein_schema_lexicon(), problems);
        assert_true(rv == 0 || rv == REIN_EPOLICY);
    }
    for (size_t i = 0; i < rein_problems_count(problems); i++) {
        const struct rein_problem *p = rein_problems_at(problems, i);
        print_error("%s:%u: %s: %s\n", p->file, p->line, p->key, p->message);
    }
    assert_int_equal(rein_problems_count(problems), 0);
    policy_files_fini(&folder);
    rein_problems_free(problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(entries_hold_their_own_tests)};
    if (lexicon_cache_use_own() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
