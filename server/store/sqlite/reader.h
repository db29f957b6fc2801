/* What the driver's readers share: the connection, running a query, typed rows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_STORE_SQLITE_READER_H
#define SERVER_STORE_SQLITE_READER_H

#include <sqlite3.h>
#include <stdio.h>

#include "store/driver.h"

extern const struct store_driver store_driver_sqlite; /* driver.c */

enum { READER_IDLE = 8 };

struct sqlite_reader {
    struct store_reader base; /* first */
    sqlite3 *sqlite;
    unsigned time_limit_ms;
    int64_t deadline_us;             /* of the query that runs; monotonic */
    sqlite3_stmt *idle[READER_IDLE]; /* compiled before, and not in use; NULL: no such place is taken */
};

/* The database must exist. */
int sqlite_reader_open(struct store_reader **out, const char *path, unsigned time_limit_ms) REIN_MUST_USE;
void sqlite_reader_close(struct store_reader *reader);
static inline struct sqlite_reader *sqlite_reader_of(struct store_reader *reader)
{
    return (struct sqlite_reader *)(void *)reader;
}

/* All connections of a process to one file share SQLite's index of the log, and one that stays open keeps the old index
 * alive. So while a database is out of its place no reader opens, and the writer opens again once none is left.
 * Any thread. */
void sqlite_readers_block(bool block);
bool sqlite_readers_are_gone(void);

/* The log begins again only once no reader is in it, and with readers that never rest there is always one. So new
 * readers are made to wait until they are released, READERS_HELD_MS at most, and those that are open are waited for, up
 * to `wait_ms`. Any thread. */
enum { READERS_HELD_MS = 250 };
void sqlite_readers_hold(unsigned wait_ms);
void sqlite_readers_release(void);

/* Begins a query: its time runs from here on. */
int reader_prepare(struct sqlite_reader *reader, sqlite3_stmt **out, const char *sql) REIN_MUST_USE;
/* Ends it (NULL is fine): compiling takes longer than most queries, so the same one will find it again. */
void reader_end(struct sqlite_reader *reader, sqlite3_stmt *stmt);
/* 1: a row, 0: no more, negative: failed. */
int reader_step(struct sqlite_reader *reader, sqlite3_stmt *stmt) REIN_MUST_USE;
/* Prints SELECT and the columns of a view named `d`, in the order of the fields. */
void reader_print_select(FILE *f, const struct store_field *fields);
/* Binds a text by its name; a name that the query does not have is fine. */
void reader_bind_text(sqlite3_stmt *stmt, const char *name, const char *text);
void reader_bind_number(sqlite3_stmt *stmt, const char *name, int64_t number);
void reader_bind_real(sqlite3_stmt *stmt, const char *name, double number);
/* A column; NULL is STORE_UNKNOWN. */
int64_t reader_number(sqlite3_stmt *stmt, int i);
/* Fills a row whose fields are the statement's columns, in order. Its texts are good until the next step. */
int reader_fill(sqlite3_stmt *stmt, const struct store_field *fields, void *row) REIN_MUST_USE;

/* ---- read.c: see driver.h ---- */
int sqlite_read_list(struct store_reader *reader, const struct store_filter *filter, store_on_decision on_decision,
                     void *ctx) REIN_MUST_USE;
int sqlite_read_one(struct store_reader *reader, const char *id, const struct store_one_handler *on,
                    void *ctx) REIN_MUST_USE;
int sqlite_read_extent(struct store_reader *reader, int64_t *first, int64_t *last) REIN_MUST_USE;
int sqlite_read_texts(struct store_reader *reader, const char *id, store_on_text on_text, void *ctx) REIN_MUST_USE;
int sqlite_read_readings(struct store_reader *reader, const char *id, store_on_readings on_readings,
                         void *ctx) REIN_MUST_USE;
int sqlite_read_outcome(struct store_reader *reader, const char *id, const char *key, store_on_decision on_decision,
                        void *ctx) REIN_MUST_USE;
int sqlite_read_statistics(struct store_reader *reader, int64_t from_us, int64_t to_us, store_on_request on_request,
                           void *ctx) REIN_MUST_USE;

/* ---- page.c ---- */
/* The statement of a page that begins with the filter of that facet's kind; NULL: by time. Returns owned (free()). */
char *sqlite_page_sql(const struct store_filter *filter, const char *lead_kind);

/* ---- sums_read.c: see driver.h ---- */
int sqlite_read_sums(struct store_reader *reader, const struct store_sums_filter *filter, store_on_sum on_sum,
                     void *ctx) REIN_MUST_USE;
int sqlite_read_finding_sums(struct store_reader *reader, const struct store_sums_filter *filter,
                             store_on_finding_sum on_sum, void *ctx) REIN_MUST_USE;
int sqlite_read_summed(struct store_reader *reader, int64_t *done, int64_t *all) REIN_MUST_USE;
int sqlite_read_facets(struct store_reader *reader, store_on_facet on_facet, void *ctx) REIN_MUST_USE;
int sqlite_read_feedback_counts(struct store_reader *reader, const struct store_sums_filter *filter,
                                store_on_feedback_count on_count, void *ctx) REIN_MUST_USE;

/* ---- feedback.c, live.c: see driver.h ---- */
int sqlite_write_feedback(struct store_reader *reader, const struct store_feedback *feedback,
                          bool *found) REIN_MUST_USE;
int sqlite_drop_feedback(struct store_reader *reader, const char *id, int64_t n, bool *found) REIN_MUST_USE;
int sqlite_read_feedback(struct store_reader *reader, const struct store_feedback_filter *filter,
                         store_on_feedback_row on_row, void *ctx) REIN_MUST_USE;
int sqlite_read_numbered(struct store_reader *reader, const int64_t *numbers, size_t len, store_on_live on_live,
                         void *ctx) REIN_MUST_USE;

#endif
