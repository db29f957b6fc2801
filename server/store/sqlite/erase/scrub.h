/* Scrubbing: what was deleted is gone from the whole database file, also from the unused room inside its pages.
 * SPDX-License-Identifier: Apache-2.0
 *
 * SQLite overwrites what is deleted (secure_delete), but not the copies that it left in a page's unused room when it
 * moved rows to another page.
 *
 * It goes in steps, between which others may write. Thread: one. */
#ifndef SERVER_STORE_SQLITE_ERASE_SCRUB_H
#define SERVER_STORE_SQLITE_ERASE_SCRUB_H

#include <stdbool.h>

#include "rein/rein.h"

struct sqlite3;

struct store_scrub;

/* `path` is the file of a connection of the caller's without a transaction, which outlives it; others may use the
 * database. REIN_EIO, REIN_ENOMEM. Returns owned. */
int store_scrub_new(struct store_scrub **out, struct sqlite3 *sqlite, const char *path) REIN_MUST_USE;
void store_scrub_free(struct store_scrub *scrub); /* NULL is fine */
/* The next step; writers wait for it. 0: all is scrubbed, or *left: the log could not be emptied, because somebody
 * reads for long. Otherwise a step of enum store_erase_step, or an error. */
int store_scrub_step(struct store_scrub *scrub, bool *left) REIN_MUST_USE;

#endif
