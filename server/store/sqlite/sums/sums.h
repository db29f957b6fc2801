/* Sums over time: finished requests and findings by minute, hour and day, for views that may not read all rows.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      a decision is written -> its row is read back -> added to the entries of its minute -> entries are written
 *
 * all in the decision's transaction, so sums and rows never differ. Once a minute the minutes that are over are added
 * to their hours and days; a decision that began before that is added to all three. Decisions of an older version are
 * added in small steps after the start. A deleted decision stays in the sums.
 *
 * Inside a transaction of the caller's, the writer's thread. Results are SQLite's. */
#ifndef SERVER_STORE_SQLITE_SUMS_SUMS_H
#define SERVER_STORE_SQLITE_SUMS_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

struct sqlite3;
struct store_sums;

enum {
    SUMS_MINUTE = 1,
    SUMS_HOUR = 60,
    SUMS_DAY = 1440,
    SUMS_MINUTE_DAYS = 8, /* how long minutes are kept */
    SUMS_HOUR_DAYS = 400, /* and hours */
};

int store_sums_new(struct store_sums **out, struct sqlite3 *sqlite) REIN_MUST_USE;
void store_sums_free(struct store_sums *sums); /* NULL is fine */

/* ---- around the rows of a group, in this order ---- */
int store_sums_begin(struct store_sums *sums) REIN_MUST_USE;
/* The row of that number will be replaced: what it counted is taken away. */
int store_sums_replace(struct store_sums *sums, int64_t seq) REIN_MUST_USE;
/* The row of that number was written, with its findings. `final`: it counts from now on. */
int store_sums_written(struct store_sums *sums, int64_t seq, bool final) REIN_MUST_USE;
/* Before the commit. */
int store_sums_end(struct store_sums *sums) REIN_MUST_USE;
/* The transaction was rolled back. */
void store_sums_forget(struct store_sums *sums);

/* ---- in a transaction of its own, between groups ---- */
bool store_sums_are_due(const struct store_sums *sums, int64_t now_us);
/* A small step; call again at once while *more. */
int store_sums_step(struct store_sums *sums, int64_t now_us, bool *more) REIN_MUST_USE;
/* Before the database is closed: what would have been written within the next second. */
int store_sums_finish(struct store_sums *sums) REIN_MUST_USE;

#endif
