/* What the files of the sums share: the entries in memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_SQLITE_SUMS_SUMS_INTERNAL_H
#define SERVER_STORE_SQLITE_SUMS_SUMS_INTERNAL_H

#include <sqlite3.h>

#include "base/spread.h"
#include "store/row.h"
#include "store/sqlite/sums/facets.h"
#include "store/sqlite/sums/sums.h"

/* Those of a row of `finding_sums`; it has one spread, the position. */
enum finding_sum_count { FINDING_SUM_ENFORCED, FINDING_SUM_SHADOW, FINDING_SUM_LAST_SEEN, FINDING_SUM_COUNTS };

struct sum_key {
    int64_t level, scope, bucket, route, model, key, policy;
    int64_t finding; /* 0: a row of `sums` */
};

struct sum_entry {
    struct sum_key key;
    bool is_used, is_changed;
    int64_t counts[STORE_SUM_COUNTS];
    struct spread spreads[STORE_SUM_SPREADS];
};

enum { SUM_ENTRIES = 128, SUM_TAKEN_MAX = 8 };

struct store_sums {
    sqlite3 *sqlite;
    sqlite3_stmt *fact, *found, *get[2], *put[2]; /* get, put: of `sums`, of `finding_sums` */
    struct store_facets *facets;
    struct sum_entry *entries; /* a hash table; what is not changed is as in the database */
    size_t entries_len;
    int64_t counted_to;           /* rows up to this number have been seen by store_sums_written; -1: to be read */
    int64_t taken[SUM_TAKEN_MAX]; /* rows of the present statement that were taken away already */
    size_t taken_len;
    int64_t rolled_minute;     /* hours and days have the minutes before it */
    int64_t fill_at, fill_end; /* rows behind fill_at, up to fill_end, are not counted yet */
    int64_t flushed_at_us;     /* when the facets' counts were written last */
    bool is_stale;             /* a rollback has undone what is remembered here */
};

/* The entry of a key, read from the database if it has to be; NULL: *rc says why. May write others to make room. */
struct sum_entry *sums_entry(struct store_sums *sums, const struct sum_key *key, int *rc);
/* At the beginning of each transaction: reads again what a rollback has undone. */
int sums_refresh(struct store_sums *sums);
/* Writes what has changed. */
int sums_flush(struct store_sums *sums);
/* Adds the row of that number (1), or takes it away (-1), if it is final. */
int sums_add_row(struct store_sums *sums, int64_t seq, int times);
/* Adds the counts of an entry that was read to those of another. */
void sums_merge(struct sum_entry *entry, const struct sum_entry *other);
/* Fills counts and spreads from columns, the first of which is `column`. */
void sums_load(struct sum_entry *entry, sqlite3_stmt *stmt, int column);

#endif
