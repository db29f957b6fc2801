/* See deskrows.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "deskrows.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/sqlite/sums/sums.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(sqlite3 *db, int rc, const char *what)
{
    if (rc == SQLITE_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
    abort();
}

static void run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql);
}

/* What a column gets; columns that are not here get 0, or NULL where they may. `i` is the row, `h` a hash of it. */
struct value {
    const char *column, *expression;
};
static const struct value decision_values[] = {
    {"seq", "i"},
    {"id", "printf('%08x-%04x-7%03x-8000-%012x', at / 65536000, at / 1000 % 65536, i % 4096, i)"},
    {"request_id", "iif(h % 10 = 0, 'client-' || i, printf('%08x-%04x-7%03x-8000-%012x', at / 65536000,"
                   " at / 1000 % 65536, i % 4096, i))"},
    {"started_at_us", "at"},
    {"final", "1"},
    {"route", "'route-' || iif(h % 100 < 90, 0, iif(h % 100 < 98, 1, 2))"},
    {"model", "'model-' || (h / 100 % 6)"},
    {"upstream", "'up'"},
    {"key", "iif(h / 600 % 40 = 0, NULL, 'key-' || (h / 600 % 40))"},
    {"dialect", "'openai-chat'"},
    {"policy", "1 + i * 5 / (:rows + 1)"},
    {"streamed", "h % 2"},
    {"status", "200"},
    {"ending", "CASE WHEN v < 3 THEN 'refused' WHEN v = 7 THEN 'upstream_error' WHEN v = 8 THEN 'client_left' ELSE"
               " 'complete' END"},
    {"verdict", "CASE WHEN v < 3 THEN 'refuse' WHEN v < 5 THEN 'steer' WHEN v < 7 THEN 'redact' WHEN v = 7 THEN 'none'"
                " ELSE 'allow' END"},
    {"action", "CASE WHEN v < 3 THEN 'refuse' WHEN v < 5 THEN 'steer' WHEN v < 7 THEN 'redact' ELSE 'allow' END"},
    {"shadow", "iif(v = 9, 'steer', 'allow')"},
    {"reasoning", "'evaluable'"},
    {"prompt_risk", "(h % 1000) / 1000.0"},
    {"trace_risk", "(h / 7 % 1000) / 1000.0"},
    {"harms", "''"},
    {"attempts", "iif(v = 3 OR v = 4, 2, 1)"},
    {"findings", "iif(v < 6, 1, 0)"},
    {"upstream_first_byte_us", "100000 + h % 400000"},
    {"client_first_byte_us", "100200 + h % 400000 + h % 3000"},
    {"duration_us", "600000 + h % 5000000"},
    {"reasoning_received", "2000 + h % 4000"},
    {"reasoning_scanned", "2000 + h % 4000"},
    {"reasoning_released", "2000 + h % 4000"},
    {"reasoning_held_max", "h % 300"},
    {"prompt_tokens", "h % 900"},
    {"completion_tokens", "h % 2000"},
    {NULL, NULL},
};
static const struct value finding_values[] = {
    {"decision", "d.seq"},
    {"started_at_us", "d.started_at_us"},
    {"kind", "CASE d.seq % 3 WHEN 0 THEN 'pattern' WHEN 1 THEN 'rule' ELSE 'judge' END"},
    {"name", "CASE d.seq % 3 WHEN 0 THEN 'strong_vacillation' WHEN 1 THEN 'rule-' || (d.seq / 3 % 9) ELSE 'panel' END"},
    {"first", "1"},
    {"action", "d.action"},
    {"channel", "'reasoning'"},
    {"offset", "d.reasoning_received / 3"},
    {"len", "40"},
    {"score", "0.9"},
    {"steps", "'[]'"},
    {"tags", "'[]'"},
    {NULL, NULL},
};

/* Columns of a table and their values, in two lists. */
static void print_columns(sqlite3 *db, const char *table, const struct value *values, FILE *names, FILE *expressions)
{
    sqlite3_stmt *stmt;
    char sql[128];
    const char *between = "";
    snprintf(sql, sizeof sql, "SELECT name, \"notnull\", type FROM pragma_table_info('%s')", table);
    check(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), sql);
    for (; sqlite3_step(stmt) == SQLITE_ROW; between = ", ") {
        const char *name = (const char *)sqlite3_column_text(stmt, 0),
                   *type = (const char *)sqlite3_column_text(stmt, 2);
        const struct value *v = values;
        while (v->column != NULL && strcmp(v->column, name) != 0)
            v++;
        const char *otherwise = sqlite3_column_int(stmt, 1) == 0 ? "NULL" : strcmp(type, "TEXT") == 0 ? "''" : "0";
        fprintf(names, "%s%s", between, name);
        fprintf(expressions, "%s%s", between, v->column != NULL ? v->expression : otherwise);
    }
    sqlite3_finalize(stmt);
}

static void insert(sqlite3 *db, const char *table, const struct value *values, const char *from, int64_t rows)
{
    char *names = NULL, *expressions = NULL;
    size_t len;
    FILE *n = open_memstream(&names, &len), *e = open_memstream(&expressions, &len);
    sqlite3_stmt *stmt;
    print_columns(db, table, values, n, e);
    fclose(n);
    fclose(e);
    char *sql = sqlite3_mprintf("INSERT INTO %s (%s) SELECT %s FROM %s", table, names, expressions, from);
    check(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), sql);
    int i = sqlite3_bind_parameter_index(stmt, ":rows");
    if (i > 0)
        sqlite3_bind_int64(stmt, i, rows);
    sqlite3_step(stmt);
    check(db, sqlite3_finalize(stmt), sql);
    sqlite3_free(sql);
    free(names);
    free(expressions);
}

/* Indexes are made when all rows are there, as a migration does. Returns the statements that make them. */
static char *drop_indexes(sqlite3 *db)
{
    char *drops = NULL, *creates = NULL;
    size_t len;
    FILE *d = open_memstream(&drops, &len), *c = open_memstream(&creates, &len);
    sqlite3_stmt *stmt;
    const char *sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
                      " AND tbl_name IN ('decisions', 'findings')";
    check(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), sql);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        fprintf(d, "DROP INDEX %s;", (const char *)sqlite3_column_text(stmt, 0));
        fprintf(c, "%s;\001", (const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    fclose(d);
    fclose(c);
    run(db, drops);
    free(drops);
    return creates;
}

static void make_indexes(sqlite3 *db, char *creates, bool talks)
{
    for (char *sql = strtok(creates, "\001"); sql != NULL; sql = strtok(NULL, "\001")) {
        double begun = now_s();
        run(db, sql);
        if (talks)
            printf("%6.1f s  %.60s\n", now_s() - begun, sql);
    }
    free(creates);
}

void desk_rows_make(const char *path, int64_t rows, bool talks)
{
    /* The row's number, its time, a hash, and what decides the verdict: 9 and more allow. */
    static const char from[] = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
                               " SELECT i, (i * 2654435761) % 4294967296 / 16 AS h,"
                               " (strftime('%s') - 2592000) * 1000000 + i * (2592000000000 / (:rows + 1)) AS at,"
                               " (i * 40503) % 65536 / 4 % 100 AS v FROM n)";
    sqlite3 *db;
    double begun = now_s();
    check(NULL, sqlite3_open(path, &db), path);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; BEGIN");
    char *creates = drop_indexes(db);
    for (int i = 0; i < DESK_POLICIES; i++) {
        char *sql = sqlite3_mprintf("INSERT INTO policies (number, version, name) VALUES (%d, 'version-%d', 'default')",
                                    i + 1, i);
        run(db, sql);
        sqlite3_free(sql);
    }
    insert(db, "decisions", decision_values, from, rows);
    insert(db, "findings", finding_values, "decisions AS d WHERE d.findings > 0", rows);
    if (talks)
        printf("%6.1f s  rows\n", now_s() - begun);
    make_indexes(db, creates, talks);
    run(db, "UPDATE facts SET value = 0 WHERE name = 'sums_fill_at';"
            "UPDATE facts SET value = (SELECT max(seq) FROM decisions) WHERE name = 'sums_fill_end'; COMMIT;"
            "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
}

int64_t desk_rows_sum(const char *path, bool talks)
{
    struct store_sums *sums;
    sqlite3 *db;
    bool more = true;
    int64_t steps = 0;
    double begun = now_s();
    check(NULL, sqlite3_open(path, &db), path);
    run(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -65536");
    check(db, store_sums_new(&sums, db), "sums");
    while (more) {
        run(db, "BEGIN IMMEDIATE");
        for (int i = 0; i < 40 && more; i++, steps++)
            check(db, store_sums_step(sums, (int64_t)time(NULL) * 1000000, &more), "step");
        run(db, "COMMIT");
    }
    store_sums_free(sums);
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    if (talks)
        printf("%6.1f s  sums, in %lld steps\n", now_s() - begun, (long long)steps);
    return steps;
}
