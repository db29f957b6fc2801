/* Scrubbing: what was deleted is gone from the whole database file, also from the unused room inside its pages.
 * SPDX-License-Identifier: Apache-2.0
 *
 * SQLite overwrites what is deleted (secure_delete), but not the copies that it left in a page's unused room when it
 * moved rows to another page.
 *
 * Thread: one; blocks. */
#ifndef SERVER_STORE_SQLITE_ERASE_SCRUB_H
#define SERVER_STORE_SQLITE_ERASE_SCRUB_H

#include <stdbool.h>

#include "rein/rein.h"

struct sqlite3;

/* `path` is the file of a connection of the caller's without a transaction; others may use the database. *left: the log
 * could not be emptied, because somebody reads for long; then not all is scrubbed. 0 or REIN_EIO, REIN_ENOMEM. */
int store_scrub(struct sqlite3 *sqlite, const char *path, bool *left) REIN_MUST_USE;

#endif
