/* What a session adds to the metrics, once, when its exchange has ended.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "config/keys.h"
#include "session/session_internal.h"

static void count_decision(struct metrics_worker *meter, const struct rein_decision *d)
{
    uint64_t unjudged = 0, held = 0;
    for (size_t i = 0; i < REIN_CHANNELS; i++) {
        const struct rein_flow *flow = &d->flow[i];
        unjudged += flow->released > flow->scanned ? flow->released - flow->scanned : 0;
        held = flow->held_max > held ? flow->held_max : held;
    }
    metrics_add(meter, METRIC_EVENTS, d->events);
    metrics_add(meter, METRIC_GARBAGE_EVENTS, d->garbage_events);
    metrics_add(meter, METRIC_BYTES_IN, d->bytes_in);
    metrics_add(meter, METRIC_BYTES_OUT, d->bytes_out);
    metrics_add(meter, METRIC_BYTES_RELEASED_UNJUDGED, unjudged);
    metrics_add(meter, METRIC_RESTARTS, d->attempts > 1 ? d->attempts - 1 : 0);
    metrics_observe(meter, HISTOGRAM_HELD_BYTES, held);
}

void session_meter_begin(struct session *s)
{
    metrics_add(s->env->meter, METRIC_OPEN_REQUESTS, 1);
}

static void count_findings(struct metrics *metrics, struct metrics_worker *meter, const struct rein_decision *d)
{
    for (size_t i = 0; i < d->findings_len; i++) {
        const struct rein_finding *f = &d->findings[i];
        enum label kind = f->is_rule ? LABEL_RULE : f->source != NULL ? LABEL_PANEL : LABEL_PATTERN;
        metrics_found(meter, kind, metrics_label(metrics, kind, f->id), f->shadow);
    }
}

/* What is known of a finished request, without its text. */
static void log_request(struct session *s, const struct rein_decision *decision)
{
    const struct log_field fields[] = {
        {"decision", s->id.text, 0},
        {"request", s->request_id, 0},
        {"key", s->key != NULL ? s->key->name : "", 0},
        {"route", s->route != NULL ? s->route->name : "", 0},
        {"model", s->request != NULL ? s->request->model : "", 0},
        {"policy", s->chosen != NULL ? s->chosen->tag : "", 0},
        {"verdict", store_verdict(session_is_unanswered(s) ? NULL : decision), 0},
        {"ending", session_ending(s), 0},
        {"status", NULL, s->status},
        {"findings", NULL, decision != NULL ? (long long)decision->findings_len : 0},
        {"attempts", NULL, (long long)s->attempts_len},
        {"duration_us", NULL, session_elapsed_us(s)},
    };
    log_write_fields(LOG_INFO, "request", "ended", fields, sizeof fields / sizeof *fields);
}

static void tell_collector(struct session *s, const struct rein_decision *decision)
{
    const struct telemetry_request request = {
        .ids = &s->ids,
        .decision = s->id.text,
        .request_id = s->request_id,
        .path = s->x != NULL ? exchange_path(s->x) : NULL,
        .route = s->route != NULL ? s->route->name : NULL,
        .model = s->request != NULL ? s->request->model : NULL,
        .policy = s->chosen != NULL ? s->chosen->tag : NULL,
        .verdict = store_verdict(session_is_unanswered(s) ? NULL : decision),
        .ending = session_ending(s),
        .started_at_us = s->started_at_us,
        .duration_us = session_elapsed_us(s),
        .status = s->status,
        .attempts = s->attempts,
        .attempts_len = s->attempts_len,
        .found = decision,
    };
    telemetry_put(s->env->telemetry, &request);
}

void session_meter_end(struct session *s, bool gone)
{
    struct metrics *metrics = s->env->metrics;
    struct metrics_worker *meter = s->env->meter;
    const struct rein_decision *decision = s->trace != NULL ? rein_trace_decision(s->trace) : NULL;
    metrics_sub(meter, METRIC_OPEN_REQUESTS, 1);
    if (s->begun)
        metrics_sub(meter, METRIC_OPEN_STREAMS, 1);
    if (gone)
        metrics_add(meter, METRIC_CLIENTS_LEFT, 1);
    if (decision != NULL)
        count_decision(meter, decision);
    for (size_t i = 0; decision != NULL && i < decision->asked_len; i++)
        metrics_judged(meter, metrics_label(metrics, LABEL_JUDGE, decision->asked[i].judge), &decision->asked[i]);
    if (s->env->telemetry != NULL)
        tell_collector(s, decision);
    if (s->config != NULL && s->config->log.requests)
        log_request(s, decision);
    if (decision != NULL)
        count_findings(metrics, meter, decision);
    if (s->chosen != NULL)
        metrics_policy(meter, metrics_label(metrics, LABEL_POLICY, s->chosen->tag), decision);
    if (s->client_first_byte_us >= 0)
        metrics_observe(meter, HISTOGRAM_FIRST_BYTE, (uint64_t)s->client_first_byte_us);
    if (s->client_first_byte_us >= 0 && s->upstream_first_byte_us >= 0 &&
        s->client_first_byte_us >= s->upstream_first_byte_us)
        metrics_observe(meter, HISTOGRAM_ADDED, (uint64_t)(s->client_first_byte_us - s->upstream_first_byte_us));
    metrics_observe(meter, HISTOGRAM_DURATION, (uint64_t)session_elapsed_us(s));
    metrics_request(meter, metrics_label(metrics, LABEL_ROUTE, s->route != NULL ? s->route->name : NULL),
                    metrics_label(metrics, LABEL_MODEL, s->route != NULL ? s->request->model : NULL),
                    metrics_label(metrics, LABEL_ENDING, session_ending(s)), decision);
}

void session_meter_error(struct session *s, enum upstream_error error)
{
    metrics_upstream_error(s->env->meter, metrics_label(s->env->metrics, LABEL_UPSTREAM, s->route->upstream->name),
                           error);
}
