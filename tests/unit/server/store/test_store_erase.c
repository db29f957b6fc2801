/* Erasing by a running store: in order with what is put, next to readers, and at the end.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "failing_vfs.h"
#include "store/erase/erase.h"
#include "storekit.h"

/* An erasure, and whether it is over. */
struct asked {
    struct store_erasure erasure;
    atomic_bool is_done;
};

static void on_done(void *ctx)
{
    atomic_store(&((struct asked *)ctx)->is_done, true);
}

static int begin(struct asked *asked, struct kit *kit, struct store *store, const char *key)
{
    *asked = (struct asked){.erasure = {.filter.key = key, .loop = kit->loop, .done = {.fn = on_done, .ctx = asked}}};
    return store_erase(store, &asked->erasure);
}

static void wait_for(struct asked *asked)
{
    struct timespec pause = {0, 1000000};
    int64_t give_up = kit_now_us() + 60 * 1000000;
    while (!atomic_load(&asked->is_done)) {
        assert_true(kit_now_us() < give_up);
        nanosleep(&pause, NULL);
    }
}

/* A record whose evidence is a text of its own. It also keeps a text, in which that is masked, and its readings: long
 * ones, that have pages of their own, in every third record. */
static void put_said(struct kit *kit, struct store *store, const char *key, const char *said, bool waits)
{
    static unsigned records;
    char readings[6000] = "read of ";
    struct rein_text text = {.channel = REIN_ANSWER, .form = REIN_KEEP_FULL, .whole = true, .text = "****", .len = 4};
    struct kit_record r;
    kit_record(&r);
    memcpy(readings + strlen(readings), said, strlen(said));
    text.text_len = 4;
    text.readings = readings;
    text.readings_len = records++ % 3 == 0 ? sizeof readings : 60;
    r.record.texts = &text;
    r.record.texts_len = 1;
    r.record.key = key;
    r.findings[0].evidence = said;
    r.findings[0].evidence_len = strlen(said);
    if (waits)
        assert_int_equal(kit_put(kit, store, &r.record), 0);
    else
        assert_int_equal(store_put(store, &r.record, NULL, NULL, NULL), 0);
}

/* How often a text stands in the files of the database. */
static int occurs(struct kit *kit, const char *text)
{
    static const char *const suffixes[] = {"", "-wal"};
    int found = 0;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[128], *bytes = NULL;
        size_t len = 0;
        snprintf(name, sizeof name, "%s%s", kit->path, suffixes[i]);
        FILE *file = fopen(name, "rb"), *to = open_memstream(&bytes, &len);
        assert_non_null(to);
        for (int c; file != NULL && (c = fgetc(file)) != EOF;)
            fputc(c, to);
        fclose(to);
        if (file != NULL)
            fclose(file);
        for (const char *at = bytes; len > 0 && (at = memmem(at, len - (size_t)(at - bytes), text, strlen(text)));)
            found++, at++;
        free(bytes);
    }
    return found;
}

/* Nobody has waited for the records: they are in the queue when the erasure is asked for. */
static void what_was_put_before_is_erased(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct asked asked;
    for (int i = 0; i < 200; i++)
        put_said(kit, store, i % 2 == 0 ? "a" : "b", i % 2 == 0 ? "apples and pears" : "nuts and bolts", false);
    assert_int_equal(begin(&asked, kit, store, "a"), 0);
    wait_for(&asked);
    assert_int_equal(asked.erasure.rv, 0);
    assert_int_equal(asked.erasure.erased.decisions, 100);
    assert_false(asked.erasure.erased.is_log_left);
    assert_int_equal(asked.erasure.erased.texts, 100);
    assert_int_equal(occurs(kit, "apples and pears"), 0);
    assert_true(occurs(kit, "nuts and bolts") >= 200);
    assert_true(occurs(kit, "read of nuts and bolts") >= 100);
    put_said(kit, store, "a", "apples again", true);
    assert_true(occurs(kit, "apples again") > 0 && occurs(kit, "read of apples again") > 0);
    assert_string_equal(kit_text(kit, "PRAGMA integrity_check"), "ok");
    kit_stop_loop(kit);
    store_close(store);
}

/* Somebody reads for long: commits go on meanwhile, the answer says what is left, and the next erasure, which finds no
 * row to erase, does what is left. */
static void what_a_reader_has_kept_is_erased_later(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct asked asked;
    sqlite3 *reader;
    for (int i = 0; i < 20; i++)
        put_said(kit, store, "a", "apples and pears", true);
    assert_int_equal(sqlite3_open(kit->path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM decisions", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(begin(&asked, kit, store, "a"), 0);
    for (int i = 0; i < 5; i++)
        put_said(kit, store, "b", "nuts and bolts", true);
    assert_false(atomic_load(&asked.is_done)); /* it still waits for the reader, 100 times */
    wait_for(&asked);
    assert_int_equal(asked.erasure.rv, 0);
    assert_int_equal(asked.erasure.erased.decisions, 20);
    assert_true(asked.erasure.erased.is_log_left);
    assert_true(occurs(kit, "apples and pears") > 0);
    assert_int_equal(sqlite3_exec(reader, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(reader);
    assert_int_equal(begin(&asked, kit, store, "a"), 0);
    wait_for(&asked);
    assert_int_equal(asked.erasure.erased.decisions, 0);
    assert_false(asked.erasure.erased.is_log_left);
    assert_int_equal(occurs(kit, "apples and pears"), 0);
    kit_stop_loop(kit);
    store_close(store);
}

/* What could not be written would come back after the erasure. */
static void a_store_that_cannot_write_does_not_erase(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct asked asked;
    struct kit_record r;
    put_said(kit, store, "a", "apples and pears", true);
    failing_vfs_set_write(SQLITE_FULL);
    kit_record(&r);
    assert_int_equal(kit_put(kit, store, &r.record), REIN_EIO);
    assert_int_equal(begin(&asked, kit, store, "a"), 0);
    wait_for(&asked);
    assert_int_equal(asked.erasure.rv, REIN_EIO);
    failing_vfs_set_write(SQLITE_OK);
    kit_stop_loop(kit);
    store_close(store);
}

/* They are given back before the store has ended, those that wait too. */
static void at_the_end_nothing_is_waited_for(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    struct asked asked[STORE_ERASURES_MAX + 4];
    sqlite3 *reader;
    size_t taken = 0;
    put_said(kit, store, "a", "apples and pears", true);
    assert_int_equal(sqlite3_open(kit->path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM decisions", NULL, NULL, NULL), SQLITE_OK);
    while (taken < sizeof asked / sizeof *asked && begin(&asked[taken], kit, store, "a") == 0)
        taken++;
    assert_in_range(taken, STORE_ERASURES_MAX, STORE_ERASURES_MAX + 2);
    assert_int_equal(store_finish(store, 60000), 0);
    struct asked late;
    assert_int_equal(begin(&late, kit, store, "a"), REIN_ESTATE);
    for (size_t i = 0; i < taken; i++)
        wait_for(&asked[i]);
    assert_int_equal(asked[taken - 1].erasure.rv, REIN_ESTATE);
    sqlite3_exec(reader, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(reader);
    kit_stop_loop(kit);
    store_close(store);
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        bool is_read;
        int64_t us;
    } rows[] = {{"2026-11-30", true, 1795996800000000},
                {"2026-11-30T14:05:00Z", true, 1796047500000000},
                {"2026-11-30T14:05:00", false, 0},
                {"2026-13-30", false, 0},
                {"yesterday", false, 0},
                {"", false, 0},
                {"-1d", false, 0},
                {"36501d", false, 0},
                {"2026-11-30 ", false, 0},
                {"99999999999999999999d", false, 0}};
    (void)state;
    int64_t us;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(store_erase_before(&us, rows[i].text), rows[i].is_read);
        if (rows[i].is_read)
            assert_int_equal(us, rows[i].us);
    }
    assert_true(store_erase_before(&us, "90d"));
    assert_in_range(kit_now_us() - us, INT64_C(90) * 86400000000, INT64_C(90) * 86400000000 + 60000000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_set_up_closed, kit_tear_down_closed)
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_before_is_erased),
        TEST(what_a_reader_has_kept_is_erased_later),
        TEST(a_store_that_cannot_write_does_not_erase),
        TEST(at_the_end_nothing_is_waited_for),
        cmocka_unit_test(times_are_read),
    };
    failing_vfs_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
