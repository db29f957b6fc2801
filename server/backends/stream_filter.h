/* Filters between an upstream's bytes and the engine. A plan puts them up; the session feeds the chain and knows none
 * of them. SPDX-License-Identifier: Apache-2.0
 *
 *     upstream -> filter -> filter -> trace
 *
 * A filter gets a piece and leaves in it what goes on: the same bytes, others, or none. A kind is one file with one
 * table of functions. Filters do no I/O; a call that one needs is made by the session.
 *
 * A filter may be able to correct a response while it runs. From stream_filters_correct on it holds everything back,
 * until a piece says STREAM_CORRECTED (what goes on is the corrected response) or STREAM_LOST (it has to be restarted).
 *
 * Errors: REIN_ENOMEM, and what the filter's header names. Thread: one at a time. */
#ifndef SERVER_BACKENDS_STREAM_FILTER_H
#define SERVER_BACKENDS_STREAM_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct backend_call;
struct stream_filter;

enum stream_turn { STREAM_GOES_ON, STREAM_CORRECTED, STREAM_LOST };

struct stream_piece {
    const char *data; /* borrowed: from whoever feeds, or from a filter until its next call */
    size_t len;
    enum stream_turn turn;
    const char *why; /* of STREAM_LOST; static */
};

struct stream_filter_kind {
    int (*feed)(struct stream_filter *filter, struct stream_piece *piece);
    /* The transfer has ended, whole or not; the piece has the last bytes of the filter before, often none. */
    int (*end)(struct stream_filter *filter, bool is_whole, struct stream_piece *piece);
    void (*free)(struct stream_filter *filter);
    /* Begins a correction. *call: the call that asks the backend for it; its body is the caller's. False: not possible,
     * and nothing is changed. NULL: the kind cannot. */
    bool (*correct)(struct stream_filter *filter, struct backend_call *call);
    /* Does the reply to that call (NULL: none, or not JSON) promise the correction? Goes with `correct`. */
    bool (*is_promised)(const struct stream_filter *filter, const json_t *reply);
};

/* The first member of every filter. */
struct stream_filter {
    const struct stream_filter_kind *kind;
    struct stream_filter *next; /* nearer to the trace; owned */
};

/* Adds to the end of a chain (NULL is the empty one), which then owns the filter. */
void stream_filters_add(struct stream_filter **chain, struct stream_filter *filter);
void stream_filters_free(struct stream_filter **chain);

/* In: upstream bytes, cut anywhere. Out: what the trace gets, good until the next call. */
int stream_filters_feed(struct stream_filter *chain, struct stream_piece *piece) REIN_MUST_USE;
/* Once, at the end of the transfer. Out: the last bytes for the trace. */
int stream_filters_end(struct stream_filter *chain, bool is_whole, struct stream_piece *piece) REIN_MUST_USE;

/* As in the table; the first filter that can correct the response does. */
bool stream_filters_correct(struct stream_filter *chain, struct backend_call *call);
bool stream_filters_are_promised(const struct stream_filter *chain, const json_t *reply);

#endif
