/* Sums are what the rows say: whatever is replaced, rolled back, rolled up or filled in later.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spread.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/rows.h"
#include "store/sqlite/sums/sums.h"
#include "storekit.h"

static const int64_t minute_us = 60 * 1000000;

struct fixture {
    sqlite3 *sqlite;
    struct store_rows *rows;
    int64_t began_us, now_us;
    uint32_t seed;
};

static void run(struct fixture *f, const char *sql)
{
    assert_int_equal(sqlite3_exec(f->sqlite, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t number(struct fixture *f, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(f->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(f->sqlite));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_int_equal(sqlite3_open(":memory:", &f->sqlite), SQLITE_OK);
    assert_int_equal(store_migrate(f->sqlite, migrations, migrations_len), 0);
    assert_int_equal(store_rows_new(&f->rows, f->sqlite), SQLITE_OK);
    f->now_us = f->began_us = kit_now_us();
    f->seed = 7;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_rows_free(f->rows);
    assert_int_equal(sqlite3_close(f->sqlite), SQLITE_OK);
    free(f);
    return 0;
}

static uint32_t draw(struct fixture *f, uint32_t below)
{
    f->seed = f->seed * 1664525u + 1013904223u;
    return (f->seed >> 8) % below;
}

/* A record of one of 60 requests, each of which has its own time, route, model and key. */
static struct store_job *drawn_job(struct fixture *f, unsigned which)
{
    static const char *const routes[] = {"a", "b"}, *const models[] = {"m", "n", NULL}, *const keys[] = {NULL, "k"};
    static const enum rein_action verdicts[] = {REIN_ALLOW, REIN_REDACT, REIN_STEER, REIN_REFUSE, REIN_CUT_RESPONSE};
    struct kit_record r;
    struct store_job *job;
    kit_plain(&r, f->began_us - (which % 7 == 0 ? 3 * 1440 : 10 - which % 10) * minute_us - which);
    snprintf(r.record.id.text, sizeof r.record.id.text, "%08x-0000-7000-8000-000000000000", which + 1);
    r.record.route = routes[which % 2];
    r.record.model = models[which % 3];
    r.record.key = keys[which / 2 % 2];
    r.record.policy_version = which % 5 == 0 ? "v2" : "v1";
    r.record.final = draw(f, 3) > 0;
    r.record.ending = !r.record.final ? "open" : draw(f, 2) > 0 ? "complete" : "upstream_broke";
    r.record.upstream_first_byte_us = 1000;
    r.record.client_first_byte_us = 1000 + draw(f, 500);
    r.record.duration_us = draw(f, 100000);
    r.decision.verdict = verdicts[draw(f, 5)];
    r.decision.shadow = draw(f, 2) > 0 ? REIN_STEER : REIN_ALLOW;
    r.decision.flow[REIN_ANSWER].held_max = draw(f, 1000);
    r.decision.flow[REIN_ANSWER].released = draw(f, 3);
    r.decision.findings_len = draw(f, 3);
    for (size_t i = 0; i < r.decision.findings_len; i++)
        r.findings[i] = (struct rein_finding){.id = draw(f, 2) > 0 ? "card" : "word",
                                              .is_rule = true,
                                              .action = REIN_RECORD,
                                              .channel = REIN_ANSWER,
                                              .shadow = draw(f, 2) > 0,
                                              .offset = draw(f, 4000)};
    r.decision.findings = r.findings;
    assert_int_equal(store_job_new(&job, &r.record), 0);
    return job;
}

/* A group of records, some of the same request. */
static void write_group(struct fixture *f, bool rolls_back)
{
    struct store_job *first = NULL, **end = &first;
    unsigned len = 1 + draw(f, 12), around = draw(f, 60);
    for (unsigned i = 0; i < len; i++) {
        *end = drawn_job(f, (around + draw(f, 4)) % 60);
        end = &(*end)->next;
    }
    run(f, "BEGIN IMMEDIATE");
    assert_int_equal(store_rows_write(f->rows, first), SQLITE_OK);
    run(f, rolls_back ? "ROLLBACK" : "COMMIT");
    if (rolls_back)
        store_rows_forget(f->rows);
    for (struct store_job *next; first != NULL; first = next) {
        next = first->next;
        store_job_unref(first);
    }
}

static bool step(struct fixture *f)
{
    bool more;
    run(f, "BEGIN IMMEDIATE");
    assert_int_equal(store_sums_step(store_rows_sums(f->rows), f->now_us, &more), SQLITE_OK);
    run(f, "COMMIT");
    return more;
}

/* Both ways the difference of what the rows say and what the sums say; 0 everywhere. */
static void assert_sums_match(struct fixture *f)
{
    static const char *const levels[] = {"1", "60", "1440"};
    static const char *const counts =
        "sum(verdict = 'allow'), sum(verdict = 'redact'), sum(verdict = 'steer'), sum(verdict = 'refuse'),"
        " sum(verdict = 'cut'), sum(verdict = 'none'), sum(shadow NOT IN ('allow', 'record', 'none')),"
        " sum(max(attempts - 1, 0)), sum(findings), sum(ending <> 'complete'),"
        " sum(max(0, answer_released - answer_scanned))";
    char sql[4096];
    for (int i = 0; i < 3; i++)
        for (int scope = 0; scope < 2; scope++) {
            const char *l = levels[i],
                       *dims = scope == 0 ? "'', '', '', ''"
                                          : "coalesce(route, ''), coalesce(model, ''), coalesce(key, ''), version";
            const char *facets =
                scope == 0 ? "'', '', '', ''"
                           : "(SELECT value FROM facets WHERE number = route), (SELECT value FROM facets WHERE number ="
                             " model), (SELECT value FROM facets WHERE number = key), (SELECT value FROM facets WHERE"
                             " number = policy)";
            snprintf(sql, sizeof sql,
                     "WITH r AS (SELECT started_at_us / 60000000 / %s * %s AS b, %s, %s FROM decisions JOIN policies ON"
                     " number = policy WHERE final = 1 GROUP BY 1, 2, 3, 4, 5),"
                     " s AS (SELECT bucket / %s * %s AS b, %s, sum(allow), sum(redact), sum(steer), sum(refuse),"
                     " sum(cut), sum(none), sum(shadowed), sum(restarts), sum(findings), sum(failed),"
                     " sum(unjudged_bytes) FROM sums WHERE scope = %d AND (level = %s OR (level = 1 AND bucket >="
                     " (SELECT value FROM facts WHERE name = 'sums_rolled_minute')))"
                     " GROUP BY 1, 2, 3, 4, 5 HAVING sum(allow + redact + steer + refuse + cut + none) > 0)"
                     " SELECT (SELECT count(*) FROM (SELECT * FROM r EXCEPT SELECT * FROM s)) +"
                     " (SELECT count(*) FROM (SELECT * FROM s EXCEPT SELECT * FROM r))",
                     l, l, dims, counts, l, l, facets, scope, l);
            assert_int_equal(number(f, sql), 0);
            snprintf(
                sql, sizeof sql,
                "WITH r AS (SELECT f.started_at_us / 60000000 / %s * %s AS b, f.name,"
                " sum((SELECT min(g.shadow) FROM findings AS g WHERE g.decision = f.decision AND g.name = f.name)),"
                " count(*) FROM findings AS f JOIN decisions AS d ON d.seq = f.decision WHERE d.final = 1 AND"
                " f.first = 1 GROUP BY 1, 2),"
                " s AS (SELECT bucket / %s * %s AS b, (SELECT value FROM facets WHERE number = finding),"
                " sum(shadow), sum(shadow + enforced) FROM finding_sums WHERE scope = %d AND (level = %s OR"
                " (level = 1 AND bucket >= (SELECT value FROM facts WHERE name = 'sums_rolled_minute')))"
                " GROUP BY 1, 2 HAVING sum(shadow + enforced) > 0)"
                " SELECT (SELECT count(*) FROM (SELECT * FROM r EXCEPT SELECT * FROM s)) +"
                " (SELECT count(*) FROM (SELECT * FROM s EXCEPT SELECT * FROM r))",
                l, l, l, l, scope, l);
            assert_int_equal(number(f, sql), 0);
        }
}

/* A rollback may lose what was counted in the second before it. */
static void assert_facets_match(struct fixture *f)
{
    assert_int_equal(number(f, "SELECT count(*) FROM facets AS a WHERE kind = 'ending' AND requests <>"
                               " (SELECT count(*) FROM decisions WHERE final = 1 AND ending = a.value)"),
                     0);
}

static void are_what_the_rows_say(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 600; i++) {
        write_group(f, draw(f, 6) == 0);
        if (draw(f, 20) == 0) {
            f->now_us += draw(f, 4) * minute_us;
            step(f);
        }
    }
    f->now_us += 2 * minute_us; /* and the facets' counts are written */
    step(f);
    assert_true(number(f, "SELECT count(*) FROM decisions") > 50);
    assert_true(number(f, "SELECT count(*) FROM sums WHERE level = 60") > 0);
    assert_sums_match(f);
}

static void older_decisions_are_filled_in(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        write_group(f, false);
    /* As if a migration had just made the tables. */
    run(f, "DELETE FROM sums; DELETE FROM finding_sums; DELETE FROM facets;"
           "UPDATE facts SET value = (SELECT max(seq) FROM decisions) WHERE name = 'sums_fill_end'");
    store_rows_forget(f->rows);
    for (int i = 0; i < 20; i++) /* also of requests that are not counted yet */
        write_group(f, false);
    while (step(f))
        ;
    for (int i = 0; i < 20; i++)
        write_group(f, false);
    f->now_us += 2 * minute_us;
    step(f);
    assert_sums_match(f);
    assert_facets_match(f);
}

static void lost_decisions_count(void **state)
{
    struct fixture *f = *state;
    int lost = 0;
    for (int i = 0; i < 100; i++)
        write_group(f, false);
    int64_t open = number(f, "SELECT count(*) FROM decisions WHERE final = 0");
    assert_true(open > 0);
    run(f, "BEGIN IMMEDIATE");
    assert_int_equal(store_rows_mark_lost(f->rows, &lost), SQLITE_OK);
    run(f, "COMMIT");
    assert_int_equal(lost, open);
    assert_int_equal(number(f, "SELECT count(*) FROM decisions WHERE final = 0"), 0);
    f->now_us += 2 * minute_us;
    step(f);
    assert_sums_match(f);
    assert_facets_match(f);
}

static void deleted_decisions_stay_and_old_buckets_go(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        write_group(f, false);
    f->now_us += 2 * minute_us;
    step(f);
    int64_t before = number(f, "SELECT sum(allow + refuse) FROM sums WHERE level = 1440");
    run(f, "DELETE FROM findings; DELETE FROM decisions");
    f->now_us += INT64_C(9) * 1440 * minute_us;
    for (int i = 0; i < 2000; i++) { /* a few buckets a minute */
        f->now_us += minute_us;
        step(f);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM sums WHERE level = 1"), 0);
    assert_int_equal(number(f, "SELECT count(*) FROM finding_sums WHERE level = 1"), 0);
    assert_true(number(f, "SELECT count(*) FROM sums WHERE level = 60") > 0);
    assert_int_equal(number(f, "SELECT sum(allow + refuse) FROM sums WHERE level = 1440"), before);
}

static void too_many_values_are_one(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1100; i++) {
        char model[16];
        struct kit_record r;
        struct store_job *job;
        kit_plain(&r, f->now_us);
        snprintf(model, sizeof model, "m%d", i);
        r.record.model = model;
        assert_int_equal(store_job_new(&job, &r.record), 0);
        run(f, "BEGIN IMMEDIATE");
        assert_int_equal(store_rows_write(f->rows, job), SQLITE_OK);
        run(f, "COMMIT");
        store_job_unref(job);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM facets WHERE kind = 'model'"), 1000);
    assert_int_equal(number(f, "SELECT sum(allow) FROM sums WHERE level = 1 AND scope = 1 AND model = 0"), 100);
    assert_int_equal(number(f, "SELECT sum(allow) FROM sums WHERE level = 1 AND scope = 0"), 1100);
}

static void spreads_are_close_and_short(void **state)
{
    static struct spread all, halves[2], back;
    unsigned char bytes[SPREAD_BYTES_MAX];
    (void)state;
    memset(&all, 0, sizeof all);
    assert_int_equal(spread_at(&all, 0.5), -1);
    for (int64_t i = 1; i <= 1000; i++) {
        spread_add(&all, i * i * i, 1);
        spread_add(&halves[i % 2], i * i * i, 1);
    }
    for (int percent = 1; percent <= 100; percent++) {
        double exact = percent * 10.0 * (percent * 10.0) * (percent * 10.0),
               found = (double)spread_at(&all, percent / 100.0);
        if (found < exact * 14 / 15 || found > exact * 16 / 15)
            fail_msg("%d%%: %f, exact %f", percent, found, exact);
    }
    for (int i = 0; i < 2; i++)
        spread_merge_stored(&back, bytes, spread_store(&halves[i], bytes));
    assert_memory_equal(&back, &all, sizeof all);
    for (int64_t i = 1; i <= 1000; i++)
        spread_add(&back, i * i * i, -1);
    assert_int_equal(back.count, 0);
    spread_add(&back, 5, -1);
    assert_int_equal(back.count, 0);
    spread_add(&back, INT64_MAX, 1);
    spread_add(&back, -1, 1);
    assert_int_equal(back.count, 1);
    for (size_t len = 0; len < sizeof bytes; len++) { /* whatever the bytes are */
        memset(bytes, (int)(len * 37), len);
        spread_merge_stored(&back, bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(are_what_the_rows_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(older_decisions_are_filled_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_decisions_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deleted_decisions_stay_and_old_buckets_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_values_are_one, set_up, tear_down),
        cmocka_unit_test(spreads_are_close_and_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
