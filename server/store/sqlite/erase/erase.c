/* See erase.h (store/): on a connection of its own, in small transactions, so that a running server can write in
 * between. SPDX-License-Identifier: Apache-2.0
 *
 * What is deleted is overwritten in its page (secure_delete). Old pages may still lie in the write-ahead log, so that
 * is moved into the database and emptied at the end. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/driver.h"
#include "store/sqlite/db.h"
#include "store/sqlite/erase/scrub.h"

enum {
    ERASE_BATCH = 64,      /* decisions in one transaction; each may have some hundred KiB of text */
    ERASE_BUSY_MS = 30000, /* how long others may write before it fails */
};

/* For each decision of a batch, whose numbers are in the table temp.batch. `count` says which of the sums it adds to.
 */
static const struct erase_step {
    const char *sql;
    enum { COUNT_NONE, COUNT_TEXTS, COUNT_EVIDENCE, COUNT_NOTES } count;
} erase_steps[] = {
    {"DELETE FROM kept_texts WHERE decision IN batch", COUNT_TEXTS},
    {"DELETE FROM texts WHERE decision IN batch", COUNT_EVIDENCE},
    {"DELETE FROM feedback WHERE decision IN batch", COUNT_NOTES},
    {"UPDATE findings SET steps = '[]' WHERE decision IN batch AND steps <> '[]'", COUNT_NONE},
    {"UPDATE opinions SET categories = NULL WHERE decision IN batch AND categories IS NOT NULL", COUNT_NONE},
    {"UPDATE decisions SET harms = '', upstream_error = NULL, user = NULL WHERE seq IN batch", COUNT_NONE},
};
enum { ERASE_STEPS = sizeof erase_steps / sizeof *erase_steps };

struct store_eraser {
    sqlite3 *sqlite;
    sqlite3_stmt *pick, *steps[ERASE_STEPS];
    char *path;
    int64_t after;             /* the last decision that was looked at */
    bool is_unscrubbed;        /* rows were erased, by this or by another before it */
    struct store_scrub *scrub; /* NULL: rows are being erased */
    struct store_erased erased;
};

static int erase_fail(const struct store_eraser *e, const char *what)
{
    log_error("store", "%s: %s", what, sqlite3_errmsg(e->sqlite));
    return sqlite3_errcode(e->sqlite) == SQLITE_NOMEM ? REIN_ENOMEM : REIN_EIO;
}

static int erase_exec(const struct store_eraser *e, const char *sql)
{
    return sqlite3_exec(e->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : erase_fail(e, "cannot erase");
}

static int open_eraser(struct store_eraser *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(e->path, &e->sqlite, flags, NULL) != SQLITE_OK)
        return e->sqlite != NULL ? erase_fail(e, e->path) : REIN_ENOMEM;
    sqlite3_busy_timeout(e->sqlite, ERASE_BUSY_MS);
    return erase_exec(e, "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
                         "PRAGMA synchronous = FULL; CREATE TEMP TABLE batch (seq INTEGER PRIMARY KEY)");
}

/* The next decisions behind ?1 that have anything left. The columns come from migrations, so an older database says
 * that they are missing. */
static int prepare_erase(struct store_eraser *e, const struct store_erase_filter *f)
{
    char sql[1200];
    snprintf(sql, sizeof sql,
             "INSERT INTO batch SELECT d.seq FROM decisions AS d WHERE d.seq > ?1%s%s%s%s"
             " AND (d.harms <> '' OR d.upstream_error IS NOT NULL OR d.user IS NOT NULL"
             " OR EXISTS (SELECT 1 FROM kept_texts WHERE decision = d.seq)"
             " OR EXISTS (SELECT 1 FROM texts WHERE decision = d.seq)"
             " OR EXISTS (SELECT 1 FROM feedback WHERE decision = d.seq)"
             " OR EXISTS (SELECT 1 FROM findings WHERE decision = d.seq AND steps <> '[]')"
             " OR EXISTS (SELECT 1 FROM opinions WHERE decision = d.seq AND categories IS NOT NULL))"
             " ORDER BY d.seq LIMIT %d",
             f->key != NULL ? " AND d.key = :key" : "", f->user != NULL ? " AND d.user = :user" : "",
             f->request != NULL ? " AND (d.id = :request OR d.request_id = :request)" : "",
             f->before_us != 0 ? " AND d.started_at_us < :before" : "", (int)ERASE_BATCH);
    int rc = sqlite3_prepare_v2(e->sqlite, sql, -1, &e->pick, NULL);
    for (size_t i = 0; i < ERASE_STEPS && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v2(e->sqlite, erase_steps[i].sql, -1, &e->steps[i], NULL);
    if (rc != SQLITE_OK)
        return erase_fail(e, "this is no database of this version of Rein: start the server once");
    const struct {
        const char *name, *value;
    } texts[] = {{":key", f->key}, {":user", f->user}, {":request", f->request}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value != NULL)
            sqlite3_bind_text(e->pick, sqlite3_bind_parameter_index(e->pick, texts[i].name), texts[i].value, -1,
                              SQLITE_STATIC);
    if (f->before_us != 0)
        sqlite3_bind_int64(e->pick, sqlite3_bind_parameter_index(e->pick, ":before"), f->before_us);
    return 0;
}

/* Rows are gone and their bytes may not be, until all is scrubbed: whoever erases next has to know. */
static int note_unscrubbed(struct store_eraser *e)
{
    if (e->is_unscrubbed)
        return 0;
    int rv = erase_exec(e, "INSERT OR REPLACE INTO facts (name, value) VALUES ('unscrubbed', '1')");
    e->is_unscrubbed = rv == 0;
    return rv;
}

static int find_unscrubbed(struct store_eraser *e)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(e->sqlite, "SELECT 1 FROM facts WHERE name = 'unscrubbed'", -1, &stmt, NULL) == SQLITE_OK)
        e->is_unscrubbed = sqlite3_step(stmt) == SQLITE_ROW;
    return sqlite3_finalize(stmt) == SQLITE_OK ? 0 : erase_fail(e, "cannot erase");
}

static int erase_step(const struct store_eraser *e, sqlite3_stmt *stmt, int *changes)
{
    sqlite3_step(stmt);
    if (sqlite3_reset(stmt) != SQLITE_OK)
        return erase_fail(e, "cannot erase");
    *changes = sqlite3_changes(e->sqlite);
    return 0;
}

static int last_of_batch(const struct store_eraser *e, int64_t *last)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(e->sqlite, "SELECT max(seq) FROM batch", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        *last = sqlite3_column_int64(stmt, 0);
    return sqlite3_finalize(stmt) == SQLITE_OK ? 0 : erase_fail(e, "cannot erase");
}

/* *len: how many decisions it was. */
static int erase_batch(struct store_eraser *e, int *len)
{
    int changes[ERASE_STEPS] = {0};
    sqlite3_bind_int64(e->pick, 1, e->after);
    int rv = erase_exec(e, "BEGIN IMMEDIATE; DELETE FROM batch");
    if (rv == 0)
        rv = erase_step(e, e->pick, len);
    for (size_t i = 0; i < ERASE_STEPS && rv == 0 && *len > 0; i++)
        rv = erase_step(e, e->steps[i], &changes[i]);
    if (rv == 0 && *len > 0)
        rv = last_of_batch(e, &e->after);
    if (rv == 0 && *len > 0)
        rv = note_unscrubbed(e);
    if (rv == 0)
        rv = erase_exec(e, "COMMIT");
    if (rv != 0) {
        sqlite3_exec(e->sqlite, "ROLLBACK", NULL, NULL, NULL);
        return rv;
    }
    for (size_t i = 0; i < ERASE_STEPS; i++) {
        e->erased.texts += erase_steps[i].count == COUNT_TEXTS ? (uint64_t)changes[i] : 0;
        e->erased.evidence += erase_steps[i].count == COUNT_EVIDENCE ? (uint64_t)changes[i] : 0;
        e->erased.notes += erase_steps[i].count == COUNT_NOTES ? (uint64_t)changes[i] : 0;
    }
    e->erased.decisions += (uint64_t)*len;
    return 0;
}

int sqlite_begin_erase(struct store_eraser **out, const char *path, const struct store_erase_filter *filter)
{
    struct store_eraser *e = calloc(1, sizeof *e);
    if (e == NULL)
        return REIN_ENOMEM;
    e->path = strdup(path);
    int rv = e->path != NULL ? open_eraser(e) : REIN_ENOMEM;
    if (rv == 0)
        rv = prepare_erase(e, filter);
    if (rv == 0)
        rv = find_unscrubbed(e);
    if (rv != 0) {
        sqlite_end_erase(e, NULL);
        return rv;
    }
    *out = e;
    return 0;
}

static int scrub_more(struct store_eraser *e)
{
    int rv = store_scrub_step(e->scrub, &e->erased.is_log_left);
    if (rv != STORE_ERASE_DONE || e->erased.is_log_left)
        return rv;
    return erase_exec(e, "DELETE FROM facts WHERE name = 'unscrubbed'");
}

int sqlite_step_erase(struct store_eraser *e)
{
    int len = 0;
    if (e->scrub != NULL)
        return scrub_more(e);
    int rv = erase_batch(e, &len);
    if (rv != 0 || len > 0)
        return rv != 0 ? rv : STORE_ERASE_MORE;
    if (!e->is_unscrubbed)
        return STORE_ERASE_DONE;
    rv = store_scrub_new(&e->scrub, e->sqlite, e->path);
    return rv != 0 ? rv : STORE_ERASE_MORE;
}

void sqlite_end_erase(struct store_eraser *e, struct store_erased *erased)
{
    if (erased != NULL)
        *erased = e->erased;
    store_scrub_free(e->scrub);
    sqlite3_finalize(e->pick);
    for (size_t i = 0; i < ERASE_STEPS; i++)
        sqlite3_finalize(e->steps[i]);
    sqlite3_close(e->sqlite);
    free(e->path);
    free(e);
}
