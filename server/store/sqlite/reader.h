/* What the files of read.h share: the connection, running a query, rows as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_SQLITE_READER_H
#define SERVER_STORE_SQLITE_READER_H

#include <sqlite3.h>

#include "store/sqlite/read.h"

struct store_reader {
    sqlite3 *sqlite;
    unsigned time_limit_ms;
    int64_t deadline_us; /* of the query that runs; monotonic */
};

/* Begins a query: its time runs from here on. */
int reader_prepare(struct store_reader *reader, sqlite3_stmt **out, const char *sql) REIN_MUST_USE;
/* 1: a row, 0: no more, negative: failed. */
int reader_step(struct store_reader *reader, sqlite3_stmt *stmt) REIN_MUST_USE;
/* Binds a text by its name; a name that the query does not have is fine. */
void reader_bind_text(sqlite3_stmt *stmt, const char *name, const char *text);
void reader_bind_number(sqlite3_stmt *stmt, const char *name, int64_t number);
/* The row as an object; columns named `seq` are left out. NULL when out of memory. */
json_t *reader_row(sqlite3_stmt *stmt);

#endif
