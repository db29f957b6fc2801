/* See rows.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/rows.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite/decisions.h"
#include "store/sqlite/sums/sums.h"

enum statement {
    ADD_POLICY,
    FIND_POLICY,
    DROP_ATTEMPTS,
    DROP_FINDINGS,
    DROP_TEXTS,
    ADD_ATTEMPT,
    ADD_FINDING,
    ADD_TEXT,
    ADD_OPINION,
    DROP_OPINIONS,
    ADD_KEPT,
    DROP_KEPT,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [ADD_POLICY] = "INSERT OR IGNORE INTO policies (version, name) VALUES (?1, ?2)",
    [FIND_POLICY] = "SELECT number FROM policies WHERE version = ?1",
    [DROP_ATTEMPTS] = "DELETE FROM attempts WHERE decision = ?1",
    [DROP_FINDINGS] = "DELETE FROM findings WHERE decision = ?1",
    [DROP_TEXTS] = "DELETE FROM texts WHERE decision = ?1",
    [ADD_ATTEMPT] = "INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [ADD_FINDING] =
        "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    [ADD_TEXT] = "INSERT INTO texts VALUES (?1, 'evidence', ?2, ?3, ?4, ?5)",
    [ADD_OPINION] =
        "INSERT INTO opinions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
        "?17)",
    [ADD_KEPT] = "INSERT INTO kept_texts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                 " ?16, ?17)",
    [DROP_KEPT] = "DELETE FROM kept_texts WHERE decision = ?1",
    [DROP_OPINIONS] = "DELETE FROM opinions WHERE decision = ?1",
};

struct store_rows {
    sqlite3 *sqlite;
    struct store_decisions *decisions;
    struct store_sums *sums;
    sqlite3_stmt *statements[STATEMENTS];
    char policy_version[STORE_NAME_MAX + 1]; /* of the last decision, and its number; 0: none */
    int64_t policy;
};

/* ---- statements ---- */

static int prepare(struct store_rows *rows, enum statement which, const char *sql)
{
    return sqlite3_prepare_v3(rows->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &rows->statements[which], NULL);
}

int store_rows_new(struct store_rows **out, sqlite3 *sqlite)
{
    struct store_rows *rows = calloc(1, sizeof *rows);
    if (rows == NULL)
        return SQLITE_NOMEM;
    rows->sqlite = sqlite;
    int rc = store_decisions_new(&rows->decisions, sqlite);
    if (rc == SQLITE_OK)
        rc = store_sums_new(&rows->sums, sqlite);
    for (int i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
        rc = prepare(rows, (enum statement)i, texts[i]);
    if (rc != SQLITE_OK) {
        store_rows_free(rows);
        return rc;
    }
    *out = rows;
    return SQLITE_OK;
}

void store_rows_free(struct store_rows *rows)
{
    if (rows == NULL)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(rows->statements[i]);
    store_decisions_free(rows->decisions);
    store_sums_free(rows->sums);
    free(rows);
}

struct store_sums *store_rows_sums(struct store_rows *rows)
{
    return rows->sums;
}

void store_rows_forget(struct store_rows *rows)
{
    rows->policy = 0;
    store_sums_forget(rows->sums);
}

static int rows_step(sqlite3_stmt *stmt)
{
    sqlite3_step(stmt);
    return sqlite3_reset(stmt);
}

/* Runs a SELECT of one number; leaves *out alone if there is no row. */
static int step_number(sqlite3_stmt *stmt, int64_t *out)
{
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *out = sqlite3_column_int64(stmt, 0);
    return sqlite3_reset(stmt);
}

/* The text stays where it is until the statement was stepped. */
static void bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

static void bind_known(sqlite3_stmt *stmt, int i, int64_t value)
{
    if (value < 0)
        sqlite3_bind_null(stmt, i);
    else
        sqlite3_bind_int64(stmt, i, value);
}

/* ---- policies ---- */

static int find_policy(struct store_rows *rows, const struct store_record *record)
{
    if (rows->policy != 0 && strcmp(rows->policy_version, record->policy_version) == 0)
        return SQLITE_OK;
    sqlite3_stmt *add = rows->statements[ADD_POLICY], *find = rows->statements[FIND_POLICY];
    bind_text(add, 1, record->policy_version);
    bind_text(add, 2, record->policy);
    rows->policy = 0;
    int rc = rows_step(add);
    bind_text(find, 1, record->policy_version);
    if (rc == SQLITE_OK)
        rc = step_number(find, &rows->policy);
    if (rc == SQLITE_OK && rows->policy == 0)
        rc = SQLITE_CORRUPT; /* it was inserted, or was there: no row may have a policy's number of 0 */
    snprintf(rows->policy_version, sizeof rows->policy_version, "%s", record->policy_version);
    return rc;
}

static int find_policies(struct store_rows *rows, struct store_job *first)
{
    int rc = SQLITE_OK;
    for (struct store_job *job = first; job != NULL && rc == SQLITE_OK; job = job->next) {
        rc = find_policy(rows, &job->record);
        job->policy = rows->policy;
    }
    return rc;
}

/* ---- what belongs to a decision ---- */

static int drop(struct store_rows *rows, enum statement which, int64_t seq)
{
    sqlite3_bind_int64(rows->statements[which], 1, seq);
    return rows_step(rows->statements[which]);
}

static int drop_parts(void *ctx, const struct store_job *job)
{
    struct store_rows *rows = ctx;
    int rc = store_sums_replace(rows->sums, job->seq);
    if (rc == SQLITE_OK)
        rc = drop(rows, DROP_ATTEMPTS, job->seq);
    if (rc == SQLITE_OK)
        rc = drop(rows, DROP_FINDINGS, job->seq);
    if (rc == SQLITE_OK)
        rc = drop(rows, DROP_OPINIONS, job->seq);
    if (rc == SQLITE_OK)
        rc = drop(rows, DROP_KEPT, job->seq);
    return rc == SQLITE_OK ? drop(rows, DROP_TEXTS, job->seq) : rc;
}

static int add_attempt(struct store_rows *rows, int64_t seq, size_t n, const struct store_attempt *a)
{
    sqlite3_stmt *stmt = rows->statements[ADD_ATTEMPT];
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    bind_text(stmt, 3, a->template_name);
    bind_text(stmt, 4, rein_delivery_name(a->delivery));
    bind_text(stmt, 5, a->reason);
    bind_known(stmt, 6, a->started_us);
    bind_known(stmt, 7, a->first_byte_us);
    bind_known(stmt, 8, a->ended_us);
    sqlite3_bind_int64(stmt, 9, a->status);
    bind_text(stmt, 10, a->outcome);
    sqlite3_bind_int(stmt, 11, a->may_continue);
    sqlite3_bind_int64(stmt, 12, a->choices);
    return rows_step(stmt);
}

static void append_json_text(sqlite3_str *s, const char *text)
{
    sqlite3_str_appendchar(s, 1, '"');
    for (const char *c = text != NULL ? text : ""; *c != '\0'; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
            sqlite3_str_appendf(s, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            sqlite3_str_appendchar(s, 1, *c);
    sqlite3_str_appendchar(s, 1, '"');
}

static char *steps_json(const struct rein_finding *f)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendchar(s, 1, '[');
    for (size_t i = 0; i < f->steps_len; i++) {
        const struct rein_step *step = &f->steps[i];
        sqlite3_str_appendf(s, "%s{\"signal\":", i > 0 ? "," : "");
        append_json_text(s, step->signal);
        sqlite3_str_appendf(s, ",\"sentence\":%u,\"offset\":%llu,\"len\":%u}", step->sentence,
                            (unsigned long long)step->offset, step->len);
    }
    sqlite3_str_appendchar(s, 1, ']');
    return sqlite3_str_finish(s); /* NULL when out of memory */
}

/* A policy's tags need no escapes. */
static char *tags_json(const char *tags)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendall(s, *tags != '\0' ? "[\"" : "[");
    for (const char *c = tags; *c != '\0'; c++)
        if (*c == ',')
            sqlite3_str_appendall(s, "\",\"");
        else
            sqlite3_str_appendchar(s, 1, *c);
    sqlite3_str_appendall(s, *tags != '\0' ? "\"]" : "]");
    return sqlite3_str_finish(s); /* NULL when out of memory */
}

/* Judges find what no word does: the panel, or a pattern that a judge has named. */
static const char *finding_kind(const struct rein_finding *f)
{
    return f->is_rule ? "rule" : f->source != NULL ? "judge" : "pattern";
}

static bool is_first(const struct rein_decision *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(finding_kind(&d->findings[i]), finding_kind(&d->findings[n])) == 0 &&
            strcmp(d->findings[i].id, d->findings[n].id) == 0)
            return false;
    return true;
}

static int add_text(struct store_rows *rows, const struct store_job *job, size_t n, const struct rein_finding *f)
{
    sqlite3_stmt *stmt = rows->statements[ADD_TEXT];
    sqlite3_bind_int64(stmt, 1, job->seq);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    bind_text(stmt, 3, rein_channel_name(f->channel));
    sqlite3_bind_text(stmt, 4, f->evidence, (int)f->evidence_len, SQLITE_STATIC);
    bind_known(stmt, 5, job->keep_text_until_us);
    return rows_step(stmt);
}

static int add_finding(struct store_rows *rows, int64_t seq, size_t n, const struct store_job *job)
{
    const struct rein_finding *f = &job->decision.findings[n];
    sqlite3_stmt *stmt = rows->statements[ADD_FINDING];
    char *steps = steps_json(f);
    char *tags = steps != NULL ? tags_json(f->tags != NULL ? f->tags : "") : NULL;
    if (tags == NULL) {
        sqlite3_free(steps);
        return SQLITE_NOMEM;
    }
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    sqlite3_bind_int64(stmt, 3, job->record.started_at_us);
    bind_text(stmt, 4, finding_kind(f));
    bind_text(stmt, 5, f->id);
    sqlite3_bind_int(stmt, 6, is_first(&job->decision, n));
    bind_text(stmt, 7, rein_action_name(f->action));
    sqlite3_bind_int(stmt, 8, f->shadow);
    bind_text(stmt, 9, rein_channel_name(f->channel));
    sqlite3_bind_int64(stmt, 10, f->choice);
    sqlite3_bind_int64(stmt, 11, f->attempt);
    sqlite3_bind_int64(stmt, 12, (int64_t)(f->offset & INT64_MAX));
    sqlite3_bind_int64(stmt, 13, (int64_t)(f->len & INT64_MAX));
    sqlite3_bind_double(stmt, 14, f->score);
    sqlite3_bind_text(stmt, 15, steps, -1, sqlite3_free);
    bind_text(stmt, 16, f->source);
    bind_text(stmt, 17, f->severity != REIN_SEVERITY_NONE ? rein_severity_name(f->severity) : NULL);
    sqlite3_bind_text(stmt, 18, tags, -1, sqlite3_free);
    int rc = rows_step(stmt);
    return rc == SQLITE_OK && f->evidence_len > 0 ? add_text(rows, job, n, f) : rc;
}

/* The patterns that a judge named; NULL when out of memory. */
static char *names_text(unsigned leaves)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    for (int p = 0; p < REIN_PATTERNS; p++)
        if ((leaves >> p & 1) != 0)
            sqlite3_str_appendf(s, "%s%s", sqlite3_str_length(s) > 0 ? "," : "",
                                rein_pattern_name((enum rein_pattern)p));
    return sqlite3_str_finish(s);
}

static int add_opinion(struct store_rows *rows, int64_t seq, size_t n, const struct rein_asked *asked)
{
    sqlite3_stmt *stmt = rows->statements[ADD_OPINION];
    bool has_opinion = asked->outcome == REIN_JUDGE_OPINED;
    char *patterns = asked->leaves != 0 ? names_text(asked->leaves) : NULL;
    if (asked->leaves != 0 && patterns == NULL)
        return SQLITE_NOMEM;
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_int64(stmt, 2, (int64_t)n);
    bind_text(stmt, 3, asked->panel);
    bind_text(stmt, 4, asked->judge);
    sqlite3_bind_int64(stmt, 5, asked->attempt);
    sqlite3_bind_int64(stmt, 6, asked->choice);
    bind_text(stmt, 7, rein_channel_name(asked->channel));
    sqlite3_bind_int64(stmt, 8, (int64_t)(asked->offset & INT64_MAX));
    sqlite3_bind_int64(stmt, 9, (int64_t)(asked->len & INT64_MAX));
    bind_text(stmt, 10, rein_judge_outcome_name(asked->outcome));
    if (has_opinion)
        sqlite3_bind_double(stmt, 11, asked->risk);
    else
        sqlite3_bind_null(stmt, 11);
    bind_text(stmt, 12, *asked->categories != '\0' ? asked->categories : NULL);
    sqlite3_bind_int64(stmt, 13, asked->took_ms);
    sqlite3_bind_int(stmt, 14, asked->was_known);
    bind_known(stmt, 15, asked->outcome != REIN_JUDGE_OPEN ? (int64_t)(asked->heard & INT64_MAX) : -1);
    sqlite3_bind_text(stmt, 16, patterns, -1, sqlite3_free);
    bind_known(stmt, 17, asked->outcome != REIN_JUDGE_OPEN ? (int64_t)asked->said : -1);
    return rows_step(stmt);
}

static void append_span(sqlite3_str *s, size_t i, const struct rein_span *span)
{
    sqlite3_str_appendf(s, "%s{\"offset\":%llu,\"len\":%llu,\"rule\":", i > 0 ? "," : "",
                        (unsigned long long)span->offset, (unsigned long long)span->len);
    append_json_text(s, span->rule);
}

/* A masked byte is one byte, so what was there was as long. */
static char *masks_json(const struct rein_span *masks, size_t len)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendchar(s, 1, '[');
    for (size_t i = 0; i < len; i++) {
        append_span(s, i, &masks[i]);
        sqlite3_str_appendf(s, ",\"restored_len\":%llu%s}", (unsigned long long)masks[i].len,
                            masks[i].is_open ? ",\"open\":true" : "");
    }
    sqlite3_str_appendchar(s, 1, ']');
    return sqlite3_str_finish(s); /* NULL when out of memory */
}

/* Nearly every match is decided where it ends, and the text is held from where it begins: that is not written. (0 says
 * so, too: no match is decided before it ends.) */
static char *found_json(const struct rein_span *found, size_t len)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendchar(s, 1, '[');
    for (size_t i = 0; i < len; i++) {
        append_span(s, i, &found[i]);
        if (found[i].at == UINT64_MAX)
            sqlite3_str_appendall(s, ",\"at\":null");
        else if (found[i].at != 0 && found[i].at != found[i].offset + found[i].len)
            sqlite3_str_appendf(s, ",\"at\":%llu", (unsigned long long)found[i].at);
        if (found[i].is_held)
            sqlite3_str_appendf(s, ",\"held\":%llu", (unsigned long long)found[i].held);
        sqlite3_str_appendchar(s, 1, '}');
    }
    sqlite3_str_appendchar(s, 1, ']');
    return sqlite3_str_finish(s); /* NULL when out of memory */
}

/* In pairs: how far the attempt had come, and how many bytes came then. */
static char *turns_json(const struct rein_turn *turns, size_t len)
{
    sqlite3_str *s = sqlite3_str_new(NULL);
    sqlite3_str_appendchar(s, 1, '[');
    for (size_t i = 0; i < len; i++)
        sqlite3_str_appendf(s, "%s[%llu,%llu]", i > 0 ? "," : "", (unsigned long long)turns[i].at,
                            (unsigned long long)turns[i].len);
    sqlite3_str_appendchar(s, 1, ']');
    return sqlite3_str_finish(s); /* NULL when out of memory */
}

static int add_kept(struct store_rows *rows, const struct store_job *job, const struct rein_text *text)
{
    sqlite3_stmt *stmt = rows->statements[ADD_KEPT];
    char *masks = masks_json(text->masks, text->masks_len);
    char *found = found_json(text->found, text->found_len);
    char *turns = text->turns != NULL ? turns_json(text->turns, text->turns_len) : NULL;
    if (masks == NULL || found == NULL || (text->turns != NULL && turns == NULL)) {
        sqlite3_free(masks);
        sqlite3_free(found);
        sqlite3_free(turns);
        return SQLITE_NOMEM;
    }
    sqlite3_bind_int64(stmt, 1, job->seq);
    sqlite3_bind_int64(stmt, 2, text->n);
    bind_text(stmt, 3, rein_channel_name(text->channel));
    sqlite3_bind_int64(stmt, 4, text->attempt);
    sqlite3_bind_int64(stmt, 5, text->choice);
    bind_text(stmt, 6, text->speaker);
    bind_text(stmt, 7, text->form == REIN_KEEP_FULL ? "full" : "redacted");
    sqlite3_bind_int64(stmt, 8, (int64_t)(text->origin & INT64_MAX));
    sqlite3_bind_int64(stmt, 9, (int64_t)(text->len & INT64_MAX));
    sqlite3_bind_int(stmt, 10, text->whole);
    sqlite3_bind_text(stmt, 11, masks, -1, sqlite3_free);
    sqlite3_bind_text(stmt, 12, found, -1, sqlite3_free);
    bind_known(stmt, 13, job->keep_text_until_us);
    sqlite3_bind_text(stmt, 14, text->text, (int)text->text_len, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 15, text->readings, text->readings_len, SQLITE_STATIC);
    if (turns != NULL)
        sqlite3_bind_text(stmt, 16, turns, -1, sqlite3_free);
    else
        sqlite3_bind_null(stmt, 16);
    bind_known(stmt, 17, text->series > 0 ? (int64_t)text->series : -1);
    return rows_step(stmt);
}

/* A later record of the same request, written with this one, has taken its place. */
static bool is_replaced(const struct store_job *job, size_t after)
{
    for (const struct store_job *later = job->next; after > 0; after--, later = later->next)
        if (later->seq == job->seq)
            return true;
    return false;
}

static int add_parts(struct store_rows *rows, const struct store_job *job, size_t after)
{
    size_t attempts = job->record.attempts_len, findings = job->decision.findings_len;
    size_t opinions = job->decision.asked_len, texts_len = job->record.texts_len;
    int rc = SQLITE_OK;
    if ((attempts < 2 && findings == 0 && opinions == 0 && texts_len == 0) || is_replaced(job, after))
        return rc;
    for (size_t i = 1; i < attempts && rc == SQLITE_OK; i++)
        rc = add_attempt(rows, job->seq, i, &job->record.attempts[i]);
    for (size_t i = 0; i < findings && rc == SQLITE_OK; i++)
        rc = add_finding(rows, job->seq, i, job);
    for (size_t i = 0; i < opinions && rc == SQLITE_OK; i++)
        rc = add_opinion(rows, job->seq, i, &job->decision.asked[i]);
    for (size_t i = 0; i < texts_len && rc == SQLITE_OK; i++)
        rc = add_kept(rows, job, &job->record.texts[i]);
    return rc;
}

/* Of the rows of one statement: their parts, then what they add to the sums. */
static int finish_rows(struct store_rows *rows, struct store_job **first, size_t written)
{
    int rc = SQLITE_OK;
    for (; written > 0 && rc == SQLITE_OK; written--, *first = (*first)->next) {
        const struct store_job *job = *first;
        rc = add_parts(rows, job, written - 1);
        if (rc == SQLITE_OK)
            rc = store_sums_written(rows->sums, job->seq, job->record.final && !is_replaced(job, written - 1));
    }
    return rc;
}

int store_rows_write(struct store_rows *rows, struct store_job *first)
{
    int rc = find_policies(rows, first);
    if (rc == SQLITE_OK)
        rc = store_sums_begin(rows->sums);
    while (first != NULL && rc == SQLITE_OK) {
        size_t written;
        rc = store_decisions_write(rows->decisions, first, &written, drop_parts, rows);
        if (rc == SQLITE_OK)
            rc = finish_rows(rows, &first, written);
    }
    return rc == SQLITE_OK ? store_sums_end(rows->sums) : rc;
}

int store_rows_mark_lost(struct store_rows *rows, int *lost)
{
    sqlite3_stmt *find = NULL, *mark = NULL;
    int64_t seq = 0;
    int rc = sqlite3_prepare_v2(rows->sqlite, "SELECT min(seq) FROM decisions WHERE final = 0", -1, &find, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(rows->sqlite, "UPDATE decisions SET final = 1, ending = 'lost' WHERE seq = ?1", -1,
                                &mark, NULL);
    if (rc == SQLITE_OK)
        rc = store_sums_begin(rows->sums);
    for (*lost = 0; rc == SQLITE_OK && (rc = step_number(find, &seq)) == SQLITE_OK && seq > 0; ++*lost) {
        sqlite3_bind_int64(mark, 1, seq);
        rc = rows_step(mark);
        if (rc == SQLITE_OK)
            rc = store_sums_written(rows->sums, seq, true);
        seq = 0;
    }
    sqlite3_finalize(find);
    sqlite3_finalize(mark);
    return rc == SQLITE_OK ? store_sums_end(rows->sums) : rc;
}
