/* See metrics.h: what workers do. metrics_text.c has what a scrape does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics_state.h"

#include <stdlib.h>
#include <string.h>

static const unsigned label_max[LABEL_COUNT] = {
    [LABEL_ROUTE] = ROUTES_MAX,     [LABEL_MODEL] = MODELS_MAX, [LABEL_UPSTREAM] = UPSTREAMS_MAX,
    [LABEL_ENDING] = ENDINGS_MAX,   [LABEL_JUDGE] = JUDGES_MAX, [LABEL_POLICY] = POLICIES_MAX,
    [LABEL_PATTERN] = PATTERNS_MAX, [LABEL_RULE] = RULES_MAX,   [LABEL_PANEL] = PANELS_MAX};

const struct histogram_spec histogram_specs[HISTOGRAM_COUNT] = {
    [HISTOGRAM_HELD_BYTES] = {"rein_held_bytes",
                              "Largest number of text bytes that a response held",
                              1,
                              13,
                              {0, 8, 16, 24, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536}},
    [HISTOGRAM_FIRST_BYTE] = {"rein_first_byte_seconds",
                              "From the request to the first byte for the client",
                              1000000,
                              15,
                              {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
                               10000000, 30000000, 60000000}},
    [HISTOGRAM_DURATION] = {"rein_request_duration_seconds",
                            "The whole request",
                            1000000,
                            15,
                            {5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
                             30000000, 60000000, 120000000, 300000000}},
    [HISTOGRAM_ADDED] = {"rein_added_seconds",
                         "From the upstream's first byte to the client's",
                         1000000,
                         14,
                         {50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 500000, 1000000, 5000000}},
};

/* ---- labels ---- */

enum { UNKNOWN = LABELS_MAX };

/* The number of a name, or UNKNOWN; *slot is where it is or would be. */
static unsigned metrics_find(struct label_table *table, const char *name, unsigned *slot)
{
    unsigned hash = 2166136261u, number; /* FNV-1a */
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (*slot = hash % LABEL_SLOTS;; *slot = (*slot + 1) % LABEL_SLOTS) {
        number = atomic_load_explicit(&table->slots[*slot], memory_order_acquire);
        if (number == 0)
            return UNKNOWN;
        if (strcmp(table->names[number - 1], name) == 0)
            return number - 1;
    }
}

static void metrics_put(struct label_table *table, unsigned slot, char *name)
{
    unsigned i = atomic_load(&table->len);
    table->names[i] = name;
    atomic_store_explicit(&table->len, i + 1, memory_order_release);
    atomic_store_explicit(&table->slots[slot], (unsigned short)(i + 1), memory_order_release);
}

static unsigned metrics_own_add(struct label_table *table, unsigned max, const char *name)
{
    unsigned slot, i = metrics_find(table, name, &slot); /* another thread may have added it just now */
    if (i != UNKNOWN)
        return i;
    i = atomic_load(&table->len);
    char *copy = i < max ? strndup(name, LABEL_NAME_MAX) : NULL;
    if (copy == NULL)
        return 0;
    metrics_put(table, slot, copy);
    return i;
}

unsigned metrics_label(struct metrics *m, enum label label, const char *name)
{
    struct label_table *table = &m->labels[label];
    char cut[LABEL_NAME_MAX + 1];
    if (name == NULL)
        return 0;
    if (strlen(name) > LABEL_NAME_MAX) { /* as it is kept, so that it is found again */
        size_t len = rein_text_whole(name, LABEL_NAME_MAX);
        memcpy(cut, name, len);
        cut[len] = '\0';
        name = cut;
    }
    unsigned slot, i = metrics_find(table, name, &slot);
    if (i != UNKNOWN)
        return i;
    if (atomic_load_explicit(&table->len, memory_order_acquire) >= label_max[label] && table->reserved == 0)
        return 0;
    pthread_mutex_lock(&m->lock);
    i = metrics_own_add(table, label_max[label] + table->reserved, name);
    pthread_mutex_unlock(&m->lock);
    return i;
}

void metrics_reserve(struct metrics *m, enum label label, const char *name)
{
    struct label_table *table = &m->labels[label];
    assert(label == LABEL_MODEL);
    pthread_mutex_lock(&m->lock);
    unsigned slot, before = atomic_load(&table->len);
    if (strlen(name) <= LABEL_NAME_MAX && metrics_find(table, name, &slot) == UNKNOWN &&
        table->reserved < MODELS_NAMED_MAX && metrics_own_add(table, LABELS_MAX, name) != 0)
        table->reserved += atomic_load(&table->len) - before;
    pthread_mutex_unlock(&m->lock);
}

void metrics_telemetry(struct metrics *m, uint64_t sent, uint64_t lost)
{
    atomic_fetch_add(&m->telemetry[1], sent);
    atomic_fetch_add(&m->telemetry[0], lost);
}

void metrics_reloaded(struct metrics *m, bool applied)
{
    atomic_fetch_add(&m->reloads[applied], 1);
    atomic_store(&m->is_refused, !applied);
    if (applied)
        atomic_store(&m->applied_at, (int64_t)time(NULL));
}

/* ---- all of them ---- */

int metrics_new(struct metrics **out, unsigned workers)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (m == NULL)
        return REIN_ENOMEM;
    m->workers = calloc(workers, sizeof *m->workers);
    if (m->workers == NULL) {
        free(m);
        return REIN_ENOMEM;
    }
    m->workers_len = workers;
    m->started_at = time(NULL);
    atomic_init(&m->applied_at, (int64_t)m->started_at);
    pthread_mutex_init(&m->lock, NULL);
    for (int i = 0; i < LABEL_COUNT; i++) {
        unsigned slot;
        (void)metrics_find(&m->labels[i], "other", &slot);
        metrics_put(&m->labels[i], slot, (char *)"other");
    }
    *out = m;
    return 0;
}

void metrics_free(struct metrics *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < LABEL_COUNT; i++)
        for (unsigned k = 1; k < m->labels[i].len; k++)
            free(m->labels[i].names[k]);
    pthread_mutex_destroy(&m->lock);
    free(m->workers);
    free(m);
}

struct metrics_worker *metrics_worker(struct metrics *m, unsigned i)
{
    return &m->workers[i];
}

/* ---- workers ---- */

void metrics_observe(struct metrics_worker *worker, enum histogram histogram, uint64_t value)
{
    const struct histogram_spec *spec = &histogram_specs[histogram];
    unsigned i = 0;
    while (i < spec->bounds_len && value > spec->bounds[i])
        i++;
    metrics_bump(&worker->histograms[histogram].counts[i], 1);
    metrics_bump(&worker->histograms[histogram].sum, value);
}

const char *const verdict_names[VERDICTS] = {"allow", "redact", "steer", "refuse", "cut", "none"};

static unsigned verdict_index(const struct rein_decision *decision)
{
    const char *name = store_verdict(decision);
    unsigned i = 0;
    while (i < VERDICTS - 1 && strcmp(verdict_names[i], name) != 0)
        i++;
    return i;
}

void metrics_request(struct metrics_worker *worker, unsigned route, unsigned model, unsigned ending,
                     const struct rein_decision *decision)
{
    unsigned verdict = verdict_index(decision);
    metrics_bump(&worker->requests[route][verdict][ending], 1);
    metrics_bump(&worker->models[model][verdict], 1);
}

void metrics_judged(struct metrics_worker *worker, unsigned judge, const struct rein_asked *asked)
{
    metrics_bump(&worker->judged[judge][asked->outcome], 1);
    metrics_bump(&worker->judged_known[judge], asked->was_known);
    metrics_bump(&worker->judged_ms[judge], asked->took_ms);
}

void metrics_policy(struct metrics_worker *worker, unsigned policy, const struct rein_decision *decision)
{
    metrics_bump(&worker->policies[policy][verdict_index(decision)], 1);
}

void metrics_found(struct metrics_worker *worker, enum label kind, unsigned name, bool shadow)
{
    _Atomic uint64_t *counts = kind == LABEL_RULE    ? worker->rules[name]
                               : kind == LABEL_PANEL ? worker->panels[name]
                                                     : worker->patterns[name];
    metrics_bump(&counts[shadow], 1);
}

void metrics_upstream_error(struct metrics_worker *worker, unsigned upstream, enum upstream_error error)
{
    metrics_bump(&worker->upstream_errors[upstream][error], 1);
}
