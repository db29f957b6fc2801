/* A steered response that is not called again but corrected while it runs, by a backend that can end its reasoning with
 * words of ours. Where that does not come to pass it is restarted like any other.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/log.h"
#include "session/session_internal.h"

bool session_may_correct(const struct session *s)
{
    return s->route->upstream->in_flight && s->backend != NULL && s->backend->arm != NULL && s->api->can_prefill &&
           s->attempts_len == 0 && s->request->stream && s->request->choices == 1 && s->policy->may_steer &&
           s->attempts_max > 1 && *s->policy->steer.corrective != '\0';
}

void session_correct_drop(struct session *s)
{
    if (s->correct_call != NULL)
        upstream_cancel(s->correct_call);
    s->correct_call = NULL;
    s->correct_until_ms = 0;
}

void session_correct_give_up(struct session *s, const char *why)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_INFO, "session", "request %s: not corrected in flight (%s); restarted", s->id.text, why);
    session_cancel_call(s, "steered");
    session_restart(s);
}

/* ---- the call that asks for it ---- */

static void on_correct_head(void *ctx, const struct upstream_response *response)
{
    (void)ctx;
    (void)response;
}

static void on_correct_data(void *ctx, const char *data, size_t len)
{
    struct session *s = ctx;
    if (buffer_add(&s->body, data, len, SESSION_ERROR_BODY_MAX) < 0)
        buffer_clear(&s->body); /* no positive reply is that long */
}

static void on_correct_end(void *ctx, enum upstream_end end, const char *message)
{
    struct session *s = ctx;
    (void)message;
    s->correct_call = NULL;
    json_t *reply = end == UPSTREAM_WHOLE && s->body.len > 0 ? json_loadb(s->body.data, s->body.len, 0, NULL) : NULL;
    bool is_promised = stream_filters_are_promised(s->plan.filters, reply);
    json_decref(reply);
    if (!is_promised)
        session_correct_give_up(s, "refused");
}

/* The latest time: half of what is available, because a restart needs some too. */
static uint64_t correct_until(const struct session *s)
{
    return loop_now_ms(s->env->loop) + s->policy->steer.max_added_ms / 2;
}

bool session_correct_start(struct session *s)
{
    static const struct upstream_handler handler = {on_correct_head, on_correct_data, on_correct_end};
    struct backend_call wanted;
    if (s->call == NULL || s->state != SESSION_ANSWERING || s->attempts_len != 1 ||
        !stream_filters_correct(s->plan.filters, &wanted))
        return false;
    char *text = json_dumps(wanted.body, JSON_COMPACT);
    json_decref(wanted.body);
    int rv = text == NULL ? REIN_ENOMEM : session_send(s, &s->correct_call, wanted.path, text, &handler);
    free(text);
    if (rv < 0)
        return false;
    s->correct_until_ms = correct_until(s);
    session_close_attempt(s, "steered");
    session_note_steer(s);
    return true;
}

/* ---- the response ---- */

/* The text has arrived: what follows is the answer of another attempt, although of the same call. */
int session_correct_take(struct session *s)
{
    session_correct_drop(s);
    s->plan.prefix = s->policy->steer.corrective;
    s->plan.reason = "in_flight";
    s->plan.attempt = (struct rein_attempt){.delivery = REIN_DELIVER_PREFILL,
                                            .prefix = s->plan.prefix,
                                            .continues_shown = true,
                                            .may_continue = s->plan.attempt.may_continue};
    session_open_attempt(s);
    session_attempt(s)->first_byte_us = session_attempt(s)->started_us;
    session_attempt(s)->status = 200;
    return rein_trace_attempt(s->trace, &s->plan.attempt);
}

void session_correct_tick(struct session *s, uint64_t now)
{
    if (s->correct_until_ms != 0 && now > s->correct_until_ms)
        session_correct_give_up(s, "no end in time");
}
