/* A file system for SQLite that can be told to fail: disk full, errors of writing and syncing.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Becomes SQLite's default; passes everything on to what was the default. */
#ifndef TESTS_FAILING_VFS_H
#define TESTS_FAILING_VFS_H

#include <stdbool.h>

void failing_vfs_install(void);
/* What every write or sync says from now on, an SQLite code; SQLITE_OK: works again. Any thread. */
void failing_vfs_set_write(int code);
void failing_vfs_set_sync(int code);
/* True: no sync returns from now on, until it is false again. Any thread. */
void failing_vfs_set_stall(bool stalls);
int failing_vfs_writes(void); /* how many writes there were so far */

#endif
