/* An upstream's HTTP error, and what of it reaches the client, the log and the row.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Its words are text of the upstream like any other: a client gets them if the policy's rules would let an answer pass
 * that says the same. What is about the operator's credentials is for nobody. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "session/session_internal.h"

static const char *status_message(unsigned status)
{
    switch (status) {
    case 400:
    case 422:
        return "The upstream did not accept the request.";
    case 401:
    case 403:
    case 407:
        return "The upstream did not accept the server's credentials.";
    case 404:
        return "The upstream does not know this model or path.";
    case 429:
        return "The upstream limits the rate of requests.";
    default:
        return status >= 500 ? "The upstream failed." : "The upstream answered with an error.";
    }
}

/* A separate trace judges it as an answer, so that it does not change the request's own decision. */
static int judge_answer(struct session *s, const char *body, enum rein_action *action)
{
    struct rein_trace *trace = NULL;
    struct rein_update update = {0};
    struct rein_trace_options options = {.policy = s->chosen->policy,
                                         .engine = s->env->engine,
                                         .dialect = s->api->dialect,
                                         .choices = 1,
                                         .model = "",
                                         .id = ""};
    int rv = rein_trace_new(&trace, &options);
    if (rv == 0)
        rv = rein_trace_prompt_end(trace, &update);
    if (rv == 0)
        rv = rein_trace_attempt(trace, &(struct rein_attempt){.delivery = REIN_DELIVER_OFF, .prefix = ""});
    if (rv == 0)
        rv = rein_trace_feed(trace, body, strlen(body), &update);
    if (rv == 0)
        rv = rein_trace_finish(trace, true, NULL, &update);
    if (rv == 0)
        *action = rein_trace_decision(trace)->verdict;
    rein_trace_free(trace);
    return rv;
}

/* May the client read this? Not if it cannot be judged. */
static bool may_pass(struct session *s, const struct upstream_reason *reason)
{
    enum rein_action action = REIN_REFUSE;
    char words[2 * UPSTREAM_WORD_MAX + UPSTREAM_TEXT_MAX + 8];
    snprintf(words, sizeof words, "%s\n%s\n%s", reason->text, reason->type, reason->code);
    char *body = s->api->answer_saying(words);
    int rv = body != NULL ? judge_answer(s, body, &action) : REIN_ENOMEM;
    free(body);
    return rv == 0 && action <= REIN_RECORD;
}

/* Notes the reason in the log and the row; never text about the operator's credentials, nor text that the policy does
 * not keep. */
static void note_reason(struct session *s, const struct upstream_reason *reason)
{
    static struct log_limit limit;
    bool with_text = !upstream_reason_is_ours(reason) && s->policy->log.text != REIN_KEEP_NONE;
    free(s->upstream_error);
    s->upstream_error = upstream_reason_json(reason, with_text);
    log_limited(&limit, LOG_WARN, "upstream", "request %s: %s answered with an error: %s", s->id.text,
                s->route->upstream->name, s->upstream_error != NULL ? s->upstream_error : "");
}

static const char *secret_of(const struct session *s)
{
    static const char scheme[] = "Bearer ";
    const char *authorization = s->route->upstream->authorization;
    return authorization != NULL ? authorization + sizeof scheme - 1 : NULL;
}

static void fail_with_reason(struct session *s, const struct upstream_reason *reason)
{
    struct reply_error error = {
        .status = reason->status, .fault = REPLY_FAULT_UPSTREAM, .message = status_message(reason->status)};
    if (upstream_reason_is_ours(reason)) { /* not the client's credentials: those are valid */
        error.status = 502;
        error.code = "upstream_credentials";
    } else if (may_pass(s, reason)) {
        error.type = *reason->type != '\0' ? reason->type : NULL;
        error.code = s->api->reason_code(reason);
        if (s->policy->pass_upstream_errors && *reason->text != '\0')
            error.message = reason->text;
    }
    session_fail_with(s, &error, "upstream_error");
}

void session_note_inner_error(struct session *s, const struct rein_decision *decision)
{
    struct upstream_reason reason;
    if (decision->error_len == 0 || s->inner_error_noted)
        return;
    s->inner_error_noted = true;
    upstream_reason_read(&reason, s->api, s->call_status, decision->error, decision->error_len, secret_of(s));
    note_reason(s, &reason);
}

void session_answer_error(struct session *s)
{
    struct upstream_reason reason;
    unsigned status = s->call_status;
    session_meter_error(s, status < 500 ? UPSTREAM_ERROR_4XX : UPSTREAM_ERROR_5XX);
    upstream_reason_read(&reason, s->api, status, s->body.data, s->body.len, secret_of(s));
    note_reason(s, &reason);
    if (status < 400 || status > 599)
        session_lose_attempt(s, 502, "upstream_bad_status", "The upstream answered with an unexpected status.",
                             "upstream_error");
    else if (s->attempts_len > 1)
        session_lose_attempt(s, upstream_reason_is_ours(&reason) ? 502 : status, "upstream_error",
                             status_message(status), "upstream_error");
    else
        fail_with_reason(s, &reason);
}
