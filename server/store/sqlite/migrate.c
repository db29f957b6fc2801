/* See migrate.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/migrate.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { APPLICATION_ID = 0x5265696e }; /* "Rein", in the file's header */

static int migrate_run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK)
        return 0;
    log_error("store", "migration: %s", message != NULL ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    return REIN_EIO;
}

static int read_number(sqlite3 *db, const char *sql, int *out)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) {
        log_error("store", "cannot read the database: %s", sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
        return REIN_EIO;
    }
    *out = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return 0;
}

/* An empty file becomes a database of Rein's; a file of another program is not changed. */
static int claim(sqlite3 *db)
{
    int id, tables;
    int rv = read_number(db, "PRAGMA application_id", &id);
    if (rv == 0)
        rv = read_number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rv != 0 || id == APPLICATION_ID)
        return rv;
    if (id != 0 || tables != 0) {
        log_error("store", "the file is a database of another program: set another store.url");
        return REIN_EFORMAT;
    }
    char sql[256];
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE; PRAGMA application_id = %d;"
             "CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL,"
             " applied_at TEXT NOT NULL DEFAULT (strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ'))); COMMIT",
             APPLICATION_ID);
    return migrate_run(db, sql);
}

static int check_applied(const struct migration *list, size_t len, int number, const char *name, const char *sha256)
{
    if (number < 1 || (size_t)number > len) {
        log_error("store", "the database was made by a newer version: it has migration %d (%s), this version knows %zu",
                  number, name, len);
        return REIN_EFORMAT;
    }
    const struct migration *known = &list[number - 1];
    if (strcmp(known->sha256, sha256) != 0) {
        log_error("store",
                  "migration %d (%s) is not the one that the database was made with (%s): %.12s, expected %.12s",
                  number, known->name, name, sha256, known->sha256);
        return REIN_EFORMAT;
    }
    return 0;
}

/* Checks what was applied before; *applied is how many. */
static int check_history(sqlite3 *db, const struct migration *list, size_t len, size_t *applied)
{
    sqlite3_stmt *stmt;
    const char *sql = "SELECT number, name, sha256 FROM migrations ORDER BY number";
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), rv = 0;
    *applied = 0;
    while (rc == SQLITE_OK && rv == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        rv = check_applied(list, len, sqlite3_column_int(stmt, 0), (const char *)sqlite3_column_text(stmt, 1),
                           (const char *)sqlite3_column_text(stmt, 2));
        *applied += 1;
        rc = SQLITE_OK;
    }
    if (rv == 0 && rc != SQLITE_DONE) {
        log_error("store", "cannot read the migrations: %s", sqlite3_errmsg(db));
        rv = REIN_EIO;
    }
    sqlite3_finalize(stmt);
    return rv;
}

static int note(sqlite3 *db, const struct migration *m)
{
    char *sql = sqlite3_mprintf("INSERT INTO migrations (number, name, sha256) VALUES (%d, %Q, %Q); COMMIT", m->number,
                                m->name, m->sha256);
    if (sql == NULL)
        return REIN_ENOMEM;
    int rv = migrate_run(db, sql);
    sqlite3_free(sql);
    return rv;
}

static int apply(sqlite3 *db, const struct migration *m)
{
    int rv = migrate_run(db, "BEGIN IMMEDIATE");
    if (rv == 0)
        rv = migrate_run(db, m->sql);
    if (rv == 0)
        rv = note(db, m);
    if (rv != 0) {
        log_error("store", "migration %d (%s) failed and was rolled back", m->number, m->name);
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rv;
}

int store_migrate(sqlite3 *db, const struct migration *list, size_t len)
{
    size_t applied = 0;
    int rv = claim(db);
    if (rv == 0)
        rv = check_history(db, list, len, &applied);
    for (size_t i = applied; rv == 0 && i < len; i++)
        rv = apply(db, &list[i]);
    return rv;
}
