/* See driver.h: decisions one by one, and what statistics need of them. page.c has lists.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"

void reader_print_select(FILE *f, const struct store_field *fields)
{
    const char *between = "SELECT ";
    for (; fields->name != NULL; fields++, between = ", ")
        fprintf(f, "%sd.%s AS %s", between, fields->name, fields->name);
}

/* ---- one decision ---- */

/* The decision of an id that also meets a condition. Returns 1 if there is one. */
static int read_decision(struct sqlite_reader *reader, const char *id, const char *condition, const char *key,
                         store_on_decision on_decision, void *ctx)
{
    struct store_decision_row row;
    sqlite3_stmt *stmt = NULL;
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);
    if (f == NULL)
        return REIN_ENOMEM;
    reader_print_select(f, store_decision_fields);
    fprintf(f, " FROM v_decisions AS d WHERE d.id = :id%s", condition);
    int rv = fclose(f) == 0 ? reader_prepare(reader, &stmt, sql) : REIN_ENOMEM;
    if (rv == 0) {
        reader_bind_text(stmt, ":id", id);
        reader_bind_text(stmt, ":key", key);
        rv = reader_step(reader, stmt);
    }
    if (rv > 0 && (rv = reader_fill(stmt, store_decision_fields, &row)) == 0) {
        rv = on_decision(ctx, &row);
        rv = rv < 0 ? rv : 1;
    }
    reader_end(reader, stmt);
    free(sql);
    return rv;
}

static int read_attempts(struct sqlite_reader *reader, const char *id, store_on_attempt on_attempt, void *ctx)
{
    static const char sql[] = "SELECT n, template, delivery, reason, started_us, first_byte_us, ended_us, status,"
                              " outcome, may_continue, choices FROM v_attempts WHERE decision_id = :id ORDER BY n";
    struct store_attempt_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_attempt_fields, &row)) == 0)
            rv = on_attempt(ctx, &row);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

static int read_findings(struct sqlite_reader *reader, const char *id, store_on_finding on_finding, void *ctx)
{
    static const char sql[] =
        "SELECT n, kind, name AS id, action, shadow, channel, choice, attempt, offset, len, score,"
        " steps, evidence, judge, severity, tags FROM v_findings WHERE decision_id = :id ORDER BY n";
    struct store_finding_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_finding_fields, &row)) == 0)
            rv = on_finding(ctx, &row);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

static int read_opinions(struct sqlite_reader *reader, const char *id, store_on_opinion on_opinion, void *ctx)
{
    static const char sql[] =
        "SELECT n, panel, judge, attempt, choice, channel, offset, len, outcome, risk, categories,"
        " took_ms, was_known, heard, patterns, said FROM v_opinions WHERE decision_id = :id ORDER BY n";
    struct store_opinion_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_opinion_fields, &row)) == 0)
            rv = on_opinion(ctx, &row);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

static int read_feedback(struct sqlite_reader *reader, const char *id, store_on_feedback on_feedback, void *ctx)
{
    static const char sql[] = "SELECT n, verdict, note, by, at_us FROM feedback"
                              " WHERE decision = (SELECT seq FROM decisions WHERE id = :id) ORDER BY n";
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_feedback_row row = {
            .n = sqlite3_column_int64(stmt, 0),
            .verdict = (const char *)sqlite3_column_text(stmt, 1),
            .note = (const char *)sqlite3_column_text(stmt, 2),
            .by = (const char *)sqlite3_column_text(stmt, 3),
            .at_us = sqlite3_column_int64(stmt, 4),
        };
        rv = row.verdict != NULL && row.note != NULL ? on_feedback(ctx, &row) : REIN_ENOMEM;
    }
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_one(struct store_reader *base, const char *id, const struct store_one_handler *on, void *ctx)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    int rv = read_decision(reader, id, "", NULL, on->decision, ctx);
    if (rv <= 0)
        return rv;
    rv = read_attempts(reader, id, on->attempt, ctx);
    if (rv == 0)
        rv = read_findings(reader, id, on->finding, ctx);
    if (rv == 0)
        rv = read_opinions(reader, id, on->opinion, ctx);
    return rv == 0 ? read_feedback(reader, id, on->feedback, ctx) : rv;
}

int sqlite_read_extent(struct store_reader *base, int64_t *first, int64_t *last)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, "SELECT (SELECT min(seq) FROM decisions), (SELECT max(seq) FROM decisions)");
    if (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        *first = sqlite3_column_int64(stmt, 0);
        *last = sqlite3_column_int64(stmt, 1);
    }
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_texts(struct store_reader *base, const char *id, store_on_text on_text, void *ctx)
{
    static const char sql[] = "SELECT n, channel, attempt, choice, speaker, form, origin, len, whole, masks, found,"
                              " turns, series, text FROM v_texts WHERE decision_id = :id ORDER BY n";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    struct store_text_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_text_fields, &row)) == 0)
            rv = on_text(ctx, &row);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

/* Not in a view, so that nobody else comes upon them. */
int sqlite_read_readings(struct store_reader *base, const char *id, store_on_readings on_readings, void *ctx)
{
    static const char sql[] = "SELECT n, readings FROM kept_texts WHERE decision = (SELECT seq FROM decisions WHERE id"
                              " = :id) AND readings IS NOT NULL ORDER BY n";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_bytes readings = {sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1)};
        bool is_there = readings.bytes != NULL || readings.len == 0;
        rv = is_there ? on_readings(ctx, sqlite3_column_int64(stmt, 0), &readings) : REIN_ENOMEM;
    }
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

int sqlite_read_outcome(struct store_reader *base, const char *id, const char *key, store_on_decision on_decision,
                        void *ctx)
{
    int rv = read_decision(sqlite_reader_of(base), id, " AND coalesce(d.key, '') = :key", key, on_decision, ctx);
    return rv < 0 ? rv : 0;
}

/* ---- for statistics ---- */

/* decisions_by_time holds all that is needed, in time order: one pass over that index. */
int sqlite_read_statistics(struct store_reader *base, int64_t from_us, int64_t to_us, store_on_request on_request,
                           void *ctx)
{
    static const char sql[] = "SELECT started_at_us, verdict, ending, duration_us, client_first_byte_us FROM decisions"
                              " WHERE started_at_us >= :from AND started_at_us < :to ORDER BY started_at_us";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        reader_bind_number(stmt, ":from", from_us);
        reader_bind_number(stmt, ":to", to_us);
    }
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_request_row row = {
            .started_at_us = sqlite3_column_int64(stmt, 0),
            .verdict = (const char *)sqlite3_column_text(stmt, 1),
            .ending = (const char *)sqlite3_column_text(stmt, 2),
            .duration_us = reader_number(stmt, 3),
            .client_first_byte_us = reader_number(stmt, 4),
        };
        rv = row.verdict != NULL && row.ending != NULL ? on_request(ctx, &row) : REIN_ENOMEM;
    }
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}
