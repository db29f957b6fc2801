/* What a session adds to the metrics, once, when its exchange has ended.
 * SPDX-License-Identifier: Apache-2.0 */
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
