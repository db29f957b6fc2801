/* The rows of policy versions and their texts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/policies.h"

#include <sqlite3.h>

#include "store/sqlite/reader.h"

/* More texts are removed, those of versions that no decision needs, the oldest first. */
#define TEXTS_MAX "1000"

static const char add_policy[] = "INSERT OR IGNORE INTO policies (version, name) VALUES (?1, ?2)";
/* The same version may be written in another way. */
static const char add_text[] =
    "INSERT INTO policy_texts (policy, first_active_us, source, resolved, documents)"
    " SELECT number, ?3, ?4, ?5, ?6 FROM policies WHERE version = ?1"
    " ON CONFLICT (policy) DO UPDATE SET last_active_us = NULL, source = excluded.source, resolved = excluded.resolved,"
    " documents = excluded.documents";
static const char end_all[] = "UPDATE policy_texts SET last_active_us = ?3 WHERE last_active_us IS NULL";
static const char drop_old[] =
    "DELETE FROM policy_texts WHERE policy IN (SELECT t.policy FROM policy_texts AS t WHERE t.last_active_us IS NOT "
    "NULL"
    " AND NOT EXISTS (SELECT 1 FROM decisions AS d WHERE d.policy = t.policy) ORDER BY t.last_active_us"
    " LIMIT max(0, (SELECT count(*) FROM policy_texts) - " TEXTS_MAX "))";

/* Binds what the statement has of a policy and a time, and runs it. */
static int run(sqlite3 *sqlite, const char *sql, const struct store_policy *policy, int64_t at_us)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return rc;
    int places = sqlite3_bind_parameter_count(stmt);
    if (policy != NULL) {
        sqlite3_bind_text(stmt, 1, policy->version, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, policy->name, -1, SQLITE_STATIC);
    }
    if (places >= 3)
        sqlite3_bind_int64(stmt, 3, at_us);
    if (policy != NULL && places >= 6) {
        sqlite3_bind_text(stmt, 4, policy->source, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 5, policy->resolved, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 6, policy->documents, -1, SQLITE_STATIC);
    }
    sqlite3_step(stmt);
    return sqlite3_finalize(stmt);
}

int store_policies_write(sqlite3 *sqlite, const struct store_policies *policies)
{
    int rc = run(sqlite, end_all, NULL, policies->at_us);
    for (size_t i = 0; i < policies->len && rc == SQLITE_OK; i++) {
        rc = run(sqlite, add_policy, &policies->items[i], policies->at_us);
        if (rc == SQLITE_OK)
            rc = run(sqlite, add_text, &policies->items[i], policies->at_us);
    }
    return rc == SQLITE_OK ? run(sqlite, drop_old, NULL, policies->at_us) : rc;
}

int sqlite_read_policies(struct store_reader *base, const char *version, store_on_policy on_policy, void *ctx)
{
    static const char sql[] =
        "SELECT version, name, first_active_at_us, last_active_at_us, in_use,"
        " iif(:version IS NULL, NULL, source), iif(:version IS NULL, NULL, resolved),"
        " iif(:version IS NULL, NULL, documents) FROM v_policies WHERE :version IS NULL OR version = :version"
        " ORDER BY in_use DESC, coalesce(last_active_at_us, first_active_at_us) DESC, version LIMIT 1000";
    struct sqlite_reader *reader = sqlite_reader_of(base);
    sqlite3_stmt *stmt = NULL;
    int rv = reader_prepare(reader, &stmt, sql);
    if (rv == 0 && version != NULL)
        reader_bind_text(stmt, ":version", version);
    while (rv == 0 && (rv = reader_step(reader, stmt)) > 0) {
        const struct store_policy_row row = {
            .policy = {.version = (const char *)sqlite3_column_text(stmt, 0),
                       .name = (const char *)sqlite3_column_text(stmt, 1),
                       .source = (const char *)sqlite3_column_text(stmt, 5),
                       .resolved = (const char *)sqlite3_column_text(stmt, 6),
                       .documents = (const char *)sqlite3_column_text(stmt, 7)},
            .first_active_us = reader_number(stmt, 2),
            .last_active_us = reader_number(stmt, 3),
            .in_use = sqlite3_column_int(stmt, 4) != 0,
        };
        rv = row.policy.version != NULL && row.policy.name != NULL ? on_policy(ctx, &row) : REIN_ENOMEM;
    }
    sqlite3_finalize(stmt);
    return rv < 0 ? rv : 0;
}
