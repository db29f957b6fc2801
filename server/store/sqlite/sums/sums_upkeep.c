/* See sums.h: minutes become hours and days, old ones go, and decisions of an older version are added.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "store/sqlite/sums/sums_internal.h"

enum {
    FILL_ROWS = 250,        /* of one step; a commit that arrives meanwhile waits for it */
    FLUSH_US = 1000 * 1000, /* between two writes of the facets' counts */
    EXPIRE_BUCKETS = 5,     /* at each roll: one a minute grows, so they get fewer */
};
static const int64_t sums_minute_us = 60 * 1000000;

static int64_t last_whole_minute(int64_t now_us)
{
    return now_us / sums_minute_us - 1; /* decisions that began this minute are still being written */
}

bool store_sums_are_due(const struct store_sums *s, int64_t now_us)
{
    bool flushes = !store_facets_are_flushed(s->facets) && now_us - s->flushed_at_us >= FLUSH_US;
    return flushes || s->fill_at < s->fill_end || last_whole_minute(now_us) > s->rolled_minute ||
           now_us < s->flushed_at_us; /* the clock was set back */
}

static int write_mark(struct store_sums *s, const char *name, int64_t value)
{
    sqlite3_stmt *stmt;
    int rc =
        sqlite3_prepare_v2(s->sqlite, "INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)", -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, value);
    sqlite3_step(stmt);
    return sqlite3_finalize(stmt);
}

/* ---- what an older version left ---- */

static int fill(struct store_sums *s)
{
    int64_t to = s->fill_at + FILL_ROWS < s->fill_end ? s->fill_at + FILL_ROWS : s->fill_end;
    int rc = SQLITE_OK;
    for (int64_t seq = s->fill_at + 1; seq <= to && rc == SQLITE_OK; seq++)
        rc = sums_add_row(s, seq, 1);
    if (rc == SQLITE_OK)
        rc = sums_flush(s);
    if (rc == SQLITE_OK)
        rc = write_mark(s, "sums_fill_at", to);
    if (rc == SQLITE_OK)
        s->fill_at = to;
    return rc;
}

/* ---- rolling ---- */

/* Adds each minute of [from, to) of a table to its hour and its day. */
static int roll_table(struct store_sums *s, const char *sql, bool is_finding, int64_t from, int64_t to)
{
    static struct sum_entry minute; /* too large for a stack; the writer's */
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(s->sqlite, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_int64(stmt, 1, from);
    sqlite3_bind_int64(stmt, 2, to);
    while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
        memset(&minute, 0, sizeof minute);
        struct sum_key key = {.scope = sqlite3_column_int64(stmt, 0),
                              .route = sqlite3_column_int64(stmt, 2),
                              .model = sqlite3_column_int64(stmt, 3),
                              .key = sqlite3_column_int64(stmt, 4),
                              .policy = sqlite3_column_int64(stmt, 5),
                              .finding = is_finding ? sqlite3_column_int64(stmt, 6) : 0};
        int64_t bucket = sqlite3_column_int64(stmt, 1);
        minute.key = key;
        sums_load(&minute, stmt, is_finding ? 7 : 6);
        for (int64_t level = SUMS_HOUR; level <= SUMS_DAY && rc == SQLITE_OK; level += SUMS_DAY - SUMS_HOUR) {
            key.level = level;
            key.bucket = bucket - bucket % level;
            struct sum_entry *e = sums_entry(s, &key, &rc);
            if (e != NULL)
                sums_merge(e, &minute);
        }
    }
    int end = sqlite3_finalize(stmt);
    return rc != SQLITE_OK ? rc : end;
}

/* The rows of a table of one level that end the oldest buckets, if they are older than they may be. */
static int expire(struct store_sums *s, const char *table, int level, int days, int64_t now_minute)
{
    char *sql = sqlite3_mprintf("DELETE FROM %s WHERE level = %d AND scope = ?1 AND bucket < %lld AND bucket <= %d +"
                                " (SELECT min(bucket) FROM %s WHERE level = %d AND scope = ?1)",
                                table, level, (long long)(now_minute - (int64_t)days * SUMS_DAY),
                                EXPIRE_BUCKETS * level, table, level);
    sqlite3_stmt *stmt;
    int rc = sql != NULL ? sqlite3_prepare_v2(s->sqlite, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    for (int scope = 0; scope < 2 && rc == SQLITE_OK; scope++) {
        sqlite3_bind_int(stmt, 1, scope);
        sqlite3_step(stmt);
        rc = sqlite3_reset(stmt);
    }
    if (sql != NULL)
        sqlite3_finalize(stmt);
    return rc;
}

static int expire_all(struct store_sums *s, int64_t now_minute)
{
    static const char *const tables[] = {"sums", "finding_sums"};
    int rc = SQLITE_OK;
    for (int i = 0; i < 2 && rc == SQLITE_OK; i++) {
        rc = expire(s, tables[i], SUMS_MINUTE, SUMS_MINUTE_DAYS, now_minute);
        if (rc == SQLITE_OK)
            rc = expire(s, tables[i], SUMS_HOUR, SUMS_HOUR_DAYS, now_minute);
    }
    return rc;
}

static int roll(struct store_sums *s, int64_t to)
{
    static const char sums_sql[] =
        "SELECT scope, bucket, route, model, key, policy, allow, redact, steer, refuse, cut, none, shadowed, restarts,"
        " findings, failed, held_bytes_max, unjudged_bytes, added, first_byte, duration FROM sums"
        " WHERE level = 1 AND scope IN (0, 1) AND bucket >= ?1 AND bucket < ?2";
    static const char findings_sql[] =
        "SELECT scope, bucket, route, model, key, policy, finding, enforced, shadow, last_seen_us, position"
        " FROM finding_sums WHERE level = 1 AND scope IN (0, 1) AND bucket >= ?1 AND bucket < ?2";
    int rc = roll_table(s, sums_sql, false, s->rolled_minute, to);
    if (rc == SQLITE_OK)
        rc = roll_table(s, findings_sql, true, s->rolled_minute, to);
    if (rc == SQLITE_OK)
        rc = sums_flush(s);
    if (rc == SQLITE_OK)
        rc = expire_all(s, to);
    if (rc == SQLITE_OK)
        rc = write_mark(s, "sums_rolled_minute", to);
    if (rc == SQLITE_OK)
        s->rolled_minute = to;
    return rc;
}

int store_sums_step(struct store_sums *s, int64_t now_us, bool *more)
{
    int64_t to = last_whole_minute(now_us);
    int rc = sums_refresh(s);
    if (rc == SQLITE_OK && s->fill_at < s->fill_end)
        rc = fill(s);
    if (rc == SQLITE_OK && to > s->rolled_minute)
        rc = roll(s, to);
    if (rc == SQLITE_OK && (now_us - s->flushed_at_us >= FLUSH_US || now_us < s->flushed_at_us)) {
        rc = store_facets_flush(s->facets);
        s->flushed_at_us = now_us;
    }
    *more = s->fill_at < s->fill_end;
    return rc;
}

int store_sums_finish(struct store_sums *s)
{
    return store_facets_flush(s->facets);
}
