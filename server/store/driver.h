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

#include "store/job.h"
#include "store/read.h"
#include "store/row.h"

struct store_db; /* the connection that writes: the driver's own */

/* The beginning of a driver's own reader. */
struct store_reader {
    const struct store_driver *driver;
};

/* Called with a row. 0: the next one is wanted too; positive: no more; negative: an error, which is then the result. */
typedef int (*store_on_decision)(void *ctx, const struct store_decision_row *row);
typedef int (*store_on_attempt)(void *ctx, const struct store_attempt_row *row);
typedef int (*store_on_finding)(void *ctx, const struct store_finding_row *row);
typedef int (*store_on_opinion)(void *ctx, const struct store_opinion_row *row);
typedef int (*store_on_request)(void *ctx, const struct store_request_row *row);

/* What is called for one decision and its parts. */
struct store_one_handler {
    store_on_decision decision;
    store_on_attempt attempt;
    store_on_finding finding;
    store_on_opinion opinion;
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
    /* Commits a small fact, to see whether writing works. */
    int (*probe)(struct store_db *db);
    /* Called twice a second. False: the database is not where it was, and nothing is written until it is back. */
    bool (*is_in_place)(struct store_db *db);
    uint64_t (*times_gone)(const struct store_db *db); /* how often that happened */
    /* Called between groups: what the database wants done now and then. Must not take long. */
    void (*maintain)(struct store_db *db);
    /* Sets how many days decisions are kept, 0: for ever. */
    void (*keep)(struct store_db *db, unsigned days);
    /* Purges a small batch of what is older than it may be; *purged is the number of decisions. 1: there may be more,
     * 0: there is not. */
    int (*purge)(struct store_db *db, uint64_t *purged);

    /* ---- reading: any thread, each reader one at a time; blocks ---- */

    /* A connection for a query or a few, not for the life of the process. A query that takes longer than the limit ends
     * with REIN_ELIMIT. */
    int (*open_reader)(struct store_reader **out, const char *path, unsigned time_limit_ms);
    void (*close_reader)(struct store_reader *reader); /* NULL is fine */
    /* The first decisions of a filter, newest first, at most filter->limit. */
    int (*list)(struct store_reader *reader, const struct store_filter *filter, store_on_decision on_decision,
                void *ctx);
    /* A decision and then, in order, its attempts, findings and opinions. Nothing is called if there is none. */
    int (*one)(struct store_reader *reader, const char *id, const struct store_one_handler *on, void *ctx);
    /* A decision that was made with the key of that name ("": without one); nothing is called if there is none. */
    int (*outcome)(struct store_reader *reader, const char *id, const char *key, store_on_decision on_decision,
                   void *ctx);
    /* All requests of [from, to), oldest first. */
    int (*statistics)(struct store_reader *reader, int64_t from_us, int64_t to_us, store_on_request on_request,
                      void *ctx);
};

/* A scheme of NULL stands for the first driver. NULL: there is none for this scheme. */
const struct store_driver *store_driver_find(const char *scheme);

#endif
