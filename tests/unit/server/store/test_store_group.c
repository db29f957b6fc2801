/* Records that share a commit: each row is its own record's, whatever was written beside it and before it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storekit.h"

static int64_t number(struct kit_fixture *f, const char *sql)
{
    return kit_number(&f->kit, sql);
}

/* What is put while the database is held is written in one group, but for what the writer had taken by then. */
static sqlite3 *hold(struct kit_fixture *f)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->kit.path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the writer may be purging just now */
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

/* And waits until all of it is written: `last` comes behind it. */
static int let_go(struct kit_fixture *f, sqlite3 *db, const struct store_record *last)
{
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    return kit_put(&f->kit, f->store, last);
}

/* A record of which every kind of value depends on n. */
static void numbered(struct kit_record *r, int64_t n, char name[16])
{
    kit_record(r);
    snprintf(name, 16, "%d", (int)n);
    r->record.started_at_us = n;
    r->record.model = name;
    r->record.tenant = n % 2 == 0 ? name : NULL;
    r->record.policy_version = n % 3 == 0 ? "v3" : "v1";
    r->record.streamed = n % 5 == 0;
    r->record.status = (unsigned)n;
    r->record.duration_us = n % 4 == 0 ? -1 : n;
    r->decision.prompt_risk = (double)(n / 2) / 8;
    r->decision.bytes_in = (uint64_t)n / 3;
    r->decision.findings_len = (size_t)n % 3;
    r->findings[0].offset = (size_t)n;
    r->record.attempts_len = (size_t)n % 4 == 0 ? 2 : 1;
    r->attempts[1].ended_us = n;
}

static void rows_are_their_records(void **state)
{
    enum { GROUPS = 40 };
    static const char *const wrong[] = {
        "SELECT count(*) FROM v_decisions WHERE model <> started_at_us OR status <> started_at_us",
        "SELECT count(*) FROM v_decisions WHERE tenant IS NOT iif(started_at_us % 2 = 0, model, NULL)",
        "SELECT count(*) FROM v_decisions WHERE policy_version <> iif(started_at_us % 3 = 0, 'v3', 'v1')",
        "SELECT count(*) FROM v_decisions WHERE streamed <> (started_at_us % 5 = 0)",
        "SELECT count(*) FROM v_decisions WHERE duration_us IS NOT iif(started_at_us % 4 = 0, NULL, started_at_us)",
        "SELECT count(*) FROM v_decisions WHERE prompt_risk <> started_at_us / 2 / 8.0",
        "SELECT count(*) FROM v_decisions WHERE bytes_in <> started_at_us / 3",
        "SELECT count(*) FROM v_decisions WHERE findings <> started_at_us % 3",
        "SELECT count(*) FROM decisions AS d WHERE (SELECT count(*) FROM findings WHERE decision = d.seq) <> "
        "d.findings",
        "SELECT count(*) FROM v_findings WHERE n = 0 AND offset <> started_at_us",
        "SELECT count(*) FROM v_attempts WHERE n = 1 AND ended_us <> started_at_us",
        "SELECT (SELECT count(*) FROM v_attempts WHERE n = 1) - (SELECT count(*) FROM decisions"
        " WHERE started_at_us % 4 = 0)",
        "SELECT count(*) FROM decisions WHERE seq <> started_at_us", /* numbered in the order they came */
    };
    struct kit_fixture *f = *state;
    struct kit_record r;
    char name[16];
    int64_t n = 0;
    for (int group = 1; group <= GROUPS; group++) {
        sqlite3 *db = hold(f);
        for (int i = 0; i < group; i++) {
            numbered(&r, ++n, name);
            assert_int_equal(store_put(f->store, &r.record, NULL, NULL, NULL), 0);
        }
        numbered(&r, ++n, name);
        assert_int_equal(let_go(f, db, &r.record), 0);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM decisions"), n);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(number(f, wrong[i]), 0);
}

/* Several records of one request in a group, of new ones and of one that has a row. */
static void the_last_of_a_request_stays(void **state)
{
    enum { REQUESTS = 3, RECORDS = 40 };
    struct kit_fixture *f = *state;
    struct store_id ids[REQUESTS];
    struct kit_record r;
    int64_t latest[REQUESTS] = {0};
    char name[16], sql[256];
    numbered(&r, 1, name);
    for (int i = 0; i < REQUESTS; i++)
        store_id_new(&ids[i]);
    r.record.id = ids[0];
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    sqlite3 *db = hold(f);
    for (int64_t n = 2; n < RECORDS; n++) {
        numbered(&r, n, name);
        if (n % 4 < REQUESTS) {
            r.record.id = ids[n % 4];
            latest[n % 4] = n;
        }
        assert_int_equal(store_put(f->store, &r.record, NULL, NULL, NULL), 0);
    }
    numbered(&r, RECORDS, name);
    assert_int_equal(let_go(f, db, &r.record), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM decisions"), REQUESTS + RECORDS / 4 + 1); /* the last */
    assert_int_equal(number(f, "SELECT count(*) FROM decisions AS d WHERE"
                               " (SELECT count(*) FROM findings WHERE decision = d.seq) <> d.findings"),
                     0);
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(sql, sizeof sql, "SELECT status FROM decisions WHERE id = '%s'", ids[i].text);
        assert_int_equal(number(f, sql), latest[i]);
        snprintf(sql, sizeof sql, "SELECT coalesce(max(offset), %d) FROM v_findings WHERE n = 0 AND decision_id = '%s'",
                 (int)latest[i], ids[i].text);
        assert_int_equal(number(f, sql), latest[i]);
    }
}

static void count_failure(void *ctx, int rv)
{
    int *failures = ctx;
    *failures += rv == REIN_EINVAL;
}

/* A value that the schema does not take: that record alone is not written, and whoever put it is told. */
static void a_bad_one_harms_no_other(void **state)
{
    struct kit_fixture *f = *state;
    struct kit_record r;
    char name[16];
    int failures = 0;
    sqlite3 *db = hold(f);
    for (int64_t n = 1; n < 20; n++) {
        numbered(&r, n, name);
        if (n == 11)
            r.decision.trace_risk = NAN;
        assert_int_equal(store_put(f->store, &r.record, f->kit.loop, count_failure, &failures), 0);
    }
    numbered(&r, 20, name);
    assert_int_equal(let_go(f, db, &r.record), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM decisions"), 19);
    assert_int_equal(number(f, "SELECT count(*) FROM decisions WHERE status = 11"), 0);
    assert_int_equal(failures, 1);
    assert_true(store_is_healthy(f->store));
}

/* The record that replaces a row of number n comes with a new policy, whose own number is n - 1. */
static void test_found_m9_a_policys_number_is_no_rows(void **state)
{
    enum { ROWS = 5 };
    struct kit_fixture *f = *state;
    struct store_id ids[ROWS];
    struct kit_record r;
    char name[16], version[16];
    for (int i = 0; i < ROWS; i++) {
        numbered(&r, i + 1, name);
        r.record.policy_version = "first";
        ids[i] = r.record.id;
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
    for (int i = 0; i < ROWS; i++) { /* policies 2, 3, … meet rows 3, 4, … on their way */
        for (int row = 0; row < ROWS; row++) {
            numbered(&r, i * ROWS + row + 100, name);
            snprintf(version, sizeof version, "p%d-%d", i, row);
            r.record.policy_version = version;
            r.record.id = ids[row];
            assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
            char sql[128];
            snprintf(sql, sizeof sql, "SELECT status FROM decisions WHERE id = '%s'", ids[row].text);
            assert_int_equal(number(f, sql), i * ROWS + row + 100);
        }
    }
    for (int row = 2; row < ROWS; row++) { /* each row meets the number before its own */
        char sql[160];
        snprintf(sql, sizeof sql, "DELETE FROM policies WHERE number >= %d", row);
        sqlite3 *db;
        assert_int_equal(sqlite3_open(f->kit.path, &db), SQLITE_OK);
        sqlite3_busy_timeout(db, 10000);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        numbered(&r, 200 + row, name);
        snprintf(version, sizeof version, "q%d", row);
        r.record.policy_version = version;
        r.record.id = ids[row];
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
        snprintf(sql, sizeof sql, "SELECT status FROM decisions WHERE id = '%s'", ids[row].text);
        assert_int_equal(number(f, sql), 200 + row);
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(rows_are_their_records),
        TEST(the_last_of_a_request_stays),
        TEST(a_bad_one_harms_no_other),
        TEST(test_found_m9_a_policys_number_is_no_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
