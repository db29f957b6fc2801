/* See wal.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The log is a head and then frames, each a head of 24 bytes and a page. Frames that follow each other are held, up to
 * the one that ends the transaction: its head has the size of the database in pages, others have 0 there. So what is
 * held was never committed: it may be dropped, and an error belongs to the commit that is under way. */
#include "store/sqlite/wal.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEAD_LEN = 24,
    HEAD_COMMIT = 4, /* where in a head the size of the database is, 4 bytes */
    HELD_MAX = 128 << 10,
};

/* The real file is behind it. */
struct file {
    sqlite3_file base;
    char *held;
    size_t len;
    sqlite3_int64 at; /* where in the file what is held belongs */
    bool is_last;     /* the latest head ends a transaction */
};

static sqlite3_vfs vfs, *real;

static struct file *ours(sqlite3_file *f)
{
    return (struct file *)(void *)f;
}

static sqlite3_file *real_file(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)(ours(f) + 1);
}

/* What could not be written is dropped: the commit fails, and another one writes in the same place. */
static int flush(sqlite3_file *f)
{
    struct file *file = ours(f);
    size_t len = file->len;
    if (len == 0)
        return SQLITE_OK;
    file->len = 0;
    int rc = real_file(f)->pMethods->xWrite(real_file(f), file->held, (int)len, file->at);
    if (rc == SQLITE_OK)
        file->at += (sqlite3_int64)len;
    return rc;
}

static int write_through(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
    int rc = flush(f);
    ours(f)->at = at + len;
    return rc == SQLITE_OK ? real_file(f)->pMethods->xWrite(real_file(f), data, len, at) : rc;
}

static int hold(sqlite3_file *f, const void *data, size_t len, sqlite3_int64 at)
{
    struct file *file = ours(f);
    int rc = file->len + len > HELD_MAX ? flush(f) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    if (file->len == 0)
        file->at = at;
    memcpy(file->held + file->len, data, len);
    file->len += len;
    return SQLITE_OK;
}

/* A head that follows nothing may be one that is written again, after its page: only what follows is held. */
static int write_log(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
    static const char none[4];
    struct file *file = ours(f);
    bool follows = at == file->at + (sqlite3_int64)file->len;
    if (len == HEAD_LEN)
        file->is_last = memcmp((const char *)data + HEAD_COMMIT, none, sizeof none) != 0;
    if (!follows || len > HELD_MAX)
        return write_through(f, data, len, at);
    int rc = hold(f, data, (size_t)len, at);
    return rc == SQLITE_OK && len != HEAD_LEN && file->is_last ? flush(f) : rc;
}

static int close_log(sqlite3_file *f)
{
    free(ours(f)->held);
    return real_file(f)->pMethods->xClose(real_file(f));
}

#define PASS(name, parameters, arguments)                                                                              \
    static int pass_##name parameters                                                                                  \
    {                                                                                                                  \
        int rc = flush(f);                                                                                             \
        f = real_file(f);                                                                                              \
        return rc == SQLITE_OK ? f->pMethods->name arguments : rc;                                                     \
    }
PASS(xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at), (f, p, n, at))
PASS(xTruncate, (sqlite3_file * f, sqlite3_int64 n), (f, n))
PASS(xSync, (sqlite3_file * f, int flags), (f, flags))
PASS(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (f, n))
PASS(xLock, (sqlite3_file * f, int lock), (f, lock))
PASS(xUnlock, (sqlite3_file * f, int lock), (f, lock))
PASS(xCheckReservedLock, (sqlite3_file * f, int *out), (f, out))
PASS(xFileControl, (sqlite3_file * f, int op, void *arg), (f, op, arg))

static int sector_size(sqlite3_file *f)
{
    return real_file(f)->pMethods->xSectorSize(real_file(f));
}

static int characteristics(sqlite3_file *f)
{
    return real_file(f)->pMethods->xDeviceCharacteristics(real_file(f));
}

static int open_log(sqlite3_vfs *self, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = close_log,
                                               .xRead = pass_xRead,
                                               .xWrite = write_log,
                                               .xTruncate = pass_xTruncate,
                                               .xSync = pass_xSync,
                                               .xFileSize = pass_xFileSize,
                                               .xLock = pass_xLock,
                                               .xUnlock = pass_xUnlock,
                                               .xCheckReservedLock = pass_xCheckReservedLock,
                                               .xFileControl = pass_xFileControl,
                                               .xSectorSize = sector_size,
                                               .xDeviceCharacteristics = characteristics};
    (void)self;
    if ((flags & SQLITE_OPEN_WAL) == 0)
        return real->xOpen(real, name, f, flags, out);
    *ours(f) = (struct file){.held = malloc(HELD_MAX), .at = -1};
    int rc = ours(f)->held != NULL ? real->xOpen(real, name, real_file(f), flags, out) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        f->pMethods = &methods;
    else
        free(ours(f)->held);
    return rc;
}

const char *store_wal_vfs(void)
{
    if (vfs.zName != NULL)
        return vfs.zName;
    real = sqlite3_vfs_find(NULL);
    if (real == NULL)
        return NULL;
    vfs = *real;
    vfs.zName = "rein";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    vfs.xOpen = open_log;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        vfs.zName = NULL;
    return vfs.zName;
}
