/* What a session reports: the headers of its answer and its row in the store.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "config/keys.h"
#include "session/session_internal.h"

enum {
    ROW_LATE_US = 10000, /* a row's times may be too short by this much, */
    ROW_LATE_PART = 10,  /* or by this fraction of the duration */
};

static const struct rein_decision *decision_of(struct session *s)
{
    return s->trace != NULL ? rein_trace_decision(s->trace) : NULL;
}

bool session_is_unanswered(struct session *s)
{
    const struct rein_decision *d = decision_of(s);
    bool has_failed =
        s->ending != NULL ? strcmp(s->ending, "upstream_error") == 0 : d != NULL && d->ending == REIN_UPSTREAM_BROKE;
    uint64_t released = 0;
    for (size_t i = REIN_REASONING; d != NULL && i <= REIN_TOOL; i++)
        released += d->flow[i].released;
    return has_failed && released == 0;
}

/* At the head of a stream only the prompt's part of the verdict is known. */
static const char *verdict_header(struct session *s, bool streamed)
{
    const struct rein_decision *decision = decision_of(s);
    if (decision == NULL)
        return NULL;
    if (decision->verdict <= REIN_RECORD && session_is_unanswered(s))
        return "none";
    return streamed && decision->verdict == REIN_ALLOW ? "pending" : store_verdict(decision);
}

void session_headers(struct session *s, bool streamed, struct front_header out[SESSION_HEADERS_MAX])
{
    const char *verdict = verdict_header(s, streamed);
    if (streamed) {
        *out++ = (struct front_header){"content-type", s->api->stream_header};
        /* A proxy that buffers or compresses a stream would keep it until its end. */
        *out++ = (struct front_header){"cache-control", "no-cache, no-transform"};
        *out++ = (struct front_header){"x-accel-buffering", "no"};
    }
    *out++ = (struct front_header){s->api->request_id_header, s->request_id};
    *out++ = (struct front_header){"x-rein-decision", s->id.text};
    if (s->chosen != NULL)
        *out++ = (struct front_header){"x-rein-policy", s->chosen->tag};
    if (verdict != NULL)
        *out++ = (struct front_header){"x-rein-verdict", verdict};
    if (s->request != NULL && s->request->dropped != NULL)
        *out++ = (struct front_header){"x-rein-dropped", s->request->dropped->text};
    if (!streamed && s->status >= 400 && s->retry_after != NULL)
        *out++ = (struct front_header){"retry-after", s->retry_after};
    *out = (struct front_header){NULL, NULL};
}

void session_answer_id(const struct session *s, char out[BACKEND_ANSWER_ID_MAX])
{
    snprintf(out, BACKEND_ANSWER_ID_MAX, "%s%s", s->api->id_prefix, s->id.text);
}

const char *session_ending(struct session *s)
{
    static const char *const words[] = {
        [REIN_OPEN] = "open",
        [REIN_COMPLETE] = "complete",
        [REIN_REFUSED] = "refused",
        [REIN_CUT] = "cut",
        [REIN_UPSTREAM_BROKE] = "upstream_broke",
        [REIN_OVERFLOW] = "overflow",
    };
    const struct rein_decision *decision = decision_of(s);
    if (s->ending != NULL)
        return s->ending;
    return words[decision != NULL ? decision->ending : REIN_OPEN];
}

/* The row of an answer is written just before its client gets the answer, so it describes the state a moment later. */
static int64_t first_byte_us(const struct session *s, bool final)
{
    return s->client_first_byte_us < 0 && final && s->x != NULL ? s->row_us : s->client_first_byte_us;
}

bool session_row_stands(const struct session *s)
{
    int64_t duration_us = session_elapsed_us(s), late_us = duration_us - s->row_us;
    bool is_late = late_us > ROW_LATE_US && late_us > duration_us / ROW_LATE_PART;
    return s->row_final && s->client_first_byte_us >= 0 && !is_late;
}

int session_put(struct session *s, bool final, store_done done)
{
    const struct rein_decision *decision = decision_of(s);
    s->row_us = session_elapsed_us(s);
    if (decision != NULL)
        session_note_inner_error(s, decision);
    const struct rein_text *texts = NULL;
    size_t texts_len = 0;
    if (final && s->trace != NULL && rein_trace_texts(s->trace, &texts, &texts_len) != 0)
        log_error("session", "%s: its text cannot be kept: out of memory", s->id.text);
    struct store_record record = {
        .id = s->id,
        .request_id = s->request_id,
        .started_at_us = s->started_at_us,
        .route = s->route != NULL ? s->route->name : "",
        .model = s->request != NULL ? s->request->model : "",
        .upstream = s->route != NULL ? s->route->upstream->name : "",
        .key = s->key != NULL ? s->key->name : "",
        .tenant = s->key != NULL ? s->key->tenant : "",
        .user = s->user,
        .dialect = s->api->dialect_name,
        .policy = s->policy != NULL ? s->policy->name : "",
        .policy_version = s->policy != NULL ? s->policy->version : "",
        .streamed = s->request != NULL && s->request->stream,
        .final = final,
        .ending = session_ending(s),
        .status = s->status != 0 ? s->status : 200,
        .upstream_first_byte_us = s->upstream_first_byte_us,
        .client_first_byte_us = first_byte_us(s, final),
        .duration_us = s->row_us,
        .attempts = s->attempts,
        .attempts_len = s->attempts_len,
        .decision = decision,
        .upstream_error = s->upstream_error,
        .dropped_fields = s->request != NULL && s->request->dropped != NULL ? s->request->dropped->text : NULL,
        .unjudged_parts = s->request != NULL ? s->request->unjudged_parts : 0,
        .unanswered = session_is_unanswered(s),
        .keep_text = s->policy != NULL ? s->policy->log.text : REIN_KEEP_NONE,
        .keep_text_days = s->policy != NULL ? s->policy->log.keep_days : 0,
        .texts = texts,
        .texts_len = texts_len,
    };
    int rv = store_put(s->env->store, &record, s->env->loop, done, s);
    if (rv == 0 && done != NULL)
        s->puts++;
    return rv;
}
