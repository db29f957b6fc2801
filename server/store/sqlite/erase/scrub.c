/* See scrub.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      empty the log -> take the lock of writers -> is the log still empty? -> zero the gaps of some pages
 *          -> commit something, so that others drop the pages that they remember -> go on
 *
 * While the log is empty and nobody else can write, the database file alone is the truth, and its gaps mean nothing to
 * anybody who reads. A page that another connection remembers, with its old gap, would come back with its next change;
 * so the commit must follow.
 *
 *      page:  header | places of cells | gap | cells
 */
#include "store/sqlite/erase/scrub.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "store/erase/erase.h"
#include "store/sqlite/place.h"

enum {
    SCRUB_BATCH = 32 << 20, /* bytes for which writers wait at a time */
    SCRUB_TRIES = 100,      /* in a row, to find the log empty */
    SCRUB_WAIT_MS = 20,     /* for somebody who is in the log, at each of them */
    FILE_HEADER = 100,      /* on the first page, before the page's own */
    PAGE_MAX = 65536,
};

struct store_scrub {
    sqlite3 *sqlite;
    sqlite3_file *file; /* SQLite's own: a descriptor of ours would drop its locks when it is closed */
    char log[STORE_PATH_MAX];
    unsigned char *page;
    unsigned page_size, reserved;
    int64_t at;     /* in the file */
    unsigned tries; /* that did not find the log empty, in a row */
};

static int scrub_fail(const struct store_scrub *s)
{
    log_error("store", "cannot scrub: %s", sqlite3_errmsg(s->sqlite));
    return REIN_EIO;
}

static unsigned two_bytes(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static int read_sizes(struct store_scrub *s)
{
    unsigned char header[FILE_HEADER];
    if (s->file->pMethods->xRead(s->file, header, sizeof header, 0) != SQLITE_OK)
        return scrub_fail(s);
    s->page_size = two_bytes(header + 16) == 1 ? PAGE_MAX : two_bytes(header + 16);
    s->reserved = header[20];
    return s->page_size >= 512 && s->reserved < 480 ? 0 : scrub_fail(s);
}

/* The unused room between the places of cells and the cells; false: it is no page of a tree, or there is none. */
static bool find_gap(const struct store_scrub *s, bool is_first, unsigned *from, unsigned *to)
{
    const unsigned char *header = s->page + (is_first ? FILE_HEADER : 0);
    bool is_leaf = header[0] == 10 || header[0] == 13, is_inner = header[0] == 2 || header[0] == 5;
    unsigned usable = s->page_size - s->reserved;
    *from = (unsigned)(header - s->page) + (is_leaf ? 8 : 12) + 2 * two_bytes(header + 3);
    *to = two_bytes(header + 5) == 0 ? PAGE_MAX : two_bytes(header + 5);
    return (is_leaf || is_inner) && *from < *to && *to <= usable;
}

static bool is_zero(const unsigned char *at, size_t len)
{
    return len == 0 || (*at == 0 && memcmp(at, at + 1, len - 1) == 0);
}

static int scrub_page(const struct store_scrub *s, int64_t offset)
{
    unsigned from, to;
    int rc = s->file->pMethods->xRead(s->file, s->page, (int)s->page_size, offset);
    if (rc != SQLITE_OK || !find_gap(s, offset == 0, &from, &to) || is_zero(s->page + from, to - from))
        return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : rc;
    memset(s->page + from, 0, to - from);
    return s->file->pMethods->xWrite(s->file, s->page + from, (int)(to - from), offset + from);
}

static bool is_log_empty(const struct store_scrub *s)
{
    struct stat st;
    return stat(s->log, &st) != 0 || st.st_size == 0;
}

/* The lock of writers, with an empty log. */
static bool take_file(const struct store_scrub *s)
{
    int rc = sqlite3_wal_checkpoint_v2(s->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK && is_log_empty(s))
        return true;
    if (rc == SQLITE_OK)
        sqlite3_exec(s->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static int scrub_pages(struct store_scrub *s, int64_t size)
{
    int64_t end = size - s->at > SCRUB_BATCH ? s->at + SCRUB_BATCH / s->page_size * s->page_size : size;
    int rc = SQLITE_OK;
    for (; s->at + s->page_size <= end && rc == SQLITE_OK; s->at += s->page_size)
        rc = scrub_page(s, s->at);
    if (rc == SQLITE_OK)
        rc = s->file->pMethods->xSync(s->file, SQLITE_SYNC_FULL);
    /* A change that others see, as much as a value of its own each time. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->sqlite,
                          "INSERT OR REPLACE INTO facts (name, value) VALUES ('scrubbed', hex(randomblob(8))); COMMIT",
                          NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        sqlite3_exec(s->sqlite, "ROLLBACK", NULL, NULL, NULL);
    s->at = end;
    return rc == SQLITE_OK ? 0 : scrub_fail(s);
}

int store_scrub_new(struct store_scrub **out, sqlite3 *sqlite, const char *path)
{
    struct store_scrub *s = calloc(1, sizeof *s);
    if (s == NULL || (s->page = malloc(PAGE_MAX)) == NULL) {
        free(s);
        return REIN_ENOMEM;
    }
    s->sqlite = sqlite;
    int rv = store_place_name(s->log, path, STORE_FILE_LOG);
    if (rv == 0 && (sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &s->file) != SQLITE_OK ||
                    s->file == NULL || s->file->pMethods == NULL))
        rv = scrub_fail(s);
    if (rv != 0) {
        store_scrub_free(s);
        return rv;
    }
    sqlite3_busy_timeout(sqlite, SCRUB_WAIT_MS); /* the next try is a step of its own */
    *out = s;
    return 0;
}

void store_scrub_free(struct store_scrub *s)
{
    if (s != NULL)
        free(s->page);
    free(s);
}

int store_scrub_step(struct store_scrub *s, bool *left)
{
    sqlite3_int64 size = 0;
    if (!take_file(s)) {
        *left = ++s->tries == SCRUB_TRIES;
        return *left ? 0 : STORE_ERASE_LATER;
    }
    s->tries = 0;
    int rv = s->page_size == 0 ? read_sizes(s) : 0;
    if (rv == 0 && s->file->pMethods->xFileSize(s->file, &size) != SQLITE_OK)
        rv = scrub_fail(s);
    if (rv == 0)
        rv = scrub_pages(s, size);
    else
        sqlite3_exec(s->sqlite, "ROLLBACK", NULL, NULL, NULL);
    return rv != 0 ? rv : s->at < size ? STORE_ERASE_MORE : 0;
}
