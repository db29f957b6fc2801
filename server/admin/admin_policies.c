/* The paths of policies: which versions were in use, what they say, and reading the config again.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reload is the owner's: a job goes to its loop and comes back with the answer. Both ways are orders inside of the
 * job, which cannot fail. Thread: the admin loop's, except for admin_reload_answer. */
#include <assert.h>
#include <stdlib.h>

#include "admin/admin_job.h"
#include "base/log.h"
#include "front/reply.h"
#include "store/policies.h"

enum { RELOADS_WAITING_MAX = 16 };

/* ---- reload ---- */

struct reload_job {
    struct admin_reload_ask ask; /* first; the owner's between the two orders */
    struct responder responder;
    struct admin *admin;
    const struct admin_path *path;
    struct exchange *x; /* NULL: the client has left */
    struct loop_order to_owner, back;
    struct reload_job *next; /* of the admin's list */
};

static struct reload_job *reload_job_of(struct responder *responder)
{
    return (struct reload_job *)(void *)((char *)responder - offsetof(struct reload_job, responder));
}

static void on_reload_closed(struct responder *responder, bool gone)
{
    (void)gone;
    reload_job_of(responder)->x = NULL;
}

static void reload_job_free(struct reload_job *job)
{
    json_decref(job->ask.answer);
    free(job);
}

/* On the owner's loop. */
static void reload_pass_on(void *ctx)
{
    struct reload_job *job = ctx;
    job->admin->on_reload_asked(job->admin->taken.ctx, &job->ask);
}

static void drop_reload_job(struct admin *admin, struct reload_job *job)
{
    struct reload_job **at = &admin->reload_jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    admin->reload_jobs_len--;
    reload_job_free(job);
}

static void reload_come_back(void *ctx)
{
    struct reload_job *job = ctx;
    if (job->x != NULL) {
        exchange_set_user(job->x, NULL);
        admin_reply(job->x, job->path, job->ask.status, job->ask.answer);
        job->ask.answer = NULL;
    }
    drop_reload_job(job->admin, job);
}

void admin_reload_answer(struct admin *admin, struct admin_reload_ask *ask)
{
    struct reload_job *job = (struct reload_job *)(void *)ask;
    assert(job->admin == admin && ask->status >= 200);
    loop_give(admin->loop, &job->back);
}

void admin_reload_free_jobs(struct admin *admin)
{
    while (admin->reload_jobs != NULL)
        drop_reload_job(admin, admin->reload_jobs);
}

static void serve_reload(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    if (params_none(exchange_queries(x), &problem) != 0) {
        admin_reply_error(x, 400, "invalid_parameter", problem.param, problem.message);
        return;
    }
    if (atomic_load(&admin->draining) || admin->on_reload_asked == NULL) {
        admin_reply_error(x, 503, "draining", NULL, "The server stops: it does not read its config any more.");
        return;
    }
    if (admin->reload_jobs_len >= RELOADS_WAITING_MAX) {
        admin_reply_error(x, 503, "too_many_reloads", NULL, "Too many reloads are waiting. Try again later.");
        return;
    }
    struct reload_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        exchange_abort(x);
        return;
    }
    job->responder.on_closed = on_reload_closed;
    job->admin = admin;
    job->path = path;
    job->x = x;
    job->to_owner = (struct loop_order){.fn = reload_pass_on, .ctx = job};
    job->back = (struct loop_order){.fn = reload_come_back, .ctx = job};
    job->next = admin->reload_jobs;
    admin->reload_jobs = job;
    admin->reload_jobs_len++;
    exchange_set_user(x, &job->responder);
    log_info("admin", "a reload was asked for over HTTP by %s", admin_caller_name(x));
    loop_give(admin->owner, &job->to_owner);
}

/* ---- versions ---- */

static int read_policies(struct admin_job *job, struct store_reader *reader, json_t **tree)
{
    (void)job;
    json_t *list = NULL;
    int rv = store_read_policies(reader, &list);
    if (rv == 0)
        *tree = json_pack("{ssso}", "object", "list", "data", list);
    return rv == 0 && *tree == NULL ? REIN_ENOMEM : rv;
}

static void serve_policies(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    admin_job_plain(admin, path, x, read_policies);
}

enum { VERSION_LEN = 64 };

struct policy_job {
    struct admin_job job; /* first */
    char version[VERSION_LEN + 1];
};

static int read_policy(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    return store_read_policy(reader, ((struct policy_job *)(void *)base)->version, tree);
}

static void serve_policy(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    const char *version = admin_path_rest(path, x);
    struct param_problem problem;
    struct policy_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    job->job.missing = "There is no policy of this version.";
    snprintf(job->version, sizeof job->version, "%s", strlen(version) == VERSION_LEN ? version : "");
    if (params_none(exchange_queries(x), &problem) != 0)
        admin_job_refuse(&job->job, &problem);
    else
        admin_job_start(&job->job, read_policy);
}

const struct admin_path admin_policy_paths[] = {
    {"POST", "/admin/v1/reload", ADMIN_OPERATE, admin_json_headers, serve_reload},
    {"GET", "/admin/v1/policies", ADMIN_COUNTS, admin_json_headers, serve_policies},
    {"GET", "/admin/v1/policies/", ADMIN_TEXT, admin_json_headers, serve_policy},
    {.path = NULL},
};
