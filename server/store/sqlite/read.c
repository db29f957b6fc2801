/* See driver.h: decisions, listed and one by one, and what statistics need of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"

/* SELECT and the columns of a view, in the order of the fields. */
static void print_select(FILE *f, const struct store_field *fields)
{
    const char *between = "SELECT ";
    for (; fields->name != NULL; fields++, between = ", ")
        fprintf(f, "%sd.%s AS %s", between, fields->name, fields->name);
}

/* ---- pages ---- */

/* Conditions are written so that each filter has its index (1st migration) and every page comes in the index's order.
 * With a filter for a finding the query begins with findings: findings_by_name is in time order too. */
static char *page_sql(const struct store_filter *f)
{
    char *sql = NULL;
    size_t len;
    FILE *s = open_memstream(&sql, &len);
    if (s == NULL)
        return NULL;
    bool by_finding = f->pattern != NULL || f->rule != NULL;
    const char *t = by_finding ? "f" : "d", *seq = by_finding ? "decision" : "seq";
    print_select(s, store_decision_fields);
    fputs(" FROM ", s);
    if (by_finding)
        fputs("findings AS f CROSS JOIN v_decisions AS d WHERE d.seq = f.decision AND f.first = 1 AND f.kind = :kind"
              " AND f.name = :name",
              s);
    else
        fputs("v_decisions AS d WHERE 1", s);
    if (f->pattern != NULL && f->rule != NULL)
        fputs(" AND EXISTS (SELECT 1 FROM findings AS r WHERE r.decision = f.decision AND r.kind = 'rule'"
              " AND r.name = :rule)",
              s);
    if (f->from_us != 0)
        fprintf(s, " AND %s.started_at_us >= :from", t);
    if (f->to_us != 0)
        fprintf(s, " AND %s.started_at_us < :to", t);
    if (f->has_after)
        fprintf(s, " AND (%s.started_at_us, %s.%s) < (:after_us, :after_seq)", t, t, seq);
    if (f->route != NULL)
        fputs(" AND d.route = :route", s);
    if (f->model != NULL)
        fputs(" AND d.model = :model", s);
    if (f->policy_version != NULL)
        fputs(" AND d.policy_version = :policy_version", s);
    if (f->verdict != NULL)
        fputs(strcmp(f->verdict, "allow") == 0 ? " AND d.verdict = 'allow'"
                                               : " AND d.verdict = :verdict AND d.verdict <> 'allow'",
              s);
    fprintf(s, " ORDER BY %s.started_at_us DESC, %s.%s DESC LIMIT :limit", t, t, seq);
    return fclose(s) == 0 ? sql : (free(sql), NULL);
}

static void bind_filter(sqlite3_stmt *stmt, const struct store_filter *f)
{
    reader_bind_text(stmt, ":kind", f->pattern != NULL ? "pattern" : "rule");
    reader_bind_text(stmt, ":name", f->pattern != NULL ? f->pattern : f->rule);
    reader_bind_text(stmt, ":rule", f->rule);
    reader_bind_number(stmt, ":from", f->from_us);
    reader_bind_number(stmt, ":to", f->to_us);
    reader_bind_number(stmt, ":after_us", f->after.started_at_us);
    reader_bind_number(stmt, ":after_seq", f->after.seq);
    reader_bind_text(stmt, ":route", f->route);
    reader_bind_text(stmt, ":model", f->model);
    reader_bind_text(stmt, ":policy_version", f->policy_version);
    reader_bind_text(stmt, ":verdict", f->verdict);
    reader_bind_number(stmt, ":limit", f->limit);
}

int sqlite_read_list(struct store_reader *base, const struct store_filter *filter, store_on_decision on_decision,
                     void *ctx)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    struct store_decision_row row;
    sqlite3_stmt *stmt = NULL;
    char *sql = page_sql(filter);
    int rv = sql != NULL ? reader_prepare(reader, &stmt, sql) : REIN_ENOMEM;
    if (rv == 0)
        bind_filter(stmt, filter);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_decision_fields, &row)) == 0)
            rv = on_decision(ctx, &row);
    sqlite3_finalize(stmt);
    free(sql);
    return rv < 0 ? rv : 0;
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
    print_select(f, store_decision_fields);
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
    sqlite3_finalize(stmt);
    free(sql);
    return rv;
}

static int read_attempts(struct sqlite_reader *reader, const char *id, store_on_attempt on_attempt, void *ctx)
{
    static const char sql[] = "SELECT n, template, delivery, reason, started_us, first_byte_us, ended_us, status,"
                              " outcome FROM v_attempts WHERE decision_id = :id ORDER BY n";
    struct store_attempt_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_attempt_fields, &row)) == 0)
            rv = on_attempt(ctx, &row);
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

static int read_findings(struct sqlite_reader *reader, const char *id, store_on_finding on_finding, void *ctx)
{
    static const char sql[] =
        "SELECT n, kind, name AS id, action, shadow, channel, choice, attempt, offset, len, score,"
        " steps, evidence, judge FROM v_findings WHERE decision_id = :id ORDER BY n";
    struct store_finding_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_finding_fields, &row)) == 0)
            rv = on_finding(ctx, &row);
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

static int read_opinions(struct sqlite_reader *reader, const char *id, store_on_opinion on_opinion, void *ctx)
{
    static const char sql[] =
        "SELECT n, panel, judge, attempt, choice, channel, offset, len, outcome, risk, categories,"
        " took_ms, was_known FROM v_opinions WHERE decision_id = :id ORDER BY n";
    struct store_opinion_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0)
        reader_bind_text(stmt, ":id", id);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_opinion_fields, &row)) == 0)
            rv = on_opinion(ctx, &row);
    sqlite3_finalize(stmt);
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
    return rv == 0 ? read_opinions(reader, id, on->opinion, ctx) : rv;
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
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}
