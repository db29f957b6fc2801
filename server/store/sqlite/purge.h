/* Purging: a small batch of what is older than it may be.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Inside a transaction of the caller's. Results are SQLite's; sqlite3_errmsg() of the connection has the message. */
#ifndef SERVER_STORE_SQLITE_PURGE_H
#define SERVER_STORE_SQLITE_PURGE_H

#include "rein/rein.h"

struct sqlite3;

/* The number of deleted rows; STORE_PURGE_BATCH: there may be more. */
struct store_purged {
    int decisions, texts;
};
enum { STORE_PURGE_BATCH = 500 };
/* 0 days: kept for ever. */
int store_purge(struct sqlite3 *sqlite, unsigned keep_days, unsigned keep_text_days,
                struct store_purged *out) REIN_MUST_USE;

#endif
