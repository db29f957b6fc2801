/* Queries off the loop: in which threads they run, how often, and that a full machine answers them too.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "store/query.h"
#include "store/sqlite/reader.h"
#include "storekit.h"

enum { LIMIT_MS = 5000, RUNS_MAX = 4, QUERIES = 6, STEPS = 20000, BURNERS_MAX = 64, TRIES = 300 };

struct asked {
    struct query query; /* first */
    struct fixture *f;
    int results[RUNS_MAX];  /* what each run returns */
    bool counts;            /* a statement that takes a while, instead */
    int runs, rv;           /* so far; what `done` was told */
    int policies[RUNS_MAX]; /* of the threads in which it ran */
    int nice[RUNS_MAX];
    int processors[RUNS_MAX]; /* how many it may run on, behind the statement */
};

struct fixture {
    struct kit kit;
    struct store *store;
    struct loop *loop;
    struct query_pool *pool;
    int left; /* queries that have not ended */
    struct asked asked[QUERIES];
};

static int count_steps(struct store_reader *base)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    char sql[160];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT sum(i) FROM n",
             STEPS);
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        rv = reader_step(reader, stmt);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

static int count_processors(pid_t thread)
{
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(thread, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

static int on_run(struct query *query, struct store_reader *reader)
{
    struct asked *a = (struct asked *)(void *)query;
    int run = a->runs++;
    assert_true(run < RUNS_MAX);
    a->policies[run] = sched_getscheduler(0);
    a->nice[run] = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
    int rv = a->counts ? count_steps(reader) : a->results[run];
    a->processors[run] = count_processors(0);
    return rv;
}

static void on_done(struct query *query, int rv)
{
    struct asked *a = (struct asked *)(void *)query;
    a->rv = rv;
    if (--a->f->left == 0)
        loop_stop(a->f->loop);
}

static int start(struct fixture *f, size_t i)
{
    struct asked *a = &f->asked[i];
    a->f = f;
    a->query = (struct query){.run = on_run, .done = on_done};
    a->runs = 0;
    a->rv = 1;
    int rv = query_start(f->pool, &a->query);
    f->left += rv == 0;
    return rv;
}

/* One query, to its end. */
static struct asked *ask(struct fixture *f, int first, int second)
{
    f->asked[0].results[0] = first;
    f->asked[0].results[1] = second;
    assert_int_equal(start(f, 0), 0);
    loop_run(f->loop);
    assert_int_equal(query_pool_busy(f->pool), 0);
    return &f->asked[0];
}

static void make_pool(struct fixture *f, unsigned limit_ms, unsigned readers, size_t waiting)
{
    assert_int_equal(query_pool_new(&f->pool, f->loop, &(struct query_options){f->store, limit_ms, readers, waiting}),
                     0);
}

/* The same, of one that began aside: on a machine that is busy just now it is tried again, with another pool. */
static struct asked *ask_aside(struct fixture *f, int first, int second)
{
    for (int tries = 0; tries < TRIES; tries++) {
        make_pool(f, LIMIT_MS, 2, 2);
        struct asked *a = ask(f, first, second);
        if (a->policies[0] == SCHED_IDLE)
            return a;
        query_pool_free(f->pool);
        f->pool = NULL;
        usleep(100 * 1000);
    }
    fail_msg("no query began aside");
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_start(&f->kit);
    f->store = kit_open(&f->kit, 0);
    assert_int_equal(loop_new(&f->loop), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    query_pool_free(f->pool);
    loop_free(f->loop);
    kit_stop_loop(&f->kit);
    store_close(f->store);
    kit_free(&f->kit);
    free(f);
    return 0;
}

static void a_query_takes_what_nobody_else_wants(void **state)
{
    const struct asked *a = ask_aside(*state, 0, 0);
    assert_int_equal(a->runs, 1);
    assert_int_equal(a->rv, 0);
}

/* The processor on which the writer wrote last; one with a part of its own, on a full machine, keeps off none. */
static void one_aside_keeps_off_the_writers_processor(void **state)
{
    struct fixture *f = *state;
    int all = count_processors(getpid()), others = all > 1 ? all - 1 : 1;
    struct kit_record record;
    kit_record(&record);
    assert_int_equal(kit_put(&f->kit, f->store, &record.record), 0);
    f->asked[0].counts = true;
    assert_int_equal(ask_aside(f, 0, 0)->processors[0], others);
    f->asked[0].counts = false;
    query_pool_free(f->pool);
    const struct asked *a = ask_aside(f, REIN_ELIMIT, 0);
    assert_int_equal(a->processors[1], all);
    assert_int_equal(count_processors(getpid()), all);
}

static void another_error_is_no_reason_to_run_anew(void **state)
{
    const struct asked *a = ask_aside(*state, REIN_EIO, 0);
    assert_int_equal(a->runs, 1);
    assert_int_equal(a->rv, REIN_EIO);
}

/* And so do those that come after it. */
static void one_that_was_too_late_runs_anew_with_a_part_of_its_own(void **state)
{
    struct fixture *f = *state;
    int own = getpriority(PRIO_PROCESS, 0);
    const struct asked *a = ask_aside(f, REIN_ELIMIT, 0);
    assert_int_equal(a->runs, 2);
    assert_int_equal(a->rv, 0);
    assert_int_equal(a->policies[1], SCHED_OTHER);
    assert_int_equal(a->nice[1], own < 10 ? 10 : own);
    a = ask(f, 0, 0);
    assert_int_equal(a->runs, 1);
    assert_int_equal(a->policies[0], SCHED_OTHER);
}

static void one_that_is_too_slow_runs_twice_at_most(void **state)
{
    struct fixture *f = *state;
    const struct asked *a = ask_aside(f, REIN_ELIMIT, REIN_ELIMIT);
    assert_int_equal(a->runs, 2);
    assert_int_equal(a->rv, REIN_ELIMIT);
    a = ask(f, REIN_ELIMIT, 0); /* the machine is still taken for full */
    assert_int_equal(a->runs, 1);
    assert_int_equal(a->rv, REIN_ELIMIT);
}

static void too_many_are_refused(void **state)
{
    struct fixture *f = *state;
    make_pool(f, LIMIT_MS, 2, 3);
    for (size_t i = 0; i < 5; i++) {
        f->asked[i].results[0] = i % 2 == 0 ? REIN_ELIMIT : 0;
        assert_int_equal(start(f, i), 0);
    }
    assert_int_equal(start(f, 5), REIN_ELIMIT);
    assert_int_equal(query_pool_busy(f->pool), 5);
    loop_run(f->loop);
    assert_int_equal(query_pool_busy(f->pool), 0);
    for (size_t i = 0; i < 5; i++)
        assert_true(f->asked[i].runs >= 1 && (f->asked[i].rv == 0 || f->asked[i].rv == REIN_ELIMIT));
}

static void all_of_a_run_has_one_limit(void **state)
{
    struct fixture *f = *state;
    struct store_reader *reader;
    assert_int_equal(store_reader_open(&reader, f->store, LIMIT_MS), 0);
    assert_int_equal(count_steps(reader), 0);
    store_reader_limit(reader, 1);
    usleep(3000);
    assert_int_equal(count_steps(reader), REIN_ELIMIT);
    store_reader_close(reader);
}

/* ---- a full machine ---- */

static atomic_bool burns;

static void *burn(void *ctx)
{
    while (atomic_load(&burns))
        ;
    return ctx;
}

static void a_full_machine_answers_too(void **state)
{
    struct fixture *f = *state;
    pthread_t burners[BURNERS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = cores > 0 && 2 * cores < BURNERS_MAX ? 2 * (size_t)cores : BURNERS_MAX;
    make_pool(f, LIMIT_MS, 1, QUERIES);
    atomic_store(&burns, true);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&burners[i], NULL, burn, NULL), 0);
    for (size_t i = 0; i < QUERIES; i++) {
        f->asked[i].counts = true;
        assert_int_equal(start(f, i), 0);
    }
    loop_run(f->loop);
    atomic_store(&burns, false);
    for (size_t i = 0; i < n; i++)
        pthread_join(burners[i], NULL);
    for (size_t i = 0; i < QUERIES; i++)
        assert_int_equal(f->asked[i].rv, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_takes_what_nobody_else_wants, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_aside_keeps_off_the_writers_processor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_error_is_no_reason_to_run_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_too_late_runs_anew_with_a_part_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_too_slow_runs_twice_at_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_of_a_run_has_one_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_machine_answers_too, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
