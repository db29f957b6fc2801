/* Planning: which prefix a call carries and how, before the first call and after each steer.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "session/session_internal.h"

/* With `instruct` the model would begin again and could contradict what the client has read. */
static bool has_shown(const struct session *s)
{
    return s->plan.shown[strspn(s->plan.shown, " \t\r\n")] != '\0';
}

/* Prefill is not possible here: `instruct` instead, unless the policy requires prefill. */
static void step_aside(struct session *s)
{
    const char *reason = s->plan.reason != NULL ? s->plan.reason : "unverified";
    if (s->policy->prefix.deliver == REIN_DELIVER_PREFILL || has_shown(s)) {
        s->plan.reason = reason;
        session_lose_attempt(
            s, 502, "prefix_not_deliverable",
            "The policy requires a prefilled prefix, which cannot be verified for this upstream and model.",
            "upstream_error");
    } else if (backend_plan_instruct(&s->plan, reason) < 0) {
        session_fail_internal(s, REIN_ENOMEM);
    } else {
        session_call(s);
    }
}

/* Remembers the result of a check, but not a failed call. Nor the result of a request that began before a reload,
 * because the upstream of that name may be another one now. */
static void remember(struct session *s, enum backend_next next)
{
    if (s->config == s->env->current && s->plan.checked && next != BACKEND_CALL)
        prefix_cache_put(&s->env->prefixes, s->route->upstream->name, s->request->model, s->plan.prefix,
                         next == BACKEND_READY ? PREFIX_CACHE_GOOD : PREFIX_CACHE_BAD,
                         (struct prefix_cache_note){s->plan.memo, s->plan.reason}, loop_now_ms(s->env->loop));
}

void session_take_step(struct session *s, const struct backend_reply *reply)
{
    enum backend_next next = BACKEND_ASIDE;
    int rv = s->backend->next(&s->plan, reply, &next);
    remember(s, next);
    if (rv < 0)
        session_fail_internal(s, REIN_ENOMEM);
    else if (next == BACKEND_CALL)
        session_call_for_plan(s);
    else if (next == BACKEND_READY)
        session_call(s);
    else
        step_aside(s);
}

static int begin_plan(struct session *s, const char *prefix)
{
    struct rein_source shown = {.name = "", .text = ""};
    if (s->state == SESSION_ANSWERING)
        shown = rein_trace_shown_reasoning(s->trace);
    /* The client may have been shown invalid UTF-8, which JSON text cannot contain. */
    char *text = shown.len > 0 ? utf8_mend(shown.text, shown.len) : NULL;
    if (shown.len > 0 && text == NULL)
        return REIN_ENOMEM; /* without it the model would begin again and could contradict what was shown */
    backend_plan_fini(&s->plan);
    free(s->shown);
    s->shown = text;
    s->plan = (struct prefix_plan){
        .request = s->request,
        .path_prefix = s->route->upstream->path_prefix,
        .prefix = prefix,
        .shown = s->shown != NULL ? s->shown : "",
        .field = shown.name,
        .open = s->route->upstream->open,
        .close = s->route->upstream->close,
        .template = &s->route->upstream->template,
        .answer_created_s = s->started_at_us / 1000000,
        .answer_max = s->config->limits.upstream_body_bytes,
    };
    session_answer_id(s, s->plan.answer_id);
    session_move(s, SESSION_PLANNING);
    return 0;
}

/* The reason why there is no prefix; NULL if there is one. */
static const char *without_prefix(const struct session *s)
{
    if (s->api->is_data)
        return "no_text";
    if (s->policy->prefix.deliver == REIN_DELIVER_OFF || s->policy->prefix.when == REIN_WHEN_NEVER ||
        *s->policy->prefix.text == '\0')
        return "off";
    if (s->policy->prefix.when == REIN_WHEN_RISKY && !rein_trace_is_risky(s->trace))
        return "not_risky";
    return NULL;
}

static void ask_in_words(struct session *s)
{
    if (backend_plan_instruct(&s->plan, "policy") < 0)
        session_fail_internal(s, REIN_ENOMEM);
    else
        session_call(s);
}

static void prefill(struct session *s)
{
    struct prefix_cache_note note = {.reason = "unverified"};
    enum prefix_cache_state state = prefix_cache_find(&s->env->prefixes, s->route->upstream->name, s->request->model,
                                                      s->plan.prefix, loop_now_ms(s->env->loop), &note);
    s->plan.verified = state == PREFIX_CACHE_GOOD;
    s->plan.memo = note.memo;
    bool can_prefill = backend_has_plan(s->backend, s->request);
    s->plan.reason = can_prefill ? note.reason : "instruct_only";
    if (!can_prefill || state == PREFIX_CACHE_BAD)
        step_aside(s);
    else
        session_take_step(s, NULL);
}

/* A number that no tree can hold passes only unchanged: the error names it to the client, or the steered attempt is
 * lost. */
static void fail_to_load(struct session *s, int rv)
{
    struct request_error err;
    if (rv == REIN_EFORMAT && s->steered_us != 0)
        session_lose_attempt(s, 502, "steer_failed", "The request could not be changed for another attempt.",
                             "upstream_error");
    else if (rv == REIN_EFORMAT && request_explain(s->request, &err) == REIN_EFORMAT)
        session_fail_with(
            s, &(struct reply_error){.status = 400, .code = err.code, .param = err.param, .message = err.message},
            "rejected");
    else
        session_fail_internal(s, rv);
}

/* A correction uses prefill if possible even if the policy says `off`, which is about the first attempt. */
static void deliver(struct session *s)
{
    int rv = request_load(s->request);
    if (rv < 0)
        fail_to_load(s, rv);
    else if (s->policy->prefix.deliver == REIN_DELIVER_INSTRUCT)
        ask_in_words(s);
    else
        prefill(s);
}

/* Could a restart continue from what an attempt without a prefix shows? This is checked when the restart is made; here
 * it is enough that no obstacle is known. */
static bool may_continue(const struct session *s)
{
    struct prefix_cache_note note;
    return s->policy->may_steer && s->request->choices == 1 && s->policy->prefix.deliver != REIN_DELIVER_INSTRUCT &&
           backend_may_prefill(s->backend, &s->plan) &&
           prefix_cache_find(&s->env->prefixes, s->route->upstream->name, s->request->model,
                             s->policy->steer.corrective, loop_now_ms(s->env->loop), &note) != PREFIX_CACHE_BAD;
}

static void go_plain(struct session *s, const char *why)
{
    bool is_as_sent = s->api->is_as_sent(s->request) && !session_may_correct(s);
    int rv = is_as_sent ? 0 : request_load(s->request);
    if (is_as_sent)
        backend_plan_as_sent(&s->plan, why);
    else if (rv == 0)
        rv = backend_plan_plain(&s->plan, why);
    s->plan.attempt.may_continue = may_continue(s);
    if (rv < 0)
        fail_to_load(s, rv);
    else
        session_call(s);
}

void session_plan(struct session *s)
{
    const char *why_not = without_prefix(s);
    int rv = begin_plan(s, s->policy->prefix.text);
    if (rv < 0)
        session_fail_internal(s, rv);
    else if (why_not == NULL)
        deliver(s);
    else
        go_plain(s, why_not);
}

/* Time counts from when the first attempt was steered; what the client has read until then is not lost. */
static bool may_restart(struct session *s)
{
    int64_t now = session_elapsed_us(s), most = (int64_t)s->policy->steer.max_added_ms * 1000;
    session_note_steer(s);
    return most > 0 && now - s->steered_us <= most && s->attempts_len < s->attempts_max;
}

void session_note_steer(struct session *s)
{
    if (s->steered_us == 0)
        s->steered_us = session_elapsed_us(s);
}

void session_restart(struct session *s)
{
    session_attempt(s)->outcome = "steered";
    if (!may_restart(s)) {
        session_lose_attempt(s, 502, "steer_failed", "The answer could not be corrected in time.", "upstream_error");
        return;
    }
    int rv = begin_plan(s, s->policy->steer.corrective);
    if (rv < 0)
        session_fail_internal(s, rv);
    else
        deliver(s);
}
