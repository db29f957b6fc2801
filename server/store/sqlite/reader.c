/* See reader.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/reader.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

enum { STEPS_BETWEEN_LOOKS = 2000, BUSY_MS = 1000 };

/* The process's: it has one store. */
static struct {
    pthread_mutex_t lock;
    size_t open;
    bool blocked;
} readers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool readers_enter(void)
{
    pthread_mutex_lock(&readers.lock);
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
    pthread_mutex_unlock(&readers.lock);
}

void store_readers_block(bool block)
{
    pthread_mutex_lock(&readers.lock);
    readers.blocked = block;
    pthread_mutex_unlock(&readers.lock);
}

bool store_readers_are_gone(void)
{
    pthread_mutex_lock(&readers.lock);
    bool gone = readers.open == 0;
    pthread_mutex_unlock(&readers.lock);
    return gone;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int is_too_late(void *ctx)
{
    const struct store_reader *reader = ctx;
    return now_us() > reader->deadline_us;
}

static int reader_fail(const struct store_reader *reader)
{
    int rc = sqlite3_extended_errcode(reader->sqlite);
    if ((rc & 0xff) == SQLITE_INTERRUPT)
        return REIN_ELIMIT;
    static struct log_limit limit;
    log_limited(&limit, LOG_ERROR, "store", "cannot read: %s (%d)", sqlite3_errmsg(reader->sqlite), rc);
    return (rc & 0xff) == SQLITE_NOMEM ? REIN_ENOMEM : REIN_EIO;
}

int store_reader_open(struct store_reader **out, const char *path, unsigned time_limit_ms)
{
    struct store_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return REIN_ENOMEM;
    if (!readers_enter()) {
        free(reader);
        return REIN_EIO;
    }
    reader->time_limit_ms = time_limit_ms;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rv = sqlite3_open_v2(path, &reader->sqlite, flags, NULL) == SQLITE_OK ? 0 : reader_fail(reader);
    if (rv != 0) {
        store_reader_close(reader);
        return rv;
    }
    sqlite3_busy_timeout(reader->sqlite, BUSY_MS);
    sqlite3_progress_handler(reader->sqlite, STEPS_BETWEEN_LOOKS, is_too_late, reader);
    *out = reader;
    return 0;
}

void store_reader_close(struct store_reader *reader)
{
    if (reader == NULL)
        return;
    sqlite3_close(reader->sqlite);
    free(reader);
    readers_leave();
}

int reader_prepare(struct store_reader *reader, sqlite3_stmt **out, const char *sql)
{
    reader->deadline_us = now_us() + (int64_t)reader->time_limit_ms * 1000;
    return sqlite3_prepare_v2(reader->sqlite, sql, -1, out, NULL) == SQLITE_OK ? 0 : reader_fail(reader);
}

int reader_step(struct store_reader *reader, sqlite3_stmt *stmt)
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

/* ---- rows ---- */

static bool is_boolean(const char *name)
{
    return strcmp(name, "final") == 0 || strcmp(name, "streamed") == 0 || strcmp(name, "shadow") == 0;
}

static json_t *value(sqlite3_stmt *stmt, int i, const char *name)
{
    const char *text;
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        return is_boolean(name) ? json_boolean(sqlite3_column_int(stmt, i))
                                : json_integer(sqlite3_column_int64(stmt, i));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(stmt, i));
    case SQLITE_TEXT:
        text = (const char *)sqlite3_column_text(stmt, i);
        return strcmp(name, "steps") == 0 || strcmp(name, "upstream_error") == 0 ? json_loads(text, 0, NULL)
                                                                                 : json_string(text);
    default:
        return json_null();
    }
}

json_t *reader_row(sqlite3_stmt *stmt)
{
    json_t *row = json_object();
    for (int i = 0; row != NULL && i < sqlite3_column_count(stmt); i++) {
        const char *name = sqlite3_column_name(stmt, i);
        if (strcmp(name, "seq") == 0)
            continue;
        if (json_object_set_new(row, name, value(stmt, i, name)) != 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}
