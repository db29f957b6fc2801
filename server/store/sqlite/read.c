/* See read.h: decisions, listed and one by one. stats.c has the statistics.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"

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
    fputs("SELECT d.* FROM ", s);
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
    reader_bind_number(stmt, ":limit", (int64_t)f->limit + 1); /* one more shows whether there is another page */
}

static int column(sqlite3_stmt *stmt, const char *name)
{
    int i = 0;
    while (i < sqlite3_column_count(stmt) && strcmp(sqlite3_column_name(stmt, i), name) != 0)
        i++;
    return i;
}

static int read_page(struct store_reader *reader, sqlite3_stmt *stmt, unsigned limit, json_t *page, bool *has_more,
                     struct store_cursor *next)
{
    int rv, us = column(stmt, "started_at_us"), seq = column(stmt, "seq");
    *has_more = false;
    while ((rv = reader_step(reader, stmt)) > 0) {
        if (json_array_size(page) == limit) {
            *has_more = true;
            return 0;
        }
        *next = (struct store_cursor){sqlite3_column_int64(stmt, us), sqlite3_column_int64(stmt, seq)};
        if (json_array_append_new(page, reader_row(stmt)) != 0)
            return REIN_ENOMEM;
    }
    return rv;
}

int store_read_decisions(struct store_reader *reader, const struct store_filter *filter, json_t **out, bool *has_more,
                         struct store_cursor *next)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = page_sql(filter);
    json_t *page = json_array();
    int rv = sql == NULL || page == NULL ? REIN_ENOMEM : reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        bind_filter(stmt, filter);
        rv = read_page(reader, stmt, filter->limit, page, has_more, next);
    }
    sqlite3_finalize(stmt);
    free(sql);
    if (rv == 0)
        *out = page;
    else
        json_decref(page);
    return rv;
}

/* ---- one decision ---- */

/* The first row of a query about one id; *out is NULL if there is none. */
static int read_one(struct store_reader *reader, const char *sql, const char *id, const char *key, json_t **out)
{
    sqlite3_stmt *stmt = NULL;
    json_t *row = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        reader_bind_text(stmt, ":id", id);
        reader_bind_text(stmt, ":key", key);
        rv = reader_step(reader, stmt);
    }
    if (rv > 0) {
        row = reader_row(stmt);
        rv = row != NULL ? 0 : REIN_ENOMEM;
    }
    sqlite3_finalize(stmt);
    if (rv == 0)
        *out = row;
    return rv;
}

/* All rows of a query about one id go into `object` as an array. */
static int read_all(struct store_reader *reader, const char *sql, const char *id, json_t *object, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    json_t *rows = json_array();
    int rv = json_object_set_new(object, name, rows) != 0 ? REIN_ENOMEM : reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        reader_bind_text(stmt, ":id", id);
        while ((rv = reader_step(reader, stmt)) > 0)
            if (json_array_append_new(rows, reader_row(stmt)) != 0) {
                rv = REIN_ENOMEM;
                break;
            }
    }
    sqlite3_finalize(stmt);
    return rv;
}

static int rename_count(json_t *row, const char *from, const char *to)
{
    return json_object_set(row, to, json_object_get(row, from)) == 0 ? 0 : REIN_ENOMEM;
}

int store_read_decision(struct store_reader *reader, const char *id, json_t **out)
{
    json_t *row = NULL;
    int rv = read_one(reader, "SELECT * FROM v_decisions WHERE id = :id", id, NULL, &row);
    if (rv != 0 || row == NULL) {
        *out = rv == 0 ? NULL : *out;
        return rv;
    }
    rv = rename_count(row, "attempts", "attempts_count");
    if (rv == 0)
        rv = rename_count(row, "findings", "findings_count");
    if (rv == 0)
        rv = read_all(reader,
                      "SELECT n, template, delivery, reason, started_us, first_byte_us, ended_us, status, outcome"
                      " FROM v_attempts WHERE decision_id = :id ORDER BY n",
                      id, row, "attempts");
    if (rv == 0)
        rv = read_all(reader,
                      "SELECT n, kind, name AS id, action, shadow, channel, choice, attempt, offset, len, score, steps,"
                      " evidence FROM v_findings WHERE decision_id = :id ORDER BY n",
                      id, row, "findings");
    if (rv == 0)
        *out = row;
    else
        json_decref(row);
    return rv;
}

int store_read_outcome(struct store_reader *reader, const char *id, const char *key, json_t **out)
{
    return read_one(reader,
                    "SELECT id, started_at, final, request_id, model, policy, policy_version, status, ending, verdict,"
                    " action, attempts, findings, prompt_tokens, completion_tokens, reasoning_tokens, duration_us,"
                    " reasoning_released, reasoning_redacted, answer_released, answer_redacted, tool_released,"
                    " tool_redacted FROM v_decisions WHERE id = :id AND coalesce(key, '') = :key",
                    id, key, out);
}
