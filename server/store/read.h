/* Reading decisions, for the admin API and for clients that ask for their own: rows of the driver, as JSON.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every query has a time limit. Rows become JSON objects with the fields of row.h as keys. Results: REIN_ELIMIT: the
 * time is over; REIN_EIO, logged; REIN_ENOMEM; *out is then untouched.
 *
 * Thread: one at a time. Blocks: not for a loop's thread, see query.h. */
#ifndef SERVER_STORE_READ_H
#define SERVER_STORE_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "rein/rein.h"

struct store;
struct store_reader;

/* `time_limit_ms`: of each query; after it REIN_ELIMIT. REIN_EIO also while the database is missing. A reader is for
 * one query or a few, not for the life of the process; it must be closed before the store is. */
int store_reader_open(struct store_reader **out, const struct store *store, unsigned time_limit_ms) REIN_MUST_USE;
/* From now on its thread keeps off the processor on which the store writes, so that what that needs stays in the
 * caches. The others may be busy, so it is for threads that stand aside anyway (base/thread.h). */
void store_reader_keep_off(struct store_reader *reader, const struct store *store);
/* All its queries together end within that time from now on. */
void store_reader_limit(struct store_reader *reader, unsigned ms);
/* Of a database that this process has not opened, and perhaps another one writes. */
int store_reader_open_file(struct store_reader **out, const char *path, unsigned time_limit_ms) REIN_MUST_USE;
void store_reader_close(struct store_reader *reader); /* NULL is fine */

/* A place in the list of decisions, newest first. */
struct store_cursor {
    int64_t started_at_us, seq;
};

enum { STORE_RISKS = 2 };
/* Which decisions: NULL and 0 do not filter. */
struct store_filter {
    int64_t from_us, to_us; /* from <= started_at < to, Unix time */
    const char *route, *model, *key, *policy_version, *verdict, *ending, *request_id;
    const char *pattern, *rule, *judge; /* has such a finding */
    const char *shadow;                 /* the action of shadow findings, or "any"; no index */
    struct {
        bool is_set;
        double min, max;
    } risks[STORE_RISKS]; /* of the prompt, of the trace; no index */
    bool has_after, newer;
    struct store_cursor after; /* only those behind it; `newer`: those before it, the nearest ones */
    unsigned limit;            /* at least 1 */
};

/* As texts: 32 hexadecimal digits, with `r` before them if what is newer is meant. */
enum { STORE_CURSOR_LEN = 40 };
void store_format_cursor(const struct store_cursor *cursor, bool newer, char out[STORE_CURSOR_LEN]);
bool store_parse_cursor(const char *text, struct store_cursor *out, bool *newer) REIN_MUST_USE;

/* A page of decisions as an array, newest first; each has its own place as `cursor`. *has_more: there are more in the
 * filter's direction. `next` is the place of the page's oldest. Returns owned. */
int store_read_decisions(struct store_reader *reader, const struct store_filter *filter, json_t **out, bool *has_more,
                         struct store_cursor *next) REIN_MUST_USE;

/* One decision with its `attempts` and `findings` as arrays (the counts are `attempts_count`, `findings_count`); *out
 * is NULL if there is none. Returns owned. */
int store_read_decision(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;

/* The kept texts of a decision, in order; an empty array if there are none. Returns owned. */
int store_read_texts(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;

/* What detectors read of its kept texts (rein_text.readings), for judging it again: {"n": the text's, "readings":
 * lower-case hex}, in order; only texts of which it is kept. It tells whether somebody's guess of a masked word is
 * right, so it is for the operator's own tools: no API, export or page has it. Returns owned. */
int store_read_readings(struct store_reader *reader, const char *id, json_t **out) REIN_MUST_USE;

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
