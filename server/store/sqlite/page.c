/* See driver.h: pages of decisions, and which index finds them.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      the index of one filter, in time order -> the numbers of a page's rows, checked for the other filters -> the
 * rows
 *
 * Every filter that has an index has time as the index's next column, so a page is read from one end. With several such
 * filters the facets say which one has the fewest requests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"

/* A filter with an index. */
struct page_filter {
    const char *kind; /* of its facet */
    const char *value;
    const char *index; /* NULL: findings_by_name */
};

enum { PAGE_FILTERS = 9 };

static size_t list_filters(const struct store_filter *f, struct page_filter out[PAGE_FILTERS])
{
    const struct page_filter all[PAGE_FILTERS] = {
        {"pattern", f->pattern, NULL},
        {"rule", f->rule, NULL},
        {"judge", f->judge, NULL},
        /* Nearly all decisions have these values, so they are found by time. */
        {"verdict", f->verdict != NULL && strcmp(f->verdict, "allow") != 0 ? f->verdict : NULL, "decisions_by_verdict"},
        {"ending",
         f->ending != NULL && strcmp(f->ending, "complete") != 0 && strcmp(f->ending, "failed") != 0 ? f->ending : NULL,
         "decisions_by_ending"},
        {"key", f->key, "decisions_by_key"},
        {"policy", f->policy_version, "decisions_by_policy"},
        {"model", f->model, "decisions_by_model"},
        {"route", f->route, "decisions_by_route"},
    };
    size_t len = 0;
    for (size_t i = 0; i < PAGE_FILTERS; i++)
        if (all[i].value != NULL)
            out[len++] = all[i];
    return len;
}

/* About how many requests have a value; 0 for one that was never seen. */
static int count_requests(struct sqlite_reader *reader, const struct page_filter *filter, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, "SELECT requests FROM facets WHERE kind = :kind AND value = :value");
    *out = 0;
    if (rv == 0) {
        reader_bind_text(stmt, ":kind", filter->kind);
        reader_bind_text(stmt, ":value", filter->value);
        rv = reader_step(reader, stmt);
    }
    if (rv > 0)
        *out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}

/* The filter to begin with; kind NULL: none has an index. */
static int choose_filter(struct sqlite_reader *reader, const struct store_filter *f, struct page_filter *out)
{
    struct page_filter filters[PAGE_FILTERS];
    size_t len = list_filters(f, filters);
    int64_t least = INT64_MAX, requests;
    int rv = 0;
    *out = (struct page_filter){.kind = NULL};
    if (len == 1)
        *out = filters[0];
    for (size_t i = 0; i < len && len > 1 && rv == 0; i++)
        if ((rv = count_requests(reader, &filters[i], &requests)) == 0 && requests < least) {
            least = requests;
            *out = filters[i];
        }
    return rv;
}

/* ---- the statement ---- */

/* Rein's own request ids are ids of decisions; those of clients are indexed hour by hour. */
static const char by_request[] =
    "WITH RECURSIVE hours (h, last) AS ("
    "SELECT max(coalesce(:from, 0), (SELECT min(started_at_us) FROM decisions)) / 3600000000,"
    " min(coalesce(:to, 9223372036854775807), (SELECT max(started_at_us) FROM decisions)) / 3600000000"
    " UNION ALL SELECT h + 1, last FROM hours WHERE h < last),"
    " named (seq) AS (SELECT x.seq FROM hours CROSS JOIN decisions AS x INDEXED BY decisions_by_request"
    " WHERE x.started_at_us / 3600000000 = hours.h AND x.request_id = :request_id AND x.request_id <> x.id"
    " UNION ALL SELECT x.seq FROM decisions AS x WHERE x.id = :request_id AND x.request_id = :request_id)"
    " SELECT c.seq AS seq, c.started_at_us AS at FROM named CROSS JOIN decisions AS c ON c.seq = named.seq WHERE 1";

/* By the column that is there first: `decision` is the row's number. */
static void print_finding(FILE *s, const char *kind, const char *value, const struct page_filter *lead,
                          const char *decision)
{
    if (value == NULL || (lead->kind != NULL && strcmp(lead->kind, kind) == 0))
        return;
    fprintf(s, " AND EXISTS (SELECT 1 FROM findings AS g WHERE g.decision = %s AND g.kind = '%s' AND g.name = :%s)",
            decision, kind, kind);
}

/* What counts as failed is what the sums count so (sums.c). */
static const char *ending_condition(const char *ending)
{
    if (strcmp(ending, "complete") == 0)
        return " AND c.ending = 'complete'";
    if (strcmp(ending, "failed") == 0)
        return " AND c.ending NOT IN ('complete', 'refused', 'cut', 'client_left', 'rejected', 'open')";
    return " AND c.ending = :ending AND c.ending <> 'complete'";
}

static void print_conditions(FILE *s, const struct store_filter *f, const struct page_filter *lead, bool by_finding)
{
    const char *t = by_finding ? "f" : "c", *seq = by_finding ? "decision" : "seq";
    const char *number = by_finding ? "f.decision" : "c.seq";
    if (f->from_us != 0)
        fprintf(s, " AND %s.started_at_us >= :from", t);
    if (f->to_us != 0)
        fprintf(s, " AND %s.started_at_us < :to", t);
    if (f->has_after)
        fprintf(s, " AND (%s.started_at_us, %s.%s) %s (:after_us, :after_seq)", t, t, seq, f->newer ? ">" : "<");
    if (f->route != NULL)
        fputs(" AND c.route = :route", s);
    if (f->model != NULL)
        fputs(" AND c.model = :model", s);
    if (f->key != NULL)
        fputs(" AND c.key = :key", s);
    if (f->policy_version != NULL)
        fputs(" AND c.policy = (SELECT number FROM policies WHERE version = :policy)", s);
    if (f->verdict != NULL)
        fputs(strcmp(f->verdict, "allow") == 0 ? " AND c.verdict = 'allow'"
                                               : " AND c.verdict = :verdict AND c.verdict <> 'allow'",
              s);
    if (f->ending != NULL)
        fputs(ending_condition(f->ending), s);
    if (f->shadow != NULL)
        fputs(strcmp(f->shadow, "any") == 0 ? " AND c.shadow NOT IN ('allow', 'none')" : " AND c.shadow = :shadow", s);
    print_finding(s, "pattern", f->pattern, lead, number);
    print_finding(s, "rule", f->rule, lead, number);
    print_finding(s, "judge", f->judge, lead, number);
    for (size_t i = 0; i < STORE_RISKS; i++) {
        static const char *const columns[STORE_RISKS] = {"prompt_risk", "trace_risk"};
        if (f->risks[i].is_set)
            fprintf(s, " AND c.%s BETWEEN :min%zu AND :max%zu", columns[i], i, i);
    }
}

/* Numbers of rows, at most `limit`, from the cursor on. */
static void print_picked(FILE *s, const struct store_filter *f, const struct page_filter *lead)
{
    bool by_finding = f->request_id == NULL && lead->kind != NULL && lead->index == NULL;
    const char *order = f->newer ? "ASC" : "DESC";
    if (f->request_id != NULL)
        fputs(by_request, s);
    else if (by_finding)
        fprintf(s,
                "SELECT f.decision AS seq, f.started_at_us AS at FROM findings AS f INDEXED BY findings_by_name"
                " CROSS JOIN decisions AS c ON c.seq = f.decision WHERE f.first = 1 AND f.kind = '%s'"
                " AND f.name = :%s",
                lead->kind, lead->kind);
    else
        fprintf(s, "SELECT c.seq AS seq, c.started_at_us AS at FROM decisions AS c INDEXED BY %s WHERE 1",
                lead->kind != NULL ? lead->index : "decisions_by_time");
    print_conditions(s, f, f->request_id != NULL ? &(struct page_filter){.kind = NULL} : lead, by_finding);
    fprintf(s, " ORDER BY at %s, seq %s LIMIT :limit", order, order);
}

char *sqlite_page_sql(const struct store_filter *f, const char *lead_kind)
{
    struct page_filter filters[PAGE_FILTERS], lead = {.kind = NULL};
    size_t len = list_filters(f, filters);
    char *sql = NULL;
    size_t size;
    for (size_t i = 0; i < len; i++)
        if (lead_kind != NULL && strcmp(filters[i].kind, lead_kind) == 0)
            lead = filters[i];
    FILE *s = open_memstream(&sql, &size);
    if (s == NULL)
        return NULL;
    reader_print_select(s, store_decision_fields);
    fputs(" FROM (", s);
    print_picked(s, f, &lead);
    fputs(") AS picked CROSS JOIN v_decisions AS d ON d.seq = picked.seq ORDER BY picked.at DESC, picked.seq DESC", s);
    return fclose(s) == 0 ? sql : (free(sql), NULL);
}

static void bind_filter(sqlite3_stmt *stmt, const struct store_filter *f)
{
    char name[8];
    if (f->from_us != 0)
        reader_bind_number(stmt, ":from", f->from_us);
    if (f->to_us != 0)
        reader_bind_number(stmt, ":to", f->to_us);
    reader_bind_number(stmt, ":after_us", f->after.started_at_us);
    reader_bind_number(stmt, ":after_seq", f->after.seq);
    reader_bind_text(stmt, ":route", f->route);
    reader_bind_text(stmt, ":model", f->model);
    reader_bind_text(stmt, ":key", f->key);
    reader_bind_text(stmt, ":policy", f->policy_version);
    reader_bind_text(stmt, ":verdict", f->verdict);
    reader_bind_text(stmt, ":ending", f->ending);
    reader_bind_text(stmt, ":shadow", f->shadow);
    reader_bind_text(stmt, ":request_id", f->request_id);
    reader_bind_text(stmt, ":pattern", f->pattern);
    reader_bind_text(stmt, ":rule", f->rule);
    reader_bind_text(stmt, ":judge", f->judge);
    for (size_t i = 0; i < STORE_RISKS; i++) {
        snprintf(name, sizeof name, ":min%zu", i);
        reader_bind_real(stmt, name, f->risks[i].min);
        snprintf(name, sizeof name, ":max%zu", i);
        reader_bind_real(stmt, name, f->risks[i].max);
    }
    reader_bind_number(stmt, ":limit", f->limit);
}

int sqlite_read_list(struct store_reader *base, const struct store_filter *filter, store_on_decision on_decision,
                     void *ctx)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    struct page_filter lead;
    struct store_decision_row row;
    sqlite3_stmt *stmt = NULL;
    int rv = choose_filter(reader, filter, &lead);
    char *sql = rv == 0 ? sqlite_page_sql(filter, lead.kind) : NULL;
    if (rv == 0)
        rv = sql != NULL ? reader_prepare(reader, &stmt, sql) : REIN_ENOMEM;
    if (rv == 0)
        bind_filter(stmt, filter);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0)
        if ((rv = reader_fill(stmt, store_decision_fields, &row)) == 0)
            rv = on_decision(ctx, &row);
    sqlite3_finalize(stmt);
    free(sql);
    return rv < 0 ? rv : 0;
}
