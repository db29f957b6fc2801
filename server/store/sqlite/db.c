/* See db.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Opening: the lock file, the file itself (0600), SQLite, migrations, what a crash left, statements. A write is BEGIN,
 * the rows of each job, COMMIT, which syncs the write-ahead log; the log goes into the database later, next to the
 * writes (checkpoint.h), except for the last step. */
#include "store/sqlite/db.h"

#include <assert.h>
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

#include "base/files.h"
#include "base/log.h"
#include "store/sqlite/checkpoint.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/place.h"
#include "store/sqlite/policies.h"
#include "store/sqlite/purge.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/rows.h"
#include "store/sqlite/sums/sums.h"
#include "store/sqlite/wal.h"

enum {
    READERS_MS = 20,            /* how long a checkpoint waits for readers, while the log is not very long */
    BUSY_MS = 2000,             /* how long another program may lock the database */
    WAL_PAGES = 8000,           /* pages after which a round of checkpoints begins, about 32 MiB */
    WAL_PAGES_MAX = 32000,      /* wait for a round, and for readers to let go, from here on, about 128 MiB */
    WAL_BYTES_KEPT = 128 << 20, /* cutting off what is longer takes tens of milliseconds, inside a commit */
};

struct store_db {
    char *path;
    unsigned away_ms;
    uint64_t times_gone;
    struct store_place place; /* the files that are open, or were last open; empty: none yet */
    int pins[STORE_FILES];    /* keep the file numbers of `place` in use */
    bool is_open;             /* the members from here to `checkpoint` belong to the open database */
    struct store_place seen;  /* what was at the path when it was examined last, while it is not open */
    int64_t quiet_since_us;   /* monotonic: since when that has not changed */
    bool is_new;              /* there was no file when the database was last opened */
    bool is_gone;     /* a file is missing or replaced: nothing is written; still open until the next write or probe */
    bool is_cut;      /* the file still existed but was overwritten */
    bool is_log_left; /* the log of the previous database could not be moved into it completely */

    bool syncs; /* each commit is followed by a sync */
    int lock_fd;
    sqlite3 *sqlite;
    struct store_rows *rows;
    sqlite3_stmt *begin, *commit, *rollback;
    struct store_checkpoint *checkpoint;
    bool is_checkpointing;        /* a round was begun; its last step is still to be done */
    int wal_pages, checkpoint_at; /* the log's length, and at which the next round begins */
    unsigned keep_days, keep_text_days;
};

/* Turns SQLite's codes into ours; the only place that logs them. `rc` may be a code that the connection does not know.
 */
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

static int db_fail(struct store_db *db, const char *what)
{
    return fail_with(db, what, sqlite3_extended_errcode(db->sqlite));
}

static int64_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Closed, or open with all that belongs to it. */
static bool db_is_sound(const struct store_db *db)
{
    if (!db->is_open)
        return (db->is_gone || db->times_gone == 0) && db->sqlite == NULL && db->rows == NULL &&
               db->checkpoint == NULL && db->lock_fd < 0;
    return db->sqlite != NULL && db->rows != NULL && db->checkpoint != NULL && db->lock_fd >= 0 &&
           db->place.files[STORE_FILE_DATABASE].is_there;
}

static int exec(struct store_db *db, const char *sql)
{
    return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db, "statement failed");
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- opening ---- */

/* The lock is on a file of its own: closing any descriptor of the database's would drop SQLite's own locks. */
static int take_lock(struct store_db *db)
{
    char name[STORE_PATH_MAX];
    if (store_place_name(name, db->path, STORE_FILE_LOCK) != 0)
        return REIN_EINVAL;
    db->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0) {
        log_error("store", "cannot make %s: %s", name, strerror(errno));
        return REIN_EIO;
    }
    if (flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        log_error("store", "another process uses %s: stop it, or set another store.url", db->path);
        return REIN_ESTATE;
    }
    return 0;
}

/* Makes the file if there is none; an existing one is not opened here, for the reason above. */
static int make_file(const char *path, bool *is_new)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    *is_new = fd >= 0;
    if (fd < 0 && errno != EEXIST) {
        log_error("store", "cannot make %s: %s", path, strerror(errno));
        return REIN_EIO;
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

/* Makes a file private, with what SQLite keeps next to it: it gives new ones the database's mode. */
static int make_private(const char *path, bool *is_new)
{
    int rv = make_file(path, is_new);
    for (int i = STORE_FILE_DATABASE; i <= STORE_FILE_INDEX && rv == 0; i++) {
        char name[STORE_PATH_MAX];
        struct stat st;
        if (store_place_name(name, path, (enum store_file)i) != 0 || stat(name, &st) != 0)
            continue;
        if ((st.st_mode & 0177) != 0 && chmod(name, 0600) != 0) {
            log_error("store", "%s can be read by others: %s", name, strerror(errno));
            rv = REIN_EIO;
        }
    }
    return rv;
}

static int on_wal(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct store_db *db = ctx;
    (void)sqlite;
    (void)name;
    if (pages < db->wal_pages) /* it began again */
        db->checkpoint_at = WAL_PAGES;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static int open_sqlite(struct store_db *db)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* would lock at each allocation, for unused statistics */
    if (sqlite3_open_v2(db->path, &db->sqlite, flags, store_wal_vfs()) != SQLITE_OK)
        return db->sqlite != NULL ? db_fail(db, db->path) : REIN_ENOMEM;
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

static int prepare(struct store_db *db, sqlite3_stmt **out, const char *sql)
{
    if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
        return db_fail(db, sql);
    return 0;
}

static int db_step(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt); /* the same code, so its message stays */
}

static void roll_back(struct store_db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite))
        db_step(db->rollback);
    store_rows_forget(db->rows);
}

/* Ends a transaction of `rc`. SQLite may have rolled back by itself; if it could not, for lack of memory, be_open tries
 * again. */
static int end_transaction(struct store_db *db, int rc, const char *what)
{
    int rv = rc == SQLITE_OK ? 0 : fail_with(db, what, rc);
    if (rv == 0 && db_step(db->commit) != SQLITE_OK)
        rv = db_fail(db, "cannot commit");
    if (rv != 0)
        roll_back(db);
    return rv;
}

static int mark_lost(struct store_db *db)
{
    int lost = 0;
    if (db_step(db->begin) != SQLITE_OK)
        return db_fail(db, "cannot begin");
    int rv = end_transaction(db, store_rows_mark_lost(db->rows, &lost), "cannot mark decisions as lost");
    if (rv == 0 && lost > 0)
        log_warn("store", "%d decisions were open when the last process ended; they are marked as lost", lost);
    return rv;
}

/* `resumes`: the database is the one that was open before, so its open rows belong to running requests. */
static int open_all(struct store_db *db, bool resumes)
{
    assert(db_is_sound(db) && !db->is_open);
    int rv = take_lock(db);
    if (rv == 0)
        rv = make_private(db->path, &db->is_new);
    if (rv == 0)
        rv = open_sqlite(db);
    if (rv == 0)
        rv = store_migrate(db->sqlite, migrations, migrations_len);
    if (rv == 0) /* from now on transactions are small */
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
    if (rv == 0 && !resumes)
        rv = mark_lost(db);
    if (rv == 0)
        rv = store_checkpoint_open(&db->checkpoint, db->path);
    return rv;
}

/* Also cleans up after a failed open_all. */
static void close_all(struct store_db *db)
{
    store_checkpoint_close(db->checkpoint);
    store_rows_free(db->rows);
    sqlite3_finalize(db->begin);
    sqlite3_finalize(db->commit);
    sqlite3_finalize(db->rollback);
    sqlite3_close(db->sqlite);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    db->checkpoint = NULL;
    db->rows = NULL;
    db->begin = db->commit = db->rollback = NULL;
    db->sqlite = NULL;
    db->lock_fd = -1;
    db->is_open = false;
}

static int open_or_close(struct store_db *db, bool resumes)
{
    struct store_place now;
    int rv = open_all(db, resumes);
    if (rv == 0) {
        store_place_unpin(db->pins);
        store_place_pin(db->pins, db->path);
    }
    store_place_look(&now, db->path);
    if (rv == 0 && !now.files[STORE_FILE_DATABASE].is_there)
        rv = REIN_EIO; /* it went at once */
    if (rv != 0) {
        close_all(db);
        return rv;
    }
    db->place = now;
    db->is_open = true;
    db->is_gone = false;
    db->syncs = true;
    db->is_checkpointing = false;
    db->wal_pages = 0;
    db->checkpoint_at = WAL_PAGES;
    assert(db_is_sound(db));
    return 0;
}

/* The folder is made only now: later a missing one means that the database was moved away. */
static int make_folder(const char *path)
{
    int rv = files_make_folder_of(path);
    if (rv == 0)
        return 0;
    log_error("store", "the folder of the store %s cannot be made: %s", path, strerror(-rv));
    return rv == -ENOMEM ? REIN_ENOMEM : REIN_EIO;
}

int sqlite_db_open(struct store_db **out, const struct store_options *options)
{
    struct store_db *db = calloc(1, sizeof *db);
    if (db == NULL)
        return REIN_ENOMEM;
    db->lock_fd = -1;
    memset(db->pins, -1, sizeof db->pins);
    db->keep_days = options->keep_days;
    db->keep_text_days = options->keep_text_days;
    db->away_ms = options->away_ms > 0 ? options->away_ms : STORE_AWAY_MS;
    db->path = strdup(options->path);
    int rv = db->path != NULL ? make_folder(db->path) : REIN_ENOMEM;
    if (rv == 0)
        rv = open_or_close(db, false);
    if (rv != 0) {
        store_place_unpin(db->pins);
        free(db->path);
        free(db);
        return rv;
    }
    *out = db;
    return 0;
}

/* ---- leaving and returning ---- */

/* Moves the log into the database through the open descriptors, wherever the files are now. Not if the database has
 * another log now. */
static bool empty_log(struct store_db *db, const struct store_place *now)
{
    int log = -1, done = -2;
    bool has_other_log =
        db->is_cut || (store_place_has(&db->place, now, STORE_FILE_DATABASE) && now->files[STORE_FILE_LOG].is_there &&
                       !store_place_has(&db->place, now, STORE_FILE_LOG));
    store_checkpoint_wait(db->checkpoint);
    if (has_other_log || sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_FULL, &log, &done) != SQLITE_OK)
        return false;
    return log == done;
}

/* From now on nothing is written; logs this at once. */
static void note_gone(struct store_db *db, const struct store_place *now)
{
    char name[STORE_PATH_MAX] = "";
    enum store_file file = db->is_cut ? STORE_FILE_DATABASE : store_place_missing(&db->place, now);
    (void)!store_place_name(name, db->path, file);
    log_error("store", "%s was removed, renamed or replaced while it was in use: decisions cannot be written to %s",
              name, db->path);
    db->is_gone = true;
    db->times_gone++;
    sqlite_readers_block(true);
}

/* SQLite would remove files by name, and the names may belong to other files by now. */
static void leave(struct store_db *db)
{
    assert(db->is_open && db->is_gone);
    store_place_look(&db->seen, db->path);
    db->quiet_since_us = monotonic_us();
    db->is_log_left = !empty_log(db, &db->seen);
    if (db->is_log_left)
        log_error("store", "the latest decisions could not be moved into the database that was at %s", db->path);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    close_all(db);
}

/* A file that is overwritten stays the same file, but gets shorter first. SQLite itself never makes it shorter than the
 * database, not even with VACUUM. */
static bool is_cut_short(struct store_db *db, const struct store_place *now)
{
    static const char sql[] = "SELECT (SELECT page_count FROM pragma_page_count)"
                              " * (SELECT page_size FROM pragma_page_size)";
    int64_t before = db->place.size, size = 0;
    sqlite3_stmt *stmt = NULL;
    db->place.size = now->size;
    if (now->size >= before)
        return false;
    if (sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        size = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return size == 0 || now->size < size;
}

bool sqlite_db_is_in_place(struct store_db *db)
{
    struct store_place now;
    assert(db_is_sound(db));
    if (db->is_gone)
        return false;
    store_place_look(&now, db->path);
    bool is_there = store_place_missing(&db->place, &now) == STORE_FILES;
    db->is_cut = is_there && is_cut_short(db, &now);
    if (is_there && !db->is_cut)
        return true;
    note_gone(db, &now);
    assert(db_is_sound(db));
    return false;
}

uint64_t sqlite_db_times_gone(const struct store_db *db)
{
    return db->times_gone;
}

/* The log and the index of a database that is gone would be mistaken for those of the present one. A log that could not
 * be emptied is kept under another name. */
static void clear_old_log(struct store_db *db, const struct store_place *now)
{
    char name[STORE_PATH_MAX], kept[STORE_PATH_MAX + 8];
    if (store_place_has(&db->place, now, STORE_FILE_LOG) && store_place_name(name, db->path, STORE_FILE_LOG) == 0) {
        snprintf(kept, sizeof kept, "%s-left", name);
        if (db->is_log_left ? rename(name, kept) != 0 : unlink(name) != 0)
            log_error("store", "%s cannot be moved away: %s", name, strerror(errno));
    }
    if (store_place_has(&db->place, now, STORE_FILE_INDEX) && store_place_name(name, db->path, STORE_FILE_INDEX) == 0)
        unlink(name);
}

/* Opens the file at the path, once nothing changes there and no reader has the old files open. Otherwise always
 * REIN_EIO, because no record is at fault. */
static int return_to_place(struct store_db *db)
{
    struct store_place now;
    int64_t at_us = monotonic_us();
    store_place_look(&now, db->path);
    if (!store_place_is_quiet(&db->seen, &now)) {
        db->seen = now;
        db->quiet_since_us = at_us;
    }
    if (at_us - db->quiet_since_us < (int64_t)db->away_ms * 1000 || !sqlite_readers_are_gone())
        return REIN_EIO;
    db->quiet_since_us = at_us; /* the next try, if this one fails */
    bool resumes = store_place_has(&db->place, &now, STORE_FILE_DATABASE) && !db->is_cut;
    if (!resumes)
        clear_old_log(db, &now);
    if (open_or_close(db, resumes) != 0)
        return REIN_EIO;
    sqlite_readers_block(false);
    if (db->is_new)
        log_error("store", "a new, empty database was made at %s; it does not contain earlier decisions", db->path);
    else
        log_warn("store", "the database at %s is in use %s", db->path, resumes ? "again" : "now, in place of another");
    return 0;
}

/* Before each use: open, and outside of a transaction. */
static int be_open(struct store_db *db)
{
    assert(db_is_sound(db));
    if (db->is_open && !sqlite3_get_autocommit(db->sqlite))
        roll_back(db);
    if (db->is_open && db->is_gone)
        leave(db);
    return db->is_open ? 0 : return_to_place(db);
}

static void finish_sums(struct store_db *db)
{
    if (!db->is_open || !sqlite3_get_autocommit(db->sqlite) || db_step(db->begin) != SQLITE_OK)
        return;
    (void)end_transaction(db, store_sums_finish(store_rows_sums(db->rows)), "cannot finish the sums");
}

void sqlite_db_close(struct store_db *db)
{
    if (db == NULL)
        return;
    if (sqlite_db_is_in_place(db)) {
        finish_sums(db);
        close_all(db);
    } else if (db->is_open)
        leave(db);
    sqlite_readers_block(false);
    store_place_unpin(db->pins);
    free(db->path);
    free(db);
}

/* ---- writing ---- */

/* A decision that changed a response outlives a power failure before the client sees it; of the others, those of the
 * last moments may be lost. Both outlive the process. A sync includes all earlier commits. */
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

int sqlite_db_write(struct store_db *db, struct store_job *first)
{
    int ready = be_open(db);
    if (ready == 0)
        ready = set_sync(db, first);
    if (ready != 0)
        return ready;
    if (db_step(db->begin) != SQLITE_OK)
        return db_fail(db, "cannot begin");
    int rv = end_transaction(db, store_rows_write(db->rows, first), "cannot write a decision");
    return sqlite_db_is_in_place(db) ? rv : REIN_EIO;
}

int sqlite_db_use_policies(struct store_db *db, const struct store_policies *policies)
{
    int ready = be_open(db);
    if (ready != 0)
        return ready;
    if (db_step(db->begin) != SQLITE_OK)
        return db_fail(db, "cannot begin");
    return end_transaction(db, store_policies_write(db->sqlite, policies), "cannot note the policies");
}

int sqlite_db_probe(struct store_db *db)
{
    char sql[160];
    if (be_open(db) != 0)
        return REIN_EIO;
    snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO facts (name, value) VALUES ('recovered_at_us', '%lld')",
             (long long)now_us());
    return exec(db, sql);
}

/* Little was committed during a round. Nothing is added to the log now: if no reader uses it, the next commit restarts
 * it. Readers that come once all of it is in the database do not use it. */
static void finish_checkpoint(struct store_db *db)
{
    int mode = db->wal_pages < WAL_PAGES_MAX ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    sqlite3_busy_timeout(db->sqlite, db->wal_pages < 4 * WAL_PAGES_MAX ? READERS_MS : BUSY_MS);
    int rc = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, mode, NULL, NULL);
    sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    sqlite_readers_release();
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        db_fail(db, "cannot checkpoint");
    db->is_checkpointing = false;
    db->checkpoint_at =
        db->wal_pages + WAL_PAGES; /* unless it is restarted: after a failure, or while a reader uses it */
}

static void checkpoint(struct store_db *db)
{
    if (db->is_checkpointing) {
        if (db->wal_pages >= WAL_PAGES_MAX)
            store_checkpoint_wait(db->checkpoint);
        if (!store_checkpoint_is_under_way(db->checkpoint))
            finish_checkpoint(db);
    } else if (db->wal_pages >= db->checkpoint_at) {
        store_checkpoint_begin(db->checkpoint, db->wal_pages >= WAL_PAGES_MAX);
        db->is_checkpointing = true;
    }
}

static bool keep_up_sums(struct store_db *db)
{
    struct store_sums *sums = store_rows_sums(db->rows);
    bool more = false;
    if (!store_sums_are_due(sums, now_us()) || !sqlite3_get_autocommit(db->sqlite))
        return false;
    if (db_step(db->begin) != SQLITE_OK) {
        db_fail(db, "cannot begin");
        return false;
    }
    return end_transaction(db, store_sums_step(sums, now_us(), &more), "cannot keep up the sums") == 0 && more;
}

bool sqlite_db_maintain(struct store_db *db)
{
    if (!db->is_open || db->is_gone)
        return false;
    checkpoint(db);
    return keep_up_sums(db);
}

/* ---- purging ---- */

void sqlite_db_keep(struct store_db *db, unsigned days)
{
    db->keep_days = days;
}

int sqlite_db_purge(struct store_db *db, uint64_t *purged)
{
    struct store_purged went = {0, 0};
    *purged = 0;
    if (!db->is_open || db->is_gone)
        return REIN_EIO;
    if (db_step(db->begin) != SQLITE_OK)
        return db_fail(db, "cannot begin");
    int rc = store_purge(db->sqlite, db->keep_days, db->keep_text_days, &went);
    int rv = end_transaction(db, rc, "cannot purge");
    if (rv != 0)
        return rv;
    *purged = (uint64_t)went.decisions;
    return went.decisions >= STORE_PURGE_BATCH || went.texts >= STORE_PURGE_BATCH;
}
