/* The write-ahead log under constant load: it restarts regularly unless a reader uses it, and nobody waits for a
 * reader.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "storekit.h"

/* Several times what a round of checkpoints waits for. Where that is slow, the writer waits for it, and still the log
 * never grows beyond LOG_MAX, as it would without. */
enum { ROWS = 6000, LOG_MAX = 140 << 20 };

/* One client after the other: a commit a row. */
static void put_rows(struct kit_fixture *f, int rows)
{
    struct kit_record r;
    for (int i = 0; i < rows; i++) {
        kit_plain(&r, i);
        assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    }
}

static FILE *open_log(struct kit_fixture *f)
{
    char name[128];
    snprintf(name, sizeof name, "%s-wal", f->kit.path);
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    return file;
}

/* How often the log began anew: its head says so. */
static unsigned beginnings(struct kit_fixture *f)
{
    unsigned char head[16];
    FILE *file = open_log(f);
    assert_int_equal(fread(head, sizeof head, 1, file), 1);
    fclose(file);
    return (unsigned)head[12] << 24 | (unsigned)head[13] << 16 | (unsigned)head[14] << 8 | head[15];
}

static long log_size(struct kit_fixture *f)
{
    FILE *file = open_log(f);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    fclose(file);
    return size;
}

static void log_is_bounded(void **state)
{
    struct kit_fixture *f = *state;
    put_rows(f, 1);
    unsigned before = beginnings(f);
    put_rows(f, ROWS);
    assert_in_range(beginnings(f) - before, 1, ROWS);
    assert_in_range(log_size(f), 1, LOG_MAX);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM decisions"), 1 + ROWS);
    assert_string_equal(kit_text(&f->kit, "PRAGMA integrity_check"), "ok");
}

static void readers_keep_the_log(void **state)
{
    struct kit_fixture *f = *state;
    sqlite3 *db;
    sqlite3_stmt *count;
    put_rows(f, 1);
    assert_int_equal(sqlite3_open_v2(f->kit.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM decisions", -1, &count, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW);
    sqlite3_reset(count);
    unsigned before = beginnings(f);
    put_rows(f, ROWS / 2);
    assert_int_equal(beginnings(f), before);
    assert_in_range(log_size(f), LOG_MAX / 2, LONG_MAX);
    assert_int_equal(sqlite3_step(count), SQLITE_ROW); /* it still sees what it saw */
    assert_int_equal(sqlite3_column_int(count, 0), 1);
    sqlite3_finalize(count);
    sqlite3_close(db);
    put_rows(f, ROWS / 2);
    assert_int_not_equal(beginnings(f), before);
    assert_int_equal(kit_number(&f->kit, "SELECT count(*) FROM decisions"), 1 + ROWS);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(log_is_bounded),
        TEST(readers_keep_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
