/* See reader.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/reader.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"

enum { STEPS_BETWEEN_LOOKS = 2000, BUSY_MS = 1000 };

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The process's: it has one store. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t open;
    bool blocked;
    int64_t held_until_us; /* new ones wait; monotonic */
} readers = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* With the lock, for a change or until that time. */
static void wait_for_readers(int64_t until_us)
{
    struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
    pthread_cond_clockwait(&readers.changed, &readers.lock, CLOCK_MONOTONIC, &until);
}

static bool readers_enter(void)
{
    pthread_mutex_lock(&readers.lock);
    while (now_us() < readers.held_until_us)
        wait_for_readers(readers.held_until_us);
    bool may_open = !readers.blocked;
    readers.open += may_open;
    pthread_mutex_unlock(&readers.lock);
    return may_open;
}

static void readers_leave(void)
{
    pthread_mutex_lock(&readers.lock);
    assert(readers.open > 0);
    readers.open--;
    pthread_cond_broadcast(&readers.changed);
    pthread_mutex_unlock(&readers.lock);
}

void sqlite_readers_hold(unsigned wait_ms)
{
    int64_t begun_us = now_us(), until_us = begun_us + (int64_t)wait_ms * 1000;
    pthread_mutex_lock(&readers.lock);
    readers.held_until_us = begun_us + READERS_HELD_MS * 1000;
    while (readers.open > 0 && now_us() < until_us)
        wait_for_readers(until_us);
    pthread_mutex_unlock(&readers.lock);
}

void sqlite_readers_release(void)
{
    pthread_mutex_lock(&readers.lock);
    readers.held_until_us = 0;
    pthread_cond_broadcast(&readers.changed);
    pthread_mutex_unlock(&readers.lock);
}

void sqlite_readers_block(bool block)
{
    pthread_mutex_lock(&readers.lock);
    readers.blocked = block;
    pthread_mutex_unlock(&readers.lock);
}

bool sqlite_readers_are_gone(void)
{
    pthread_mutex_lock(&readers.lock);
    bool gone = readers.open == 0;
    pthread_mutex_unlock(&readers.lock);
    return gone;
}

/* The writer may have moved. */
static void keep_off(const struct sqlite_reader *reader)
{
    if (reader->base.keeps_off != NULL)
        thread_keep_off(atomic_load_explicit(reader->base.keeps_off, memory_order_relaxed));
}

/* Does the query take too long? */
static int look_around(void *ctx)
{
    const struct sqlite_reader *reader = ctx;
    keep_off(reader);
    return now_us() > reader->deadline_us;
}

static int reader_fail(const struct sqlite_reader *reader)
{
    int rc = sqlite3_extended_errcode(reader->sqlite);
    if ((rc & 0xff) == SQLITE_INTERRUPT)
        return REIN_ELIMIT;
    static struct log_limit limit;
    log_limited(&limit, LOG_ERROR, "store", "cannot read: %s (%d)", sqlite3_errmsg(reader->sqlite), rc);
    return (rc & 0xff) == SQLITE_NOMEM ? REIN_ENOMEM : REIN_EIO;
}

int sqlite_reader_open(struct store_reader **out, const char *path, unsigned time_limit_ms)
{
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return REIN_ENOMEM;
    if (!readers_enter()) {
        free(reader);
        return REIN_EIO;
    }
    reader->base.driver = &store_driver_sqlite;
    reader->time_limit_ms = time_limit_ms;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rv = sqlite3_open_v2(path, &reader->sqlite, flags, NULL) == SQLITE_OK ? 0 : reader_fail(reader);
    if (rv != 0) {
        sqlite_reader_close(&reader->base);
        return rv;
    }
    sqlite3_busy_timeout(reader->sqlite, BUSY_MS);
    sqlite3_progress_handler(reader->sqlite, STEPS_BETWEEN_LOOKS, look_around, reader);
    *out = &reader->base;
    return 0;
}

void sqlite_reader_close(struct store_reader *base)
{
    struct sqlite_reader *reader = sqlite_reader_of(base);
    if (reader == NULL)
        return;
    for (size_t i = 0; i < READER_IDLE; i++)
        sqlite3_finalize(reader->idle[i]);
    sqlite3_close(reader->sqlite);
    free(reader);
    readers_leave();
}

int reader_prepare(struct sqlite_reader *reader, sqlite3_stmt **out, const char *sql)
{
    int64_t now = now_us(), until = reader->base.until_us;
    keep_off(reader);
    reader->deadline_us = now + (int64_t)reader->time_limit_ms * 1000;
    if (until != 0 && until < reader->deadline_us)
        reader->deadline_us = until;
    if (now > reader->deadline_us)
        return REIN_ELIMIT;
    for (size_t i = 0; i < READER_IDLE; i++)
        if (reader->idle[i] != NULL && strcmp(sqlite3_sql(reader->idle[i]), sql) == 0) {
            *out = reader->idle[i];
            reader->idle[i] = NULL;
            return 0;
        }
    return sqlite3_prepare_v2(reader->sqlite, sql, -1, out, NULL) == SQLITE_OK ? 0 : reader_fail(reader);
}

void reader_end(struct sqlite_reader *reader, sqlite3_stmt *stmt)
{
    size_t i = 0;
    while (i < READER_IDLE && reader->idle[i] != NULL)
        i++;
    if (stmt == NULL || i == READER_IDLE) {
        sqlite3_finalize(stmt);
        return;
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    reader->idle[i] = stmt;
}

int reader_step(struct sqlite_reader *reader, sqlite3_stmt *stmt)
{
    switch (sqlite3_step(stmt)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return reader_fail(reader);
    }
}

void reader_bind_text(sqlite3_stmt *stmt, const char *name, const char *text)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    if (i > 0)
        sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

void reader_bind_number(sqlite3_stmt *stmt, const char *name, int64_t number)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    if (i > 0)
        sqlite3_bind_int64(stmt, i, number);
}

void reader_bind_real(sqlite3_stmt *stmt, const char *name, double number)
{
    int i = sqlite3_bind_parameter_index(stmt, name);
    if (i > 0)
        sqlite3_bind_double(stmt, i, number);
}

/* ---- rows ---- */

static bool is_unknown(sqlite3_stmt *stmt, int i)
{
    return sqlite3_column_type(stmt, i) == SQLITE_NULL;
}

int64_t reader_number(sqlite3_stmt *stmt, int i)
{
    return is_unknown(stmt, i) ? STORE_UNKNOWN : sqlite3_column_int64(stmt, i);
}

int reader_fill(sqlite3_stmt *stmt, const struct store_field *fields, void *row)
{
    int i = 0;
    for (const struct store_field *field = fields; field->name != NULL; field++, i++) {
        void *at = (char *)row + field->offset;
        assert(i < sqlite3_column_count(stmt) && strcmp(sqlite3_column_name(stmt, i), field->name) == 0);
        switch (field->type) {
        case STORE_TEXT:
        case STORE_JSON:
            *(const char **)at = NULL;
            if (!is_unknown(stmt, i) && (*(const char **)at = (const char *)sqlite3_column_text(stmt, i)) == NULL)
                return REIN_ENOMEM;
            break;
        case STORE_NUMBER:
        case STORE_ORDER:
        case STORE_MAYBE:
            *(int64_t *)at = reader_number(stmt, i);
            break;
        case STORE_REAL:
            *(double *)at = is_unknown(stmt, i) ? NAN : sqlite3_column_double(stmt, i);
            break;
        case STORE_FLAG:
            *(bool *)at = sqlite3_column_int(stmt, i) != 0;
            break;
        }
    }
    assert(i == sqlite3_column_count(stmt));
    return 0;
}
