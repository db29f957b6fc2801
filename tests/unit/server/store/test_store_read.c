/* Reading the store: pages, filters, one decision, outcomes, statistics, and that each page has an index.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantiles.h"
#include "store/driver.h"
#include "store/sqlite/reader.h"
#include "storekit.h"

enum { ROWS = 300 };
static const int64_t start_us = INT64_C(1800000000) * 1000000, step_us = 60 * 1000000;

struct fixture {
    struct kit kit;
    struct store *store;
    struct store_reader *reader;
};

/* Row i: begins in minute i/2 (so times are there twice); every 3rd goes to route "b", every 5th to model "n", every
 * 7th has policy version v2, every 10th is refused for a pattern, every 15th redacts by a rule (twice). */
static void put_row(struct fixture *f, int i)
{
    struct kit_record r;
    kit_plain(&r, start_us + i / 2 * step_us);
    r.record.route = i % 3 == 0 ? "b" : "a";
    r.record.model = i % 5 == 0 ? "n" : "m";
    r.record.policy_version = i % 7 == 0 ? "v2" : "v1";
    r.record.duration_us = 1000 * (i + 1);
    r.record.key = i % 2 == 0 ? "alice" : "";
    if (i % 10 == 0) {
        r.decision.verdict = REIN_REFUSE;
        r.findings[r.decision.findings_len++] = (struct rein_finding){
            .id = "strong_vacillation", .action = REIN_REFUSE, .channel = REIN_REASONING, .score = 0.9};
    }
    if (i % 15 == 0)
        for (int k = 0; k < 2 && r.decision.findings_len < 2; k++)
            r.findings[r.decision.findings_len++] = (struct rein_finding){
                .id = "card", .is_rule = true, .action = REIN_REDACT, .channel = REIN_ANSWER, .score = 1};
    r.decision.findings = r.findings;
    assert_int_equal(store_put(f->store, &r.record, NULL, NULL, NULL), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct kit_record last;
    kit_start(&f->kit);
    f->store = kit_open(&f->kit, 0);
    for (int i = 0; i < ROWS; i++)
        put_row(f, i);
    kit_plain(&last, start_us - INT64_C(10) * 86400 * 1000000); /* far before all others */
    last.record.route = "old";
    assert_int_equal(kit_put(&f->kit, f->store, &last.record), 0);
    assert_int_equal(store_reader_open(&f->reader, f->store, 5000), 0);
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

/* Reads all pages of a filter; checks the order and that nothing comes twice. Returns how many rows there were. */
static size_t walk(struct fixture *f, struct store_filter filter)
{
    size_t rows = 0, pages = 0;
    bool has_more = true;
    int64_t last_us = INT64_MAX;
    json_t *seen = json_object();
    while (has_more) {
        json_t *page, *row;
        size_t i;
        struct store_cursor next;
        assert_int_equal(store_read_decisions(f->reader, &filter, &page, &has_more, &next), 0);
        json_array_foreach(page, i, row)
        {
            int64_t us = json_integer_value(json_object_get(row, "started_at_us"));
            const char *id = json_string_value(json_object_get(row, "id"));
            assert_true(us <= last_us);
            assert_null(json_object_get(seen, id));
            json_object_set_new(seen, id, json_true());
            last_us = us;
            rows++;
        }
        json_decref(page);
        filter.has_after = true;
        filter.after = next;
        assert_true(pages++ < 1000);
    }
    json_decref(seen);
    return rows;
}

static void pages_are_whole(void **state)
{
    static const unsigned limits[] = {1, 7, 100, 301, 500};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        assert_int_equal(walk(*state, (struct store_filter){.limit = limits[i]}), ROWS + 1);
}

/* From the oldest back to the newest the same rows come, page by page. */
static void pages_go_both_ways(void **state)
{
    struct fixture *f = *state;
    struct store_filter filter = {.limit = 7, .has_after = true, .newer = true, .after = {1, 0}};
    size_t rows = 0;
    for (bool has_more = true; has_more;) {
        json_t *page;
        struct store_cursor oldest;
        bool newer;
        char text[STORE_CURSOR_LEN];
        assert_int_equal(store_read_decisions(f->reader, &filter, &page, &has_more, &oldest), 0);
        rows += json_array_size(page);
        const char *cursor = json_string_value(json_object_get(json_array_get(page, 0), "cursor"));
        snprintf(text, sizeof text, "r%s", cursor);
        assert_true(store_parse_cursor(text, &filter.after, &newer));
        assert_true(newer);
        for (size_t i = 1; i < json_array_size(page); i++)
            assert_true(json_integer_value(json_object_get(json_array_get(page, i), "started_at_us")) <=
                        json_integer_value(json_object_get(json_array_get(page, i - 1), "started_at_us")));
        json_decref(page);
    }
    assert_int_equal(rows, ROWS + 1);
}

static void filters_select(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct store_filter filter;
        size_t rows;
    } cases[] = {
        {{.route = "b"}, 100},
        {{.route = "nowhere"}, 0},
        {{.model = "n"}, 60},
        {{.policy_version = "v2"}, 43},
        {{.policy_version = "v3"}, 0},
        {{.verdict = "refuse"}, 30},
        {{.verdict = "allow"}, 271},
        {{.verdict = "cut"}, 0},
        {{.pattern = "strong_vacillation"}, 30},
        {{.rule = "card"}, 20}, /* twice in some: once in the list */
        {{.pattern = "strong_vacillation", .rule = "card"}, 10},
        {{.pattern = "card"}, 0},
        {{.key = "alice"}, 151 - 1},
        {{.key = "alice", .verdict = "refuse"}, 30},
        {{.key = "alice", .route = "a", .model = "m", .verdict = "allow"}, 80},
        {{.ending = "complete"}, ROWS + 1},
        {{.ending = "cut"}, 0},
        {{.judge = "card"}, 0},
        {{.from_us = 1, .shadow = "any"}, 0},
        {{.from_us = 1, .risks = {{true, 0, 1}}}, ROWS + 1},
        {{.from_us = 1, .risks = {{true, 0.1, 1}}}, 0},
        {{.request_id = "nobody's"}, 0},
        {{.request_id = "req"}, ROWS + 1},
        {{.request_id = "req", .rule = "card", .from_us = start_us}, 20},
        {{.rule = "card", .route = "b", .model = "n"}, 20},
        {{.pattern = "strong_vacillation", .route = "a"}, 20},
        {{.from_us = start_us}, ROWS},
        {{.to_us = start_us}, 1},
        {{.from_us = start_us + 10 * step_us, .to_us = start_us + 20 * step_us}, 20},
        {{.from_us = start_us + 10 * step_us, .to_us = start_us + 20 * step_us, .verdict = "refuse"}, 2},
        {{.from_us = start_us + 10 * step_us, .to_us = start_us + 20 * step_us, .rule = "card"}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_filter filter = cases[i].filter;
        filter.limit = 3;
        size_t rows = walk(f, filter);
        if (rows != cases[i].rows)
            print_message("case %zu\n", i);
        assert_int_equal(rows, cases[i].rows);
    }
}

/* Of a query: no table is read as a whole, and nothing is sorted but the page itself. */
static void assert_plan_is_fine(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    char explain[8192];
    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, explain, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        bool is_ours = strncmp(detail, "SCAN picked", 11) == 0 || strncmp(detail, "SCAN hours", 10) == 0 ||
                       strncmp(detail, "SCAN named", 10) == 0 || strcmp(detail, "SCAN CONSTANT ROW") == 0;
        if (strncmp(detail, "SCAN", 4) == 0 && strstr(detail, "USING") == NULL && !is_ours)
            fail_msg("%s: %s", detail, sql);
    }
    sqlite3_finalize(stmt);
}

/* A page must cost what the page costs, however many rows there are: each filter begins with its index, in time order,
 * whatever other filters there are. */
static void pages_have_an_index(void **state)
{
    static const struct {
        const char *lead;
        struct store_filter filter;
    } cases[] = {
        {NULL, {.limit = 10}},
        {NULL, {.from_us = 1, .to_us = 9, .has_after = true, .after = {5, 5}, .limit = 10}},
        {NULL, {.verdict = "allow", .ending = "complete", .limit = 10}},
        {NULL, {.from_us = 1, .shadow = "any", .risks = {{true, 0.5, 1}, {true, 0, 0.5}}, .limit = 10}},
        {NULL, {.request_id = "x", .route = "a", .limit = 10}},
        {"route", {.route = "a", .limit = 10}},
        {"model", {.model = "a", .has_after = true, .after = {5, 5}, .limit = 10}},
        {"key", {.key = "k", .has_after = true, .newer = true, .after = {5, 5}, .limit = 10}},
        {"policy", {.policy_version = "v1", .limit = 10}},
        {"verdict", {.verdict = "refuse", .key = "k", .limit = 10}},
        {"key", {.verdict = "refuse", .key = "k", .limit = 10}},
        {"ending", {.ending = "cut", .from_us = 1, .limit = 10}},
        {"pattern", {.pattern = "weak_vacillation", .limit = 10}},
        {"rule", {.pattern = "weak_vacillation", .rule = "r", .judge = "p", .limit = 10}},
        {"judge", {.judge = "p", .route = "a", .has_after = true, .newer = true, .after = {5, 5}, .limit = 10}},
    };
    struct fixture *f = *state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(f->kit.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sql = sqlite_page_sql(&cases[i].filter, cases[i].lead);
        assert_non_null(sql);
        assert_plan_is_fine(db, sql);
        /* The inner query comes in its index's order; only clients' request ids, which are few, are sorted. */
        char *inner = strstr(sql, " FROM (") + strlen(" FROM (");
        *strstr(inner, ") AS picked CROSS") = '\0';
        sqlite3_stmt *stmt;
        char explain[8192];
        snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", inner);
        assert_int_equal(sqlite3_prepare_v2(db, explain, -1, &stmt, NULL), SQLITE_OK);
        while (sqlite3_step(stmt) == SQLITE_ROW && cases[i].filter.request_id == NULL)
            if (strstr((const char *)sqlite3_column_text(stmt, 3), "TEMP B-TREE FOR ORDER BY") != NULL)
                fail_msg("sorted: %s", inner);
        sqlite3_finalize(stmt);
        free(sql);
    }
    sqlite3_close(db);
}

static void one_decision(void **state)
{
    struct fixture *f = *state;
    struct kit_record r;
    json_t *row;
    kit_record(&r);
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    assert_int_equal(store_read_decision(f->reader, r.record.id.text, &row), 0);
    assert_non_null(row);
    assert_string_equal(json_string_value(json_object_get(row, "verdict")), "steer");
    assert_true(json_is_true(json_object_get(row, "streamed")));
    assert_true(json_is_null(json_object_get(row, "completion_tokens")));
    assert_int_equal(json_array_size(json_object_get(row, "attempts")), 2);
    json_t *finding = json_array_get(json_object_get(row, "findings"), 0);
    assert_string_equal(json_string_value(json_object_get(finding, "id")), "strong_vacillation");
    assert_string_equal(json_string_value(json_object_get(finding, "evidence")), "perhaps it is fine");
    json_t *step = json_array_get(json_object_get(finding, "steps"), 1);
    assert_string_equal(json_string_value(json_object_get(step, "signal")), "con\"cedes");
    json_decref(row);
    assert_int_equal(store_read_decision(f->reader, "01900000-0000-7000-8000-000000000000", &row), 0);
    assert_null(row);
}

static void outcomes_belong_to_a_key(void **state)
{
    struct fixture *f = *state;
    struct kit_record r;
    json_t *row;
    char *text;
    kit_record(&r); /* of alice */
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    assert_int_equal(store_read_outcome(f->reader, r.record.id.text, "alice", &row), 0);
    assert_non_null(row);
    assert_int_equal(json_integer_value(json_object_get(row, "findings")), 2);
    text = json_dumps(row, 0);
    assert_null(strstr(text, "perhaps")); /* evidence */
    assert_null(strstr(text, "vacillation"));
    free(text);
    json_decref(row);
    assert_int_equal(store_read_outcome(f->reader, r.record.id.text, "bob", &row), 0);
    assert_null(row);
    assert_int_equal(store_read_outcome(f->reader, r.record.id.text, "", &row), 0);
    assert_null(row);
}

/* A row of feedback has what was said, not who the user is. */
static void feedback_has_what_was_said(void **state)
{
    static const struct rein_text texts[] = {
        {.n = 0, .speaker = "user", .form = REIN_KEEP_FULL, .text = "why?", .text_len = 4},
        {.n = 1, .speaker = "user_id", .form = REIN_KEEP_FULL, .text = "**", .text_len = 2},
        {.n = 2, .speaker = "user", .form = REIN_KEEP_FULL, .text = "how?", .text_len = 4}};
    struct fixture *f = *state;
    struct kit_record r;
    json_t *rows;
    bool found;
    struct store_feedback_cursor after = {0, 0, 0};
    kit_record(&r);
    r.record.texts = texts;
    r.record.texts_len = 3;
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    const struct store_feedback feedback = {.id = r.record.id.text, .is_right = true, .note = "", .at_us = 7};
    assert_int_equal(store_write_feedback(f->reader, &feedback, &found), 0);
    assert_true(found);
    assert_int_equal(store_read_feedback(f->reader, 0, 8, 10, &after, &rows), 0);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "prompt")), "why?\nhow?");
    json_decref(rows);
}

static void statistics(void **state)
{
    struct fixture *f = *state;
    json_t *tree, *bucket, *total;
    assert_int_equal(store_read_stats(f->reader, start_us, start_us + 150 * step_us, 60 * step_us, &tree), 0);
    json_t *buckets = json_object_get(tree, "buckets");
    assert_int_equal(json_array_size(buckets), 3); /* the last one is not full */
    bucket = json_array_get(buckets, 1);
    assert_int_equal(json_integer_value(json_object_get(bucket, "requests")), 120);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(bucket, "verdicts"), "refuse")), 12);
    /* Durations of rows 120 to 239: 121 to 240 ms. */
    json_t *duration = json_object_get(bucket, "duration_us");
    assert_in_range(json_integer_value(json_object_get(duration, "p50")), 180000 * 0.99, 180000 * 1.01);
    assert_in_range(json_integer_value(json_object_get(duration, "p99")), 239000 * 0.99, 239000 * 1.01);
    assert_int_equal(json_integer_value(json_object_get(duration, "max")), 240000);
    total = json_object_get(tree, "total");
    assert_int_equal(json_integer_value(json_object_get(total, "requests")), ROWS);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(total, "endings"), "complete")), ROWS);
    json_decref(tree);
    assert_int_equal(store_read_stats(f->reader, 0, 3 * step_us, step_us, &tree), 0); /* nothing there */
    assert_int_equal(json_array_size(json_object_get(tree, "buckets")), 3);
    assert_true(json_is_null(json_object_get(json_object_get(tree, "total"), "duration_us")));
    json_decref(tree);
}

static void queries_end_in_time(void **state)
{
    struct fixture *f = *state;
    struct store_reader *hasty;
    json_t *tree = NULL;
    for (int i = 0; i < 3000; i++)
        put_row(f, i);
    struct kit_record r;
    kit_record(&r);
    assert_int_equal(kit_put(&f->kit, f->store, &r.record), 0);
    assert_int_equal(store_reader_open(&hasty, f->store, 0), 0);
    assert_int_equal(store_read_stats(hasty, 0, INT64_MAX / 2, INT64_MAX / 2, &tree), REIN_ELIMIT);
    assert_null(tree);
    store_reader_close(hasty);
}

static void check_fields(struct fixture *f, const char *view, const struct store_field *fields)
{
    char sql[128];
    for (int i = 0; fields[i].name != NULL; i++) {
        snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s') WHERE cid = %d", view, i);
        assert_string_equal(kit_text(&f->kit, sql), fields[i].name);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", view);
        assert_true(i < kit_number(&f->kit, sql));
        if (fields[i + 1].name == NULL)
            assert_int_equal(kit_number(&f->kit, sql), i + 1);
    }
}

/* A column that a migration adds to the view is a field too: what dashboards see is what the API says. */
static void each_column_is_a_field(void **state)
{
    check_fields(*state, "v_decisions", store_decision_fields);
}

/* A client's fields are members of a decision, and none of them tells where or what something was found. */
static void outcomes_are_fields_of_decisions(void **state)
{
    static const char *const secret[] = {"key", "tenant", "route", "upstream", "harms", "shadow", "upstream_error"};
    (void)state;
    for (const struct store_field *field = store_outcome_fields; field->name != NULL; field++) {
        const struct store_field *whole = store_decision_fields;
        while (whole->name != NULL && strcmp(whole->name, field->name) != 0)
            whole++;
        assert_non_null(whole->name);
        assert_int_equal(whole->offset, field->offset);
        assert_int_equal(whole->type, field->type);
        for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
            assert_string_not_equal(field->name, secret[i]);
    }
}

/* The rows of a store come from the driver that its scheme names. */
static void drivers_are_found_by_scheme(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    const struct store_driver *driver = store_driver_find("sqlite");
    assert_non_null(driver);
    assert_string_equal(driver->scheme, "sqlite");
    assert_ptr_equal(f->reader->driver, driver);
    assert_null(store_driver_find(""));
    assert_null(store_driver_find("sqlite:"));
    assert_int_equal(store_open(&store, &(struct store_options){.scheme = "none", .path = f->kit.path}), REIN_EFORMAT);
    assert_null(store);
}

/* Against sorting, on values of all sizes. */
static void quantiles_are_close(void **state)
{
    static struct quantiles q;
    (void)state;
    quantiles_clear(&q);
    assert_int_equal(quantiles_at(&q, 0.5), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        quantiles_add(&q, i * i * i);
    for (int percent = 1; percent <= 100; percent++) {
        double exact = (double)(percent * 10) * (percent * 10) * (percent * 10);
        double found = (double)quantiles_at(&q, percent / 100.0);
        if (found < exact * 0.992 || found > exact * 1.008)
            print_message("p%d: %f, expected %f\n", percent, found, exact);
        assert_true(found >= exact * 0.992 && found <= exact * 1.008);
    }
    quantiles_clear(&q);
    quantiles_add(&q, 5);
    assert_int_equal(quantiles_at(&q, 0.01), 5);
    assert_int_equal(quantiles_at(&q, 1), 5);
    quantiles_add(&q, UINT64_MAX);
    assert_true(quantiles_at(&q, 1) > UINT64_C(1) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_whole),
        cmocka_unit_test(pages_go_both_ways),
        cmocka_unit_test(filters_select),
        cmocka_unit_test(pages_have_an_index),
        cmocka_unit_test(statistics),
        cmocka_unit_test(one_decision),
        cmocka_unit_test(outcomes_belong_to_a_key),
        cmocka_unit_test(feedback_has_what_was_said),
        cmocka_unit_test(queries_end_in_time),
        cmocka_unit_test(quantiles_are_close),
        cmocka_unit_test(each_column_is_a_field),
        cmocka_unit_test(outcomes_are_fields_of_decisions),
        cmocka_unit_test(drivers_are_found_by_scheme),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
