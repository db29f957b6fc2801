/* A database whose files go away while it is in use: the store notices, reports an error as for a full disk, and later
 * writes to the right file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/policies.h"
#include "store/read.h"
#include "storekit.h"

enum { AWAY_MS = 100, BEFORE = 5, TRIES_US = 1500000 };

struct fixture {
    struct kit kit;
    struct store *store;
    char moved[128]; /* a name that files are moved to */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_start(&f->kit);
    snprintf(f->moved, sizeof f->moved, "%s-moved", f->kit.path);
    struct store_options options = {.path = f->kit.path, .away_ms = AWAY_MS, .queue_max = 1000};
    assert_int_equal(store_open(&f->store, &options), 0);
    for (int i = 0; i < BEFORE; i++) {
        struct kit_record r;
        kit_record(&r);
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
    *state = f;
    return 0;
}

static void file_of(const struct fixture *f, const char *suffix, char out[160])
{
    snprintf(out, 160, "%s%s", f->kit.path, suffix);
}

static void remove_file(const struct fixture *f, const char *suffix)
{
    char name[160];
    file_of(f, suffix, name);
    assert_int_equal(unlink(name), 0);
}

static int tear_down(void **state)
{
    static const char *const suffixes[] = {"-moved", "-moved-wal", "-moved-shm", "-moved-lock", "-wal-left"};
    struct fixture *f = *state;
    kit_stop_loop(&f->kit);
    store_close(f->store);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[160];
        file_of(f, suffixes[i], name);
        unlink(name);
    }
    kit_free(&f->kit);
    free(f);
    return 0;
}

static void pause_a_little(void)
{
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
}

static void wait_until(const struct fixture *f, bool healthy)
{
    int64_t give_up = kit_now_us() + 60 * 1000000;
    while (store_is_healthy(f->store) != healthy) {
        assert_true(kit_now_us() < give_up);
        pause_a_little();
    }
}

/* The files went: nothing that is put from now on may be said to be stored before it is where it belongs. */
static void check_noticed(struct fixture *f, struct store_id *refused)
{
    struct kit_record r;
    struct store_reader *reader = NULL;
    kit_record(&r);
    *refused = r.record.id;
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), REIN_EIO);
    assert_false(store_is_healthy(f->store));
    assert_int_equal(store_reader_open(&reader, f->store, 1000), REIN_EIO);
}

static void check_row(struct fixture *f, const struct store_id *id)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM decisions WHERE id = '%s'", id->text);
    assert_int_equal(kit_number(&f->kit, sql), 1);
}

/* And then it is there, with what comes later; of before there is what there should be. */
static void check_returned(struct fixture *f, const struct store_id *refused, int before)
{
    struct kit_record r;
    struct store_reader *reader;
    struct store_stats stats;
    wait_until(f, true);
    kit_record(&r);
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    check_row(f, refused);
    check_row(f, &r.record.id);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM decisions"), before + 2);
    assert_string_equal(kit_text(&f->kit, "PRAGMA integrity_check"), "ok");
    assert_int_equal(store_reader_open(&reader, f->store, 1000), 0);
    store_reader_close(reader);
    store_stats(f->store, &stats);
    assert_int_equal(stats.gone, 1);
    assert_int_equal(stats.dropped, 0);
}

static void test_found_s8_a_removed_database_is_begun_anew(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    remove_file(f, "");
    remove_file(f, "-wal");
    remove_file(f, "-shm");
    check_noticed(f, &refused);
    check_returned(f, &refused, 0);
}

/* The database that is begun anew knows which policies are in use, too. */
static void test_a_new_database_has_the_policies(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    const struct store_policy policy = {"v", "p", "the text", "{}", "[]"};
    assert_int_equal(store_use_policies(f->store, &policy, 1), 0);
    while (kit_number(&f->kit, "SELECT count(*) FROM policy_texts") == 0)
        pause_a_little();
    remove_file(f, "");
    remove_file(f, "-wal");
    remove_file(f, "-shm");
    check_noticed(f, &refused);
    check_returned(f, &refused, 0);
    while (kit_number(&f->kit, "SELECT count(*) FROM policy_texts") == 0)
        pause_a_little();
    assert_string_equal(kit_text(&f->kit, "SELECT source FROM v_policies WHERE in_use"), "the text");
}

static void side_file(struct fixture *f, const char *suffix)
{
    struct store_id refused;
    remove_file(f, suffix);
    check_noticed(f, &refused);
    check_returned(f, &refused, BEFORE); /* the database was there: nothing of it is lost */
}

static void test_found_s8_a_removed_log(void **state)
{
    side_file(*state, "-wal");
}

static void test_found_s8_a_removed_index(void **state)
{
    side_file(*state, "-shm");
}

static void test_found_s8_a_removed_lock(void **state)
{
    side_file(*state, "-lock");
}

static int64_t rows_of(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM decisions", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t rows = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rows;
}

/* The log stays behind under its old name, but what it had is in the file that was moved. */
static void test_found_s8_a_renamed_database_is_whole(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    assert_int_equal(rename(f->kit.path, f->moved), 0);
    check_noticed(f, &refused);
    check_returned(f, &refused, 0);
    assert_in_range(rows_of(f->moved), BEFORE, BEFORE + 1); /* and perhaps the one that met it */
}

static void test_found_s8_a_database_that_comes_back(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    assert_int_equal(rename(f->kit.path, f->moved), 0);
    check_noticed(f, &refused);
    assert_int_equal(rename(f->moved, f->kit.path), 0);
    check_returned(f, &refused, BEFORE);
}

/* Another database of Rein's takes its place in one step, as a restored copy does. */
static void test_found_s8_a_replaced_database_is_taken(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    struct store *other;
    struct kit_record r;
    assert_int_equal(store_open(&other, &(struct store_options){.path = f->moved}), 0);
    for (int i = 0; i < 3; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(&f->kit, other, &r.record), 0);
    }
    store_close(other);
    assert_int_equal(rename(f->moved, f->kit.path), 0);
    check_noticed(f, &refused);
    check_returned(f, &refused, 3);
}

static void overwrite(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_found_s8_an_emptied_database(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    /* SQLite's file has a size only once a log went into it. */
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->kit.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(truncate(f->kit.path, 0), 0);
    check_noticed(f, &refused);
    check_returned(f, &refused, 0);
}

/* What is no database is not touched; it is looked at again. */
static void test_found_s8_another_file_is_left_alone(void **state)
{
    static const char text[] =
        "This file is of another program, and longer than the header of a database is, which is 100 "
        "bytes.";
    struct fixture *f = *state;
    struct store_id refused;
    char buffer[sizeof text] = "";
    overwrite(f->moved, text);
    assert_int_equal(rename(f->moved, f->kit.path), 0);
    check_noticed(f, &refused);
    int64_t until = kit_now_us() + TRIES_US; /* some tries */
    while (kit_now_us() < until) {
        assert_false(store_is_healthy(f->store));
        pause_a_little();
    }
    FILE *file = fopen(f->kit.path, "r");
    assert_non_null(file);
    assert_int_equal(fread(buffer, 1, sizeof text - 1, file), sizeof text - 1);
    fclose(file);
    assert_string_equal(buffer, text);
    assert_int_equal(unlink(f->kit.path), 0);
    check_returned(f, &refused, 0);
}

static void test_found_s8_a_folder_that_is_away_for_a_while(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    char away[96];
    snprintf(away, sizeof away, "%s-away", f->kit.dir);
    assert_int_equal(rename(f->kit.dir, away), 0);
    check_noticed(f, &refused);
    int64_t until = kit_now_us() + TRIES_US;
    while (kit_now_us() < until) {
        assert_false(store_is_healthy(f->store)); /* no folder is made */
        pause_a_little();
    }
    assert_int_equal(rename(away, f->kit.dir), 0);
    check_returned(f, &refused, BEFORE);
}

/* Nobody puts anything: it is noticed all the same. */
static void test_found_s8_noticed_without_traffic(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    remove_file(f, "");
    wait_until(f, false);
    wait_until(f, true);
    store_stats(f->store, &stats);
    assert_int_equal(stats.gone, 1);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM decisions"), 0);
}

/* Connections of one process share the index of the log: a new one must not meet an old one's. */
static void test_found_s8_readers_are_waited_for(void **state)
{
    struct fixture *f = *state;
    struct store_id refused;
    struct store_reader *reader;
    json_t *row = NULL;
    assert_int_equal(store_reader_open(&reader, f->store, 60000), 0);
    assert_int_equal(store_read_decision(reader, "01900000-0000-7000-8000-000000000000", &row), 0);
    assert_null(row);
    remove_file(f, "-shm");
    remove_file(f, "-wal");
    struct kit_record r;
    kit_record(&r);
    refused = r.record.id;
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), REIN_EIO);
    int64_t until = kit_now_us() + TRIES_US;
    while (kit_now_us() < until) {
        assert_false(store_is_healthy(f->store));
        pause_a_little();
    }
    store_reader_close(reader);
    check_returned(f, &refused, BEFORE);
}

/* The last writes begin a database if they must. */
static void test_found_s8_the_end_finds_no_database(void **state)
{
    struct fixture *f = *state;
    struct kit_record r;
    remove_file(f, "");
    kit_record(&r);
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), REIN_EIO);
    kit_stop_loop(&f->kit);
    assert_int_equal(store_finish(f->store, 60000), 0);
    check_row(f, &r.record.id);
    /* for the tear-down */
    kit_start_loop(&f->kit);
}

/* Another program may shrink a database in the proper way. */
static void a_vacuum_is_no_loss(void **state)
{
    struct fixture *f = *state;
    struct kit_record r;
    struct store_stats stats;
    sqlite3 *db;
    for (int i = 0; i < 300; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
    assert_int_equal(sqlite3_open(f->kit.path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA wal_checkpoint(FULL); DELETE FROM texts; DELETE FROM findings; DELETE FROM "
                     "attempts; DELETE FROM decisions WHERE seq > 5; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 3; i++) {
        kit_record(&r);
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
    store_stats(f->store, &stats);
    assert_int_equal(stats.gone, 0);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM decisions"), 8);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_found_s8_a_removed_database_is_begun_anew),
        TEST(test_a_new_database_has_the_policies),
        TEST(test_found_s8_a_removed_log),
        TEST(test_found_s8_a_removed_index),
        TEST(test_found_s8_a_removed_lock),
        TEST(test_found_s8_a_renamed_database_is_whole),
        TEST(test_found_s8_a_database_that_comes_back),
        TEST(test_found_s8_a_replaced_database_is_taken),
        TEST(test_found_s8_an_emptied_database),
        TEST(test_found_s8_another_file_is_left_alone),
        TEST(test_found_s8_a_folder_that_is_away_for_a_while),
        TEST(test_found_s8_noticed_without_traffic),
        TEST(test_found_s8_readers_are_waited_for),
        TEST(test_found_s8_the_end_finds_no_database),
        TEST(a_vacuum_is_no_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
