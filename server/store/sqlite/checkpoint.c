/* See checkpoint.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A round is two checkpoints: the second takes what was committed during the first, so that little is left after it.
 * Neither gets past what a reader sees, so before the second one readers are given time to leave. */
#include "store/sqlite/checkpoint.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/sqlite/reader.h"

enum { LEAVE_MS = 100 }; /* for readers; a view takes less as a rule */

struct store_checkpoint {
    sqlite3 *sqlite;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool under_way, closing, is_urgent; /* with `lock` */
};

static int checkpoint_fail(struct store_checkpoint *c, const char *what)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_ERROR, "store", "%s: %s (%d)", what, sqlite3_errmsg(c->sqlite),
                sqlite3_extended_errcode(c->sqlite));
    return REIN_EIO;
}

/* SQLite syncs the database once all of the log is in it, when the writer waits for that: then little is left. */
static int sync_database(struct store_checkpoint *c)
{
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(c->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return rc == SQLITE_OK ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

static int run_pass(struct store_checkpoint *c)
{
    int rc = sqlite3_wal_checkpoint_v2(c->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if ((rc & 0xff) == SQLITE_BUSY)
        return REIN_EIO;
    if (rc != SQLITE_OK)
        return checkpoint_fail(c, "cannot checkpoint");
    return sync_database(c) == SQLITE_OK ? 0 : checkpoint_fail(c, "cannot sync the database");
}

/* Commits continue. */
static void run_round(struct store_checkpoint *c, bool is_urgent)
{
    if (run_pass(c) != 0)
        return;
    sqlite_readers_hold(is_urgent ? 0 : LEAVE_MS);
    (void)run_pass(c);
}

static void *checkpointer(void *ctx)
{
    struct store_checkpoint *c = ctx;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->under_way && !c->closing)
            pthread_cond_wait(&c->changed, &c->lock);
        if (!c->under_way)
            break;
        bool is_urgent = c->is_urgent;
        pthread_mutex_unlock(&c->lock);
        run_round(c, is_urgent);
        pthread_mutex_lock(&c->lock);
        c->under_way = false;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* A connection opens the log when it first reads. */
static int open_sqlite(struct store_checkpoint *c, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(path, &c->sqlite, flags, NULL) != SQLITE_OK)
        return c->sqlite != NULL ? checkpoint_fail(c, path) : REIN_ENOMEM;
    sqlite3_extended_result_codes(c->sqlite, 1);
    if (sqlite3_exec(c->sqlite, "PRAGMA trusted_schema = OFF; PRAGMA synchronous = FULL; PRAGMA user_version", NULL,
                     NULL, NULL) != SQLITE_OK)
        return checkpoint_fail(c, "cannot read the database");
    return 0;
}

int store_checkpoint_open(struct store_checkpoint **out, const char *path)
{
    struct store_checkpoint *c = calloc(1, sizeof *c);
    if (c == NULL)
        return REIN_ENOMEM;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    int rv = open_sqlite(c, path);
    if (rv == 0)
        rv = thread_start(&c->thread, "rein-checkpoint", checkpointer, c);
    c->has_thread = rv == 0;
    if (rv != 0) {
        store_checkpoint_close(c);
        return rv;
    }
    *out = c;
    return 0;
}

void store_checkpoint_close(struct store_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->closing = true;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
    if (checkpoint->has_thread)
        pthread_join(checkpoint->thread, NULL);
    sqlite3_close(checkpoint->sqlite);
    pthread_cond_destroy(&checkpoint->changed);
    pthread_mutex_destroy(&checkpoint->lock);
    free(checkpoint);
}

void store_checkpoint_begin(struct store_checkpoint *checkpoint, bool is_urgent)
{
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->under_way = true;
    checkpoint->is_urgent = is_urgent;
    pthread_cond_broadcast(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
}

bool store_checkpoint_is_under_way(struct store_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->lock);
    bool under_way = checkpoint->under_way;
    pthread_mutex_unlock(&checkpoint->lock);
    return under_way;
}

void store_checkpoint_wait(struct store_checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->lock);
    while (checkpoint->under_way)
        pthread_cond_wait(&checkpoint->changed, &checkpoint->lock);
    pthread_mutex_unlock(&checkpoint->lock);
}
