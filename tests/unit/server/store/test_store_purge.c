/* Purging: what is too old goes, with all that belongs to it, and nothing else; text may go before its decision.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "storekit.h"

enum { OLD = 1200, NEW = 10 }; /* more than two batches of old ones */
static const int64_t day_us = INT64_C(86400) * 1000000;

static void fill(struct kit *kit)
{
    struct store *store = kit_open(kit, 0);
    for (int i = 0; i < OLD + NEW; i++) {
        struct kit_record r;
        kit_record(&r);
        static const struct rein_text text = {.channel = REIN_ANSWER,
                                              .form = REIN_KEEP_FULL,
                                              .text = "Hi",
                                              .text_len = 2,
                                              .readings = "sums",
                                              .readings_len = 4};
        r.record.texts = &text;
        r.record.texts_len = 1;
        if (i % 121 != 0) /* ten new ones among the old */
            r.record.started_at_us -= 3 * day_us;
        assert_int_equal(store_put(store, &r.record, NULL, NULL, NULL), 0);
    }
    store_close(store);
}

static int set_up(void **state)
{
    struct kit *kit = malloc(sizeof *kit);
    kit_start(kit);
    fill(kit);
    *state = kit;
    return 0;
}

static int tear_down(void **state)
{
    struct kit *kit = *state;
    kit_stop_loop(kit);
    kit_free(kit);
    free(kit);
    return 0;
}

/* Opens with these options and waits until the count is what it shall become. */
static void purge(struct kit *kit, struct store_options options, const char *sql, int64_t rows)
{
    struct store *store;
    struct timespec pause = {0, 5000000};
    int64_t give_up = kit_now_us() + 60 * 1000000;
    options.path = kit->path;
    assert_int_equal(store_open(&store, &options), 0);
    while (kit_number(kit, sql) != rows && kit_now_us() < give_up)
        nanosleep(&pause, NULL);
    assert_int_equal(kit_number(kit, sql), rows);
    store_close(store);
}

static void old_decisions_go(void **state)
{
    struct kit *kit = *state;
    purge(kit, (struct store_options){.keep_days = 2}, "SELECT count(*) FROM decisions", NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM attempts"), NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM findings"), 2 * NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM texts"), 2 * NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM kept_texts"), NEW);
    assert_int_equal(kit_number(kit, "SELECT count(readings) FROM kept_texts"), NEW);
    assert_string_equal(kit_text(kit, "PRAGMA integrity_check"), "ok");
}

static void text_goes_apart(void **state)
{
    struct kit *kit = *state;
    purge(kit, (struct store_options){.keep_text_days = 2}, "SELECT count(*) FROM texts", 2 * NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), OLD + NEW);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM v_findings WHERE evidence IS NULL"), 2 * OLD);
}

static void a_policy_keeps_its_text_for_a_shorter_time(void **state)
{
    struct kit *kit = *state;
    struct store *store = kit_open(kit, 0);
    static const struct rein_text text = {.channel = REIN_ANSWER, .form = REIN_KEEP_FULL, .text = "Hi", .text_len = 2};
    for (int i = 0; i < 60; i++) { /* more than a batch */
        struct kit_record r;
        kit_record(&r);
        r.record.texts = &text;
        r.record.texts_len = 1;
        r.record.keep_text_days = 2;
        r.record.started_at_us -= i == 0 ? 0 : 3 * day_us;
        assert_int_equal(store_put(store, &r.record, NULL, NULL, NULL), 0);
    }
    store_close(store);
    purge(kit, (struct store_options){.keep_days = 0}, "SELECT count(*) FROM kept_texts", OLD + NEW + 1);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM texts"), 2 * (OLD + NEW + 1));
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), OLD + NEW + 60);
}

static void young_ones_stay(void **state)
{
    struct kit *kit = *state;
    struct store *store;
    struct kit_record r;
    const struct store_options options = {.path = kit->path, .keep_days = 4, .keep_text_days = 4};
    assert_int_equal(store_open(&store, &options), 0);
    for (int i = 0; i < 2; i++) { /* between the two the writer has purged once */
        kit_record(&r);
        assert_int_equal(kit_put(kit, store, &r.record), 0);
    }
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), OLD + NEW + 2);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM texts"), 2 * (OLD + NEW + 2));
    store_close(store);
}

/* From the highest value, with which all stay, to one with which the old ones go; then none goes any more. */
static void test_found_s3_how_long_decisions_stay_changes_while_the_store_is_open(void **state)
{
    struct kit *kit = *state;
    struct store *store;
    struct kit_record r;
    const struct timespec pause = {0, 5000000};
    const struct store_options options = {.path = kit->path, .keep_days = 36500};
    int64_t give_up = kit_now_us() + 60 * INT64_C(1000000);
    assert_int_equal(store_open(&store, &options), 0);
    for (int i = 0; i < 2; i++) { /* between the two the writer has purged once */
        kit_record(&r);
        assert_int_equal(kit_put(kit, store, &r.record), 0);
    }
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), OLD + NEW + 2);
    store_keep(store, 2);
    while (kit_number(kit, "SELECT count(*) FROM decisions") != NEW + 2 && kit_now_us() < give_up)
        nanosleep(&pause, NULL);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), NEW + 2);
    store_keep(store, 0);
    kit_record(&r);
    r.record.started_at_us -= 100 * day_us;
    for (int i = 0; i < 2; i++)
        assert_int_equal(kit_put(kit, store, &r.record), 0);
    store_close(store);
    assert_int_equal(kit_number(kit, "SELECT count(*) FROM decisions"), NEW + 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(old_decisions_go), TEST(text_goes_apart),
                                       TEST(a_policy_keeps_its_text_for_a_shorter_time), TEST(young_ones_stay),
                                       TEST(test_found_s3_how_long_decisions_stay_changes_while_the_store_is_open)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
