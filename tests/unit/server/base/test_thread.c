/* Threads behind the loops: their class, and the processors that they keep off.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/thread.h"

static cpu_set_t all; /* the process's */

/* One of them. */
static int one_of(const cpu_set_t *set)
{
    int i = 0;
    while (i < CPU_SETSIZE && !CPU_ISSET((unsigned)i, set))
        i++;
    return i;
}

static cpu_set_t own_set(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    return set;
}

struct seen {
    int kept_off, on;
    cpu_set_t off, again, back;
};

static void *keep_off(void *ctx)
{
    struct seen *seen = ctx;
    seen->kept_off = one_of(&all);
    thread_keep_off(seen->kept_off);
    seen->off = own_set();
    seen->on = thread_processor();
    thread_keep_off(seen->kept_off);
    seen->again = own_set();
    thread_keep_off(-1);
    seen->back = own_set();
    return NULL;
}

static struct seen see(void)
{
    struct seen seen;
    pthread_t thread;
    assert_int_equal(thread_start(&thread, "keeps-off", keep_off, &seen), 0);
    pthread_join(thread, NULL);
    return seen;
}

static void a_thread_keeps_off_a_processor(void **state)
{
    (void)state;
    assert_true(CPU_ISSET((unsigned)thread_processor(), &all));
    if (CPU_COUNT(&all) < 2)
        skip();
    struct seen seen = see();
    assert_int_equal(CPU_COUNT(&seen.off), CPU_COUNT(&all) - 1);
    assert_false(CPU_ISSET((unsigned)seen.kept_off, &seen.off));
    assert_int_not_equal(seen.on, seen.kept_off); /* at once */
    assert_true(CPU_EQUAL(&seen.again, &seen.off));
    assert_true(CPU_EQUAL(&seen.back, &all));
    cpu_set_t own = own_set();
    assert_true(CPU_EQUAL(&own, &all)); /* others do not */
}

static void a_processor_that_is_the_only_one_is_used(void **state)
{
    (void)state;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((unsigned)one_of(&all), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct seen seen = see();
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_true(CPU_EQUAL(&seen.off, &one) && CPU_EQUAL(&seen.back, &one));
}

/* What sched_getattr gives, as far as it is looked at. */
struct class
{
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice_ns, deadline_ns, period_ns;
};

static struct class own_class(void)
{
    struct class class = {.size = sizeof class};
    assert_int_equal(syscall(SYS_sched_getattr, 0, &class, sizeof class, 0), 0);
    return class;
}

static void *look_at_class(void *ctx)
{
    *(struct class *)ctx = own_class();
    return NULL;
}

static void a_thread_lets_others_go_first(void **state)
{
    (void)state;
    struct class usual = own_class(), seen;
    pthread_t thread;
    assert_int_equal(thread_start(&thread, "stands-back", look_at_class, &seen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_int_equal(seen.nice, usual.nice);
    if (usual.slice_ns != 0) /* a kernel that knows slices */
        assert_true(seen.slice_ns > usual.slice_ns);
}

int main(void)
{
    all = own_set();
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thread_lets_others_go_first),
                                       cmocka_unit_test(a_thread_keeps_off_a_processor),
                                       cmocka_unit_test(a_processor_that_is_the_only_one_is_used)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
