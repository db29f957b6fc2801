/* The rows of decisions in all tables: prepared statements that insert or replace them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inside a transaction of the caller's. Results are SQLite's; sqlite3_errmsg() of the connection has the message. */
#ifndef SERVER_STORE_SQLITE_ROWS_H
#define SERVER_STORE_SQLITE_ROWS_H

#include "store/job.h"

struct sqlite3;
struct store_rows;
struct store_sums;

/* Borrows the connection until store_rows_free. */
int store_rows_new(struct store_rows **out, struct sqlite3 *sqlite) REIN_MUST_USE;
void store_rows_free(struct store_rows *rows); /* NULL is fine */
/* Writes a chain, in order. A first record of an id inserts, a later one replaces it with its attempts, findings and
 * texts. */
int store_rows_write(struct store_rows *rows, struct store_job *first) REIN_MUST_USE;
/* Decisions that the last process left open have ended as `lost`; *lost is their number. Once, before anything is
 * written. */
int store_rows_mark_lost(struct store_rows *rows, int *lost) REIN_MUST_USE;
/* Borrowed. */
struct store_sums *store_rows_sums(struct store_rows *rows);
/* The transaction was rolled back: what was remembered of it is not in the database. */
void store_rows_forget(struct store_rows *rows);

#endif
