/* See driver.h: pages of decisions, and which indexes find them.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      the index of the rarest filter, in time order -> looked up in the index of each other filter -> numbers of a
 *      page's rows, checked for filters without an index -> the rows
 *
 * Every filter that has an index has time as the index's next column, so a page is read from one end, and look-ups in
 * other indexes go through them in the same order. Those are small next to the rows: a row is read only once all of
 * them have it. The facets say how many requests each filter has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/reader.h"

/* A filter with an index. */
struct page_filter {
    const char *kind; /* of its facet; also the name of its parameter, and of its column */
    const char *value;
    const char *index;
    bool is_finding;     /* the index is that of findings, for all of their kinds */
    const char *without; /* the value that is not in the index; NULL: none */
    int64_t requests;    /* about how many have it */
};

enum { PAGE_FILTERS = 9 };

/* Nearly all decisions have the values that are in no index, so they are found by time. */
static bool has_index(const char *value, const char *without)
{
    return value != NULL && (without == NULL || strcmp(value, without) != 0);
}

static size_t list_filters(const struct store_filter *f, struct page_filter out[PAGE_FILTERS])
{
    const char *ending = f->ending != NULL && strcmp(f->ending, "failed") != 0 ? f->ending : NULL;
    const struct page_filter all[PAGE_FILTERS] = {
        {"pattern", f->pattern, "findings_by_name", .is_finding = true},
        {"rule", f->rule, "findings_by_name", .is_finding = true},
        {"judge", f->judge, "findings_by_name", .is_finding = true},
        {"verdict", f->verdict, "decisions_by_verdict", .without = "allow"},
        {"ending", ending, "decisions_by_ending", .without = "complete"},
        {"key", f->key, "decisions_by_key", .without = NULL},
        {"policy", f->policy_version, "decisions_by_policy", .without = NULL},
        {"model", f->model, "decisions_by_model", .without = NULL},
        {"route", f->route, "decisions_by_route", .without = NULL},
    };
    size_t len = 0;
    for (size_t i = 0; i < PAGE_FILTERS; i++)
        if (has_index(all[i].value, all[i].without))
            out[len++] = all[i];
    return len;
}

/* About how many requests have a value; 0 for one that was never seen. */
static int count_requests(struct sqlite_reader *reader, struct page_filter *filter)
{
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, "SELECT requests FROM facets WHERE kind = :kind AND value = :value");
    if (rv == 0) {
        reader_bind_text(stmt, ":kind", filter->kind);
        reader_bind_text(stmt, ":value", filter->value);
        rv = reader_step(reader, stmt);
    }
    if (rv > 0)
        filter->requests = sqlite3_column_int64(stmt, 0);
    reader_end(reader, stmt);
    return rv < 0 ? rv : 0;
}

static int compare_filters(const void *a, const void *b)
{
    int64_t x = ((const struct page_filter *)a)->requests, y = ((const struct page_filter *)b)->requests;
    return (x > y) - (x < y);
}

/* The rarest comes first. */
static int order_filters(struct sqlite_reader *reader, struct page_filter *filters, size_t len)
{
    int rv = 0;
    for (size_t i = 0; i < len && len > 1 && rv == 0; i++)
        rv = count_requests(reader, &filters[i]);
    qsort(filters, len, sizeof *filters, compare_filters);
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

static const char *filter_table(const struct page_filter *filter)
{
    return filter->is_finding ? "findings" : "decisions";
}

/* The column with the decision's number. */
static const char *filter_seq(const struct page_filter *filter)
{
    return filter->is_finding ? "decision" : "seq";
}

/* What an entry of the filter's index says; `t` is the table. */
static void print_match(FILE *s, const char *t, const struct page_filter *filter)
{
    const char *kind = filter->kind;
    if (filter->is_finding)
        fprintf(s, "%s.first = 1 AND %s.kind = '%s' AND %s.name = :%s", t, t, kind, t, kind);
    else if (strcmp(kind, "policy") == 0)
        fprintf(s, "%s.policy = (SELECT number FROM policies WHERE version = :policy)", t);
    else
        fprintf(s, "%s.%s = :%s", t, kind, kind);
    if (filter->without != NULL)
        fprintf(s, " AND %s.%s <> '%s'", t, kind, filter->without);
}

/* The time of the filter's first or last decision. */
static void print_end(FILE *s, const char *which, const struct page_filter *filter)
{
    fprintf(s, "(SELECT %s(e.started_at_us) FROM %s AS e INDEXED BY %s WHERE ", which, filter_table(filter),
            filter->index);
    print_match(s, "e", filter);
    fputs(")", s);
}

/* One end of the time that is looked at. `other` filters bound it too: values that were never there at the same time
 * have no row, and none is looked at. SQLite begins with one bound, so there is one. */
static void print_bound(FILE *s, const char *t, bool is_upper, const char *const own[2],
                        const struct page_filter *other, size_t len)
{
    size_t terms = len + (own[0] != NULL) + (own[1] != NULL), n = 0;
    if (terms == 0)
        return;
    fprintf(s, " AND %s.started_at_us %s %s(", t, is_upper ? "<=" : ">=", terms == 1 ? "" : is_upper ? "min" : "max");
    for (size_t i = 0; i < 2; i++)
        if (own[i] != NULL)
            fprintf(s, "%s%s", n++ > 0 ? ", " : "", own[i]);
    for (size_t i = 0; i < len; i++) {
        fputs(n++ > 0 ? ", " : "", s);
        print_end(s, is_upper ? "max" : "min", &other[i]);
    }
    fputs(")", s);
}

static void print_time(FILE *s, const struct store_filter *f, const char *t, const char *seq,
                       const struct page_filter *other, size_t len)
{
    const char *after = f->has_after ? ":after_us" : NULL;
    const char *const from[2] = {f->from_us != 0 ? ":from" : NULL, f->newer ? after : NULL};
    const char *const to[2] = {f->to_us != 0 ? ":to - 1" : NULL, f->newer ? NULL : after};
    print_bound(s, t, false, from, other, len);
    print_bound(s, t, true, to, other, len);
    if (f->has_after) /* of those at the bound itself, some are on the page before */
        fprintf(s, " AND (+%s.started_at_us, +%s.%s) %s (:after_us, :after_seq)", t, t, seq, f->newer ? ">" : "<");
}

/* What counts as failed is what the sums count so (sums.c). */
static const char failed[] = " AND c.ending NOT IN ('complete', 'refused', 'cut', 'client_left', 'rejected', 'open')";

/* What only the rows say: filters without an index. */
static void print_row_conditions(FILE *s, const struct store_filter *f)
{
    if (f->verdict != NULL && strcmp(f->verdict, "allow") == 0)
        fputs(" AND c.verdict = 'allow'", s);
    if (f->ending != NULL && strcmp(f->ending, "complete") == 0)
        fputs(" AND c.ending = 'complete'", s);
    if (f->ending != NULL && strcmp(f->ending, "failed") == 0)
        fputs(failed, s);
    if (f->shadow != NULL)
        fputs(strcmp(f->shadow, "any") == 0 ? " AND c.shadow NOT IN ('allow', 'none')" : " AND c.shadow = :shadow", s);
    for (size_t i = 0; i < STORE_RISKS; i++) {
        static const char *const columns[STORE_RISKS] = {"prompt_risk", "trace_risk"};
        if (f->risks[i].is_set)
            fprintf(s, " AND c.%s BETWEEN :min%zu AND :max%zu", columns[i], i, i);
    }
}

static bool has_row_conditions(const struct store_filter *f)
{
    bool has = f->shadow != NULL || (f->verdict != NULL && strcmp(f->verdict, "allow") == 0) ||
               (f->ending != NULL && (strcmp(f->ending, "complete") == 0 || strcmp(f->ending, "failed") == 0));
    for (size_t i = 0; i < STORE_RISKS; i++)
        has = has || f->risks[i].is_set;
    return has;
}

/* A request id has few rows: they are read. */
static void print_by_request(FILE *s, const struct store_filter *f, const struct page_filter *filters, size_t len)
{
    fputs(by_request, s);
    for (size_t i = 0; i < len; i++) {
        fputs(filters[i].is_finding ? " AND EXISTS (SELECT 1 FROM findings AS g WHERE g.decision = c.seq AND "
                                    : " AND ",
              s);
        print_match(s, filters[i].is_finding ? "g" : "c", &filters[i]);
        fputs(filters[i].is_finding ? ")" : "", s);
    }
    print_time(s, f, "c", "seq", NULL, 0);
    print_row_conditions(s, f);
}

static void print_by_time(FILE *s, const struct store_filter *f)
{
    fputs("SELECT c.seq AS seq, c.started_at_us AS at FROM decisions AS c INDEXED BY decisions_by_time WHERE 1", s);
    print_time(s, f, "c", "seq", NULL, 0);
    print_row_conditions(s, f);
}

/* The first filter leads. Its columns have a plus where they are looked up, or SQLite would apply the bound of its time
 * to the other index, too, in place of the very time. */
static void print_by_filters(FILE *s, const struct store_filter *f, const struct page_filter *filters, size_t len)
{
    const char *seq = filter_seq(&filters[0]);
    fprintf(s, "SELECT l.%s AS seq, l.started_at_us AS at FROM %s AS l INDEXED BY %s", seq, filter_table(&filters[0]),
            filters[0].index);
    for (size_t i = 1; i < len; i++) {
        char t[8];
        snprintf(t, sizeof t, "l%zu", i);
        fprintf(s, " CROSS JOIN %s AS %s INDEXED BY %s ON %s.started_at_us = +l.started_at_us AND %s.%s = +l.%s AND ",
                filter_table(&filters[i]), t, filters[i].index, t, t, filter_seq(&filters[i]), seq);
        print_match(s, t, &filters[i]);
    }
    if (has_row_conditions(f))
        fprintf(s, " CROSS JOIN decisions AS c ON c.seq = l.%s", seq);
    fputs(" WHERE ", s);
    print_match(s, "l", &filters[0]);
    print_time(s, f, "l", seq, &filters[1], len - 1);
    print_row_conditions(s, f);
}

/* The statement of a page. Returns owned (free()). */
static char *page_sql(const struct store_filter *f, const struct page_filter *filters, size_t len)
{
    const char *order = f->newer ? "ASC" : "DESC";
    char *sql = NULL;
    size_t size;
    FILE *s = open_memstream(&sql, &size);
    if (s == NULL)
        return NULL;
    reader_print_select(s, store_decision_fields);
    fputs(" FROM (", s);
    if (f->request_id != NULL)
        print_by_request(s, f, filters, len);
    else if (len == 0)
        print_by_time(s, f);
    else
        print_by_filters(s, f, filters, len);
    /* Numbers of rows, at most `limit`, from the cursor on. */
    fprintf(s, " ORDER BY at %s, seq %s LIMIT :limit", order, order);
    fputs(") AS picked CROSS JOIN v_decisions AS d ON d.seq = picked.seq ORDER BY picked.at DESC, picked.seq DESC", s);
    return fclose(s) == 0 ? sql : (free(sql), NULL);
}

char *sqlite_page_sql(const struct store_filter *f, const char *lead_kind)
{
    struct page_filter filters[PAGE_FILTERS];
    size_t len = list_filters(f, filters);
    for (size_t i = 0; i < len; i++)
        filters[i].requests = lead_kind != NULL && strcmp(filters[i].kind, lead_kind) == 0 ? 0 : 1;
    qsort(filters, len, sizeof *filters, compare_filters);
    return page_sql(f, filters, len);
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
    struct page_filter filters[PAGE_FILTERS];
    struct store_decision_row row;
    sqlite3_stmt *stmt = NULL;
    size_t len = list_filters(filter, filters);
    int rv = order_filters(reader, filters, len);
    char *sql = rv == 0 ? page_sql(filter, filters, len) : NULL;
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
