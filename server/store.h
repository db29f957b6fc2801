/* The store: decisions, written by one thread, read by many. An interface of a few verbs; SQLite is behind it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One writer thread owns the connection that writes: WAL, synchronous=FULL, group commit from a bounded queue. */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "rein/rein.h"

struct store;

/* A sortable 128-bit id (UUID version 7, RFC 9562), as 36 characters and NUL. */
struct store_id {
    char text[37];
};
void store_id_new(struct store_id *out); /* any thread */

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
};

/* What is stored of a request. A first record of a request inserts, a later one replaces it. Everything is copied. */
struct store_record {
    struct store_id id;
    const char *request_id;
    int64_t started_at_us; /* Unix time */
    const char *route, *model, *upstream, *key, *tenant, *dialect;
    const char *policy, *policy_version;
    bool streamed;
    bool final;         /* false: committed before the end, the request goes on */
    const char *ending; /* "complete", "refused", "cut", "upstream_broke", "client_left", "rejected", ... */
    unsigned status;    /* HTTP status the client got */
    int64_t upstream_first_byte_us, client_first_byte_us, duration_us; /* since the request began, -1 unknown */
    const struct store_attempt *attempts;
    size_t attempts_len;
    const struct rein_decision *decision; /* NULL: refused before there was a trace */
    enum rein_keep_text keep_text;
};

struct store_options {
    const char *path;
    unsigned keep_days;
    size_t queue_max; /* records waiting; beyond it store_put says REIN_ELIMIT */
};

int store_open(struct store **out, const struct store_options *options) REIN_MUST_USE;
/* Writes what is queued, then closes. Blocks; main thread, after the loops have stopped. */
void store_close(struct store *store);

/* Called on `loop`'s thread once the record is durable (rv 0) or was not written (rv < 0). */
typedef void (*store_done)(void *ctx, int rv);
/* Any loop's thread. Either an error and no callback, or 0 and `done` exactly once later. `done` NULL: not waited for.
 */
int store_put(struct store *store, const struct store_record *record, struct loop *loop, store_done done,
              void *ctx) REIN_MUST_USE;
bool store_is_healthy(struct store *store);

/* Readers: one connection each, for the admin API (store_read.h). */

#endif
