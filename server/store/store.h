/* The store: decisions, written by one thread, read by many. A small interface above a driver (driver.h).
 * SPDX-License-Identifier: Apache-2.0
 *
 * One writer thread owns the connection that writes: group commit from a bounded queue. A
 * decision that changed a response is synced to the disk before it counts as durable; one that let it pass is
 * committed, which outlives the process but, in its last moments, not a power failure. */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "rein/rein.h"

struct store;

/* A sortable 128-bit id (UUID version 7, RFC 9562), as 36 characters and NUL. */
struct store_id {
    char text[37];
};
void store_id_new(struct store_id *out); /* any thread */
bool store_id_is_valid(const char *text);

/* One upstream call of a request. */
struct store_attempt {
    const char *template_name;
    enum rein_delivery delivery;
    const char *reason;    /* why this delivery: "verified", "unverified", "tools", "not_risky", ... */
    int64_t started_us;    /* since the request began */
    int64_t first_byte_us; /* -1: none came */
    int64_t ended_us;
    unsigned status;     /* HTTP, 0: none */
    const char *outcome; /* "whole", "timeout", "broke", "cancelled", "steered", ... */
    bool may_continue;   /* as the engine was told (rein_attempt) */
    unsigned choices;    /* that it was asked for */
};

/* What is stored about a request. The first record of a request inserts a row, later ones replace it. Everything is
 * copied; strings may be NULL, names are cut at 256 bytes. */
struct store_record {
    struct store_id id;
    const char *request_id;
    int64_t started_at_us; /* Unix time */
    const char *route, *model, *upstream, *key, *tenant, *dialect;
    const char *policy, *policy_version;
    const char *user; /* a hash of what the request says who its user is, with a key of the server's; NULL: nothing */
    bool streamed;
    bool final;         /* false: committed before the end, the request continues */
    const char *ending; /* "complete", "refused", "cut", "upstream_broke", "client_left", "rejected", ... */
    unsigned status;    /* HTTP status the client got */
    int64_t upstream_first_byte_us, client_first_byte_us, duration_us; /* since the request began, -1 unknown */
    const struct store_attempt *attempts;
    size_t attempts_len;
    const struct rein_decision *decision; /* NULL: refused before there was a trace */
    enum rein_keep_text keep_text;
    unsigned keep_text_days;       /* evidence and texts go after so many days, 0: with what the store purges */
    const struct rein_text *texts; /* kept texts */
    size_t texts_len;
    const char *upstream_error; /* what the upstream said of its failure: a JSON object, at most 4 KiB; NULL: nothing */
    const char *dropped_fields; /* of the request: "echo, messages.images, +2", at most 4 KiB; NULL: none */
    unsigned unjudged_parts;    /* images, audio and files of the request */
    bool unanswered; /* the upstream failed before anything of an answer could be judged: `allow` or `record` would be
                        wrong, so the verdict is `none` */
};

struct store_options {
    const char *scheme;      /* of store.url: which driver; NULL: the first */
    const char *path;        /* what follows the scheme: a file, made with mode 0600 if it does not exist */
    unsigned keep_days;      /* older decisions are purged in the background, 0: kept forever */
    unsigned keep_text_days; /* older kept text is purged, 0: kept as long as its decision */
    unsigned away_ms;        /* how long `path` must be unchanged before it is opened again, 0: STORE_AWAY_MS */
    size_t queue_max;        /* records that may wait; beyond that store_put returns REIN_ELIMIT. 0: STORE_QUEUE_MAX */
};
/* Of the bytes of kept texts, with masks, matches and readings, that wait to be written; what is put beyond that is
 * stored without its texts. */
enum { STORE_QUEUE_MAX = 8192, STORE_AWAY_MS = 5000, STORE_QUEUE_TEXT_MAX = 64 << 20 };

/* Opens or makes the database, migrates it and marks what a crash left open as ended `lost`. One process at a time
 * may have a store open (FILE-lock is locked). REIN_EFORMAT: not a database of this version, or no driver; REIN_ESTATE:
 * another process has it; REIN_EIO. All are logged. Blocks; main thread. */
int store_open(struct store **out, const struct store_options *options) REIN_MUST_USE;
/* The last writes: of everything queued, and for up to STORE_LAST_TRIES_MS of what could not be written so far. From
 * now on nothing can be put and nobody is notified any more. Waits at most `wait_ms`. 0: all is written; REIN_EIO: some
 * decisions are lost, and their number is logged; REIN_ELIMIT: the disk still blocks the writer, and store_close would
 * wait for it. Main thread, after the loops have stopped running and before they are freed. */
int store_finish(struct store *store, unsigned wait_ms) REIN_MUST_USE;
enum { STORE_FINISH_MS = 15000, STORE_LAST_TRIES_MS = 6000 };
/* Nobody will close it, and its writer may run or have ended: the process ends at once. Main thread. */
void store_abandon(struct store *store);
/* Closes; without a store_finish before it, what is queued is written first, with one try. Blocks. Thread as above.
 * NULL is fine. */
void store_close(struct store *store);

/* Called on `loop`'s thread once the record is durable (rv 0) or was not written (rv < 0). */
typedef void (*store_done)(void *ctx, int rv);
/* Any loop's thread. Either an error and no callback (REIN_ELIMIT: the queue is full, REIN_ENOMEM), or 0 and `done`
 * exactly once later, never before this returns and never after store_finish began. `done` NULL: not waited for (`loop`
 * may then be NULL).
 *
 * After rv REIN_EIO the store is not healthy; it keeps the record (as many as the queue holds, the oldest go first) and
 * writes it when writing works again, so that an outage that ends loses no row. */
int store_put(struct store *store, const struct store_record *record, struct loop *loop, store_done done,
              void *ctx) REIN_MUST_USE;
/* Sets after how many days decisions are purged; 0: never. Any thread. */
void store_keep(struct store *store, unsigned days);
/* False from a failed write until the next that succeeds; the store tries by itself, twice a second. A database whose
 * files are removed, renamed or replaced is noticed within a second and fails like a full disk, until it is back, or
 * until another file, or none, has been at its place for `away_ms`: then that is opened, or a new one is made. Any
 * thread. */
bool store_is_healthy(struct store *store);

/* The verdict of a decision as the database has it: allow, redact, steer, refuse, cut; none for NULL. */
const char *store_verdict(const struct rein_decision *decision);

/* What the store has done so far. */
#define STORE_LATENCY_BOUNDS_US                                                                                        \
    {                                                                                                                  \
        250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000                               \
    }
enum { STORE_LATENCY_BOUNDS = 12 };
struct store_stats {
    uint64_t queued;                            /* records waiting now */
    uint64_t kept;                              /* records that wait for a failing store to work again */
    uint64_t written;                           /* records committed */
    uint64_t failed;                            /* records whose commit failed, written later or not */
    uint64_t dropped;                           /* records that were never written */
    uint64_t purged;                            /* decisions purged */
    uint64_t gone;                              /* how often the database's files were removed, renamed or replaced */
    uint64_t commits;                           /* transactions */
    uint64_t latency[STORE_LATENCY_BOUNDS + 1]; /* put to durable, by STORE_LATENCY_BOUNDS_US and above */
    uint64_t latency_sum_us;
};
void store_stats(struct store *store, struct store_stats *out); /* any thread */

/* Readers have their own connections: store/sqlite/read.h. */

#endif
