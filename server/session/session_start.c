/* The beginning of a session: the request is read and checked, a trace made, the prompt judged.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/keys.h"
#include "config/server_secret.h"
#include "judges/judge_set.h"
#include "session/session_internal.h"

static void link_in(struct session *s)
{
    s->next = s->env->first;
    if (s->next != NULL)
        s->next->prev = s;
    s->env->first = s;
    s->env->count++;
}

/* A client's own id is kept if it is valid in headers, logs and the database. */
static void take_request_id(struct session *s)
{
    static const char fit[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
    const char *theirs = exchange_header(s->x, s->api->request_id_header);
    size_t len = theirs != NULL ? strlen(theirs) : 0;
    bool is_fit = len > 0 && len <= SESSION_REQUEST_ID_MAX && strspn(theirs, fit) == len;
    s->request_id = is_fit ? theirs : s->id.text;
}

/* A client's trace is passed on; with a collector there is one for each request, and a span of ours in it. */
static void take_trace(struct session *s)
{
    if (!trace_ids_read(&s->ids, exchange_header(s->x, "traceparent")))
        s->ids.is_set = false;
    if (s->env->telemetry != NULL)
        trace_ids_begin(&s->ids);
}

static struct session *session_new(struct session_env *env, struct exchange *x, const struct api *api,
                                   struct config *config, const struct key *key)
{
    struct session *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    s->responder = (struct responder){session_on_drain, session_on_closed};
    s->env = env;
    s->api = api;
    s->x = x;
    s->config = config_ref(config);
    s->judges = config == env->current ? judge_set_ref(env->judges) : NULL;
    s->started_at_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    s->started_us = uv_hrtime() / 1000;
    s->upstream_first_byte_us = s->client_first_byte_us = -1;
    s->last_write_ms = loop_now_ms(env->loop);
    store_id_new(&s->id);
    s->key = key;
    take_request_id(s);
    take_trace(s);
    link_in(s);
    exchange_set_user(x, &s->responder);
    session_meter_begin(s);
    return s;
}

/* No route: for no API, or not for this one. */
static void refuse_model(struct session *s)
{
    unsigned apis = config_apis_of(s->config, &(struct config_asked){s->key, s->request->model, 0});
    struct reply_error error = {
        .status = 404, .code = "model_not_found", .param = "model", .message = "No route serves this model."};
    char message[400], list[256];
    if (apis != 0) {
        api_list(apis, list, sizeof list);
        snprintf(message, sizeof message,
                 "The upstreams of this model do not serve %s %s. For this model there are: %s.", s->api->method,
                 s->api->path, list);
        error.code = "api_not_served";
        error.message = message;
    }
    session_fail_with(s, &error, "rejected");
}

static void fail_request(struct session *s, const struct request_error *err)
{
    session_fail_with(
        s, &(struct reply_error){.status = 400, .code = err->code, .param = err->param, .message = err->message},
        "rejected");
}

/* A client may choose its policy, but only among those that its key was granted. False: it was refused. */
static bool choose_policy(struct session *s)
{
    const char *wanted = exchange_header(s->x, "x-rein-policy");
    s->chosen = wanted != NULL ? config_policy_granted(s->config, s->key, wanted) : s->route->policy;
    if (s->chosen == NULL) {
        session_fail_with(s,
                          &(struct reply_error){.status = 403,
                                                .code = "policy_not_granted",
                                                .message = "The header x-rein-policy names no policy that this key "
                                                           "may choose."},
                          "rejected");
        return false;
    }
    s->policy = rein_policy_settings(s->chosen->policy);
    return true;
}

/* The model decides about the route, and the route about what the request may contain. */
static int check_request(struct session *s, struct request_error *err)
{
    s->route = config_route_for(s->config, &(struct config_asked){s->key, s->request->model, s->api->serves});
    if (s->route == NULL && *s->request->model == '\0')
        return request_check(s->request, &(struct request_checks){.limits = &s->config->limits}, err);
    if (s->route == NULL) {
        refuse_model(s);
        return REIN_ESTATE; /* it is answered */
    }
    if (!choose_policy(s))
        return REIN_ESTATE; /* it is answered */
    s->backend = backend_find(s->route->upstream->kind);
    struct request_checks checks = {.kind = backend_fields(s->backend, s->api),
                                    .rules = &s->policy->request,
                                    .limits = &s->config->limits,
                                    .may_lack_model = s->backend != NULL && s->backend->may_lack_model};
    return request_check(s->request, &checks, err);
}

static int take_user(struct session *s)
{
    const struct rein_json_node *user = s->api->user(s->request);
    return user != NULL && s->env->secret != NULL ? server_secret_user(s->env->secret, user->text, user->len, s->user)
                                                  : 0;
}

static int read_request(struct session *s)
{
    struct request_error err;
    int rv = request_parse(&s->request, s->api, exchange_body(s->x), &s->config->limits, &err);
    if (rv == 0)
        rv = take_user(s);
    if (rv == 0)
        rv = check_request(s, &err);
    if (rv == REIN_EFORMAT)
        fail_request(s, &err);
    else if (rv < 0 && !session_is_over(s))
        session_fail_internal(s, rv);
    return rv;
}

static int new_trace(struct session *s)
{
    char id[BACKEND_ANSWER_ID_MAX];
    unsigned char mask_key[REIN_MASK_KEY];
    session_answer_id(s, id);
    if (s->policy->restores)
        server_secret_derive(s->env->secret, "mask", s->key != NULL ? s->key->name : "", mask_key);
    struct rein_trace_options options = {
        .policy = s->chosen->policy,
        .engine = s->env->engine,
        .dialect = s->api->dialect,
        .streamed = s->request->stream,
        .body_max = s->config->limits.upstream_body_bytes,
        .choices = s->request->choices,
        .has_unjudged = s->request->unjudged_parts > 0,
        .mask_key = s->policy->restores ? mask_key : NULL,
        .strip_usage = s->request->stream && !s->request->wants_usage,
        .model = s->request->model,
        .id = id,
        .created_s = s->started_at_us / 1000000,
    };
    return rein_trace_new(&s->trace, &options);
}

static int new_attempts(struct session *s)
{
    unsigned most = s->policy->steer.max_attempts;
    s->attempts_max = most < 1 ? 1 : most < SESSION_ATTEMPTS_MAX ? most : SESSION_ATTEMPTS_MAX;
    s->attempts = s->attempts_max <= SESSION_ATTEMPTS_FEW ? s->few : calloc(s->attempts_max, sizeof *s->attempts);
    return s->attempts != NULL ? 0 : REIN_ENOMEM;
}

void session_take_prompt(struct session *s, const struct rein_update *update)
{
    s->prompt_refused = (update->asks & REIN_ASK_STOP) != 0;
    session_act(s, update);
    if (!s->prompt_refused && !update->waits && !session_is_over(s))
        session_plan(s);
}

/* What goes upstream beside the body is no text of the prompt: it is looked at, but not judged. */
static int is_masked(const struct session *s, const char *text)
{
    return rein_policy_masks(s->chosen->policy, text, strlen(text));
}

static int reject_beside(struct request_error *err, const char *what, const char *param)
{
    *err = (struct request_error){.code = "field_not_accepted"};
    snprintf(err->param, sizeof err->param, "%s", param);
    snprintf(err->message, sizeof err->message,
             "The %s has something that the policy masks, and that cannot be changed there. Leave it out.", what);
    return REIN_EFORMAT;
}

/* A client's own id is not needed; the others would mean something else. */
static int check_beside(struct session *s, struct request_error *err)
{
    int rv = is_masked(s, s->request->model);
    if (rv > 0)
        return reject_beside(err, "model's name", "model");
    for (const struct api_header *passed = s->api->passed_headers; passed->name != NULL && rv == 0; passed++) {
        const char *value = exchange_header(s->x, passed->name);
        rv = value != NULL ? is_masked(s, value) : 0;
        if (rv > 0)
            return reject_beside(err, "header", passed->name);
    }
    rv = rv == 0 ? is_masked(s, s->request_id) : rv;
    if (rv > 0)
        s->request_id = s->id.text;
    return rv < 0 ? rv : 0;
}

/* Judges all that goes upstream, and masks what rules redact of it. */
static int judge_texts(struct session *s, struct request_error *err)
{
    int rv = s->policy->masks_prompt ? check_beside(s, err) : 0;
    if (rv == 0)
        rv = s->api->judge(s->request, s->trace);
    if (rv == REIN_ELIMIT) {
        *err = (struct request_error){.code = "too_many",
                                      .message = "The policy finds too much in the texts of this request."};
        return REIN_EFORMAT;
    }
    bool is_refused = rv == 0 && rein_trace_decision(s->trace)->verdict == REIN_REFUSE;
    return rv == 0 && !is_refused ? request_mask(s->request, s->trace, err) : rv;
}

static void judge_prompt(struct session *s)
{
    struct rein_update update = {0};
    struct request_error err;
    int rv = new_attempts(s);
    if (rv == 0)
        rv = new_trace(s);
    if (rv == 0)
        rv = judge_texts(s, &err);
    if (rv == 0)
        rv = rein_trace_prompt_end(s->trace, &update);
    if (rv == REIN_EFORMAT)
        fail_request(s, &err);
    else if (rv < 0)
        session_fail_internal(s, rv);
    else
        session_take_prompt(s, &update);
}

void session_start(struct session_env *env, struct exchange *x, const struct api *api, struct config *config,
                   const struct key *key)
{
    struct session *s = session_new(env, x, api, config, key);
    if (s == NULL) {
        exchange_abort(x);
        return;
    }
    if (config->store.on_error == CONFIG_STORE_REFUSE && !store_is_healthy(env->store)) {
        metrics_add(env->meter, METRIC_STORE_REFUSED, 1);
        session_fail(s, 503, "store_unavailable",
                     "Decisions cannot be stored at the moment, so no request is accepted. Try again later.",
                     "rejected");
        return;
    }
    if (read_request(s) < 0)
        return;
    judge_prompt(s);
}
