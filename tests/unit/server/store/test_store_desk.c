/* 100,000 decisions: views say what the rows say, and no statement reads a whole table.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every statement that a view runs is noted, and its plan examined: a view that is fast on this machine with so many
 * rows, but would be slow with more, fails here. Times belong to the bench (script/bench desk). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deskrows.h"
#include "store/feedback.h"
#include "store/overview.h"
#include "store/sqlite/reader.h"
#include "store/whole.h"
#include "storekit.h"

enum { ROWS = 100000, STATEMENTS_MAX = 256 };
static const int64_t hour_us = INT64_C(3600) * 1000000;

struct fixture {
    struct kit kit;
    struct store *store;
    struct store_reader *reader;
    int64_t now_us;
};

/* ---- what is run ---- */

static char *statements[STATEMENTS_MAX];
static size_t statements_len;
static bool is_noting;

static int note_statement(unsigned what, void *ctx, void *stmt, void *text)
{
    const char *sql = sqlite3_sql(stmt);
    (void)what;
    (void)ctx;
    (void)text;
    if (!is_noting || sql == NULL || (strncmp(sql, "SELECT", 6) != 0 && strncmp(sql, "WITH", 4) != 0))
        return 0;
    for (size_t i = 0; i < statements_len; i++)
        if (strcmp(statements[i], sql) == 0)
            return 0;
    assert_true(statements_len < STATEMENTS_MAX);
    statements[statements_len++] = strdup(sql);
    return 0;
}

static int watch_connection(sqlite3 *db, char **message, const struct sqlite3_api_routines *api)
{
    (void)message;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, note_statement, NULL);
}

/* Tables with at most some thousand rows, and what a statement makes itself. */
static bool may_be_scanned(const char *detail)
{
    static const char *const small[] = {
        "SCAN a",     "SCAN p",          "SCAN facets",   "SCAN policies",      "SCAN picked",    "SCAN hours",
        "SCAN named", "SCAN v_attempts", "SCAN CONSTANT", "SCAN sqlite_master", "SCAN migrations"};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (strcmp(detail, small[i]) == 0 ||
            (strncmp(detail, small[i], strlen(small[i])) == 0 && detail[strlen(small[i])] == ' '))
            return true;
    return strstr(detail, "SCAN c USING COVERING INDEX decisions_by_time") != NULL; /* a page, up to its limit */
}

static size_t assert_plans_are_fine(const char *path)
{
    sqlite3 *db;
    size_t seen = 0;
    sqlite3_cancel_auto_extension((void (*)(void))watch_connection);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < statements_len; i++) {
        char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statements[i]);
        sqlite3_stmt *stmt;
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        for (; sqlite3_step(stmt) == SQLITE_ROW; seen++) {
            const char *detail = (const char *)sqlite3_column_text(stmt, 3);
            if (strncmp(detail, "SCAN", 4) == 0 && !may_be_scanned(detail))
                fail_msg("%s: %s", detail, statements[i]);
        }
        sqlite3_finalize(stmt);
        sqlite3_free(sql);
        free(statements[i]);
    }
    sqlite3_close(db);
    return seen;
}

/* ---- views ---- */

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    kit_start(&f->kit);
    store_close(kit_open(&f->kit, 0)); /* the migrations */
    desk_rows_make(f->kit.path, ROWS, false);
    assert_true(desk_rows_sum(f->kit.path, false) > ROWS / 1000);
    assert_int_equal(sqlite3_auto_extension((void (*)(void))watch_connection), SQLITE_OK);
    f->store = kit_open(&f->kit, 0);
    assert_int_equal(store_reader_open(&f->reader, f->store, 30000), 0);
    f->now_us = kit_now_us();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_reader_close(f->reader);
    kit_stop_loop(&f->kit);
    store_close(f->store);
    kit_free(&f->kit);
    free(f);
    return 0;
}

static int64_t member(const json_t *tree, const char *object, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(tree, object), name));
}

/* Sums of the last days, which begin with a whole day, against the rows. */
static void sums_are_right(void **state)
{
    static const struct {
        const char *route, *model, *key, *policy, *where;
    } cases[] = {
        {NULL, NULL, NULL, NULL, "1"},
        {"route-1", NULL, NULL, NULL, "route = 'route-1'"},
        {NULL, "model-3", NULL, NULL, "model = 'model-3'"},
        {NULL, NULL, "key-7", NULL, "key = 'key-7'"},
        {"route-0", "model-0", NULL, "version-3", "route = 'route-0' AND model = 'model-0' AND policy = 4"},
        {"route-9", NULL, NULL, NULL, "0"},
    };
    struct fixture *f = *state;
    char sql[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int days = 2; days <= 20; days += 18) {
            struct store_view view = {.from_us = f->now_us - f->now_us % (24 * hour_us) - days * 24 * hour_us,
                                      .to_us = f->now_us,
                                      .step_us = 24 * hour_us,
                                      .route = cases[i].route,
                                      .model = cases[i].model,
                                      .key = cases[i].key,
                                      .policy_version = cases[i].policy,
                                      .now_us = f->now_us};
            json_t *tree;
            assert_int_equal(store_read_overview(f->reader, &view, &tree), 0);
            snprintf(sql, sizeof sql, "SELECT count(*) FROM decisions WHERE started_at_us >= %lld AND %s",
                     (long long)view.from_us, cases[i].where);
            assert_int_equal(member(tree, "total", "requests"), kit_number(&f->kit, sql));
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM decisions WHERE started_at_us >= %lld AND %s AND verdict = 'refuse'",
                     (long long)view.from_us, cases[i].where);
            assert_int_equal(member(json_object_get(tree, "total"), "verdicts", "refuse"), kit_number(&f->kit, sql));
            json_decref(tree);
            assert_int_equal(store_read_found(f->reader, &view, &tree), 0);
            json_t *row, *data = json_object_get(tree, "data");
            size_t k;
            int64_t found = 0;
            json_array_foreach(data, k, row) found += json_integer_value(json_object_get(row, "requests"));
            snprintf(sql, sizeof sql,
                     "SELECT count(*) FROM findings AS f JOIN decisions AS d ON d.seq = f.decision WHERE"
                     " d.started_at_us >= %lld AND %s",
                     (long long)view.from_us, cases[i].where);
            assert_int_equal(found, kit_number(&f->kit, sql));
            json_decref(tree);
        }
}

static size_t count_page(struct fixture *f, struct store_filter filter)
{
    json_t *page;
    bool has_more;
    struct store_cursor next;
    assert_int_equal(store_read_decisions(f->reader, &filter, &page, &has_more, &next), 0);
    size_t len = json_array_size(page);
    json_decref(page);
    return len;
}

/* Runs every view and filter, then examines how. */
static void no_table_is_scanned(void **state)
{
    struct fixture *f = *state;
    const struct store_filter filters[] = {
        {.limit = 50},
        {.limit = 50, .has_after = true, .after = {f->now_us - 100 * hour_us, 0}},
        {.limit = 50, .has_after = true, .newer = true, .after = {f->now_us - 100 * hour_us, 0}},
        {.limit = 50, .route = "route-2"},
        {.limit = 50, .model = "model-1"},
        {.limit = 50, .key = "key-3"},
        {.limit = 50, .policy_version = "version-1"},
        {.limit = 50, .verdict = "steer"},
        {.limit = 50, .verdict = "allow"},
        {.limit = 50, .ending = "client_left"},
        {.limit = 50, .pattern = "strong_vacillation"},
        {.limit = 50, .rule = "rule-4"},
        {.limit = 50, .judge = "panel", .key = "key-3"},
        {.limit = 50, .rule = "rule-4", .model = "model-1"},
        {.limit = 50, .key = "key-3", .policy_version = "version-1", .route = "route-0", .shadow = "allow"},
        {.limit = 50, .verdict = "steer", .key = "key-3", .from_us = f->now_us - 600 * hour_us},
        {.limit = 50, .from_us = f->now_us - 9 * hour_us, .risks = {{true, 0.5, 1}, {true, 0, 1}}, .shadow = "any"},
    };
    const int hours[] = {1, 24, 24 * 7, 24 * 30};
    json_t *tree;
    is_noting = true;
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        assert_true(count_page(f, filters[i]) > 0);
    assert_int_equal(count_page(f, (struct store_filter){.limit = 50, .request_id = "client-none"}), 0);
    for (size_t i = 0; i < sizeof hours / sizeof *hours; i++) {
        struct store_view view = {.from_us = f->now_us - hours[i] * hour_us,
                                  .to_us = f->now_us,
                                  .key = i % 2 == 0 ? "key-3" : NULL,
                                  .now_us = f->now_us};
        assert_int_equal(store_read_overview(f->reader, &view, &tree), 0);
        json_decref(tree);
        assert_int_equal(store_read_found(f->reader, &view, &tree), 0);
        json_decref(tree);
    }
    assert_int_equal(store_read_facets(f->reader, &tree), 0);
    assert_int_equal(json_array_size(json_object_get(tree, "keys")), DESK_KEYS - 1);
    json_decref(tree);
    bool found;
    char copy[64];
    bool has_more;
    struct store_cursor next;
    assert_int_equal(
        store_read_decisions(f->reader, &(struct store_filter){.limit = 1, .rule = "rule-4"}, &tree, &has_more, &next),
        0);
    snprintf(copy, sizeof copy, "%s", json_string_value(json_object_get(json_array_get(tree, 0), "id")));
    json_decref(tree);
    assert_int_equal(
        store_write_feedback(
            f->reader, &(struct store_feedback){.id = copy, .is_right = true, .note = "", .at_us = f->now_us}, &found),
        0);
    assert_true(found);
    assert_int_equal(store_read_whole(f->reader, copy, true, &tree), 0);
    assert_non_null(tree);
    json_decref(tree);
    assert_int_equal(store_read_readings(f->reader, copy, &tree), 0);
    json_decref(tree);
    struct store_feedback_cursor after = {0, 0, 0};
    assert_int_equal(store_read_feedback(f->reader, 0, 0, 10, &after, &tree), 0);
    assert_int_equal(json_array_size(tree), 1);
    json_decref(tree);
    is_noting = false;
    assert_true(statements_len > 30);
    assert_true(assert_plans_are_fine(f->kit.path) > 60);
}

/* ---- several filters ---- */

static void print_condition(FILE *s, const char *column, const char *value)
{
    if (value != NULL)
        fprintf(s, " AND d.%s = '%s'", column, value);
}

static void print_name(FILE *s, const char *kind, const char *name)
{
    if (name != NULL)
        fprintf(s, " AND EXISTS (SELECT 1 FROM findings WHERE decision = d.seq AND kind = '%s' AND name = '%s')", kind,
                name);
}

/* The numbers of the decisions that a filter means, newest first, read the long way: every row. */
static char *expected_page(struct kit *kit, const struct store_filter *f)
{
    char *sql = NULL;
    size_t len;
    FILE *s = open_memstream(&sql, &len);
    fputs("SELECT group_concat(seq) FROM (SELECT d.seq FROM decisions AS d JOIN policies AS p ON p.number = d.policy"
          " WHERE 1",
          s);
    print_condition(s, "route", f->route);
    print_condition(s, "model", f->model);
    print_condition(s, "key", f->key);
    print_condition(s, "verdict", f->verdict);
    print_condition(s, "ending", f->ending);
    print_condition(s, "shadow", f->shadow);
    if (f->policy_version != NULL)
        fprintf(s, " AND p.version = '%s'", f->policy_version);
    print_name(s, "pattern", f->pattern);
    print_name(s, "rule", f->rule);
    print_name(s, "judge", f->judge);
    if (f->from_us != 0)
        fprintf(s, " AND d.started_at_us >= %lld", (long long)f->from_us);
    if (f->to_us != 0)
        fprintf(s, " AND d.started_at_us < %lld", (long long)f->to_us);
    if (f->has_after)
        fprintf(s, " AND (d.started_at_us, d.seq) %s (%lld, %lld)", f->newer ? ">" : "<",
                (long long)f->after.started_at_us, (long long)f->after.seq);
    fprintf(s, " ORDER BY d.started_at_us %s, d.seq %s LIMIT %u)", f->newer ? "ASC" : "DESC", f->newer ? "ASC" : "DESC",
            f->limit);
    fclose(s);
    char *expected = strdup(kit_text(kit, sql));
    free(sql);
    return expected;
}

/* The same of what the page says; the newer direction is given oldest first, as above. */
static char *actual_page(struct fixture *f, const struct store_filter *filter)
{
    json_t *page;
    bool has_more;
    struct store_cursor next;
    char *out = NULL;
    size_t len;
    FILE *s = open_memstream(&out, &len);
    assert_int_equal(store_read_decisions(f->reader, filter, &page, &has_more, &next), 0);
    size_t rows = json_array_size(page);
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(page, filter->newer ? rows - 1 - i : i);
        struct store_cursor at;
        bool newer;
        assert_true(store_parse_cursor(json_string_value(json_object_get(row, "cursor")), &at, &newer));
        fprintf(s, "%s%lld", i > 0 ? "," : "", (long long)at.seq);
    }
    fputs(rows == 0 ? "NULL" : "", s);
    json_decref(page);
    fclose(s);
    return out;
}

/* A page has what its filters say, however they are combined. */
static void combinations_are_right(void **state)
{
    struct fixture *f = *state;
    static const char *const routes[] = {NULL, "route-0", "route-2"}, *const models[] = {NULL, "model-1"},
                             *const keys[] = {NULL, "key-3", "key-none"}, *const verdicts[] = {NULL, "steer", "allow"},
                             *const policies[] = {NULL, "version-1"}, *const rules[] = {NULL, "rule-4"};
    size_t seen = 0, empty = 0;
    for (int i = 0; i < 3 * 2 * 3 * 3 * 2 * 2; i++) {
        struct store_filter filter = {.limit = 7,
                                      .route = routes[i % 3],
                                      .model = models[i / 3 % 2],
                                      .key = keys[i / 6 % 3],
                                      .verdict = verdicts[i / 18 % 3],
                                      .policy_version = policies[i / 54 % 2],
                                      .rule = rules[i / 108],
                                      .shadow = i % 5 == 0 ? "allow" : NULL,
                                      .ending = i % 7 == 0    ? "complete"
                                                : i % 11 == 0 ? "refused"
                                                              : NULL,
                                      .pattern = i % 13 == 0 ? "strong_vacillation" : NULL};
        if (i % 4 == 1)
            filter.from_us = f->now_us - 500 * hour_us;
        if (i % 4 >= 2)
            filter.to_us = f->now_us - 200 * hour_us;
        filter.has_after = i % 3 == 0;
        filter.newer = i % 6 == 0;
        if (filter.has_after) /* a place of a row, whose time others may share */
            filter.after = (struct store_cursor){
                kit_number(&f->kit, "SELECT started_at_us FROM decisions WHERE seq = 50000"), 50000};
        char *expected = expected_page(&f->kit, &filter), *actual = actual_page(f, &filter);
        if (strcmp(expected, actual) != 0)
            fail_msg("combination %d: %s, not %s", i, actual, expected);
        seen += strcmp(expected, "NULL") != 0;
        empty += strcmp(expected, "NULL") == 0;
        free(expected);
        free(actual);
    }
    assert_true(seen > 50 && empty > 50);
}

/* Pages of the file that a filter's statement reads, and steps of SQLite's machine. */
static void count_work(struct fixture *f, const struct store_filter *filter, const char *lead, const char *value,
                       int *pages, int *steps)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    int most;
    char *sql = sqlite_page_sql(filter, lead);
    assert_int_equal(sqlite3_open_v2(f->kit.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    const struct {
        const char *name, *value;
    } values[] = {{":rule", filter->rule},
                  {":key", filter->key},
                  {":model", filter->model},
                  {":policy", filter->policy_version},
                  {":route", filter->route}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].value != NULL)
            assert_int_equal(sqlite3_bind_text(stmt, sqlite3_bind_parameter_index(stmt, values[i].name),
                                               values[i].value, -1, SQLITE_STATIC),
                             SQLITE_OK);
    assert_int_equal(sqlite3_bind_int(stmt, sqlite3_bind_parameter_index(stmt, ":limit"), 51), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE); /* no decision has all of this */
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_MISS, pages, &most, 0);
    *steps = sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_int_equal(sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_SORT, 0), 1); /* the empty page */
    print_message("%s: %d pages, %d steps\n", value, *pages, *steps);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(sql);
}

/* A combination that no decision meets reads indexes, not the rows of its rarest value; and nothing of times at which
 * one of its values was not there. Last: it changes rows behind the sums' back. */
static void no_match_costs_little(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db;
    int pages, steps;
    int64_t rows = kit_number(&f->kit, "SELECT count(*) FROM findings WHERE name = 'rule-4'");
    assert_int_equal(sqlite3_open(f->kit.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE decisions SET model = 'model-x' WHERE key = 'key-3' AND EXISTS (SELECT 1 FROM"
                                  " findings WHERE decision = seq AND name = 'rule-4');"
                                  "UPDATE decisions SET route = 'route-late' WHERE seq > 90000",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    count_work(f, &(struct store_filter){.limit = 51, .rule = "rule-4", .key = "key-3", .model = "model-1"}, "rule",
               "rule, key, model", &pages, &steps);
    assert_in_range(rows, 150, 1000);
    assert_in_range(pages, 5, rows / 3);
    count_work(f, &(struct store_filter){.limit = 51, .route = "route-late", .policy_version = "version-1"}, "route",
               "route, policy_version", &pages, &steps);
    assert_in_range(pages, 1, 40);
    assert_in_range(steps, 1, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_right), cmocka_unit_test(no_table_is_scanned),
                                       cmocka_unit_test(combinations_are_right),
                                       cmocka_unit_test(no_match_costs_little)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
