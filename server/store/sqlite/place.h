/* Where a database's files are, and whether they are still the ones that were opened.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A process keeps writing into a file that was removed or renamed, and nobody finds what it wrote. Only the file's name
 * shows this.
 *
 * Thread: one at a time. */
#ifndef SERVER_STORE_SQLITE_PLACE_H
#define SERVER_STORE_SQLITE_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "rein/rein.h"

enum store_file {
    STORE_FILE_DATABASE,
    STORE_FILE_LOG,   /* -wal */
    STORE_FILE_INDEX, /* -shm, of the log */
    STORE_FILE_LOCK,
    STORE_FILES
};

/* What is at a path. */
struct store_place {
    struct {
        bool is_there;
        uint64_t device, number; /* of the file: the same as long as it is the same file */
    } files[STORE_FILES];
    int64_t size, changed_ns; /* the database's, which change while it is copied */
};

/* The name of a file of the database at `path`, with NUL. REIN_EINVAL: too long. */
enum { STORE_PATH_MAX = 4096 };
int store_place_name(char out[STORE_PATH_MAX], const char *path, enum store_file file) REIN_MUST_USE;
/* Reads which files exist now. */
void store_place_look(struct store_place *out, const char *path);
/* The first file of `opened` that is missing or another one in `now`; STORE_FILES: all are in place. */
enum store_file store_place_missing(const struct store_place *opened, const struct store_place *now);
/* The same file at both times. */
bool store_place_has(const struct store_place *opened, const struct store_place *now, enum store_file file);
/* Keeps the files of `place` from giving their numbers to others: once they are closed and removed, a new file may get
 * them. Fails silently where there is no file any more. `pins` begins as {-1, …} (store_place_unpin). */
void store_place_pin(int pins[STORE_FILES], const char *path);
void store_place_unpin(int pins[STORE_FILES]);
/* Nothing has changed from one check to the next. */
bool store_place_is_quiet(const struct store_place *before, const struct store_place *now);

#endif
