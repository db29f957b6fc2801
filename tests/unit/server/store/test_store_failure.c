/* A store that cannot write: it says so at once, keeps what it was given, and recovers by itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failing_vfs.h"
#include "storekit.h"

/* Puts until one is written; the others must fail as an outage does. Returns how many failed. */
static int put_until_written(struct kit *kit, struct store *store)
{
    int64_t give_up = kit_now_us() + 60 * 1000000;
    for (int failed = 0;; failed++) {
        struct kit_record r;
        kit_record(&r);
        int rv = kit_put(kit, store, &r.record);
        if (rv == 0)
            return failed;
        assert_true(rv == REIN_EIO || rv == REIN_ELIMIT);
        assert_true(kit_now_us() < give_up);
    }
}

static void outage(struct kit *kit, void (*set)(int code), int code)
{
    enum { LOST = 20 };
    struct store *store = kit_open(kit, 1000);
    struct kit_record r;
    struct store_stats stats;
    char sql[128];
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_true(store_is_healthy(store));

    set(code);
    for (int i = 0; i < LOST; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
        assert_false(store_is_healthy(store));
    }
    store_stats(store, &stats);
    assert_int_equal(stats.written, 1);
    assert_int_equal(stats.failed, LOST);
    assert_int_equal(stats.kept, LOST);

    set(SQLITE_OK);
    put_until_written(kit, store);
    assert_true(store_is_healthy(store));
    store_stats(store, &stats);
    assert_int_equal(stats.kept, 0);
    /* The last of the outage is there too, and everything else that was not dropped. */
    snprintf(sql, sizeof sql, "SELECT count(*) FROM decisions WHERE id = '%s'", r.record.id.text);
    if (stats.dropped == 0)
        assert_int_equal(kit_number(kit, sql), 1);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), stats.written);
    assert_int_equal(stats.written + stats.dropped, 1 + stats.failed + 1);
    assert_string_equal(kit_text(kit, "PRAGMA integrity_check"), "ok");
    kit_stop_loop(kit);
    store_close(store);
}

static void disk_full(void **state)
{
    outage(*state, failing_vfs_set_write, SQLITE_FULL);
}

static void write_error(void **state)
{
    outage(*state, failing_vfs_set_write, SQLITE_IOERR_WRITE);
}

static void sync_error(void **state)
{
    outage(*state, failing_vfs_set_sync, SQLITE_IOERR_FSYNC);
}

static void read_only(void **state)
{
    outage(*state, failing_vfs_set_write, SQLITE_READONLY);
}

static void damaged(void **state)
{
    outage(*state, failing_vfs_set_write, SQLITE_CORRUPT);
}

/* Recovers from one failure of a kind, and loses nothing. */
static void recover(struct kit *kit, struct store *store, int64_t rows)
{
    int64_t give_up = kit_now_us() + 60 * 1000000;
    struct timespec pause = {0, 1000000};
    while (!store_is_healthy(store) && kit_now_us() < give_up)
        nanosleep(&pause, NULL);
    assert_true(store_is_healthy(store));
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), rows);
    kit_stop_loop(kit);
    store_close(store);
}

static void no_memory(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    failing_vfs_set_write(SQLITE_NOMEM);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_ENOMEM);
    assert_false(store_is_healthy(store));
    failing_vfs_set_write(SQLITE_OK);
    recover(kit, store, 1);
}

/* Another program holds the database longer than the store waits. */
static void busy(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    sqlite3 *db;
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), 0);
    assert_int_equal(sqlite3_open(kit->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    assert_false(store_is_healthy(store));
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    recover(kit, store, 2);
}

/* Nobody puts anything: the store finds out by itself that writing works again. */
static void recovers_alone(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 4);
    struct kit_record r;
    struct timespec pause = {0, 1000000};
    failing_vfs_set_write(SQLITE_FULL);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    failing_vfs_set_write(SQLITE_OK);
    int64_t give_up = kit_now_us() + 60 * 1000000;
    while (!store_is_healthy(store) && kit_now_us() < give_up)
        nanosleep(&pause, NULL);
    assert_true(store_is_healthy(store));
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 1);
    kit_stop_loop(kit);
    store_close(store);
}

/* What is kept has a ceiling: the newest stay. */
static void kept_is_bounded(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 8);
    struct store_stats stats;
    struct kit_record r;
    failing_vfs_set_write(SQLITE_FULL);
    for (int i = 0; i < 50; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    }
    store_stats(store, &stats);
    assert_int_equal(stats.kept, 8);
    assert_int_equal(stats.dropped, 42);
    failing_vfs_set_write(SQLITE_OK);
    kit_stop_loop(kit);
    store_close(store); /* tries once more */
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 8);
    assert_string_equal(kit_text(kit, "SELECT max(id) FROM decisions"), r.record.id.text);
}

/* However many pages a commit has. The sums of decisions have commits of their own: about one a second, and one a
 * minute.
 */
static void a_commit_is_one_write(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    time_t begun = time(NULL);
    int more = 0;
    for (int i = 0; i < 100; i++) {
        struct kit_record r;
        kit_record(&r);
        int before = failing_vfs_writes();
        assert_int_equal(kit_put(kit, store, &r.record), 0);
        if (i > 0) /* the first one writes the log's head, and makes a policy */
            more += failing_vfs_writes() - before - 1;
    }
    assert_in_range(more, 0, 2 * (time(NULL) - begun) + 2);
    kit_stop_loop(kit);
    store_close(store);
}

static void cannot_open(void **state)
{
    struct kit *kit = *state;
    struct store *store = NULL;
    failing_vfs_set_write(SQLITE_FULL);
    assert_int_equal(store_open(&store, &(struct store_options){.path = kit->path}), REIN_EIO);
    failing_vfs_set_write(SQLITE_OK);
    assert_int_equal(store_open(&store, &(struct store_options){.path = "/nowhere/at/all.db"}), REIN_EIO);
    FILE *f = fopen(kit->path, "w");
    fputs("this is no database, but it is longer than a header of one would be: some hundred bytes and more", f);
    fclose(f);
    assert_int_equal(store_open(&store, &(struct store_options){.path = kit->path}), REIN_EIO);
    assert_null(store);
    kit_stop_loop(kit);
}

/* ---- the end ---- */

static void test_found_m1_a_slow_disk_gets_its_time(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    kit_record(&r); /* it changed its response: its commit is synced */
    failing_vfs_set_stall(true);
    assert_int_equal(store_put(store, &r.record, NULL, NULL, NULL), 0);
    kit_stop_loop(kit);
    assert_int_equal(store_finish(store, 50), REIN_ELIMIT);
    failing_vfs_set_stall(false);
    assert_int_equal(store_finish(store, 60000), 0);
    store_close(store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 1);
}

/* The disk works again once the end has begun and has met its failure. */
static void *mend_disk(void *ctx)
{
    struct timespec pause = {0, 1000000};
    int64_t give_up = kit_now_us() + 60 * 1000000;
    int before = *(int *)ctx;
    while (failing_vfs_writes() == before && kit_now_us() < give_up)
        nanosleep(&pause, NULL);
    failing_vfs_set_write(SQLITE_OK);
    return NULL;
}

static void test_found_m1_the_end_tries_again(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    pthread_t mender;
    failing_vfs_set_write(SQLITE_FULL);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    int writes = failing_vfs_writes();
    assert_int_equal(pthread_create(&mender, NULL, mend_disk, &writes), 0);
    kit_stop_loop(kit);
    assert_int_equal(store_finish(store, 60000), 0);
    pthread_join(mender, NULL);
    store_close(store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 1);
}

static void test_found_m1_what_is_lost_is_told(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct kit_record r;
    failing_vfs_set_write(SQLITE_FULL);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    kit_stop_loop(kit);
    int rv;
    while ((rv = store_finish(store, 200)) == REIN_ELIMIT)
        continue; /* its last try takes as long as it takes */
    assert_int_equal(rv, REIN_EIO);
    failing_vfs_set_write(SQLITE_OK);
    store_close(store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up_closed, kit_tear_down_closed)
    const struct CMUnitTest tests[] = {
        TEST(read_only),
        TEST(damaged),
        TEST(no_memory),
        TEST(busy),
        TEST(disk_full),
        TEST(write_error),
        TEST(sync_error),
        TEST(recovers_alone),
        TEST(kept_is_bounded),
        TEST(cannot_open),
        TEST(a_commit_is_one_write),
        TEST(test_found_m1_a_slow_disk_gets_its_time),
        TEST(test_found_m1_the_end_tries_again),
        TEST(test_found_m1_what_is_lost_is_told),
    };
    failing_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
