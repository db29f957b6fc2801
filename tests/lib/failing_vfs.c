/* See failing_vfs.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "failing_vfs.h"

#include <assert.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

static sqlite3_vfs vfs, *real;
static atomic_int write_code, sync_code, writes;
static pthread_mutex_t stall_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stall_changed = PTHREAD_COND_INITIALIZER;
static bool stalls; /* with the lock */

/* Our head, then the real file. */
struct file {
    sqlite3_file base;
};

static sqlite3_file *real_file(sqlite3_file *f)
{
    return (sqlite3_file *)(void *)((struct file *)(void *)f + 1);
}

void failing_vfs_set_write(int code)
{
    write_code = code;
}

void failing_vfs_set_sync(int code)
{
    sync_code = code;
}

void failing_vfs_set_stall(bool on)
{
    pthread_mutex_lock(&stall_lock);
    stalls = on;
    pthread_cond_broadcast(&stall_changed);
    pthread_mutex_unlock(&stall_lock);
}

int failing_vfs_writes(void)
{
    return writes;
}

#define PASS(name, parameters, arguments)                                                                              \
    static int pass_##name parameters                                                                                  \
    {                                                                                                                  \
        f = real_file(f);                                                                                              \
        return f->pMethods->name arguments;                                                                            \
    }
PASS(xClose, (sqlite3_file * f), (f))
PASS(xRead, (sqlite3_file * f, void *p, int n, sqlite3_int64 at), (f, p, n, at))
PASS(xTruncate, (sqlite3_file * f, sqlite3_int64 n), (f, n))
PASS(xFileSize, (sqlite3_file * f, sqlite3_int64 *n), (f, n))
PASS(xLock, (sqlite3_file * f, int lock), (f, lock))
PASS(xUnlock, (sqlite3_file * f, int lock), (f, lock))
PASS(xCheckReservedLock, (sqlite3_file * f, int *out), (f, out))
PASS(xFileControl, (sqlite3_file * f, int op, void *arg), (f, op, arg))
PASS(xSectorSize, (sqlite3_file * f), (f))
PASS(xDeviceCharacteristics, (sqlite3_file * f), (f))
PASS(xShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **out), (f, page, size, extend, out))
PASS(xShmLock, (sqlite3_file * f, int at, int n, int flags), (f, at, n, flags))
PASS(xShmUnmap, (sqlite3_file * f, int remove), (f, remove))

static void pass_xShmBarrier(sqlite3_file *f)
{
    f = real_file(f);
    f->pMethods->xShmBarrier(f);
}

static int write_or_fail(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    f = real_file(f);
    writes++;
    return write_code != SQLITE_OK ? write_code : f->pMethods->xWrite(f, p, n, at);
}

static int sync_or_fail(sqlite3_file *f, int flags)
{
    f = real_file(f);
    pthread_mutex_lock(&stall_lock);
    while (stalls)
        pthread_cond_wait(&stall_changed, &stall_lock);
    pthread_mutex_unlock(&stall_lock);
    return sync_code != SQLITE_OK ? sync_code : f->pMethods->xSync(f, flags);
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {2,
                                               pass_xClose,
                                               pass_xRead,
                                               write_or_fail,
                                               pass_xTruncate,
                                               sync_or_fail,
                                               pass_xFileSize,
                                               pass_xLock,
                                               pass_xUnlock,
                                               pass_xCheckReservedLock,
                                               pass_xFileControl,
                                               pass_xSectorSize,
                                               pass_xDeviceCharacteristics,
                                               pass_xShmMap,
                                               pass_xShmLock,
                                               pass_xShmBarrier,
                                               pass_xShmUnmap,
                                               NULL,
                                               NULL};
    (void)self;
    int rc = real->xOpen(real, name, real_file(f), flags, out);
    f->pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

void failing_vfs_install(void)
{
    real = sqlite3_vfs_find(NULL);
    vfs = *real;
    vfs.zName = "failing";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    vfs.xOpen = open_file;
    int rc = sqlite3_vfs_register(&vfs, 1);
    assert(rc == SQLITE_OK);
    (void)rc;
}
