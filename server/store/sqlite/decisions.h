/* The table decisions: rows that are inserted several at a time, or replaced.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inside a transaction of the caller's. Results are SQLite's; sqlite3_errmsg() of the connection has the message. */
#ifndef SERVER_STORE_SQLITE_DECISIONS_H
#define SERVER_STORE_SQLITE_DECISIONS_H

#include "store/job.h"

struct sqlite3;
struct store_decisions;

/* Borrows the connection until store_decisions_free. */
int store_decisions_new(struct store_decisions **out, struct sqlite3 *sqlite) REIN_MUST_USE;
void store_decisions_free(struct store_decisions *decisions); /* NULL is fine */

/* Called for a job whose id has a row already, before that is replaced; job->seq is its number. */
typedef int (*store_replaces)(void *ctx, const struct store_job *job);
/* Writes some of the first jobs of a chain, at least one, whose policies' numbers are known, and sets the numbers of
 * their rows. A row that is replaced keeps its number and what the request is known by. */
int store_decisions_write(struct store_decisions *decisions, struct store_job *first, size_t *written,
                          store_replaces replaces, void *ctx) REIN_MUST_USE;

#endif
