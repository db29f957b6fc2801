/* See driver.h: sums over time, and the values that filters can have.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"
#include "store/sqlite/sums/sums.h"

static const int64_t sums_minute_us = 60 * 1000000;

/* ---- sums ---- */

static bool has_dimensions(const struct store_sums_filter *f)
{
    return f->by_policy || f->route != NULL || f->model != NULL || f->key != NULL || f->policy_version != NULL;
}

/* The rows of one level. A value that no facet has is no row's. */
static void print_level(FILE *s, const struct store_sums_filter *f, const char *select, int level, const char *from)
{
    static const char facet[] = " AND s.%s = (SELECT number FROM facets WHERE kind = '%s' AND value = :%s)";
    const struct {
        const char *name, *value;
    } dimensions[] = {{"route", f->route},
                      {"model", f->model},
                      {"key", f->key},
                      {"policy", f->or_policy_version == NULL ? f->policy_version : NULL}};
    fprintf(s, "%s WHERE s.level = %d AND s.scope = %d AND s.bucket >= %s AND s.bucket < :to", select, level,
            has_dimensions(f), from);
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++)
        if (dimensions[i].value != NULL)
            fprintf(s, facet, dimensions[i].name, dimensions[i].name, dimensions[i].name);
    if (f->or_policy_version != NULL)
        fputs(" AND s.policy IN (SELECT number FROM facets WHERE kind = 'policy' AND value IN (:one, :other))", s);
}

static char *sums_sql(const struct store_sums_filter *f, const char *select)
{
    char *sql = NULL;
    size_t len;
    FILE *s = open_memstream(&sql, &len);
    if (s == NULL)
        return NULL;
    print_level(s, f, select, (int)f->minutes, ":from");
    if (f->minutes > SUMS_MINUTE) { /* what is not in its hour and day yet */
        fputs(" UNION ALL ", s);
        print_level(s, f, select, SUMS_MINUTE,
                    "max(:from, (SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'sums_rolled_minute'))");
    }
    return fclose(s) == 0 ? sql : (free(sql), NULL);
}

static int prepare_sums(struct sqlite_reader *reader, const struct store_sums_filter *f, const char *select,
                        sqlite3_stmt **out)
{
    char *sql = sums_sql(f, select);
    int rv = sql != NULL ? reader_prepare(reader, out, sql) : REIN_ENOMEM;
    int64_t span_us = f->minutes * sums_minute_us;
    free(sql);
    if (rv != 0)
        return rv;
    reader_bind_number(*out, ":from", f->from_us / span_us * f->minutes);
    reader_bind_number(*out, ":to", (f->to_us + sums_minute_us - 1) / sums_minute_us);
    reader_bind_text(*out, ":route", f->route);
    reader_bind_text(*out, ":model", f->model);
    reader_bind_text(*out, ":key", f->key);
    reader_bind_text(*out, ":policy", f->policy_version);
    reader_bind_text(*out, ":one", f->policy_version);
    reader_bind_text(*out, ":other", f->or_policy_version);
    return 0;
}

static struct store_bytes column_bytes(sqlite3_stmt *stmt, int column)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    return (struct store_bytes){bytes, bytes != NULL ? (size_t)sqlite3_column_bytes(stmt, column) : 0};
}

int sqlite_read_sums(struct store_reader *base, const struct store_sums_filter *filter, store_on_sum on_sum, void *ctx)
{
    static const char select[] =
        "SELECT s.bucket, iif(s.scope = 1, (SELECT value FROM facets WHERE number = s.policy), NULL), s.allow, "
        "s.redact, s.steer, s.refuse,"
        " s.cut, s.none, s.shadowed, s.restarts, s.findings, s.failed, s.held_bytes_max, s.unjudged_bytes, s.added,"
        " s.first_byte, s.duration FROM sums AS s";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = prepare_sums(reader, filter, select, &stmt);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        struct store_sum_row row = {.at_us = sqlite3_column_int64(stmt, 0) * sums_minute_us,
                                    .policy_version = (const char *)sqlite3_column_text(stmt, 1)};
        for (int i = 0; i < STORE_SUM_COUNTS; i++)
            row.counts[i] = sqlite3_column_int64(stmt, 2 + i);
        for (int i = 0; i < STORE_SUM_SPREADS; i++)
            row.spreads[i] = column_bytes(stmt, 2 + STORE_SUM_COUNTS + i);
        rv = on_sum(ctx, &row);
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_finding_sums(struct store_reader *base, const struct store_sums_filter *filter,
                             store_on_finding_sum on_sum, void *ctx)
{
    static const char select[] =
        "SELECT s.bucket, (SELECT value FROM facets WHERE number = s.policy), a.kind, a.value, s.enforced, s.shadow,"
        " s.last_seen_us, s.position FROM finding_sums AS s CROSS JOIN facets AS a ON a.number = s.finding";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = prepare_sums(reader, filter, select, &stmt);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_finding_sum_row row = {
            .at_us = sqlite3_column_int64(stmt, 0) * sums_minute_us,
            .policy_version = (const char *)sqlite3_column_text(stmt, 1),
            .kind = (const char *)sqlite3_column_text(stmt, 2),
            .name = (const char *)sqlite3_column_text(stmt, 3),
            .enforced = sqlite3_column_int64(stmt, 4),
            .shadow = sqlite3_column_int64(stmt, 5),
            .last_seen_us = sqlite3_column_int64(stmt, 6),
            .position = column_bytes(stmt, 7),
        };
        rv = row.kind != NULL && row.name != NULL ? on_sum(ctx, &row) : REIN_ENOMEM;
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_summed(struct store_reader *base, int64_t *done, int64_t *all)
{
    static const char sql[] = "SELECT (SELECT value FROM facts WHERE name = 'sums_fill_at'),"
                              " (SELECT value FROM facts WHERE name = 'sums_fill_end')";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        *done = sqlite3_column_int64(stmt, 0);
        *all = sqlite3_column_int64(stmt, 1);
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

/* ---- facets and feedback ---- */

int sqlite_read_facets(struct store_reader *base, store_on_facet on_facet, void *ctx)
{
    static const char sql[] = "SELECT a.kind, a.value, p.name, a.requests, a.first_seen_us, a.last_seen_us"
                              " FROM facets AS a LEFT JOIN policies AS p ON a.kind = 'policy' AND p.version = a.value"
                              " WHERE a.value <> '' ORDER BY a.number";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_facet_row row = {
            .kind = (const char *)sqlite3_column_text(stmt, 0),
            .value = (const char *)sqlite3_column_text(stmt, 1),
            .policy = (const char *)sqlite3_column_text(stmt, 2),
            .requests = sqlite3_column_int64(stmt, 3),
            .first_seen_us = sqlite3_column_int64(stmt, 4),
            .last_seen_us = sqlite3_column_int64(stmt, 5),
        };
        rv = row.kind != NULL && row.value != NULL ? on_facet(ctx, &row) : REIN_ENOMEM;
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_feedback_counts(struct store_reader *base, const struct store_sums_filter *filter,
                                store_on_feedback_count on_count, void *ctx)
{
    /* People give feedback, so rows are few, and a look at each one's decision costs little. */
    static const char sql[] =
        "SELECT a.kind, a.value, sum(f.verdict = 'right'), sum(f.verdict = 'wrong') FROM facets AS a"
        " CROSS JOIN feedback AS f INDEXED BY feedback_by_finding ON f.kind = a.kind AND f.name = a.value"
        " AND f.started_at_us >= :from AND f.started_at_us < :to"
        " WHERE a.kind IN ('pattern', 'rule', 'judge') AND (NOT :filters OR EXISTS (SELECT 1 FROM decisions AS d"
        " JOIN policies AS p ON p.number = d.policy WHERE d.seq = f.decision"
        " AND (:route IS NULL OR d.route = :route) AND (:model IS NULL OR d.model = :model)"
        " AND (:key IS NULL OR d.key = :key) AND (:policy IS NULL OR p.version = :policy))) GROUP BY a.number";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        reader_bind_number(stmt, ":from", filter->from_us);
        reader_bind_number(stmt, ":to", filter->to_us);
        reader_bind_number(stmt, ":filters", has_dimensions(filter));
        reader_bind_text(stmt, ":route", filter->route);
        reader_bind_text(stmt, ":model", filter->model);
        reader_bind_text(stmt, ":key", filter->key);
        reader_bind_text(stmt, ":policy", filter->policy_version);
    }
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const char *kind = (const char *)sqlite3_column_text(stmt, 0),
                   *name = (const char *)sqlite3_column_text(stmt, 1);
        rv = kind != NULL && name != NULL
                 ? on_count(ctx, kind, name, sqlite3_column_int64(stmt, 2), sqlite3_column_int64(stmt, 3))
                 : REIN_ENOMEM;
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}
