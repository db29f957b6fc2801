/* The paths that read the store: decisions and statistics.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A request becomes a job that outlives its exchange if the client leaves. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/admin_internal.h"
#include "admin/admin_params.h"
#include "front/reply.h"

/* ---- reads of the store ---- */

struct job {
    struct query query; /* first */
    struct responder responder;
    struct admin *admin;
    const struct admin_path *path;
    struct exchange *x; /* NULL: the client has left */
    json_t *tree;
    int rv;
    /* what is asked */
    struct list_params list;
    struct stats_params stats;
    struct store_id id;
};

static struct job *job_of(struct responder *responder)
{
    return (struct job *)(void *)((char *)responder - offsetof(struct job, responder));
}

static void on_admin_route_closed(struct responder *responder, bool gone)
{
    (void)gone;
    job_of(responder)->x = NULL;
}

static void admin_route_answer(struct job *job)
{
    switch (job->rv) {
    case 0:
        if (job->tree == NULL) {
            admin_reply_error(job->x, 404, "not_found", NULL, "This decision does not exist.");
            return;
        }
        admin_reply(job->x, job->path, 200, job->tree);
        job->tree = NULL;
        return;
    case REIN_ELIMIT:
        admin_reply_error(job->x, 503, "too_slow", NULL,
                          "The query took too long: request a shorter time, or add filters.");
        return;
    default:
        admin_reply_error(job->x, 503, "store_unavailable", NULL,
                          "The store cannot be read at the moment. Try again later.");
    }
}

static void on_done(struct query *query, int rv)
{
    struct job *job = (struct job *)(void *)query;
    struct admin *admin = job->admin;
    if (rv != 0)
        job->rv = rv;
    if (job->x != NULL) {
        exchange_set_user(job->x, NULL);
        admin_route_answer(job);
    }
    json_decref(job->tree);
    free(job);
    admin_query_done(admin);
}

static struct job *job_new(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        exchange_abort(x);
        return NULL;
    }
    job->admin = admin;
    job->path = path;
    job->x = x;
    job->responder.on_closed = on_admin_route_closed;
    job->query.done = on_done;
    return job;
}

static void job_start(struct job *job, void (*run)(struct query *query, struct store_reader *reader))
{
    job->query.run = run;
    exchange_set_user(job->x, &job->responder);
    if (query_start(job->admin->queries, &job->query) == 0)
        return;
    exchange_set_user(job->x, NULL);
    admin_reply_error(job->x, 503, "too_many_queries", NULL, "Too many queries are waiting. Try again later.");
    free(job);
}

static void refuse_param(struct job *job, const struct param_problem *problem)
{
    admin_reply_error(job->x, 400, "invalid_parameter", problem->param, problem->message);
    free(job);
}

/* ---- decisions ---- */

static void run_list(struct query *query, struct store_reader *reader)
{
    struct job *job = (struct job *)(void *)query;
    struct store_cursor next = {0, 0};
    bool has_more = false;
    char cursor[CURSOR_LEN];
    json_t *page = NULL;
    job->rv = store_read_decisions(reader, &job->list.filter, &page, &has_more, &next);
    if (job->rv != 0)
        return;
    params_format_cursor(&next, cursor);
    job->tree = json_pack("{sssoss?}", "object", "list", "data", page, "next_cursor", has_more ? cursor : NULL);
    if (job->tree == NULL)
        job->rv = REIN_ENOMEM;
}

static void serve_list(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    struct job *job = job_new(admin, path, x);
    if (job == NULL)
        return;
    if (params_list(x, &job->list, &problem) != 0)
        refuse_param(job, &problem);
    else
        job_start(job, run_list);
}

static void run_one(struct query *query, struct store_reader *reader)
{
    struct job *job = (struct job *)(void *)query;
    job->rv = store_read_decision(reader, job->id.text, &job->tree);
}

static void serve_one(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    const char *id = admin_path_rest(path, x);
    struct job *job = job_new(admin, path, x);
    if (job == NULL)
        return;
    if (!store_id_is_valid(id))
        problem = (struct param_problem){"id", "This is not the id of a decision."};
    else if (params_none(x, &problem) == 0) {
        strcpy(job->id.text, id);
        job_start(job, run_one);
        return;
    }
    refuse_param(job, &problem);
}

/* ---- statistics ---- */

static void run_stats(struct query *query, struct store_reader *reader)
{
    struct job *job = (struct job *)(void *)query;
    const struct stats_params *s = &job->stats;
    job->rv = store_read_stats(reader, s->from_us, s->to_us, s->bucket_us, &job->tree);
}

static void serve_stats(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct param_problem problem;
    struct timespec now;
    struct job *job = job_new(admin, path, x);
    if (job == NULL)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    if (params_stats(x, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, &job->stats, &problem) != 0)
        refuse_param(job, &problem);
    else
        job_start(job, run_stats);
}

/* ---- the paths ---- */

const struct admin_path admin_decision_paths[] = {
    {"GET", "/admin/v1/decisions", ADMIN_OPERATOR, admin_json_headers, serve_list},
    {"GET", "/admin/v1/decisions/", ADMIN_OPERATOR, admin_json_headers, serve_one},
    {"GET", "/admin/v1/stats", ADMIN_OPERATOR, admin_json_headers, serve_stats},
    {.path = NULL},
};
