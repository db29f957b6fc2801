/* The writer's connection: the SQLite file, opened, migrated, written in groups, purged.
 * SPDX-License-Identifier: Apache-2.0
 *
 * SQLite's codes become ours here, logged once: REIN_EIO (disk full, I/O error, locked by another program, read-only,
 * damaged, not in its place), REIN_EINVAL (this record cannot be written), REIN_ENOMEM.
 *
 * When the database's files are removed, renamed or replaced, the database is left: its log is moved into it, wherever
 * it is now, it is closed, and all writing fails. Each later write or probe checks the path; once nothing has changed
 * there for a while, the file at the path is opened, or a new database is made.
 *
 * Thread: one at a time; the writer's once it runs. */
#ifndef SERVER_STORE_SQLITE_DB_H
#define SERVER_STORE_SQLITE_DB_H

#include "store/driver.h"
#include "store/erase/erase.h"

int sqlite_db_open(struct store_db **out, const struct store_options *options) REIN_MUST_USE;
void sqlite_db_close(struct store_db *db); /* NULL is fine */

/* Writes a chain of jobs (by `next`) in one transaction; when this returns 0 it outlives this process, and, if a
 * finding of the chain changed a response, a power failure too. On an error nothing of the chain is written. */
int sqlite_db_write(struct store_db *db, struct store_job *first) REIN_MUST_USE;
/* Notes which policies are in use from a time on. */
int sqlite_db_use_policies(struct store_db *db, const struct store_policies *policies) REIN_MUST_USE;
/* Checks the files' names. False: the database is gone, or was closed now because it is gone. To be called twice a
 * second; a write does it too, so what is written without an error was in its place. */
bool sqlite_db_is_in_place(struct store_db *db) REIN_MUST_USE;
uint64_t sqlite_db_times_gone(const struct store_db *db); /* how often it was left */
/* Commits a small fact, to see whether writing works. */
int sqlite_db_probe(struct store_db *db) REIN_MUST_USE;
/* Between writes: sees to it that the write-ahead log goes into the database when it has grown, and begins again. */
bool sqlite_db_maintain(struct store_db *db);
/* Sets how many days decisions are kept, 0: forever. */
void sqlite_db_keep(struct store_db *db, unsigned days);
/* Purges a small batch of old rows; *purged is the number of decisions. Returns 1 if there may be more, 0 if
 * not, negative on an error. */
int sqlite_db_purge(struct store_db *db, uint64_t *purged) REIN_MUST_USE;

/* See struct store_driver. */
int sqlite_begin_erase(struct store_eraser **out, const char *path,
                       const struct store_erase_filter *filter) REIN_MUST_USE;
int sqlite_step_erase(struct store_eraser *eraser) REIN_MUST_USE;
void sqlite_end_erase(struct store_eraser *eraser, struct store_erased *erased);

#endif
