/* Metrics: counters, gauges and histograms for Prometheus, with no lock on the hot path.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each worker has a slot that it alone writes, with plain relaxed stores; a scrape sums the slots. Labels that come
 * from outside (model, route, upstream, ending) are numbers from small tables: names beyond a table's size count as
 * "other", so that a client cannot grow them.
 *
 *     worker = metrics_worker(metrics, i);                       once
 *     route = metrics_label(metrics, LABEL_ROUTE, "default");    once a request
 *     metrics_add(worker, METRIC_EVENTS, 1);                     as often as you like */
#ifndef SERVER_METRICS_METRICS_H
#define SERVER_METRICS_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"
#include "store/store.h"

/* name, type, help. A gauge is what was added less what was removed. */
#define METRICS(X)                                                                                                     \
    X(METRIC_EVENTS, "rein_events_total", "counter", "Events received from upstreams")                                 \
    X(METRIC_GARBAGE_EVENTS, "rein_garbage_events_total", "counter", "Events that were no valid JSON, dropped")        \
    X(METRIC_BYTES_IN, "rein_upstream_bytes_total", "counter", "Bytes received from upstreams")                        \
    X(METRIC_BYTES_OUT, "rein_client_bytes_total", "counter", "Bytes sent to clients")                                 \
    X(METRIC_BYTES_RELEASED_UNJUDGED, "rein_bytes_released_unjudged_total", "counter",                                 \
      "Bytes of text released before they were judged; must be 0")                                                     \
    X(METRIC_RESTARTS, "rein_restarts_total", "counter", "Upstream calls restarted to steer")                          \
    X(METRIC_CLIENTS_LEFT, "rein_clients_left_total", "counter", "Responses that the client did not wait for")         \
    X(METRIC_STORE_REFUSED, "rein_store_refused_total", "counter", "Requests refused because the store failed")        \
    X(METRIC_OPEN_REQUESTS, "rein_open_requests", "gauge", "Requests running now")                                     \
    X(METRIC_OPEN_STREAMS, "rein_open_streams", "gauge", "Streamed responses running now")

enum metric {
#define METRICS_ENUM(id, name, type, help) id,
    METRICS(METRICS_ENUM)
#undef METRICS_ENUM
        METRIC_COUNT
};

enum histogram {
    HISTOGRAM_HELD_BYTES, /* bytes: the largest amount that a response held */
    HISTOGRAM_FIRST_BYTE, /* microseconds: request to first byte for the client */
    HISTOGRAM_DURATION,   /* microseconds: the whole request */
    HISTOGRAM_ADDED,      /* microseconds: from the upstream's first byte to the client's */
    HISTOGRAM_COUNT
};
enum { HISTOGRAM_BOUNDS_MAX = 18 };

/* Why an upstream call failed; 4xx and 5xx are its own answers. */
#define UPSTREAM_ERRORS(X)                                                                                             \
    X(UPSTREAM_ERROR_CONNECT, "connect")                                                                               \
    X(UPSTREAM_ERROR_TIMEOUT, "timeout")                                                                               \
    X(UPSTREAM_ERROR_BROKE, "broke")                                                                                   \
    X(UPSTREAM_ERROR_MALFORMED, "malformed")                                                                           \
    X(UPSTREAM_ERROR_TOO_LARGE, "too_large")                                                                           \
    X(UPSTREAM_ERROR_4XX, "4xx")                                                                                       \
    X(UPSTREAM_ERROR_5XX, "5xx")
enum upstream_error {
#define UPSTREAM_ERRORS_ENUM(id, name) id,
    UPSTREAM_ERRORS(UPSTREAM_ERRORS_ENUM)
#undef UPSTREAM_ERRORS_ENUM
        UPSTREAM_ERROR_COUNT
};

/* Names from outside, each kind with room for a few; number 0 is "other". */
enum label {
    LABEL_ROUTE,
    LABEL_MODEL,
    LABEL_UPSTREAM,
    LABEL_ENDING,
    LABEL_JUDGE,
    LABEL_POLICY,  /* name@version, shortened */
    LABEL_PATTERN, /* a finding's name, by its kind: so are the next two */
    LABEL_RULE,
    LABEL_PANEL,
    LABEL_COUNT
};
enum {
    ROUTES_MAX = 33,
    MODELS_MAX = 65, /* that clients name */
    UPSTREAMS_MAX = 33,
    ENDINGS_MAX = 25,
    JUDGES_MAX = 33,
    POLICIES_MAX = 65,
    PATTERNS_MAX = 17,
    RULES_MAX = 257,
    PANELS_MAX = 33,
    MODELS_NAMED_MAX = 1024, /* that routes name, besides */
    LABELS_MAX = MODELS_MAX + MODELS_NAMED_MAX,
};
enum { VERDICTS = 6 }; /* the words of store_verdict() */

struct metrics;

/* One worker's. Only the functions below may access it. */
struct metrics_worker {
    _Atomic uint64_t values[METRIC_COUNT];
    struct {
        _Atomic uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1], sum;
    } histograms[HISTOGRAM_COUNT];
    _Atomic uint64_t requests[ROUTES_MAX][VERDICTS][ENDINGS_MAX];
    _Atomic uint64_t models[MODELS_MAX + MODELS_NAMED_MAX][VERDICTS];
    _Atomic uint64_t policies[POLICIES_MAX][VERDICTS];
    _Atomic uint64_t patterns[PATTERNS_MAX][2], rules[RULES_MAX][2], panels[PANELS_MAX][2]; /* enforced, in shadow */
    _Atomic uint64_t upstream_errors[UPSTREAMS_MAX][UPSTREAM_ERROR_COUNT];
    _Atomic uint64_t judged[JUDGES_MAX][REIN_JUDGE_OUTCOMES], judged_known[JUDGES_MAX], judged_ms[JUDGES_MAX];
};

int metrics_new(struct metrics **out, unsigned workers) REIN_MUST_USE;
void metrics_free(struct metrics *metrics); /* after all workers have stopped */
/* Good as long as the metrics. */
struct metrics_worker *metrics_worker(struct metrics *metrics, unsigned i);

/* The number of a name: 0 if the table is full or `name` is NULL. Any thread; takes a lock only for a new name. Numbers
 * do not change. */
unsigned metrics_label(struct metrics *metrics, enum label label, const char *name);

/* Gives a name of the config's a number, besides those that clients may take: it never counts as "other". Only models.
 * Any thread. */
void metrics_reserve(struct metrics *metrics, enum label label, const char *name);
/* The config was read again: applied, or refused. Any thread. */
void metrics_reloaded(struct metrics *metrics, bool applied);

/* Requests that a collector took, and those that it did not get. Any thread. */
void metrics_telemetry(struct metrics *metrics, uint64_t sent, uint64_t lost);

/* ---- the worker's own thread ---- */

/* One writer: a load and a store are enough. */
static inline void metrics_bump(_Atomic uint64_t *value, uint64_t n)
{
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void metrics_add(struct metrics_worker *worker, enum metric metric, uint64_t n)
{
    metrics_bump(&worker->values[metric], n);
}

/* For gauges. */
static inline void metrics_sub(struct metrics_worker *worker, enum metric metric, uint64_t n)
{
    metrics_bump(&worker->values[metric], -n);
}

/* In the histogram's unit. */
void metrics_observe(struct metrics_worker *worker, enum histogram histogram, uint64_t value);

/* A request has ended. `route`, `model` and `ending` are numbers of metrics_label(); `decision` NULL: never judged. */
void metrics_request(struct metrics_worker *worker, unsigned route, unsigned model, unsigned ending,
                     const struct rein_decision *decision);
/* The same request's policy: a number of metrics_label(). */
void metrics_policy(struct metrics_worker *worker, unsigned policy, const struct rein_decision *decision);
/* A finding: `name` is a number of its kind's label, LABEL_PATTERN, LABEL_RULE or LABEL_PANEL. */
void metrics_found(struct metrics_worker *worker, enum label kind, unsigned name, bool shadow);
void metrics_upstream_error(struct metrics_worker *worker, unsigned upstream, enum upstream_error error);
void metrics_judged(struct metrics_worker *worker, unsigned judge, const struct rein_asked *asked);

/* ---- scraping ---- */

/* All metrics in Prometheus' text format (version 0.0.4). `store` may be NULL. Returns owned (free()), NULL when out of
 * memory. Any thread, any time between metrics_new and metrics_free. */
char *metrics_text(struct metrics *metrics, struct store *store, size_t *len);
extern const char metrics_content_type[];

#endif
