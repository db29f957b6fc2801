/* See rows.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { FOUND = 128, OTHER = 64, TOLD_MAX = 10 };

struct audit {
    uint8_t *rows; /* as wanted, and FOUND: there is such a row; OTHER: there is one that says otherwise */
    size_t len, faults, found;
    bool may_be_open;
};

static void row_fault(struct audit *audit, const char *what, const char *id, const char *ending)
{
    if (audit->faults++ < TOLD_MAX)
        printf("FAULT: %s: %s, ending %s\n", what, id, ending);
}

static void row_check(struct audit *audit, const char *id, const char *ending, bool is_final)
{
    size_t number =
        strncmp(id, REQUEST_ID, strlen(REQUEST_ID)) == 0 ? strtoull(id + strlen(REQUEST_ID), NULL, 10) : SIZE_MAX;
    if (!is_final && !audit->may_be_open)
        row_fault(audit, "a row is not final though the server has stopped", id, ending);
    if (number >= audit->len)
        return;
    /* A request that a kept connection swallowed was sent once more: one of its rows is what the client saw. */
    enum row wanted = (enum row)(audit->rows[number] & ~(FOUND | OTHER));
    bool fits = wanted == ROW_COMPLETE ? strcmp(ending, "complete") == 0
                                       : wanted != ROW_REFUSED || strcmp(ending, "refused") == 0;
    audit->rows[number] |= fits ? FOUND : OTHER;
    audit->found++;
}

static void rows_find_missing(struct audit *audit)
{
    for (size_t i = 0; i < audit->len; i++) {
        char id[48];
        snprintf(id, sizeof id, REQUEST_ID "%zu", i);
        if (audit->rows[i] == ROW_ANY_OR_NONE || (audit->rows[i] & FOUND) != 0)
            continue;
        row_fault(audit,
                  (audit->rows[i] & OTHER) != 0 ? "a client saw another end than the request's row says"
                                                : "a client saw the end of a request that has no row",
                  id, "-");
    }
}

size_t rows_check(const char *path, const uint8_t *rows, size_t len, bool may_be_open)
{
    struct audit audit = {.rows = calloc(len + 1, 1), .len = len, .may_be_open = may_be_open};
    sqlite3 *db = NULL;
    sqlite3_stmt *all = NULL;
    if (audit.rows == NULL)
        abort();
    memcpy(audit.rows, rows, len);
    int rv = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
    if (rv == SQLITE_OK)
        rv = sqlite3_prepare_v2(db, "SELECT request_id, ending, final FROM v_decisions", -1, &all, NULL);
    while (rv == SQLITE_OK && (rv = sqlite3_step(all)) == SQLITE_ROW) {
        row_check(&audit, (const char *)sqlite3_column_text(all, 0), (const char *)sqlite3_column_text(all, 1),
                  sqlite3_column_int(all, 2) != 0);
        rv = SQLITE_OK;
    }
    if (rv != SQLITE_DONE)
        row_fault(&audit, "the database can not be read", sqlite3_errmsg(db), "-");
    rows_find_missing(&audit);
    printf("rows: %zu of scenes\n", audit.found);
    sqlite3_finalize(all);
    sqlite3_close(db);
    free(audit.rows);
    return audit.faults;
}
