/* What the metrics consist of, for metrics.c and metrics_text.c.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_METRICS_METRICS_STATE_H
#define SERVER_METRICS_METRICS_STATE_H

#include <assert.h>
#include <pthread.h>
#include <time.h>

#include "metrics/metrics.h"

enum { LABEL_NAME_MAX = 128 };

enum { LABEL_SLOTS = 4096 };

/* Grows under the lock, up to its ceiling; read without: a name is there before `len` counts it and a slot leads to it.
 * A name's slot is the first free one from its hash on. */
struct label_table {
    char *names[LABELS_MAX];
    _Atomic unsigned len;
    unsigned reserved;                         /* names of the config, with the lock */
    _Atomic unsigned short slots[LABEL_SLOTS]; /* a name's number + 1; 0: free */
};
static_assert(LABELS_MAX < 65535 && LABELS_MAX * 2 < LABEL_SLOTS, "numbers fit, and slots stay free");

struct histogram_spec {
    const char *name, *help;
    double unit; /* values are divided by it for the text */
    unsigned bounds_len;
    uint64_t bounds[HISTOGRAM_BOUNDS_MAX];
};
extern const struct histogram_spec histogram_specs[HISTOGRAM_COUNT];
extern const char *const verdict_names[VERDICTS];

struct metrics {
    struct metrics_worker *workers;
    unsigned workers_len;
    time_t started_at;
    pthread_mutex_t lock; /* for adding labels */
    struct label_table labels[LABEL_COUNT];
    _Atomic uint64_t reloads[2];   /* refused, applied */
    _Atomic uint64_t telemetry[2]; /* lost, sent */
    _Atomic bool is_refused;       /* the last one */
    _Atomic int64_t applied_at;    /* Unix time of the start or the last one that was applied */
};

#endif
