/* See purge.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/purge.h"

#include <sqlite3.h>
#include <stdint.h>
#include <time.h>

/* Deletes rows of everything that began before `before_us`; *out is their number. */
static int purge_rows(sqlite3 *sqlite, const char *sql, int64_t before_us, int batch, int *out)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, before_us);
    sqlite3_bind_int(stmt, 2, batch);
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
        "DELETE FROM kept_texts WHERE decision IN " OLDEST, "DELETE FROM texts WHERE decision IN " OLDEST,
        "DELETE FROM findings WHERE decision IN " OLDEST,   "DELETE FROM opinions WHERE decision IN " OLDEST,
        "DELETE FROM feedback WHERE decision IN " OLDEST,   "DELETE FROM attempts WHERE decision IN " OLDEST,
        "DELETE FROM decisions WHERE seq IN " OLDEST,
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && rc == SQLITE_OK; i++)
        rc = purge_rows(sqlite, statements[i], before_us, STORE_PURGE_BATCH, out);
    return rc;
}

/* Examines the oldest texts alone, so that it costs the same when there is nothing to purge. */
#define OLD_TEXTS(table)                                                                                               \
    "DELETE FROM " table " WHERE decision IN (SELECT d.seq FROM (SELECT DISTINCT decision FROM " table                 \
    " ORDER BY decision LIMIT ?2) AS t JOIN decisions AS d ON d.seq = t.decision WHERE d.started_at_us < ?1)"
#define ENDED_TEXTS(table, key, key_list)                                                                              \
    "DELETE FROM " table " WHERE " key " IN (SELECT " key_list " FROM " table " WHERE keep_until_us < ?1 LIMIT ?2)"

/* Kept texts are long: fewer at a time, and there may be more after any. */
enum { KEPT_BATCH = 50 };

static int purge_kept(sqlite3 *sqlite, const char *sql, int64_t before_us, int *out)
{
    int kept = 0, rc = purge_rows(sqlite, sql, before_us, KEPT_BATCH, &kept);
    *out = kept > 0 ? STORE_PURGE_BATCH : *out;
    return rc;
}

static int purge_evidence(sqlite3 *sqlite, const char *sql, int64_t before_us, int *out)
{
    int texts = 0, rc = purge_rows(sqlite, sql, before_us, STORE_PURGE_BATCH, &texts);
    *out = texts > *out ? texts : *out;
    return rc;
}

int store_purge(sqlite3 *sqlite, unsigned keep_days, unsigned keep_text_days, struct store_purged *out)
{
    static const int64_t day_us = (int64_t)86400 * 1000000;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    int rc = SQLITE_OK;
    *out = (struct store_purged){0, 0};
    int64_t decisions_us = now_us - keep_days * day_us, texts_us = now_us - keep_text_days * day_us;
    if (keep_days > 0)
        rc = purge_kept(sqlite, OLD_TEXTS("kept_texts"), decisions_us, &out->texts);
    if (rc == SQLITE_OK && keep_days > 0 && out->texts == 0)
        rc = purge_decisions(sqlite, decisions_us, &out->decisions);
    if (rc == SQLITE_OK && keep_text_days > 0)
        rc = purge_evidence(sqlite, OLD_TEXTS("texts"), texts_us, &out->texts);
    if (rc == SQLITE_OK && keep_text_days > 0)
        rc = purge_kept(sqlite, OLD_TEXTS("kept_texts"), texts_us, &out->texts);
    if (rc == SQLITE_OK) /* what policies keep for a shorter time */
        rc = purge_evidence(sqlite, ENDED_TEXTS("texts", "(decision, kind, n)", "decision, kind, n"), now_us,
                            &out->texts);
    if (rc == SQLITE_OK)
        rc = purge_kept(sqlite, ENDED_TEXTS("kept_texts", "rowid", "rowid"), now_us, &out->texts);
    return rc;
}
