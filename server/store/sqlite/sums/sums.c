/* See sums.h: decisions that are written. sums_upkeep.c has the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/sums/sums.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/sums/sums_internal.h"

static const int64_t sums_minute_us = 60 * 1000000;

#define DIMENSIONS                                                                                                     \
    "level = ?1 AND scope = ?2 AND bucket = ?3 AND route = ?4 AND model = ?5 AND key = ?6 AND policy = ?7"
#define UNJUDGED(channel) "max(0, d." channel "_released - d." channel "_scanned)"

static const char fact_sql[] =
    "SELECT d.final, d.started_at_us, coalesce(d.route, ''), coalesce(d.model, ''), coalesce(d.key, ''), p.version,"
    " d.verdict, d.ending, d.shadow, d.attempts, d.findings,"
    " max(d.prompt_held_max, d.reasoning_held_max, d.answer_held_max, d.tool_held_max, d.other_held_max),"
    " " UNJUDGED("prompt") " + " UNJUDGED("reasoning") " + " UNJUDGED("answer") " + " UNJUDGED("tool") " + " UNJUDGED(
        "other") ","
                 " coalesce(d.client_first_byte_us - d.upstream_first_byte_us, -1), coalesce(d.client_first_byte_us, "
                 "-1),"
                 " coalesce(d.duration_us, -1)"
                 " FROM decisions AS d JOIN policies AS p ON p.number = d.policy WHERE d.seq = ?1";
enum {
    FACT_FINAL,
    FACT_STARTED,
    FACT_ROUTE,
    FACT_MODEL,
    FACT_KEY,
    FACT_POLICY,
    FACT_VERDICT,
    FACT_ENDING,
    FACT_SHADOW,
    FACT_ATTEMPTS,
    FACT_FINDINGS,
    FACT_HELD_MAX,
    FACT_UNJUDGED,
    FACT_ADDED /* and the other spreads */
};

/* Each kind and name once; in shadow if all of them are. */
static const char found_sql[] =
    "SELECT f.kind, f.name, f.offset, (SELECT min(g.shadow) FROM findings AS g WHERE g.decision = f.decision"
    " AND g.kind = f.kind AND g.name = f.name) FROM findings AS f WHERE f.decision = ?1 AND f.first = 1";

static const char *const get_sql[2] = {
    "SELECT allow, redact, steer, refuse, cut, none, shadowed, restarts, findings, failed, held_bytes_max,"
    " unjudged_bytes, added, first_byte, duration FROM sums WHERE " DIMENSIONS,
    "SELECT enforced, shadow, last_seen_us, position FROM finding_sums WHERE " DIMENSIONS " AND finding = ?8",
};
static const char *const put_sql[2] = {
    "INSERT OR REPLACE INTO sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,"
    " ?18, ?19, ?20, ?21, ?22)",
    "INSERT OR REPLACE INTO finding_sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
};

/* ---- the beginning ---- */

static int prepare_sums(struct store_sums *s, sqlite3_stmt **out, const char *sql)
{
    return sqlite3_prepare_v3(s->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

static int read_one(sqlite3 *sqlite, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    return rc == SQLITE_OK ? sqlite3_finalize(stmt) : rc;
}

static int read_marks(struct store_sums *s)
{
    int rc = read_one(s->sqlite, "SELECT value FROM facts WHERE name = 'sums_rolled_minute'", &s->rolled_minute);
    if (rc == SQLITE_OK)
        rc = read_one(s->sqlite, "SELECT value FROM facts WHERE name = 'sums_fill_at'", &s->fill_at);
    if (rc == SQLITE_OK)
        rc = read_one(s->sqlite, "SELECT value FROM facts WHERE name = 'sums_fill_end'", &s->fill_end);
    return rc;
}

int store_sums_new(struct store_sums **out, sqlite3 *sqlite)
{
    struct store_sums *s = calloc(1, sizeof *s);
    if (s == NULL)
        return SQLITE_NOMEM;
    s->sqlite = sqlite;
    s->counted_to = -1;
    s->entries = calloc(SUM_ENTRIES, sizeof *s->entries);
    int rc = s->entries != NULL ? store_facets_new(&s->facets, sqlite) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = prepare_sums(s, &s->fact, fact_sql);
    if (rc == SQLITE_OK)
        rc = prepare_sums(s, &s->found, found_sql);
    for (int i = 0; i < 2 && rc == SQLITE_OK; i++) {
        rc = prepare_sums(s, &s->get[i], get_sql[i]);
        if (rc == SQLITE_OK)
            rc = prepare_sums(s, &s->put[i], put_sql[i]);
    }
    if (rc == SQLITE_OK)
        rc = read_marks(s);
    if (rc != SQLITE_OK) {
        store_sums_free(s);
        return rc;
    }
    *out = s;
    return SQLITE_OK;
}

void store_sums_free(struct store_sums *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < 2; i++) {
        sqlite3_finalize(s->get[i]);
        sqlite3_finalize(s->put[i]);
    }
    sqlite3_finalize(s->fact);
    sqlite3_finalize(s->found);
    store_facets_free(s->facets);
    free(s->entries);
    free(s);
}

/* ---- entries ---- */

static bool sum_key_is_same(const struct sum_key *a, const struct sum_key *b)
{
    return a->bucket == b->bucket && a->level == b->level && a->scope == b->scope && a->route == b->route &&
           a->model == b->model && a->key == b->key && a->policy == b->policy && a->finding == b->finding;
}

static size_t sum_slot(const struct sum_key *k)
{
    const int64_t parts[] = {k->level, k->scope, k->bucket, k->route, k->model, k->key, k->policy, k->finding};
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        hash = (hash ^ (uint64_t)parts[i]) * 1099511628211u;
    return (size_t)(hash >> 32) % SUM_ENTRIES;
}

static void bind_key(sqlite3_stmt *stmt, const struct sum_key *k)
{
    const int64_t parts[] = {k->level, k->scope, k->bucket, k->route, k->model, k->key, k->policy};
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(stmt, i + 1, parts[i]);
    if (k->finding != 0)
        sqlite3_bind_int64(stmt, 8, k->finding);
}

static void load_spread(struct spread *s, sqlite3_stmt *stmt, int column)
{
    const void *bytes = sqlite3_column_blob(stmt, column);
    if (bytes != NULL)
        spread_merge_stored(s, bytes, (size_t)sqlite3_column_bytes(stmt, column));
}

void sums_load(struct sum_entry *e, sqlite3_stmt *stmt, int column)
{
    int counts = e->key.finding != 0 ? (int)FINDING_SUM_COUNTS : (int)STORE_SUM_COUNTS;
    int spreads = e->key.finding != 0 ? 1 : (int)STORE_SUM_SPREADS;
    for (int i = 0; i < counts; i++)
        e->counts[i] = sqlite3_column_int64(stmt, column + i);
    for (int i = 0; i < spreads; i++)
        load_spread(&e->spreads[i], stmt, column + counts + i);
}

static int get_entry(struct store_sums *s, struct sum_entry *e)
{
    sqlite3_stmt *stmt = s->get[e->key.finding != 0];
    bind_key(stmt, &e->key);
    if (sqlite3_step(stmt) == SQLITE_ROW)
        sums_load(e, stmt, 0);
    return sqlite3_reset(stmt);
}

static int bind_spread(sqlite3_stmt *stmt, int i, const struct spread *spread)
{
    unsigned char bytes[SPREAD_BYTES_MAX];
    size_t len = spread_store(spread, bytes);
    return len > 0 ? sqlite3_bind_blob(stmt, i, bytes, (int)len, SQLITE_TRANSIENT) : sqlite3_bind_null(stmt, i);
}

static int put_entry(struct store_sums *s, const struct sum_entry *e)
{
    bool is_finding = e->key.finding != 0;
    sqlite3_stmt *stmt = s->put[is_finding];
    int at = is_finding ? 9 : 8, rc = SQLITE_OK;
    bind_key(stmt, &e->key);
    for (int i = 0; i < (is_finding ? (int)FINDING_SUM_COUNTS : (int)STORE_SUM_COUNTS); i++)
        sqlite3_bind_int64(stmt, at++, e->counts[i]);
    for (int i = 0; i < (is_finding ? 1 : (int)STORE_SUM_SPREADS) && rc == SQLITE_OK; i++)
        rc = bind_spread(stmt, at++, &e->spreads[i]);
    if (rc == SQLITE_OK)
        sqlite3_step(stmt);
    int reset = sqlite3_reset(stmt);
    return rc != SQLITE_OK ? rc : reset;
}

int sums_flush(struct store_sums *s)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < SUM_ENTRIES && rc == SQLITE_OK; i++)
        if (s->entries[i].is_changed && (rc = put_entry(s, &s->entries[i])) == SQLITE_OK)
            s->entries[i].is_changed = false;
    return rc;
}

static void clear_entries(struct store_sums *s)
{
    for (size_t i = 0; i < SUM_ENTRIES; i++)
        s->entries[i].is_used = s->entries[i].is_changed = false;
    s->entries_len = 0;
}

struct sum_entry *sums_entry(struct store_sums *s, const struct sum_key *key, int *rc)
{
    size_t slot = sum_slot(key);
    for (; s->entries[slot].is_used; slot = (slot + 1) % SUM_ENTRIES)
        if (sum_key_is_same(&s->entries[slot].key, key))
            return &s->entries[slot];
    if (s->entries_len >= SUM_ENTRIES * 3 / 4) {
        if ((*rc = sums_flush(s)) != SQLITE_OK)
            return NULL;
        clear_entries(s);
        slot = sum_slot(key);
    }
    struct sum_entry *e = &s->entries[slot];
    memset(e, 0, sizeof *e);
    e->key = *key;
    if ((*rc = get_entry(s, e)) != SQLITE_OK)
        return NULL;
    e->is_used = true;
    s->entries_len++;
    return e;
}

void sums_merge(struct sum_entry *e, const struct sum_entry *other)
{
    int most =
        e->key.finding != 0 ? (int)FINDING_SUM_LAST_SEEN : (int)STORE_SUM_HELD_MAX; /* a maximum; the rest are sums */
    for (int i = 0; i < STORE_SUM_COUNTS; i++)
        e->counts[i] = i != most                         ? e->counts[i] + other->counts[i]
                       : e->counts[i] > other->counts[i] ? e->counts[i]
                                                         : other->counts[i];
    for (int i = 0; i < STORE_SUM_SPREADS; i++)
        if (other->spreads[i].count > 0)
            spread_merge(&e->spreads[i], &other->spreads[i]);
    e->is_changed = true;
}

/* ---- one decision ---- */

static enum store_sum_count verdict_count(const char *verdict)
{
    static const char *const words[] = {"allow", "redact", "steer", "refuse", "cut"};
    for (int i = STORE_SUM_ALLOW; i < STORE_SUM_NONE; i++)
        if (strcmp(words[i], verdict) == 0)
            return (enum store_sum_count)i;
    return STORE_SUM_NONE;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static const char *fact_text(const struct store_sums *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s->fact, column);
    return text != NULL ? text : ""; /* out of memory: the statement's own result says so */
}

/* What a decision adds to an entry of `sums`. */
static void add_fact(const struct store_sums *s, struct sum_entry *e, int times)
{
    static const char *const fine[] = {"complete", "refused", "cut", "client_left", "rejected", NULL};
    static const char *const passive[] = {"allow", "record", "none", NULL};
    int64_t attempts = sqlite3_column_int64(s->fact, FACT_ATTEMPTS),
            held_max = sqlite3_column_int64(s->fact, FACT_HELD_MAX);
    e->counts[verdict_count(fact_text(s, FACT_VERDICT))] += times;
    e->counts[STORE_SUM_SHADOWED] += is_one_of(fact_text(s, FACT_SHADOW), passive) ? 0 : times;
    e->counts[STORE_SUM_RESTARTS] += attempts > 1 ? times * (attempts - 1) : 0;
    e->counts[STORE_SUM_FINDINGS] += times * sqlite3_column_int64(s->fact, FACT_FINDINGS);
    e->counts[STORE_SUM_FAILED] += is_one_of(fact_text(s, FACT_ENDING), fine) ? 0 : times;
    e->counts[STORE_SUM_UNJUDGED] += times * sqlite3_column_int64(s->fact, FACT_UNJUDGED);
    if (held_max > e->counts[STORE_SUM_HELD_MAX])
        e->counts[STORE_SUM_HELD_MAX] = held_max;
    for (int i = 0; i < STORE_SUM_SPREADS; i++)
        spread_add(&e->spreads[i], sqlite3_column_int64(s->fact, FACT_ADDED + i), times);
    e->is_changed = true;
}

/* What a finding of it adds to an entry of `finding_sums`. */
static void add_found(const struct store_sums *s, struct sum_entry *e, int times)
{
    int64_t started_at_us = sqlite3_column_int64(s->fact, FACT_STARTED);
    e->counts[sqlite3_column_int(s->found, 3) != 0 ? FINDING_SUM_SHADOW : FINDING_SUM_ENFORCED] += times;
    if (started_at_us > e->counts[FINDING_SUM_LAST_SEEN])
        e->counts[FINDING_SUM_LAST_SEEN] = started_at_us;
    spread_add(&e->spreads[0], sqlite3_column_int64(s->found, 2), times);
    e->is_changed = true;
}

typedef void (*sum_adder)(const struct store_sums *s, struct sum_entry *e, int times);

/* Adds to the entry of each level that has this minute already, in both scopes. */
static int add_everywhere(struct store_sums *s, const struct sum_key *dimensions, int64_t minute, sum_adder add,
                          int times)
{
    static const int64_t levels[] = {SUMS_MINUTE, SUMS_HOUR, SUMS_DAY}, days[] = {SUMS_MINUTE_DAYS, SUMS_HOUR_DAYS, 0};
    bool is_rolled = minute < s->rolled_minute;
    int rc = SQLITE_OK;
    for (int i = 0; i < (is_rolled ? 3 : 1); i++) {
        if (is_rolled && days[i] > 0 && minute < s->rolled_minute - days[i] * SUMS_DAY)
            continue;
        struct sum_key all = {levels[i], 0, minute - minute % levels[i], .finding = dimensions->finding};
        struct sum_key own = *dimensions;
        own.level = all.level;
        own.scope = 1;
        own.bucket = all.bucket;
        struct sum_entry *e = sums_entry(s, &all, &rc);
        if (e == NULL)
            return rc;
        add(s, e, times);
        if ((e = sums_entry(s, &own, &rc)) == NULL)
            return rc;
        add(s, e, times);
    }
    return rc;
}

static int count_facets(struct store_sums *s, struct sum_key *out, int times)
{
    int64_t at_us = sqlite3_column_int64(s->fact, FACT_STARTED), unused;
    const struct {
        enum facet_kind kind;
        int column;
        int64_t *number;
    } facets[] = {{FACET_ROUTE, FACT_ROUTE, &out->route}, {FACET_MODEL, FACT_MODEL, &out->model},
                  {FACET_KEY, FACT_KEY, &out->key},       {FACET_POLICY, FACT_POLICY, &out->policy},
                  {FACET_VERDICT, FACT_VERDICT, &unused}, {FACET_ENDING, FACT_ENDING, &unused}};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof facets / sizeof *facets && rc == SQLITE_OK; i++)
        rc = store_facets_count(s->facets, facets[i].kind, fact_text(s, facets[i].column), at_us, times,
                                facets[i].number);
    return rc;
}

static enum facet_kind finding_facet(const char *kind)
{
    return strcmp(kind, "rule") == 0 ? FACET_RULE : strcmp(kind, "judge") == 0 ? FACET_JUDGE : FACET_PATTERN;
}

static int add_findings(struct store_sums *s, int64_t seq, struct sum_key *dimensions, int64_t minute, int times)
{
    int64_t at_us = sqlite3_column_int64(s->fact, FACT_STARTED);
    int rc = SQLITE_OK;
    sqlite3_bind_int64(s->found, 1, seq);
    while (rc == SQLITE_OK && sqlite3_step(s->found) == SQLITE_ROW) {
        const char *kind = (const char *)sqlite3_column_text(s->found, 0),
                   *name = (const char *)sqlite3_column_text(s->found, 1);
        rc = kind == NULL || name == NULL
                 ? SQLITE_NOMEM
                 : store_facets_count(s->facets, finding_facet(kind), name, at_us, times, &dimensions->finding);
        if (rc == SQLITE_OK && dimensions->finding != 0)
            rc = add_everywhere(s, dimensions, minute, add_found, times);
    }
    int reset = sqlite3_reset(s->found);
    return rc != SQLITE_OK ? rc : reset;
}

static int add_present(struct store_sums *s, int64_t seq, int times)
{
    struct sum_key dimensions = {0};
    int64_t minute = sqlite3_column_int64(s->fact, FACT_STARTED) / sums_minute_us;
    int rc = count_facets(s, &dimensions, times);
    if (rc == SQLITE_OK)
        rc = add_everywhere(s, &dimensions, minute, add_fact, times);
    if (rc == SQLITE_OK && sqlite3_column_int64(s->fact, FACT_FINDINGS) > 0)
        rc = add_findings(s, seq, &dimensions, minute, times);
    return rc;
}

int sums_add_row(struct store_sums *s, int64_t seq, int times)
{
    int rc = SQLITE_OK;
    sqlite3_bind_int64(s->fact, 1, seq);
    if (sqlite3_step(s->fact) == SQLITE_ROW && sqlite3_column_int(s->fact, FACT_FINAL) != 0)
        rc = add_present(s, seq, times);
    int reset = sqlite3_reset(s->fact);
    return rc != SQLITE_OK ? rc : reset;
}

/* ---- a group ---- */

/* It will be counted later, as it is then. */
static bool waits_for_fill(const struct store_sums *s, int64_t seq)
{
    return seq > s->fill_at && seq <= s->fill_end;
}

int sums_refresh(struct store_sums *s)
{
    if (!s->is_stale)
        return SQLITE_OK;
    clear_entries(s);
    s->counted_to = -1;
    int rc = read_marks(s);
    if (rc == SQLITE_OK)
        rc = store_facets_reload(s->facets);
    s->is_stale = rc != SQLITE_OK;
    return rc;
}

int store_sums_begin(struct store_sums *s)
{
    int rc = sums_refresh(s);
    if (rc != SQLITE_OK)
        return rc;
    s->taken_len = 0;
    if (s->entries_len >= SUM_ENTRIES / 2)
        clear_entries(s);
    return s->counted_to >= 0 ? SQLITE_OK
                              : read_one(s->sqlite, "SELECT coalesce(max(seq), 0) FROM decisions", &s->counted_to);
}

/* A row of the present statement does not count yet, whether it is new or was taken away already. */
static bool is_counted(const struct store_sums *s, int64_t seq)
{
    bool is_taken = false;
    for (size_t i = 0; i < s->taken_len; i++)
        is_taken = is_taken || s->taken[i] == seq;
    return seq <= s->counted_to && !is_taken && !waits_for_fill(s, seq);
}

int store_sums_replace(struct store_sums *s, int64_t seq)
{
    if (!is_counted(s, seq))
        return SQLITE_OK;
    assert(s->taken_len < SUM_TAKEN_MAX);
    s->taken[s->taken_len++] = seq;
    return sums_add_row(s, seq, -1);
}

int store_sums_written(struct store_sums *s, int64_t seq, bool final)
{
    s->taken_len = 0; /* all replacing of a statement comes before its first row is reported */
    if (seq > s->counted_to)
        s->counted_to = seq;
    return final && !waits_for_fill(s, seq) ? sums_add_row(s, seq, 1) : SQLITE_OK;
}

int store_sums_end(struct store_sums *s)
{
    return sums_flush(s);
}

void store_sums_forget(struct store_sums *s)
{
    s->is_stale = true;
}
