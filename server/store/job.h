/* A record on its way to the writer: one allocation with a copy of all its data.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Texts become valid UTF-8 without NUL and have ceilings, so that everything that a client or an upstream sent can be
 * stored and read back. Made in the caller's thread, read by the writer and by the loop that is notified. */
#ifndef SERVER_STORE_JOB_H
#define SERVER_STORE_JOB_H

#include <stdatomic.h>

#include "store/store.h"

enum {
    STORE_NAME_MAX = 256,      /* bytes of a name: model, key, route, … */
    STORE_TAGS_MAX = 1040,     /* bytes of the tags of its rule */
    STORE_EVIDENCE_MAX = 4096, /* bytes of one finding's evidence */
    STORE_FINDINGS_MAX = 256,
    STORE_OPINIONS_MAX = 256,
    STORE_ATTEMPTS_MAX = 32,
    STORE_TEXTS_MAX = 1024,
    STORE_TEXT_MAX = 16 << 20,     /* bytes of one kept text */
    STORE_READINGS_MAX = 16 << 20, /* bytes of what detectors read of one; more is left out */
};

struct store_job {
    struct store_job *next;   /* the writer's */
    struct store_job *notice; /* the next one for the same loop */
    atomic_uint refs;         /* the writer's and, while a callback is due, the loop's */
    bool notified;            /* the writer's: the callback was posted */
    int rv;                   /* set before the callback is posted */
    int64_t seq, policy;      /* the driver's: numbers of its row and of its policy */
    int64_t queued_at_us;     /* monotonic */
    struct loop *loop;
    store_done done;
    void *ctx;

    struct store_record record; /* leads into this block, `decision` to the member below or NULL */
    struct rein_decision decision;
    struct store_attempt first;                        /* attempt; its row is the decision's own */
    const char *delivery;                              /* of the first attempt, a constant */
    int64_t may_continue;                              /* likewise: 0, 1; -1: there is none */
    int64_t choices;                                   /* likewise; -1: there is none */
    size_t findings_len;                               /* how many there were, including those above the ceiling */
    const char *verdict, *action, *shadow, *reasoning; /* constants */
    bool acted;                                        /* a finding changed the response */
    int64_t keep_text_until_us;                        /* its text may stay until then, -1: as long as others */
    size_t text_bytes;                                 /* of its kept texts, with masks, matches and readings */
};

/* Returns owned (one reference). REIN_ENOMEM. Where the jobs that there are hold STORE_QUEUE_TEXT_MAX bytes of kept
 * texts and what belongs to them, the texts of further records are left out and marked as not whole. */
int store_job_new(struct store_job **out, const struct store_record *record) REIN_MUST_USE;
void store_job_unref(struct store_job *job); /* any thread */

#endif
