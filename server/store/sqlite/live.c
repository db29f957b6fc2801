/* See driver.h: decisions that were written just now, in short.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "store/sqlite/reader.h"

/* Names stay good until the statement is reset. */
static int read_names(struct sqlite_reader *reader, sqlite3_stmt *stmt, int64_t seq, json_t *keep,
                      struct store_live_name names[STORE_LIVE_NAMES_MAX], size_t *len)
{
    int rv = 0;
    sqlite3_bind_int64(stmt, 1, seq);
    for (*len = 0; *len < STORE_LIVE_NAMES_MAX && (rv = reader_step(reader, stmt)) > 0; ++*len) {
        json_t *kind = json_string((const char *)sqlite3_column_text(stmt, 0)),
               *name = json_string((const char *)sqlite3_column_text(stmt, 1));
        names[*len] = (struct store_live_name){json_string_value(kind), json_string_value(name),
                                               sqlite3_column_int(stmt, 2) != 0};
        if ((json_array_append_new(keep, kind) | json_array_append_new(keep, name)) != 0)
            return REIN_ENOMEM;
    }
    return rv < 0 ? rv : 0;
}

static int read_live(struct sqlite_reader *reader, sqlite3_stmt *one, sqlite3_stmt *found, int64_t seq,
                     store_on_live on_live, void *ctx)
{
    struct store_decision_row row;
    struct store_live_name names[STORE_LIVE_NAMES_MAX];
    size_t len = 0;
    json_t *keep = NULL;
    sqlite3_bind_int64(one, 1, seq);
    int rv = reader_step(reader, one);
    if (rv > 0 && (rv = reader_fill(one, store_live_fields, &row)) == 0) {
        if (row.findings > 0) {
            keep = json_array();
            rv = read_names(reader, found, seq, keep, names, &len);
        }
        if (rv == 0)
            rv = on_live(ctx, &row, names, len);
        sqlite3_reset(found);
        json_decref(keep);
    }
    sqlite3_reset(one);
    return rv < 0 ? rv : 0;
}

int sqlite_read_numbered(struct store_reader *base, const int64_t *numbers, size_t len, store_on_live on_live,
                         void *ctx)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *one = NULL, *found = NULL;
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);
    if (f == NULL)
        return REIN_ENOMEM;
    reader_print_select(f, store_live_fields);
    fputs(" FROM v_decisions AS d WHERE d.seq = ?1", f);
    int rv = fclose(f) == 0 ? reader_prepare(reader, &one, sql) : REIN_ENOMEM;
    if (rv == 0)
        rv = reader_prepare(reader, &found,
                            "SELECT kind, name, min(shadow) FROM findings WHERE decision = ?1 GROUP BY kind, name");
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = read_live(reader, one, found, numbers[i], on_live, ctx);
    sqlite3_finalize(one);
    sqlite3_finalize(found);
    free(sql);
    return rv;
}
