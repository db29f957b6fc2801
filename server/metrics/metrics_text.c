/* Metrics as text: sums the workers' slots and writes Prometheus' exposition format.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "metrics/metrics_state.h"

const char metrics_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* Offset of a value inside a worker's slot: the same in each. */
#define SLOT(member) offsetof(struct metrics_worker, member)

static uint64_t sum(const struct metrics *m, size_t offset)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < m->workers_len; i++)
        total += atomic_load_explicit((_Atomic uint64_t *)((char *)&m->workers[i] + offset), memory_order_relaxed);
    return total;
}

static size_t at(size_t base, size_t index)
{
    return base + index * sizeof(_Atomic uint64_t);
}

static void put_head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_label(FILE *f, const char *name, const char *value)
{
    fprintf(f, "%s=\"", name);
    for (; *value != '\0'; value++)
        if (*value == '\n')
            fputs("\\n", f);
        else if (*value == '"' || *value == '\\')
            fprintf(f, "\\%c", *value);
        else
            fputc(*value, f);
    fputc('"', f);
}

static unsigned label_len(const struct metrics *m, enum label label)
{
    return atomic_load_explicit(&m->labels[label].len, memory_order_acquire);
}

static void put_values(FILE *f, const struct metrics *m)
{
    static const struct {
        const char *name, *type, *help;
    } specs[METRIC_COUNT] = {
#define METRICS_SPEC(id, name, type, help) {name, type, help},
        METRICS(METRICS_SPEC)};
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        put_head(f, specs[i].name, specs[i].type, specs[i].help);
        /* A gauge is the sum of what workers added and took: as unsigned numbers it comes out right. */
        fprintf(f, "%s %" PRId64 "\n", specs[i].name, (int64_t)sum(m, at(SLOT(values), i)));
    }
}

static void put_requests(FILE *f, const struct metrics *m)
{
    put_head(f, "rein_requests_total", "counter", "Finished requests, by route, verdict and ending");
    for (unsigned r = 0; r < label_len(m, LABEL_ROUTE); r++)
        for (unsigned v = 0; v < VERDICTS; v++)
            for (unsigned e = 0; e < label_len(m, LABEL_ENDING); e++) {
                uint64_t n = sum(m, at(SLOT(requests), (r * VERDICTS + v) * ENDINGS_MAX + e));
                if (n == 0)
                    continue;
                fputs("rein_requests_total{", f);
                put_label(f, "route", m->labels[LABEL_ROUTE].names[r]);
                fprintf(f, ",verdict=\"%s\",", verdict_names[v]);
                put_label(f, "ending", m->labels[LABEL_ENDING].names[e]);
                fprintf(f, "} %" PRIu64 "\n", n);
            }
}

static void put_workers(FILE *f, const struct metrics *m)
{
    static const char name[] = "rein_worker_requests_total";
    put_head(f, name, "counter", "Finished requests, by worker");
    for (unsigned i = 0; i < m->workers_len; i++) {
        const _Atomic uint64_t *requests = &m->workers[i].requests[0][0][0];
        uint64_t n = 0;
        for (size_t k = 0; k < sizeof m->workers[i].requests / sizeof *requests; k++)
            n += atomic_load_explicit(&requests[k], memory_order_relaxed);
        fprintf(f, "%s{worker=\"%u\"} %" PRIu64 "\n", name, i, n);
    }
}

/* A family over a table of names and a fixed list of words. */
static void put_pairs(FILE *f, const struct metrics *m, const char *name, enum label label, const char *label_name,
                      const char *word_name, const char *const *words, unsigned words_len, size_t base)
{
    for (unsigned i = 0; i < label_len(m, label); i++)
        for (unsigned w = 0; w < words_len; w++) {
            uint64_t n = sum(m, at(base, i * words_len + w));
            if (n == 0)
                continue;
            fprintf(f, "%s{", name);
            put_label(f, label_name, m->labels[label].names[i]);
            fprintf(f, ",%s=\"%s\"} %" PRIu64 "\n", word_name, words[w], n);
        }
}

/* One value for each judge that was asked. */
static void put_each(FILE *f, const struct metrics *m, const char *name, size_t base, double unit)
{
    for (unsigned i = 1; i < label_len(m, LABEL_JUDGE); i++) {
        fprintf(f, "%s{", name);
        put_label(f, "judge", m->labels[LABEL_JUDGE].names[i]);
        fprintf(f, "} %.15g\n", (double)sum(m, at(base, i)) / unit);
    }
}

static void put_by_label(FILE *f, const struct metrics *m)
{
    static const char *const errors[] = {
#define UPSTREAM_ERRORS_NAME(id, name) name,
        UPSTREAM_ERRORS(UPSTREAM_ERRORS_NAME)};
    put_head(f, "rein_model_requests_total", "counter", "Finished requests, by model and verdict");
    put_pairs(f, m, "rein_model_requests_total", LABEL_MODEL, "model", "verdict", verdict_names, VERDICTS,
              SLOT(models));
    put_head(f, "rein_upstream_errors_total", "counter", "Failed upstream calls, by upstream and kind of error");
    put_pairs(f, m, "rein_upstream_errors_total", LABEL_UPSTREAM, "upstream", "kind", errors, UPSTREAM_ERROR_COUNT,
              SLOT(upstream_errors));
}

static void put_judges(FILE *f, const struct metrics *m)
{
    const char *outcomes[REIN_JUDGE_OUTCOMES];
    for (int i = 0; i < REIN_JUDGE_OUTCOMES; i++)
        outcomes[i] = rein_judge_outcome_name((enum rein_judge_outcome)i);
    put_head(f, "rein_judge_questions_total", "counter", "Questions to judges of finished requests, by outcome");
    put_pairs(f, m, "rein_judge_questions_total", LABEL_JUDGE, "judge", "outcome", outcomes, REIN_JUDGE_OUTCOMES,
              SLOT(judged));
    put_head(f, "rein_judge_known_total", "counter", "Those whose opinion was given before");
    put_each(f, m, "rein_judge_known_total", SLOT(judged_known), 1);
    put_head(f, "rein_judge_seconds_total", "counter", "Time from these questions to their answers, summed");
    put_each(f, m, "rein_judge_seconds_total", SLOT(judged_ms), 1000);
}

static void put_found(FILE *f, const struct metrics *m, enum label label, const char *kind, size_t base)
{
    for (unsigned i = 0; i < label_len(m, label); i++)
        for (unsigned shadow = 0; shadow < 2; shadow++) {
            uint64_t n = sum(m, at(base, i * 2 + shadow));
            if (n == 0)
                continue;
            fprintf(f, "rein_findings_total{kind=\"%s\",", kind);
            put_label(f, "name", m->labels[label].names[i]);
            fprintf(f, ",shadow=\"%s\"} %" PRIu64 "\n", shadow ? "true" : "false", n);
        }
}

static void put_findings(FILE *f, const struct metrics *m)
{
    put_head(f, "rein_findings_total", "counter", "Findings of finished requests, by kind and name");
    put_found(f, m, LABEL_PATTERN, "pattern", SLOT(patterns));
    put_found(f, m, LABEL_RULE, "rule", SLOT(rules));
    put_found(f, m, LABEL_PANEL, "judge", SLOT(panels));
    put_head(f, "rein_policy_requests_total", "counter",
             "Finished requests, by policy (its name and the beginning of its version) and verdict");
    put_pairs(f, m, "rein_policy_requests_total", LABEL_POLICY, "policy", "verdict", verdict_names, VERDICTS,
              SLOT(policies));
}

static void put_reloads(FILE *f, const struct metrics *m)
{
    put_head(f, "rein_reloads_total", "counter", "How often the config was read again, by result");
    fprintf(f,
            "rein_reloads_total{result=\"applied\"} %" PRIu64 "\nrein_reloads_total{result=\"refused\"} %" PRIu64 "\n",
            atomic_load(&m->reloads[1]), atomic_load(&m->reloads[0]));
    put_head(f, "rein_reload_last_ok", "gauge", "0: the last reload was refused, and the config before it is in use");
    fprintf(f, "rein_reload_last_ok %d\n", !atomic_load(&m->is_refused));
    put_head(f, "rein_reload_applied_seconds", "gauge", "When the config in use was read, Unix time");
    fprintf(f, "rein_reload_applied_seconds %" PRId64 "\n", atomic_load(&m->applied_at));
}

static void put_telemetry(FILE *f, const struct metrics *m)
{
    put_head(f, "rein_telemetry_requests_total", "counter",
             "Requests told to the collector, by kind of call and result");
    fprintf(f,
            "rein_telemetry_requests_total{result=\"sent\"} %" PRIu64
            "\nrein_telemetry_requests_total{result=\"lost\"} %" PRIu64 "\n",
            atomic_load(&m->telemetry[1]), atomic_load(&m->telemetry[0]));
}

/* ---- histograms ---- */

static void put_bucket(FILE *f, const char *name, double bound, uint64_t below)
{
    fprintf(f, "%s_bucket{le=\"%.10g\"} %" PRIu64 "\n", name, bound, below);
}

static void put_total(FILE *f, const char *name, double total, uint64_t n)
{
    fprintf(f, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %.6f\n%s_count %" PRIu64 "\n", name, n, name, total, name,
            n);
}

static void put_histogram(FILE *f, const struct metrics *m, enum histogram h)
{
    const struct histogram_spec *spec = &histogram_specs[h];
    uint64_t below = 0;
    put_head(f, spec->name, "histogram", spec->help);
    for (unsigned i = 0; i < spec->bounds_len; i++) {
        below += sum(m, at(SLOT(histograms[h].counts), i));
        put_bucket(f, spec->name, (double)spec->bounds[i] / spec->unit, below);
    }
    below += sum(m, at(SLOT(histograms[h].counts), spec->bounds_len));
    put_total(f, spec->name, (double)sum(m, SLOT(histograms[h].sum)) / spec->unit, below);
}

/* ---- the store and the process ---- */

static void put_one(FILE *f, const char *name, const char *type, const char *help, double value)
{
    put_head(f, name, type, help);
    fprintf(f, "%s %.15g\n", name, value);
}

static void put_store_latency(FILE *f, const struct store_stats *s)
{
    static const uint64_t bounds[STORE_LATENCY_BOUNDS] = STORE_LATENCY_BOUNDS_US;
    static const char name[] = "rein_store_commit_seconds";
    uint64_t below = 0;
    put_head(f, name, "histogram", "Time from handing a record to the store until it is durable");
    for (unsigned i = 0; i < STORE_LATENCY_BOUNDS; i++) {
        below += s->latency[i];
        put_bucket(f, name, (double)bounds[i] / 1000000, below);
    }
    put_total(f, name, (double)s->latency_sum_us / 1000000, below + s->latency[STORE_LATENCY_BOUNDS]);
}

static void put_store(FILE *f, struct store *store)
{
    struct store_stats s;
    store_stats(store, &s);
    put_one(f, "rein_store_healthy", "gauge", "1 if the last write succeeded", store_is_healthy(store));
    put_one(f, "rein_store_queue_records", "gauge", "Records waiting to be written", (double)s.queued);
    put_one(f, "rein_store_kept_records", "gauge", "Records of failed commits, waiting for another try",
            (double)s.kept);
    put_one(f, "rein_store_written_total", "counter", "Records written", (double)s.written);
    put_one(f, "rein_store_failed_total", "counter", "Records whose first commit failed", (double)s.failed);
    put_one(f, "rein_store_dropped_total", "counter", "Records that were never written", (double)s.dropped);
    put_one(f, "rein_store_purged_total", "counter", "Decisions purged because of their age", (double)s.purged);
    put_one(f, "rein_store_gone_total", "counter", "How often the database's files were removed, renamed or replaced",
            (double)s.gone);
    put_one(f, "rein_store_commits_total", "counter", "Transactions committed", (double)s.commits);
    put_store_latency(f, &s);
}

static double resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    int got = fscanf(f, "%lu %lu", &size, &resident);
    fclose(f);
    return got == 2 ? (double)resident * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1000000;
}

static void put_process(FILE *f, const struct metrics *m)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    put_head(f, "rein_build_info", "gauge", "1, with the version as a label");
    fprintf(f, "rein_build_info{version=\"%s\"} 1\n", rein_version());
    put_one(f, "process_start_time_seconds", "gauge", "When the process started, Unix time", (double)m->started_at);
    put_one(f, "process_cpu_seconds_total", "counter", "CPU time of user and system",
            seconds(usage.ru_utime) + seconds(usage.ru_stime));
    put_one(f, "process_resident_memory_bytes", "gauge", "Resident memory", resident_bytes());
}

char *metrics_text(struct metrics *m, struct store *store, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (f == NULL)
        return NULL;
    put_values(f, m);
    put_requests(f, m);
    put_workers(f, m);
    put_by_label(f, m);
    put_judges(f, m);
    put_findings(f, m);
    put_reloads(f, m);
    put_telemetry(f, m);
    for (int h = 0; h < HISTOGRAM_COUNT; h++)
        put_histogram(f, m, (enum histogram)h);
    if (store != NULL)
        put_store(f, store);
    put_process(f, m);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}
