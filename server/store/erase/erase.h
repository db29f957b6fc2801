/* Erasing: the text of chosen decisions, and what was derived from it, goes for good; that they were made stays.
 * SPDX-License-Identifier: Apache-2.0
 *
 * What goes: kept texts, evidence, the steps of findings, the categories of judges, the harms that a prompt names, what
 * an upstream said of its failure, notes of people, and the user's hash. Verdicts, names of rules and patterns, scores
 * and counts stay, so that sums and pages remain true.
 *
 *      a running server:  store_erase -> writer, between groups: step, step, ... -> done on the caller's loop
 *      another process:   store_erase_file, also next to a running server
 *
 * Of a request that is still running, the text is written when it ends, so that it is not erased. */
#ifndef SERVER_STORE_ERASE_ERASE_H
#define SERVER_STORE_ERASE_ERASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "rein/rein.h"

/* Which decisions: those that meet all conditions. NULL and 0 are none. */
struct store_erase_filter {
    const char *key;     /* the name of a client's key */
    const char *user;    /* a user's hash (struct store_record) */
    const char *request; /* a decision's id, or the id that its client gave the request */
    int64_t before_us;   /* began before; Unix time */
};

struct store_erased {
    uint64_t decisions;              /* those that had anything to erase */
    uint64_t texts, evidence, notes; /* rows */
    bool is_log_left;                /* somebody reads, so that the log could not be emptied: do it again later */
};

/* How it goes on after a step. */
enum store_erase_step {
    STORE_ERASE_DONE,
    STORE_ERASE_MORE,  /* at once, when others have written */
    STORE_ERASE_LATER, /* after STORE_ERASE_PAUSE_MS: somebody reads */
};
enum { STORE_ERASE_PAUSE_MS = 50, STORE_ERASURES_MAX = 16 };

/* "2026-11-30", "2026-11-30T14:05:00Z", UTC, or "90d": so many days ago. False: it is none of these. */
bool store_erase_before(int64_t *out_us, const char *text);

/* In a file of the first driver; blocks. Results are those of a driver's step; *out says what was erased even then. */
int store_erase_file(const char *path, const struct store_erase_filter *filter, struct store_erased *out) REIN_MUST_USE;

struct store;
struct store_eraser;

/* An erasure by a running store. Its memory, and the filter's texts, are the caller's until it is done. */
struct store_erasure {
    struct store_erase_filter filter;
    struct loop *loop;      /* of `done` */
    struct loop_order done; /* given once, when it is over; its function and context are the caller's */
    int rv; /* 0; REIN_EIO: writing does not work; REIN_ESTATE: the store was closed before it was done */
    struct store_erased erased;
    struct store_eraser *eraser; /* the writer's, like `next` */
    struct store_erasure *next;
};

/* All that was put before is written before it, and erased too. Any thread. REIN_ELIMIT: STORE_ERASURES_MAX wait.
 * REIN_ESTATE: the store is closing. Then `done` is not given. */
int store_erase(struct store *store, struct store_erasure *erasure) REIN_MUST_USE;

#endif
