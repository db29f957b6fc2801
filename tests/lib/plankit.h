/* Runs a prefill plan against replies that a test writes down: no I/O, every call is seen.
 * SPDX-License-Identifier: Apache-2.0
 *
 * In JSON of tests single quotes stand for double ones. */
#ifndef TESTS_LIB_PLANKIT_H
#define TESTS_LIB_PLANKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/chat/chat.h"
#include "backends/backend.h"

/* A call that the plan has to make, and the reply to it. */
struct plan_case_step {
    const char *path;  /* NULL: the end of the list */
    const char *holds; /* a part of the call's body; NULL: any */
    unsigned status;
    const char *reply; /* NULL: no JSON */
};

struct plan_case {
    const char *kind, *fields; /* fields of the request, beside model and messages: "'n':2" */
    const char *shown;         /* NULL: none */
    const char *own_open, *own_close;
    const struct config_template *template;
    const char *text; /* of the user's message; NULL: How? */
    const struct plan_case_step *steps;
    bool verified;
    unsigned memo;
};

#define PLAN_PREFIX "I check it first."

struct plan_run {
    struct request *request;
    struct prefix_plan plan;
    enum backend_next next;
};

static inline json_t *plan_json(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; (at = strchr(at, '\'')) != NULL;)
        *at = '"';
    json_error_t where;
    json_t *tree = json_loads(copy, 0, &where);
    if (tree == NULL)
        fail_msg("%s: %s", where.text, copy);
    free(copy);
    return tree;
}

/* Loaded. Its text is the request's until plan_drop_request. */
static inline struct request *plan_request(const char *fields, const char *said)
{
    static const struct config_limits limits = {.messages = 8, .choices = 4, .tools = 4, .json_depth = 12};
    char text[1024];
    struct request_error err;
    struct request *request = NULL;
    snprintf(text, sizeof text, "{'model':'m','messages':[{'role':'user','content':'%s'}]%s%s}",
             said != NULL ? said : "How?", fields != NULL ? "," : "", fields != NULL ? fields : "");
    json_t *tree = plan_json(text);
    char *body = json_dumps(tree, 0);
    json_decref(tree);
    if (request_parse(&request, &api_chat, (struct rein_source){"", body, strlen(body)}, &limits, &err) != 0)
        fail_msg("%s: %s", err.message, text);
    static const struct rein_request_rules rules = {.unknown = REIN_UNKNOWN_PASS, .pass_unjudged_parts = true};
    if (request_check(request, &(struct request_checks){.rules = &rules, .limits = &limits}, &err) != 0)
        fail_msg("%s: %s", err.message, text);
    assert_int_equal(request_load(request), 0);
    return request;
}

static inline void plan_drop_request(struct request *request)
{
    char *body = (char *)request->sent.text;
    request_free(request);
    free(body);
}

static inline void plan_step_once(struct plan_run *run, const struct backend *backend,
                                  const struct plan_case_step *step)
{
    char *body = json_dumps(run->plan.call.body, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(run->plan.call.path, step->path);
    if (step->holds != NULL && strstr(body, step->holds) == NULL)
        fail_msg("%s: expected %s in %s", step->path, step->holds, body);
    free(body);
    struct backend_reply reply = {step->status, step->reply != NULL ? plan_json(step->reply) : NULL};
    assert_int_equal(backend->next(&run->plan, &reply, &run->next), 0);
    json_decref(reply.body);
}

/* Makes all steps; the plan must want just these. */
static inline struct plan_run plan_run(const struct plan_case *c)
{
    const struct backend *backend = backend_find(c->kind);
    struct plan_run run = {.request = plan_request(c->fields, c->text)};
    assert_non_null(backend);
    run.plan = (struct prefix_plan){.request = run.request,
                                    .path_prefix = "/v1",
                                    .prefix = PLAN_PREFIX,
                                    .shown = c->shown != NULL ? c->shown : "",
                                    .open = c->own_open,
                                    .close = c->own_close,
                                    .template = c->template,
                                    .verified = c->verified,
                                    .memo = c->memo,
                                    .answer_id = "i",
                                    .answer_max = 4096};
    assert_int_equal(backend->next(&run.plan, NULL, &run.next), 0);
    for (const struct plan_case_step *step = c->steps; step != NULL && step->path != NULL; step++) {
        if (run.next != BACKEND_CALL)
            fail_msg("%s is not asked for: the plan ended with %d (%s)", step->path, run.next, run.plan.reason);
        plan_step_once(&run, backend, step);
    }
    if (run.next == BACKEND_CALL)
        fail_msg("one more call: %s", run.plan.call.path);
    return run;
}

/* What the client's answer is made of when the backend sends these lines of JSON. Returns owned. */
static inline char *plan_rebuilt(struct plan_run *run, const char *lines)
{
    struct stream_piece piece = {.data = lines, .len = strlen(lines)}, last = {0};
    assert_non_null(run->plan.filters);
    assert_int_equal(stream_filters_feed(run->plan.filters, &piece), 0);
    char *out = calloc(1, 8192);
    memcpy(out, piece.len > 0 ? piece.data : "", piece.len);
    assert_int_equal(stream_filters_end(run->plan.filters, true, &last), 0);
    assert_true(piece.len + last.len < 8192);
    memcpy(out + piece.len, last.len > 0 ? last.data : "", last.len);
    return out;
}

/* A completion is rebuilt as chat, and this is what ends its reasoning. */
static inline void expect_close(struct plan_run *run, const char *close)
{
    char line[256];
    snprintf(line, sizeof line, "{\"choices\":[{\"text\":\"why%sbecause\"}]}\n", close);
    char *out = plan_rebuilt(run, line);
    assert_non_null(strstr(out, "\"reasoning_content\":\"why\""));
    assert_non_null(strstr(out, "\"content\":\"because\""));
    free(out);
}

static inline void plan_end(struct plan_run *run)
{
    backend_plan_fini(&run->plan);
    plan_drop_request(run->request);
}

/* The plan steps aside, for this reason; `checked`: it is to be remembered. */
static inline void expect_aside(const struct plan_case *c, const char *reason, bool checked)
{
    struct plan_run run = plan_run(c);
    assert_int_equal(run.next, BACKEND_ASIDE);
    assert_string_equal(run.plan.reason, reason);
    assert_int_equal(run.plan.checked, checked);
    plan_end(&run);
}

/* The plan is ready with this path and body (keys in any order). Returns the run: plan_end. */
static inline struct plan_run expect_ready(const struct plan_case *c, const char *path, const char *body)
{
    struct plan_run run = plan_run(c);
    if (run.next != BACKEND_READY)
        fail_msg("aside: %s", run.plan.reason);
    json_t *wanted = plan_json(body);
    if (!json_equal(wanted, run.plan.body))
        fail_msg("expected %s\nfound %s", body, json_dumps(run.plan.body, JSON_COMPACT));
    json_decref(wanted);
    assert_string_equal(run.plan.path, path);
    assert_int_equal(run.plan.attempt.delivery, REIN_DELIVER_PREFILL);
    assert_true(run.plan.attempt.continues_shown);
    return run;
}

#endif
