/* A steered response that is not called again but corrected while it runs, by a backend that can end its reasoning with
 * words of ours. Where that does not come to pass it is restarted like any other.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/session_internal.h"

bool session_may_control(const struct session *s)
{
    return s->route->upstream->in_flight && s->backend != NULL && s->backend->arm != NULL && s->attempts_len == 0 &&
           s->request->stream && s->request->choices == 1 && s->policy->may_steer && s->attempts_max > 1 &&
           *s->policy->steer.corrective != '\0';
}

void session_control_arm(struct session *s)
{
    if (!session_may_control(s) || s->plan.read_raw != NULL || s->plan.body == NULL)
        return;
    control_free(s->control);
    s->control = control_new(s->policy->steer.corrective);
    if (s->control != NULL && s->backend->arm(&s->plan, s->policy->steer.corrective) < 0)
        session_control_drop(s);
}

void session_control_drop(struct session *s)
{
    if (s->control_call != NULL)
        upstream_cancel(s->control_call);
    s->control_call = NULL;
    s->controlling = false;
    control_free(s->control);
    s->control = NULL;
}

/* The backend continues without the correction: it is stopped and called again. */
static void give_up(struct session *s, const char *why)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_INFO, "session", "request %s: not corrected in flight (%s); restarted", s->id.text, why);
    session_cancel_call(s, "steered");
    session_restart(s);
}

/* ---- the control's own call ---- */

static void on_control_head(void *ctx, const struct upstream_response *response)
{
    (void)ctx;
    (void)response;
}

static void on_control_data(void *ctx, const char *data, size_t len)
{
    struct session *s = ctx;
    if (buffer_add(&s->body, data, len, SESSION_ERROR_BODY_MAX) < 0)
        buffer_clear(&s->body); /* no positive reply is that long */
}

static void on_control_end(void *ctx, enum upstream_end end, const char *message)
{
    struct session *s = ctx;
    (void)message;
    s->control_call = NULL;
    json_t *reply = end == UPSTREAM_WHOLE && s->body.len > 0 ? json_loadb(s->body.data, s->body.len, 0, NULL) : NULL;
    bool is_taken = json_is_true(json_object_get(reply, "success"));
    json_decref(reply);
    if (!is_taken)
        give_up(s, "refused");
}

static char *body_of(const struct session *s)
{
    json_t *body = json_pack("{ssss}", "id", control_id(s->control), "action", "reasoning_end");
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}

bool session_control_start(struct session *s)
{
    static const struct upstream_handler handler = {on_control_head, on_control_data, on_control_end};
    char path[192];
    if (s->control == NULL || control_id(s->control) == NULL || s->call == NULL || s->state != SESSION_ANSWERING ||
        s->attempts_len != 1)
        return false;
    char *text = body_of(s);
    snprintf(path, sizeof path, "%s/chat/completions/control", s->route->upstream->path_prefix);
    int rv = text == NULL ? REIN_ENOMEM : session_send(s, &s->control_call, path, text, &handler);
    free(text);
    if (rv < 0)
        return false;
    session_close_attempt(s, "steered");
    session_note_steer(s);
    s->controlling = true;
    s->control_since_ms = loop_now_ms(s->env->loop);
    return true;
}

/* ---- the response ---- */

/* The text has arrived: what follows is the answer of another attempt, although of the same call. */
static void go_on(struct session *s, const struct buffer *rest)
{
    struct rein_update update = {0};
    session_control_drop(s);
    s->plan.prefix = s->policy->steer.corrective;
    s->plan.reason = "in_flight";
    s->plan.attempt = (struct rein_attempt){.delivery = REIN_DELIVER_PREFILL,
                                            .prefix = s->plan.prefix,
                                            .continues_shown = true,
                                            .may_continue = s->plan.attempt.may_continue};
    session_open_attempt(s);
    session_attempt(s)->first_byte_us = session_attempt(s)->started_us;
    session_attempt(s)->status = 200;
    int rv = rein_trace_attempt(s->trace, &s->plan.attempt);
    if (rv == 0)
        rv = rein_trace_feed(s->trace, rest->data, rest->len, &update);
    if (rv < 0)
        session_fail_internal(s, rv);
    else
        session_act(s, &update);
}

void session_control_feed(struct session *s, const char *data, size_t len)
{
    struct buffer rest = {0};
    enum control_state state;
    int rv = control_feed(s->control, data, len, &rest, &state);
    if (rv == REIN_ELIMIT)
        give_up(s, "no end");
    else if (rv < 0)
        session_fail_internal(s, rv);
    else if (state == CONTROL_TAKEN)
        go_on(s, &rest);
    else if (state == CONTROL_LOST)
        give_up(s, "too late");
    buffer_clear(&rest);
}

void session_control_end(struct session *s)
{
    give_up(s, "ended");
}

void session_control_tick(struct session *s, uint64_t now)
{
    /* Half of the available time, because a restart needs some too. */
    if (s->controlling && now - s->control_since_ms > s->policy->steer.max_added_ms / 2)
        give_up(s, "no end in time");
}
