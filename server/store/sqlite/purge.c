/* See purge.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/purge.h"

#include <sqlite3.h>
#include <stdint.h>
#include <time.h>

/* Deletes rows of everything that began before `before_us`; *out is their number. */
static int purge_rows(sqlite3 *sqlite, const char *sql, int64_t before_us, int *out)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, before_us);
    sqlite3_bind_int(stmt, 2, STORE_PURGE_BATCH);
    sqlite3_step(stmt);
    rc = sqlite3_finalize(stmt);
    *out = rc == SQLITE_OK ? sqlite3_changes(sqlite) : 0;
    return rc;
}

#define OLDEST "(SELECT seq FROM decisions WHERE started_at_us < ?1 ORDER BY started_at_us LIMIT ?2)"

/* Decisions are deleted last, because the other rows are found by them. All use the same time; otherwise a decision
 * that has just become old enough would be deleted without its other rows. */
static int purge_decisions(sqlite3 *sqlite, int64_t before_us, int *out)
{
    static const char *const statements[] = {
        "DELETE FROM texts WHERE decision IN " OLDEST,    "DELETE FROM findings WHERE decision IN " OLDEST,
        "DELETE FROM opinions WHERE decision IN " OLDEST, "DELETE FROM attempts WHERE decision IN " OLDEST,
        "DELETE FROM decisions WHERE seq IN " OLDEST,
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && rc == SQLITE_OK; i++)
        rc = purge_rows(sqlite, statements[i], before_us, out);
    return rc;
}

/* Examines the oldest texts alone, so that it costs the same when there is nothing to purge. */
static int purge_texts(sqlite3 *sqlite, int64_t before_us, int *out)
{
    return purge_rows(sqlite,
                      "DELETE FROM texts WHERE decision IN (SELECT d.seq FROM (SELECT DISTINCT decision FROM texts"
                      " ORDER BY decision LIMIT ?2) AS t JOIN decisions AS d ON d.seq = t.decision"
                      " WHERE d.started_at_us < ?1)",
                      before_us, out);
}

int store_purge(sqlite3 *sqlite, unsigned keep_days, unsigned keep_text_days, struct store_purged *out)
{
    static const int64_t day_us = (int64_t)86400 * 1000000;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    int rc = SQLITE_OK;
    *out = (struct store_purged){0, 0};
    if (keep_days > 0)
        rc = purge_decisions(sqlite, now_us - keep_days * day_us, &out->decisions);
    if (rc == SQLITE_OK && keep_text_days > 0)
        rc = purge_texts(sqlite, now_us - keep_text_days * day_us, &out->texts);
    return rc;
}
