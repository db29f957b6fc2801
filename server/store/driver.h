/* A store driver: one kind of database, behind a table of functions.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The queue, groups, retries, what a failing store means for requests, ids and JSON are above it (store.c, read.c,
 * stats.c). A driver is one folder of store/, and a row of STORE_DRIVERS (config/store_schemes.h).
 *
 * Results are 0 or negative; a driver logs what failed. REIN_EIO: the database does not work at the moment.
 * REIN_ENOMEM. */
#ifndef SERVER_STORE_DRIVER_H
#define SERVER_STORE_DRIVER_H

#include <stdatomic.h>

#include "store/erase/erase.h"
#include "store/feedback.h"
#include "store/job.h"
#include "store/policies.h"
#include "store/read.h"
#include "store/row.h"

struct store_db;     /* the connection that writes: the driver's own */
struct store_eraser; /* likewise, one that erases */

/* The beginning of a driver's own reader. */
struct store_reader {
    const struct store_driver *driver;
    int64_t until_us;            /* monotonic: its queries end by then, with REIN_ELIMIT; 0: there is no such time */
    const atomic_int *keeps_off; /* the processor that its thread is to keep off (base/thread.h); NULL: there is none */
};

/* Called with a row. 0: the next one is wanted too; positive: no more; negative: an error, which is then the result. */
typedef int (*store_on_decision)(void *ctx, const struct store_decision_row *row);
typedef int (*store_on_attempt)(void *ctx, const struct store_attempt_row *row);
typedef int (*store_on_finding)(void *ctx, const struct store_finding_row *row);
typedef int (*store_on_opinion)(void *ctx, const struct store_opinion_row *row);
typedef int (*store_on_text)(void *ctx, const struct store_text_row *row);
typedef int (*store_on_readings)(void *ctx, int64_t n, const struct store_bytes *readings);
typedef int (*store_on_request)(void *ctx, const struct store_request_row *row);

typedef int (*store_on_sum)(void *ctx, const struct store_sum_row *row);
typedef int (*store_on_finding_sum)(void *ctx, const struct store_finding_sum_row *row);
typedef int (*store_on_feedback)(void *ctx, const struct store_feedback_row *row);
typedef int (*store_on_facet)(void *ctx, const struct store_facet_row *row);
typedef int (*store_on_policy)(void *ctx, const struct store_policy_row *row);
typedef int (*store_on_feedback_count)(void *ctx, const char *kind, const char *name, int64_t right, int64_t wrong);

/* Feedback with what it is about; texts may be NULL. */
struct store_feedback_whole {
    struct store_feedback_cursor place;
    const char *id, *kind, *name, *channel;
    int64_t offset, len;
    const char *said, *note, *by;
    const char *model, *verdict, *policy, *policy_version; /* the decision's */
};
typedef int (*store_on_feedback_row)(void *ctx, const struct store_feedback_whole *row);
struct store_feedback_filter {
    int64_t from_us, to_us; /* 0: without end */
    struct store_feedback_cursor after;
    unsigned limit;
};

/* A decision in short, and what was found in it: each kind and name once. */
enum { STORE_LIVE_NAMES_MAX = 32 };
struct store_live_name {
    const char *kind, *name;
    bool shadow;
};
typedef int (*store_on_live)(void *ctx, const struct store_decision_row *row, const struct store_live_name *names,
                             size_t names_len);

/* Which sums. */
struct store_sums_filter {
    unsigned minutes; /* of a bucket: 1, 60 or 1440 */
    int64_t from_us, to_us;
    const char *route, *model, *key, *policy_version; /* NULL: any */
    const char *or_policy_version;                    /* with policy_version: one of both */
    bool by_policy;                                   /* rows say their policy version */
};

/* What is called for one decision and its parts. */
struct store_one_handler {
    store_on_decision decision;
    store_on_attempt attempt;
    store_on_finding finding;
    store_on_opinion opinion;
    store_on_feedback feedback;
};

struct store_driver {
    const char *scheme; /* of store.url, without ':' */

    /* ---- writing: main thread for open and close, in between the writer's ---- */

    /* Opens or makes the database, migrates it, and marks what a crash left open as ended `lost`. Results are those of
     * store_open. */
    int (*open)(struct store_db **out, const struct store_options *options);
    void (*close)(struct store_db *db); /* NULL is fine */
    /* Writes a group (a chain of jobs by `next`) in one transaction: all of it or, on an error, nothing. 0: it outlives
     * this process and, if a finding of the group changed a response (`acted`), a power failure too. REIN_EINVAL: a
     * record of the group cannot be written because of its own content. */
    int (*write)(struct store_db *db, struct store_job *first);
    /* Notes which policies are in use from a time on, with their texts. REIN_EINVAL: they cannot be written. */
    int (*use_policies)(struct store_db *db, const struct store_policies *policies);
    /* Commits a small fact, to see whether writing works. */
    int (*probe)(struct store_db *db);
    /* Called twice a second. False: the database is not where it was, and nothing is written until it is back. */
    bool (*is_in_place)(struct store_db *db);
    uint64_t (*times_gone)(const struct store_db *db); /* how often that happened */
    /* Called between groups, at least twice a second: what the database wants done now and then. Must not take long.
     * True: there is more, soon. */
    bool (*maintain)(struct store_db *db);
    /* Sets how many days decisions are kept, 0: for ever. */
    void (*keep)(struct store_db *db, unsigned days);
    /* Purges a small batch of what is older than it may be; *purged is the number of decisions. 1: there may be more,
     * 0: there is not. */
    int (*purge)(struct store_db *db, uint64_t *purged);

    /* ---- erasing: any process, also while a server has the database open; one thread, blocks ---- */

    /* Begins to erase what the filter says. A database that another version has made: REIN_EIO. Returns owned. */
    int (*begin_erase)(struct store_eraser **out, const char *path, const struct store_erase_filter *filter);
    /* A step, for which others that write wait: an enum store_erase_step, or an error. After STORE_ERASE_DONE the
     * erased bytes are in none of the database's files any more, but for is_log_left. */
    int (*step_erase)(struct store_eraser *eraser);
    /* Frees it; says what was erased so far, unless `erased` is NULL. */
    void (*end_erase)(struct store_eraser *eraser, struct store_erased *erased);

    /* ---- reading: any thread, each reader one at a time; blocks ---- */

    /* A connection for a query or a few, not for the life of the process. A query that takes longer than the limit ends
     * with REIN_ELIMIT. */
    int (*open_reader)(struct store_reader **out, const char *path, unsigned time_limit_ms);
    void (*close_reader)(struct store_reader *reader); /* NULL is fine */
    /* The first decisions of a filter, newest first, at most filter->limit. */
    int (*list)(struct store_reader *reader, const struct store_filter *filter, store_on_decision on_decision,
                void *ctx);
    /* A decision and then, in order, its attempts, findings, opinions and feedback. Nothing is called if there is none.
     */
    int (*one)(struct store_reader *reader, const char *id, const struct store_one_handler *on, void *ctx);
    /* The numbers (`seq`) of the first and the last decision; 0 if there is none. */
    int (*extent)(struct store_reader *reader, int64_t *first, int64_t *last);
    /* The kept texts of a decision, in order. */
    int (*texts)(struct store_reader *reader, const char *id, store_on_text on_text, void *ctx);
    /* What detectors read of them: of those of which it is kept, in order. */
    int (*readings)(struct store_reader *reader, const char *id, store_on_readings on_readings, void *ctx);
    /* A decision that was made with the key of that name ("": without one); nothing is called if there is none. */
    int (*outcome)(struct store_reader *reader, const char *id, const char *key, store_on_decision on_decision,
                   void *ctx);
    /* All requests of [from, to), oldest first. */
    int (*statistics)(struct store_reader *reader, int64_t from_us, int64_t to_us, store_on_request on_request,
                      void *ctx);
    /* Sums of requests, of findings; a bucket may come in several rows, in no order. */
    int (*sums)(struct store_reader *reader, const struct store_sums_filter *filter, store_on_sum on_sum, void *ctx);
    int (*finding_sums)(struct store_reader *reader, const struct store_sums_filter *filter,
                        store_on_finding_sum on_sum, void *ctx);
    /* How many decisions of an older version are in the sums, of how many. */
    int (*summed)(struct store_reader *reader, int64_t *done, int64_t *all);
    int (*facets)(struct store_reader *reader, store_on_facet on_facet, void *ctx);
    /* Versions of policies: those in use first, then newest first; NULL: all, without their texts. */
    int (*policies)(struct store_reader *reader, const char *version, store_on_policy on_policy, void *ctx);
    /* Of the filter's decisions, by finding. Its times are exact here, not those of buckets. */
    int (*feedback_counts)(struct store_reader *reader, const struct store_sums_filter *filter,
                           store_on_feedback_count on_count, void *ctx);
    /* See feedback.h. */
    int (*write_feedback)(struct store_reader *reader, const struct store_feedback *feedback, bool *found);
    int (*drop_feedback)(struct store_reader *reader, const char *id, int64_t n, bool *found);
    int (*feedback)(struct store_reader *reader, const struct store_feedback_filter *filter,
                    store_on_feedback_row on_row, void *ctx);
    /* Short forms (store_live_fields) of the decisions with these numbers (store_changes), in no order; one that does
     * not exist any more is left out. */
    int (*numbered)(struct store_reader *reader, const int64_t *numbers, size_t len, store_on_live on_live, void *ctx);
};

/* A scheme of NULL stands for the first driver. NULL: there is none for this scheme. */
const struct store_driver *store_driver_find(const char *scheme);

#endif
