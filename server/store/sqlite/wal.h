/* A way for SQLite to write its log: the frames of a commit in one piece.
 * SPDX-License-Identifier: Apache-2.0
 *
 * SQLite writes each page of a commit with two calls of the system; for small commits those are most of their cost. */
#ifndef SERVER_STORE_SQLITE_WAL_H
#define SERVER_STORE_SQLITE_WAL_H

/* The name of a VFS for the one connection that writes; all but the log is the default VFS's, which also finds the
 * files. NULL: use the default one. Once the database is open that connection must not spill (PRAGMA cache_spill):
 * frames without a commit after them could be held when the lock is given up. Main thread. */
const char *store_wal_vfs(void);

#endif
