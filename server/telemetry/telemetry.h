/* Finished requests on their way to a collector of OpenTelemetry.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      telemetry_put (any worker) -> queue, fixed in size -> a thread of its own -> POST /v1/traces, /v1/logs
 *
 * Putting copies into the queue and never waits: what does not fit is lost, and counted, like what the collector does
 * not take. A request never depends on the collector. */
#ifndef SERVER_TELEMETRY_TELEMETRY_H
#define SERVER_TELEMETRY_TELEMETRY_H

#include "metrics/metrics.h"
#include "rein/rein.h"
#include "store/store.h"
#include "telemetry/trace_ids.h"

enum {
    TELEMETRY_QUEUE = 1024, /* requests that may wait */
    TELEMETRY_BATCH = 128,  /* requests of one call */
    TELEMETRY_TEXT = 128,   /* bytes of a text with its NUL; longer ones are cut */
    TELEMETRY_ATTEMPTS = 4,
    TELEMETRY_FINDINGS = 8,
};

struct telemetry;

/* Texts are borrowed until telemetry_start returns. */
struct telemetry_options {
    const char *endpoint;      /* http://host:4318, perhaps with a path */
    const char *authorization; /* NULL: none */
    bool traces, logs;
    struct metrics *metrics; /* outlives it */
};

/* Returns owned. Errors are logged. Main thread. */
int telemetry_start(struct telemetry **out, const struct telemetry_options *options) REIN_MUST_USE;
/* Sends what waits, for at most two seconds. No worker may put any more. Main thread; NULL is fine. */
void telemetry_stop(struct telemetry *telemetry);

/* A finished request: everything is copied; texts may be NULL. */
struct telemetry_request {
    const struct trace_ids *ids;
    const char *decision, *request_id, *path, *route, *model, *policy, *verdict, *ending;
    int64_t started_at_us, duration_us; /* Unix time */
    unsigned status;
    const struct store_attempt *attempts;
    size_t attempts_len;
    const struct rein_decision *found; /* NULL: never judged */
};
/* Any thread; `telemetry` NULL is fine, and does nothing. */
void telemetry_put(struct telemetry *telemetry, const struct telemetry_request *request);

#endif
