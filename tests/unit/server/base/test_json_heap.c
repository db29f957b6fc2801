/* jansson's memory: whichever allocation fails, the process ends at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json_heap.h"

static const char text[] = "{\"a\":[1,2.5,\"fourteen bytes\",\"thirty bytes, so that it grows\"],\"b\":{\"c\":true}}";
static size_t asked, fails_at;
enum { ABORTED = 6 }; /* SIGABRT; the core has a signal.h of its own, which hides the system's from tests */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    return ++asked == fails_at ? NULL : __real_malloc(size);
}

/* How a process ends in which this allocation fails; 0: it did not. */
static int signal_of(size_t at)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        asked = 0;
        fails_at = at;
        json_decref(json_loadb(text, sizeof text - 1, 0, NULL));
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void test_found_m8_an_allocation_that_fails_ends_the_process(void **state)
{
    (void)state;
    json_heap_use();
    asked = fails_at = 0;
    json_t *tree = json_loadb(text, sizeof text - 1, 0, NULL);
    assert_non_null(tree);
    json_decref(tree);
    size_t all = asked;
    assert_in_range(all, 10, 200);
    for (size_t at = 1; at <= all; at++)
        if (signal_of(at) != ABORTED)
            fail_msg("allocation %zu of %zu: %d", at, all, signal_of(at));
    assert_int_equal(signal_of(all + 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_m8_an_allocation_that_fails_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
