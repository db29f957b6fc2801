/* Reading decisions: a connection that cannot write, for the admin API and for clients that ask for their own
 * decisions. SPDX-License-Identifier: Apache-2.0
 *
 * Every query has bound parameters and a time limit. Rows become JSON objects with the columns of the views (2nd
 * migration) as keys. Results: REIN_ELIMIT: the time is over; REIN_EIO, logged; REIN_ENOMEM; *out is then untouched.
 *
 * Thread: one at a time. Blocks: not for a loop's thread, see query.h. */
#ifndef SERVER_STORE_SQLITE_READ_H
#define SERVER_STORE_SQLITE_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rein/rein.h"

struct store_reader;

/* The database must exist: call after store_open. REIN_EIO also while its files are missing. A connection is for one
 * query or a few, not for the life of the process. */
int store_reader_open(struct store_reader **out, const char *path, unsigned time_limit_ms) REIN_MUST_USE;
void store_reader_close(struct store_reader *reader); /* NULL is fine */

/* All connections of a process to one file share SQLite's index of the log, and one that stays open keeps the old index
 * alive. So while a database is out of its place no reader opens, and the writer opens again once none is left.
 * Any thread. */
void store_readers_block(bool block);
bool store_readers_are_gone(void);

/* A place in the list of decisions, newest first. */
struct store_cursor {
    int64_t started_at_us, seq;
};

/* Which decisions: NULL and 0 do not filter. */
struct store_filter {
    int64_t from_us, to_us; /* from <= started_at < to, Unix time */
    const char *route, *model, *policy_version, *verdict;
    const char *pattern, *rule; /* has such a finding */
    bool has_after;
    struct store_cursor after; /* only those behind it */
    unsigned limit;            /* at least 1 */
};

/* A page of decisions as an array, newest first. *has_more: `next` is where the next page continues. Returns owned. */
int store_read_decisions(struct store_reader *reader, const struct store_filter *filter, json_t **out, bool *has_more,
                         struct store_cursor *next) REIN_MUST_USE;

/* One decision with its `attempts` and `findings` as arrays (the counts are `attempts_count`, `findings_count`); *out
 * is NULL if there is none. Returns owned. */
int store_read_decision(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;

/* What a client may know of its own request: verdict and counts, no evidence. NULL unless it came with the key of that
 * name ("": without one). Returns owned. */
int store_read_outcome(struct store_reader *reader, const char *id, const char *key, json_t **out) REIN_MUST_USE;

/* Counts and latencies of [from, to) in buckets that begin at multiples of bucket_us (from is one). Returns owned. */
int store_read_stats(struct store_reader *reader, int64_t from_us, int64_t to_us, int64_t bucket_us,
                     json_t **out) REIN_MUST_USE;

/* RFC 3339 in UTC, with milliseconds if there are any. */
enum { STORE_TIME_LEN = 32 };
void store_format_time(int64_t unix_us, char out[STORE_TIME_LEN]);

#endif
