/* Migrations: applied once, in order, whole or not at all; other histories are refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/migrate.h"

static const struct migration first = {1, "0001_a", "aaaaaaaaaaaa", "CREATE TABLE a (x); INSERT INTO a VALUES (1);"};
static const struct migration second = {2, "0002_b", "bbbbbbbbbbbb", "CREATE TABLE b (x); INSERT INTO a VALUES (2);"};

static int set_up(void **state)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    *state = db;
    return 0;
}

static int tear_down(void **state)
{
    return sqlite3_close(*state) == SQLITE_OK ? 0 : -1;
}

static int number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static void applied_once_in_order(void **state)
{
    const struct migration list[] = {first, second};
    assert_int_equal(store_migrate(*state, list, 1), 0);
    assert_int_equal(number(*state, "SELECT count(*) FROM a"), 1);
    assert_int_equal(store_migrate(*state, list, 2), 0);
    assert_int_equal(store_migrate(*state, list, 2), 0);
    assert_int_equal(number(*state, "SELECT sum(x) FROM a"), 3);
    assert_int_equal(number(*state, "SELECT count(*) FROM migrations"), 2);
}

static void changed_is_refused(void **state)
{
    struct migration list[] = {first, second};
    assert_int_equal(store_migrate(*state, list, 2), 0);
    list[0].sha256 = "cccccccccccc";
    assert_int_equal(store_migrate(*state, list, 2), REIN_EFORMAT);
}

static void newer_is_refused(void **state)
{
    const struct migration list[] = {first, second};
    assert_int_equal(store_migrate(*state, list, 2), 0);
    assert_int_equal(store_migrate(*state, list, 1), REIN_EFORMAT);
}

static void foreign_is_refused(void **state)
{
    const struct migration list[] = {first};
    assert_int_equal(sqlite3_exec(*state, "CREATE TABLE customers (x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_migrate(*state, list, 1), REIN_EFORMAT);
    assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(number(*state, "PRAGMA application_id"), 0);
}

static void broken_leaves_nothing(void **state)
{
    const struct migration good[] = {first, second};
    struct migration bad[] = {first, second};
    bad[1].sql = "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);";
    assert_int_equal(store_migrate(*state, bad, 2), REIN_EIO);
    assert_int_equal(number(*state, "SELECT count(*) FROM migrations"), 1);
    assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_schema WHERE name = 'b'"), 0);
    assert_int_equal(sqlite3_get_autocommit(*state), 1);
    assert_int_equal(store_migrate(*state, good, 2), 0);
}

static void shipped_are_numbered(void **state)
{
    assert_true(migrations_len >= 2);
    for (size_t i = 0; i < migrations_len; i++) {
        assert_int_equal(migrations[i].number, i + 1);
        assert_int_equal(atoi(migrations[i].name), i + 1);
        assert_int_equal(strlen(migrations[i].sha256), 64);
    }
    assert_int_equal(store_migrate(*state, migrations, migrations_len), 0);
    assert_int_equal(number(*state, "SELECT count(*) FROM v_daily"), 0);
}

static void run(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* A decision of which all is 0 but its number. */
static void add_decision(sqlite3 *db, int seq)
{
    char sql[1024];
    int len = snprintf(sql, sizeof sql, "INSERT INTO decisions VALUES (%d, %d", seq, seq);
    for (int i = number(db, "SELECT count(*) FROM pragma_table_info('decisions')"); i > 2; i--)
        len += snprintf(sql + len, sizeof sql - (size_t)len, ", 0");
    snprintf(sql + len, sizeof sql - (size_t)len, ")");
    run(db, sql);
}

static void read_attempts(sqlite3 *db, char out[512])
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT group_concat(line, ';') FROM (SELECT decision_id || ' ' || n || ' ' ||"
                                        " quote(template) || delivery || quote(reason) || started_us ||"
                                        " quote(first_byte_us) || ended_us || status || outcome AS line"
                                        " FROM v_attempts ORDER BY decision_id, n)",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(out, 512, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
}

/* 0003 moves first attempts; the view shows the same as before. */
static void attempts_survive_their_move(void **state)
{
    char before[512], after[512];
    assert_int_equal(store_migrate(*state, migrations, 2), 0);
    for (int seq = 7; seq <= 9; seq++)
        add_decision(*state, seq);
    run(*state, "UPDATE decisions SET attempts = 9 - seq, template = 't' || seq, delivery = 'prefill'");
    run(*state, "INSERT INTO attempts VALUES (7, 0, 't7', 'prefill', 'verified', 1, 2, 3, 200, 'steered'),"
                " (7, 1, NULL, 'off', NULL, 4, NULL, 6, 0, 'broke'),"
                " (8, 0, 't8', 'prefill', 'tools', 7, 8, 9, 500, 'whole')");
    read_attempts(*state, before);
    assert_non_null(strstr(before, "8 0 't8'prefill'tools'789500whole"));
    assert_int_equal(store_migrate(*state, migrations, migrations_len), 0);
    read_attempts(*state, after);
    assert_string_equal(before, after);
    assert_int_equal(number(*state, "SELECT count(*) FROM attempts"), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(applied_once_in_order),       TEST(changed_is_refused),    TEST(newer_is_refused),
        TEST(foreign_is_refused),          TEST(broken_leaves_nothing), TEST(shipped_are_numbered),
        TEST(attempts_survive_their_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
