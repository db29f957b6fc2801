/* The write-ahead log under constant load: it restarts regularly, also beside readers of this process that never rest,
 * unless another's reader uses it, and nobody waits for a reader.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/read.h"
#include "store/sqlite/reader.h"
#include "storekit.h"

/* Several times what a round of checkpoints waits for. Where that is slow, the writer waits for it, and still the log
 * never grows beyond LOG_MAX, as it would without. */
enum { LEAVE_US = 100 * 1000, ROWS = 6000, LOG_MAX = 140 << 20 };

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

/* ---- readers of this process ---- */

struct opening {
    const struct store *store;
    atomic_bool stops;
    _Atomic int64_t longest_us, opened_at_us;
};

/* Opens readers one after the other, and notes how long that took. */
static void *open_readers(void *ctx)
{
    struct opening *o = ctx;
    do {
        struct store_reader *reader;
        int64_t begun_us = kit_now_us();
        if (store_reader_open(&reader, o->store, 1000) != 0)
            return o;
        o->opened_at_us = kit_now_us();
        if (o->opened_at_us - begun_us > o->longest_us)
            o->longest_us = o->opened_at_us - begun_us;
        store_reader_close(reader);
    } while (!atomic_load(&o->stops));
    return NULL;
}

static void held_readers_open_when_released(void **state)
{
    struct kit_fixture *f = *state;
    struct opening o = {.store = f->store, .stops = true};
    pthread_t thread;
    void *failed;
    int64_t held_at_us = kit_now_us();
    sqlite_readers_hold(0);
    assert_int_equal(pthread_create(&thread, NULL, open_readers, &o), 0);
    put_rows(f, 100);
    int64_t released_at_us = kit_now_us();
    sqlite_readers_release();
    pthread_join(thread, &failed);
    assert_null(failed);
    if (o.opened_at_us < released_at_us) /* this took so long that they went on by themselves */
        assert_in_range(o.opened_at_us - held_at_us, READERS_HELD_MS * 900, INT_MAX);
}

/* A reader that stays is waited for in each round, and meanwhile no other begins. Once it has left, the log begins
 * anew, although others come all the time: before, each found the one before it still there. */
static void a_round_holds_readers_back(void **state)
{
    struct kit_fixture *f = *state;
    struct opening o = {.store = f->store};
    struct store_reader *stays;
    pthread_t thread;
    void *failed;
    put_rows(f, 1);
    unsigned before = beginnings(f);
    assert_int_equal(store_reader_open(&stays, f->store, 1000), 0);
    assert_int_equal(pthread_create(&thread, NULL, open_readers, &o), 0);
    for (int i = 0; i < ROWS && o.longest_us < LEAVE_US / 2; i += 10)
        put_rows(f, 10);
    store_reader_close(stays);
    put_rows(f, ROWS);
    atomic_store(&o.stops, true);
    pthread_join(thread, &failed);
    assert_null(failed);
    assert_in_range(o.longest_us, LEAVE_US / 2, INT_MAX);
    assert_in_range(beginnings(f) - before, 1, ROWS);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up, kit_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(log_is_bounded),
        TEST(readers_keep_the_log),
        TEST(held_readers_open_when_released),
        TEST(a_round_holds_readers_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
