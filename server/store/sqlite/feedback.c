/* See driver.h: what people say of findings.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/log.h"
#include "store/feedback.h"
#include "store/sqlite/reader.h"

enum { FEEDBACK_BUSY_MS = 2000 };

/* A connection that may write, for one statement. */
static int open_writable(struct sqlite_reader *reader, sqlite3 **out)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rc = sqlite3_open_v2(sqlite3_db_filename(reader->sqlite, NULL), out, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*out, FEEDBACK_BUSY_MS);
    if (rc == SQLITE_OK) /* checkpoints are the writer's */
        rc = sqlite3_exec(*out, "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON",
                          NULL, NULL, NULL);
    return rc;
}

static int feedback_fail(sqlite3 *sqlite)
{
    log_error("store", "feedback cannot be written: %s", sqlite3_errmsg(sqlite));
    return (sqlite3_errcode(sqlite) & 0xff) == SQLITE_NOMEM ? REIN_ENOMEM : REIN_EIO;
}

/* Binds by name what the statement has of it. */
static int write_one(struct sqlite_reader *reader, const char *sql, const struct store_feedback *f, bool *found)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = open_writable(reader, &sqlite);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        reader_bind_text(stmt, ":id", f->id);
        reader_bind_number(stmt, ":n", f->n);
        reader_bind_text(stmt, ":verdict", f->is_right ? "right" : "wrong");
        reader_bind_text(stmt, ":note", f->note);
        reader_bind_text(stmt, ":by", f->by);
        reader_bind_number(stmt, ":at", f->at_us);
        rc = sqlite3_step(stmt) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(sqlite);
    }
    int rv = rc == SQLITE_OK ? 0 : feedback_fail(sqlite);
    *found = rv == 0 && sqlite3_changes(sqlite) > 0;
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return rv;
}

int sqlite_write_feedback(struct store_reader *base, const struct store_feedback *feedback, bool *found)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO feedback (decision, n, kind, name, started_at_us, verdict, note, by, at_us)"
        " SELECT f.decision, f.n, f.kind, f.name, f.started_at_us, :verdict, :note, :by, :at FROM decisions AS d"
        " JOIN findings AS f ON f.decision = d.seq WHERE d.id = :id AND f.n = :n";
    return write_one(sqlite_reader_of(base), sql, feedback, found);
}

int sqlite_drop_feedback(struct store_reader *base, const char *id, int64_t n, bool *found)
{
    static const char sql[] =
        "DELETE FROM feedback WHERE decision = (SELECT seq FROM decisions WHERE id = :id) AND n = :n";
    return write_one(sqlite_reader_of(base), sql, &(struct store_feedback){.id = id, .n = n}, found);
}

int sqlite_read_feedback(struct store_reader *base, const struct store_feedback_filter *filter,
                         store_on_feedback_row on_row, void *ctx)
{
    static const char sql[] =
        "SELECT b.at_us, b.decision, b.n, d.id, b.kind, b.name, f.channel, f.offset, f.len, b.verdict, b.note, b.by,"
        " d.model, d.verdict, p.name, p.version"
        " FROM feedback AS b JOIN decisions AS d ON d.seq = b.decision JOIN policies AS p ON p.number = d.policy"
        " LEFT JOIN findings AS f ON f.decision = b.decision AND f.n = b.n"
        " WHERE b.at_us >= :from AND b.at_us < :to AND (b.at_us, b.decision, b.n) > (:at, :seq, :n)"
        " ORDER BY b.at_us, b.decision, b.n LIMIT :limit";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0) {
        reader_bind_number(stmt, ":from", filter->from_us);
        reader_bind_number(stmt, ":to", filter->to_us > 0 ? filter->to_us : INT64_MAX);
        reader_bind_number(stmt, ":at", filter->after.at_us);
        reader_bind_number(stmt, ":seq", filter->after.seq);
        reader_bind_number(stmt, ":n", filter->after.n);
        reader_bind_number(stmt, ":limit", filter->limit);
    }
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const char *texts[16] = {NULL};
        for (int i = 3; i < 16; i++)
            texts[i] = (const char *)sqlite3_column_text(stmt, i);
        const struct store_feedback_whole row = {
            .place = {sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 2)},
            .id = texts[3],
            .kind = texts[4],
            .name = texts[5],
            .channel = texts[6],
            .offset = sqlite3_column_int64(stmt, 7),
            .len = sqlite3_column_int64(stmt, 8),
            .said = texts[9],
            .note = texts[10],
            .by = texts[11],
            .model = texts[12],
            .verdict = texts[13],
            .policy = texts[14],
            .policy_version = texts[15],
        };
        rv = on_row(ctx, &row);
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}
