/* See decisions.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One INSERT takes up to ROWS_MAX rows: opening the trees and finding their ends is then done once for all of them, and
 * is a good part of what a row costs. Rows that were there already are ignored by it, which is rare; then each is
 * searched for. Parameters keep what was bound until it is another value: most of a row's numbers are those of the last
 * row. */
#include "store/sqlite/decisions.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/columns.h"

enum {
    SIZES = 4, /* INSERTs of 1, 2, 4 and 8 rows */
    ROWS_MAX = 1 << (SIZES - 1),
};

/* What a parameter is bound to. */
struct value {
    enum { UNBOUND, NOTHING, NUMBER, REAL, WORD, TEXT } kind;
    union {
        int64_t number;
        double real;
        const char *text;
    };
};

/* A statement with a parameter for each column of each row. */
struct statement {
    sqlite3_stmt *stmt;
    struct value *bound;
};

struct store_decisions {
    sqlite3 *sqlite;
    struct statement add[SIZES], change;
    sqlite3_stmt *find;
};

/* ---- statements ---- */

/* INSERT … (seq, <columns>) VALUES (NULL, ?1, ?2, …), … SQLite numbers the rows. All columns of the table in its own
 * order, so that SQLite need not copy them; OR FAIL, so that it keeps no journal for undoing a single statement: the
 * caller undoes the whole transaction. */
static void print_add(FILE *f, size_t rows)
{
    size_t parameter = 1;
    fprintf(f, "INSERT OR FAIL INTO decisions (seq");
    for (size_t i = 0; i < store_columns_len; i++)
        fprintf(f, ", %s", store_columns[i].name);
    fprintf(f, ") VALUES ");
    for (size_t row = 0; row < rows; row++) {
        fprintf(f, "%s(NULL", row > 0 ? ", " : "");
        for (size_t i = 0; i < store_columns_len; i++)
            fprintf(f, ", ?%zu", parameter++);
        fprintf(f, ")");
    }
    fprintf(f, " ON CONFLICT (id) DO NOTHING");
}

/* What identifies a request: the same in all its rows, so that a later row does not change the indexes over these
 * columns. */
static bool is_fixed(const char *column)
{
    static const char *const fixed[] = {"id",  "request_id", "started_at_us", "route",  "model",    "upstream",
                                        "key", "tenant",     "dialect",       "policy", "streamed", "user"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(fixed[i], column) == 0)
            return true;
    return false;
}

/* UPDATE … SET <columns that may change> WHERE seq = …; parameters as those of one row, and then the number */
static void print_change(FILE *f, size_t rows)
{
    const char *between = "";
    (void)rows;
    fprintf(f, "UPDATE decisions SET ");
    for (size_t i = 0; i < store_columns_len; i++) {
        if (is_fixed(store_columns[i].name))
            continue;
        fprintf(f, "%s%s = ?%zu", between, store_columns[i].name, i + 1);
        between = ", ";
    }
    fprintf(f, " WHERE seq = ?%zu", store_columns_len + 1);
}

static int prepare(sqlite3 *sqlite, struct statement *out, void (*print)(FILE *f, size_t rows), size_t rows)
{
    char *sql = NULL;
    size_t len;
    FILE *f = open_memstream(&sql, &len);
    if (f == NULL)
        return SQLITE_NOMEM;
    print(f, rows);
    int rc = fclose(f) == 0 ? SQLITE_OK : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &out->stmt, NULL);
    free(sql);
    out->bound = calloc(rows * store_columns_len, sizeof *out->bound);
    return rc == SQLITE_OK && out->bound == NULL ? SQLITE_NOMEM : rc;
}

int store_decisions_new(struct store_decisions **out, sqlite3 *sqlite)
{
    struct store_decisions *d = calloc(1, sizeof *d);
    if (d == NULL)
        return SQLITE_NOMEM;
    d->sqlite = sqlite;
    int rc = prepare(sqlite, &d->change, print_change, 1);
    for (size_t i = 0; i < SIZES && rc == SQLITE_OK; i++)
        rc = prepare(sqlite, &d->add[i], print_add, (size_t)1 << i);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(sqlite, "SELECT seq FROM decisions WHERE id = ?1", -1, SQLITE_PREPARE_PERSISTENT,
                                &d->find, NULL);
    if (rc != SQLITE_OK) {
        store_decisions_free(d);
        return rc;
    }
    *out = d;
    return SQLITE_OK;
}

static void finalize(struct statement *s)
{
    sqlite3_finalize(s->stmt);
    free(s->bound);
}

void store_decisions_free(struct store_decisions *decisions)
{
    if (decisions == NULL)
        return;
    for (size_t i = 0; i < SIZES; i++)
        finalize(&decisions->add[i]);
    finalize(&decisions->change);
    sqlite3_finalize(decisions->find);
    free(decisions);
}

/* ---- binding ---- */

static struct value text_value(const char *text)
{
    return (struct value){text != NULL ? TEXT : NOTHING, .text = text};
}

static struct value value_of(const struct column *column, const struct store_job *job)
{
    const void *at = (const char *)job + column->offset;
    switch (column->type) {
    case COLUMN_TEXT:
        return text_value(*(const char *const *)at);
    case COLUMN_WORD:
        return (struct value){*(const char *const *)at != NULL ? WORD : NOTHING, .text = *(const char *const *)at};
    case COLUMN_ID:
        return text_value(((const struct store_id *)at)->text);
    case COLUMN_BOOL:
        return (struct value){NUMBER, .number = *(const bool *)at};
    case COLUMN_U32:
        return (struct value){NUMBER, .number = *(const uint32_t *)at};
    case COLUMN_SIZE:
        return (struct value){NUMBER, .number = (int64_t)(*(const uint64_t *)at & INT64_MAX)};
    case COLUMN_SIGNED:
        return (struct value){NUMBER, .number = *(const int64_t *)at};
    case COLUMN_UNKNOWN:
        if (*(const int64_t *)at < 0)
            break;
        return (struct value){NUMBER, .number = *(const int64_t *)at};
    case COLUMN_SCORE:
        if (*(const double *)at <= 0)
            break;
        return (struct value){REAL, .real = *(const double *)at};
    case COLUMN_REAL:
        return (struct value){REAL, .real = *(const double *)at};
    }
    return (struct value){NOTHING, .number = 0};
}

/* A text differs each time, and stays in place until the statement was stepped. A value that could not be bound is not
 * remembered, so the next row binds it again. */
static int bind_value(sqlite3_stmt *stmt, int i, struct value *bound, const struct value *value)
{
    int rc;
    if (value->kind == bound->kind && value->number == bound->number && value->kind != TEXT)
        return SQLITE_OK;
    if (value->kind >= WORD)
        rc = sqlite3_bind_text(stmt, i, value->text, -1, SQLITE_STATIC);
    else if (value->kind == NUMBER)
        rc = sqlite3_bind_int64(stmt, i, value->number);
    else if (value->kind == REAL)
        rc = sqlite3_bind_double(stmt, i, value->real);
    else
        rc = sqlite3_bind_null(stmt, i);
    *bound = rc == SQLITE_OK ? *value : (struct value){UNBOUND, .number = 0};
    return rc;
}

static int bind_row(struct statement *s, size_t row, const struct store_job *job)
{
    size_t at = row * store_columns_len;
    int rc = SQLITE_OK;
    for (size_t i = 0; i < store_columns_len && rc == SQLITE_OK; i++, at++) {
        struct value value = value_of(&store_columns[i], job);
        rc = bind_value(s->stmt, (int)at + 1, &s->bound[at], &value);
    }
    return rc;
}

/* ---- writing ---- */

static int decisions_step(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

static int decisions_find(struct store_decisions *d, struct store_job *job)
{
    sqlite3_bind_text(d->find, 1, job->record.id.text, -1, SQLITE_STATIC);
    int rc = sqlite3_step(d->find);
    if (rc == SQLITE_ROW)
        job->seq = sqlite3_column_int64(d->find, 0);
    int reset = sqlite3_reset(d->find);
    return rc == SQLITE_DONE ? SQLITE_CORRUPT : reset; /* the INSERT has just found it */
}

static int change(struct store_decisions *d, const struct store_job *job)
{
    int rc = bind_row(&d->change, 0, job);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(d->change.stmt, (int)store_columns_len + 1, job->seq);
    return rc == SQLITE_OK ? decisions_step(d->change.stmt) : rc;
}

/* Of `rows` jobs some had a row already. Those that are new have it by now, numbered in their order from `next` on; 0:
 * none is new. */
static int replace(struct store_decisions *d, struct store_job *job, size_t rows, int64_t next, store_replaces replaces,
                   void *ctx)
{
    int rc = SQLITE_OK;
    for (; rows > 0 && rc == SQLITE_OK; rows--, job = job->next) {
        rc = decisions_find(d, job);
        if (rc == SQLITE_OK && job->seq == next) {
            next++;
            continue;
        }
        if (rc == SQLITE_OK)
            rc = replaces(ctx, job);
        if (rc == SQLITE_OK)
            rc = change(d, job);
    }
    return rc;
}

/* The first 1 << size jobs of a chain. */
static int write_rows(struct store_decisions *d, struct store_job *first, size_t size, store_replaces replaces,
                      void *ctx)
{
    size_t rows = (size_t)1 << size;
    struct store_job *job = first;
    int rc = SQLITE_OK;
    for (size_t row = 0; row < rows && rc == SQLITE_OK; row++, job = job->next)
        rc = bind_row(&d->add[size], row, job);
    if (rc == SQLITE_OK)
        rc = decisions_step(d->add[size].stmt);
    if (rc != SQLITE_OK)
        return rc;
    /* If nothing was added, the last number belongs to another insert, perhaps into another table. */
    int added = sqlite3_changes(d->sqlite);
    int64_t next = added > 0 ? sqlite3_last_insert_rowid(d->sqlite) - added + 1 : 0;
    if ((size_t)added < rows)
        return replace(d, first, rows, next, replaces, ctx);
    for (job = first; rows > 0; rows--, job = job->next)
        job->seq = next++;
    return SQLITE_OK;
}

int store_decisions_write(struct store_decisions *decisions, struct store_job *first, size_t *written,
                          store_replaces replaces, void *ctx)
{
    size_t len = 0, size = 0;
    for (struct store_job *job = first; job != NULL && len < ROWS_MAX; job = job->next)
        len++;
    while ((size_t)2 << size <= len)
        size++;
    *written = (size_t)1 << size;
    return write_rows(decisions, first, size, replaces, ctx);
}
