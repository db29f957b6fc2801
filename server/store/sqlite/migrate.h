/* Migrations: brings a database to the schema of this binary, forward only.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each migration runs in one transaction and leaves its number, name and checksum in the table `migrations`. A database
 * that some other program made, that a newer Rein has touched, or whose past migrations are not the ones in this binary
 * is refused. The migrations are the files of migrations/, part of the binary.
 *
 * Thread: the caller's, while it alone has the database. */
#ifndef SERVER_STORE_SQLITE_MIGRATE_H
#define SERVER_STORE_SQLITE_MIGRATE_H

#include <stddef.h>

#include "rein/rein.h"

struct sqlite3;

struct migration {
    int number; /* 1, 2, 3 … without a gap */
    const char *name;
    const char *sha256; /* of the text, hex */
    const char *sql;
};
extern const struct migration migrations[];
extern const size_t migrations_len;

/* REIN_EFORMAT: refused, and logged why. REIN_EIO: SQLite failed, logged. The migrations before stay applied. */
int store_migrate(struct sqlite3 *db, const struct migration *list, size_t len) REIN_MUST_USE;

#endif
