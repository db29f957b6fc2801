/* See facets.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/sums/facets.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024 };

struct facet {
    struct facet *next;
    enum facet_kind kind;
    int64_t number, requests, last_seen_us;
    bool is_changed;
    char value[];
};

struct store_facets {
    sqlite3 *sqlite;
    sqlite3_stmt *add, *change;
    struct facet *slots[SLOTS];
    unsigned len[FACET_KINDS];
    bool has_changes;
};

const char *const facet_kind_names[FACET_KINDS] = {"route",  "model",   "key",  "policy", "verdict",
                                                   "ending", "pattern", "rule", "judge"};

static unsigned facet_slot(enum facet_kind kind, const char *value)
{
    unsigned hash = 2166136261u ^ (unsigned)kind; /* FNV-1a */
    for (; *value != '\0'; value++)
        hash = (hash ^ (unsigned char)*value) * 16777619u;
    return hash % SLOTS;
}

static struct facet *facet_find(const struct store_facets *f, enum facet_kind kind, const char *value)
{
    struct facet *facet = f->slots[facet_slot(kind, value)];
    while (facet != NULL && (facet->kind != kind || strcmp(facet->value, value) != 0))
        facet = facet->next;
    return facet;
}

static struct facet *facet_new(struct store_facets *f, enum facet_kind kind, const char *value)
{
    size_t len = strlen(value);
    struct facet *facet = calloc(1, sizeof *facet + len + 1), **slot = &f->slots[facet_slot(kind, value)];
    if (facet == NULL)
        return NULL;
    facet->kind = kind;
    memcpy(facet->value, value, len + 1);
    facet->next = *slot;
    *slot = facet;
    f->len[kind]++;
    return facet;
}

static void facets_clear(struct store_facets *f)
{
    for (size_t i = 0; i < SLOTS; i++)
        for (struct facet *facet = f->slots[i], *next; facet != NULL; facet = next) {
            next = facet->next;
            free(facet);
        }
    memset(f->slots, 0, sizeof f->slots);
    memset(f->len, 0, sizeof f->len);
    f->has_changes = false;
}

static int facets_load_row(struct store_facets *f, sqlite3_stmt *stmt)
{
    const char *kind = (const char *)sqlite3_column_text(stmt, 1), *value = (const char *)sqlite3_column_text(stmt, 2);
    int i = 0;
    if (kind == NULL || value == NULL)
        return SQLITE_NOMEM;
    while (i < FACET_KINDS && strcmp(facet_kind_names[i], kind) != 0)
        i++;
    if (i == FACET_KINDS) /* of a later version */
        return SQLITE_OK;
    struct facet *facet = facet_new(f, (enum facet_kind)i, value);
    if (facet == NULL)
        return SQLITE_NOMEM;
    facet->number = sqlite3_column_int64(stmt, 0);
    facet->requests = sqlite3_column_int64(stmt, 3);
    facet->last_seen_us = sqlite3_column_int64(stmt, 4);
    return SQLITE_OK;
}

int store_facets_reload(struct store_facets *f)
{
    sqlite3_stmt *stmt;
    facets_clear(f);
    int rc = sqlite3_prepare_v2(f->sqlite, "SELECT number, kind, value, requests, last_seen_us FROM facets", -1, &stmt,
                                NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = facets_load_row(f, stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_facets_new(struct store_facets **out, sqlite3 *sqlite)
{
    struct store_facets *f = calloc(1, sizeof *f);
    if (f == NULL)
        return SQLITE_NOMEM;
    f->sqlite = sqlite;
    int rc = sqlite3_prepare_v3(sqlite,
                                "INSERT INTO facets (kind, value, requests, first_seen_us, last_seen_us)"
                                " VALUES (?1, ?2, 0, ?3, ?3)",
                                -1, SQLITE_PREPARE_PERSISTENT, &f->add, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v3(sqlite,
                                "UPDATE facets SET requests = ?2, last_seen_us = ?3,"
                                " first_seen_us = min(first_seen_us, ?3) WHERE number = ?1",
                                -1, SQLITE_PREPARE_PERSISTENT, &f->change, NULL);
    if (rc == SQLITE_OK)
        rc = store_facets_reload(f);
    if (rc != SQLITE_OK) {
        store_facets_free(f);
        return rc;
    }
    *out = f;
    return SQLITE_OK;
}

void store_facets_free(struct store_facets *f)
{
    if (f == NULL)
        return;
    facets_clear(f);
    sqlite3_finalize(f->add);
    sqlite3_finalize(f->change);
    free(f);
}

static int facet_add(struct store_facets *f, enum facet_kind kind, const char *value, int64_t at_us, struct facet **out)
{
    sqlite3_bind_text(f->add, 1, facet_kind_names[kind], -1, SQLITE_STATIC);
    sqlite3_bind_text(f->add, 2, value, -1, SQLITE_STATIC);
    sqlite3_bind_int64(f->add, 3, at_us);
    sqlite3_step(f->add);
    int rc = sqlite3_reset(f->add);
    if (rc != SQLITE_OK)
        return rc;
    *out = facet_new(f, kind, value);
    if (*out == NULL)
        return SQLITE_NOMEM;
    (*out)->number = sqlite3_last_insert_rowid(f->sqlite);
    (*out)->last_seen_us = at_us;
    return SQLITE_OK;
}

int store_facets_count(struct store_facets *f, enum facet_kind kind, const char *value, int64_t at_us, int times,
                       int64_t *number)
{
    struct facet *facet = facet_find(f, kind, value);
    *number = 0;
    if (facet == NULL && f->len[kind] >= FACETS_OF_A_KIND_MAX)
        return SQLITE_OK;
    int rc = facet == NULL ? facet_add(f, kind, value, at_us, &facet) : SQLITE_OK;
    if (rc != SQLITE_OK)
        return rc;
    facet->requests += times;
    if (at_us > facet->last_seen_us)
        facet->last_seen_us = at_us;
    facet->is_changed = f->has_changes = true;
    *number = facet->number;
    return SQLITE_OK;
}

bool store_facets_are_flushed(const struct store_facets *f)
{
    return !f->has_changes;
}

int store_facets_flush(struct store_facets *f)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < SLOTS && f->has_changes; i++)
        for (struct facet *facet = f->slots[i]; facet != NULL && rc == SQLITE_OK; facet = facet->next) {
            if (!facet->is_changed)
                continue;
            sqlite3_bind_int64(f->change, 1, facet->number);
            sqlite3_bind_int64(f->change, 2, facet->requests);
            sqlite3_bind_int64(f->change, 3, facet->last_seen_us);
            sqlite3_step(f->change);
            rc = sqlite3_reset(f->change);
            facet->is_changed = rc != SQLITE_OK;
        }
    f->has_changes = rc != SQLITE_OK;
    return rc;
}
