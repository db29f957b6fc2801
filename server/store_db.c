/* See store_db.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Opening: the lock file, the file itself (0600), SQLite, migrations, what a crash left, statements. A write is BEGIN,
 * the rows of each job, COMMIT, which syncs the write-ahead log; the log goes into the database later, beside the
 * writes (store_checkpoint.h), but for the last step. */
#include "store_db.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "store_checkpoint.h"
#include "store_migrate.h"
#include "store_rows.h"
#include "store_wal.h"

enum {
    BUSY_MS = 2000,        /* another program may hold the database that long */
    WAL_PAGES = 8000,      /* a round of checkpoints whenever so many came, about 32 MiB */
    WAL_PAGES_MAX = 32000, /* wait for a round, and for readers to let go, from here on, about 128 MiB */
    WAL_BYTES_KEPT = 48 << 20,
    PURGE_BATCH = 500,
};

struct store_db {
    bool syncs; /* each commit is followed by a sync */
    int lock_fd;
    sqlite3 *sqlite;
    struct store_rows *rows;
    sqlite3_stmt *begin, *commit, *rollback;
    struct store_checkpoint *checkpoint;
    bool is_checkpointing;        /* a round was begun; what it left is to do */
    int wal_pages, checkpoint_at; /* the log's length, and at which the next round begins */
    unsigned keep_days, keep_text_days;
};

/* Foreign codes become ours; the one place that logs them. `rc` may be one that the connection does not know of. */
static int fail_with(struct store_db *db, const char *what, int rc)
{
    static struct log_limit limit;
    bool is_known = sqlite3_errcode(db->sqlite) == rc || sqlite3_extended_errcode(db->sqlite) == rc;
    log_limited(&limit, LOG_ERROR, "store", "%s: %s (%d)", what,
                is_known ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(rc), rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return REIN_ENOMEM;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
        return REIN_EINVAL;
    default:
        return REIN_EIO;
    }
}

static int fail(struct store_db *db, const char *what)
{
    return fail_with(db, what, sqlite3_extended_errcode(db->sqlite));
}

static int exec(struct store_db *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(db, "statement failed");
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- opening ---- */

/* The lock is on a file of its own: closing any descriptor of the database's would drop SQLite's own locks. */
static int take_lock(struct store_db *db, const char *path)
{
    char name[4096];
    if (snprintf(name, sizeof name, "%s-lock", path) >= (int)sizeof name)
        return REIN_EINVAL;
    db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0) {
        log_error("store", "cannot make %s: %s", name, strerror(errno));
        return REIN_EIO;
    }
    if (flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        log_error("store", "another process writes to %s", path);
        return REIN_ESTATE;
    }
    return 0;
}

/* Makes a file private, with what SQLite keeps beside it: it gives new ones the database's mode. */
static int make_private(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_error("store", "cannot open %s: %s", path, strerror(errno));
        return REIN_EIO;
    }
    close(fd);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[4096];
        struct stat st;
        if (snprintf(name, sizeof name, "%s%s", path, suffixes[i]) >= (int)sizeof name || stat(name, &st) != 0)
            continue;
        if ((st.st_mode & 0177) != 0 && chmod(name, 0600) != 0) {
            log_error("store", "%s can be read by others: %s", name, strerror(errno));
            return REIN_EIO;
        }
    }
    return 0;
}

static int on_wal(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct store_db *db = ctx;
    (void)sqlite;
    (void)name;
    if (pages < db->wal_pages) /* it began anew */
        db->checkpoint_at = WAL_PAGES;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static int open_sqlite(struct store_db *db, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* a lock at each allocation, for figures that nobody reads */
    if (sqlite3_open_v2(path, &db->sqlite, flags, store_wal_vfs()) != SQLITE_OK)
        return db->sqlite != NULL ? fail(db, path) : REIN_ENOMEM;
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    char sql[512];
    snprintf(sql, sizeof sql,
             "PRAGMA trusted_schema = OFF; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
             "PRAGMA journal_size_limit = %d; PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;"
             "PRAGMA secure_delete = ON;",
             WAL_BYTES_KEPT);
    int rv = exec(db, sql);
    sqlite3_wal_hook(db->sqlite, on_wal, db); /* in place of checkpoints inside COMMIT */
    return rv;
}

static int mark_lost(struct store_db *db)
{
    int rv = exec(db, "UPDATE decisions SET final = 1, ending = 'lost' WHERE final = 0");
    int lost = rv == 0 ? sqlite3_changes(db->sqlite) : 0;
    if (lost > 0)
        log_warn("store", "%d decisions were open when the last process ended: marked as lost", lost);
    return rv;
}

static int prepare(struct store_db *db, sqlite3_stmt **out, const char *sql)
{
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return fail(db, sql);
    return 0;
}

static int open_all(struct store_db *db, const char *path)
{
    int rv = take_lock(db, path);
    if (rv == 0)
        rv = make_private(path);
    if (rv == 0)
        rv = open_sqlite(db, path);
    if (rv == 0)
        rv = store_migrate(db->sqlite, migrations, migrations_len);
    if (rv == 0)
        rv = mark_lost(db);
    if (rv == 0) /* from here on transactions are small */
        rv = exec(db, "PRAGMA cache_spill = OFF");
    if (rv == 0)
        rv = prepare(db, &db->begin, "BEGIN IMMEDIATE");
    if (rv == 0)
        rv = prepare(db, &db->commit, "COMMIT");
    if (rv == 0)
        rv = prepare(db, &db->rollback, "ROLLBACK");
    int rc = rv == 0 ? store_rows_new(&db->rows, db->sqlite) : SQLITE_OK;
    if (rc != SQLITE_OK)
        rv = fail_with(db, "cannot prepare statements", rc);
    db->checkpoint_at = WAL_PAGES;
    return rv == 0 ? store_checkpoint_open(&db->checkpoint, path) : rv;
}

int store_db_open(struct store_db **out, const struct store_options *options)
{
    struct store_db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return REIN_ENOMEM;
    db->lock_fd = -1;
    db->keep_days = options->keep_days;
    db->keep_text_days = options->keep_text_days;
    int rv = open_all(db, options->path);
    if (rv != 0) {
        store_db_close(db);
        return rv;
    }
    db->syncs = true;
    *out = db;
    return 0;
}

void store_db_close(struct store_db *db)
{
    if (db == NULL)
        return;
    store_checkpoint_close(db->checkpoint);
    store_rows_free(db->rows);
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_finalize(db->rollback);
    sqlite3_close(db->sqlite);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    free(db);
}

/* ---- writing ---- */

static int step(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt); /* the same code, and its message stays */
}

/* Ends a failed transaction. SQLite may have rolled back by itself. */
static void roll_back(struct store_db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite))
        step(db->rollback);
    store_rows_forget(db->rows);
}

/* What Rein did outlives a power failure before the client sees it; of what it let pass, the last moments before one
 * may be lost. Either outlives the process. A sync takes all earlier commits along. */
static int set_sync(struct store_db *db, const struct store_job *first)
{
    bool acted = false;
    for (const struct store_job *job = first; job != NULL && !acted; job = job->next)
        acted = job->acted;
    if (acted == db->syncs)
        return 0;
    int rv = exec(db, acted ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    if (rv == 0)
        db->syncs = acted;
    return rv;
}

int store_db_write(struct store_db *db, struct store_job *first)
{
    int synced = set_sync(db, first);
    if (synced != 0)
        return synced;
    if (step(db->begin) != SQLITE_OK)
        return fail(db, "cannot begin");
    int rc = store_rows_write(db->rows, first);
    int rv = rc == SQLITE_OK ? 0 : fail_with(db, "cannot write a decision", rc);
    if (rv == 0 && step(db->commit) != SQLITE_OK)
        rv = fail(db, "cannot commit");
    if (rv != 0)
        roll_back(db);
    return rv;
}

int store_db_probe(struct store_db *db)
{
    char sql[160];
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO facts (name, value) VALUES ('recovered_at_us', '%lld')",
             (long long)now_us());
    return exec(db, sql);
}

/* What was committed during a round is little. Nothing is added to the log now: if no reader is in it, the next commit
 * begins it anew. */
static void finish_checkpoint(struct store_db *db)
{
    int mode = db->wal_pages < WAL_PAGES_MAX ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, mode, NULL, NULL);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        fail(db, "cannot checkpoint");
    db->is_checkpointing = false;
    db->checkpoint_at =
        db->wal_pages + WAL_PAGES; /* unless it begins anew: after a failure, or where a reader is in it */
}

void store_db_checkpoint(struct store_db *db)
{
    if (db->is_checkpointing) {
        if (db->wal_pages >= WAL_PAGES_MAX)
            store_checkpoint_wait(db->checkpoint);
        if (!store_checkpoint_is_under_way(db->checkpoint))
            finish_checkpoint(db);
    } else if (db->wal_pages >= db->checkpoint_at) {
        store_checkpoint_begin(db->checkpoint);
        db->is_checkpointing = true;
    }
}

/* ---- purging ---- */

static int purge(struct store_db *db, const char *sql, unsigned keep_days)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(db, "cannot purge");
    sqlite3_bind_int64(stmt, 1, now_us() - (int64_t)keep_days * 86400 * 1000000);
    sqlite3_bind_int(stmt, 2, PURGE_BATCH);
    sqlite3_step(stmt);
    int rv = sqlite3_finalize(stmt) == SQLITE_OK ? 0 : fail(db, "cannot purge");
    return rv != 0 ? rv : sqlite3_changes(db->sqlite);
}

void store_db_keep(struct store_db *db, unsigned days)
{
    db->keep_days = days;
}

#define OLDEST "(SELECT seq FROM decisions WHERE started_at_us < ?1 ORDER BY started_at_us LIMIT ?2)"

static int purge_decisions(struct store_db *db)
{
    static const char *const statements[] = {
        "DELETE FROM texts WHERE decision IN " OLDEST,
        "DELETE FROM findings WHERE decision IN " OLDEST,
        "DELETE FROM attempts WHERE decision IN " OLDEST,
        "DELETE FROM decisions WHERE seq IN " OLDEST,
    };
    int n = 0;
    for (size_t i = 0; i < sizeof statements / sizeof *statements && n >= 0; i++)
        n = purge(db, statements[i], db->keep_days);
    return n;
}

/* Looks at the oldest texts alone, so that it costs the same when there is nothing to purge. */
static int purge_texts(struct store_db *db)
{
    return purge(db,
                 "DELETE FROM texts WHERE decision IN (SELECT d.seq FROM (SELECT DISTINCT decision FROM texts ORDER BY"
                 " decision LIMIT ?2) AS t JOIN decisions AS d ON d.seq = t.decision WHERE d.started_at_us < ?1)",
                 db->keep_text_days);
}

int store_db_purge(struct store_db *db, uint64_t *purged)
{
    int texts = 0, decisions = 0;
    *purged = 0;
    if (step(db->begin) != SQLITE_OK)
        return fail(db, "cannot begin");
    if (db->keep_days > 0)
        decisions = purge_decisions(db);
    if (decisions >= 0 && db->keep_text_days > 0)
        texts = purge_texts(db);
    int rv = decisions < 0 ? decisions : texts < 0 ? texts : 0;
    if (rv == 0 && step(db->commit) != SQLITE_OK)
        rv = fail(db, "cannot commit");
    if (rv != 0) {
        roll_back(db);
        return rv;
    }
    *purged = (uint64_t)decisions;
    return decisions >= PURGE_BATCH || texts >= PURGE_BATCH;
}
