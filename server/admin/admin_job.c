/* See admin_job.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin_job.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct admin_job *job_of(struct responder *responder)
{
    return (struct admin_job *)(void *)((char *)responder - offsetof(struct admin_job, responder));
}

static void on_job_closed(struct responder *responder, bool gone)
{
    (void)gone;
    job_of(responder)->x = NULL;
}

void admin_reply_failure(struct exchange *x, int rv)
{
    if (rv == REIN_ELIMIT)
        admin_reply_error(x, 503, "too_slow", NULL, "The query took too long: request a shorter time, or add filters.");
    else
        admin_reply_error(x, 503, "store_unavailable", NULL,
                          "The store cannot be read at the moment. Try again later.");
}

static void job_answer(struct admin_job *job, int rv)
{
    if (rv != 0) {
        admin_reply_failure(job->x, rv);
    } else if (job->text == NULL) {
        admin_reply_error(job->x, 404, "not_found", NULL,
                          job->missing != NULL ? job->missing : "This decision does not exist.");
    } else {
        reply_text(job->x, 200, job->text, strlen(job->text), job->path->headers);
        job->text = NULL;
    }
}

static void on_job_done(struct query *query, int rv)
{
    struct admin_job *job = (struct admin_job *)(void *)query;
    struct admin *admin = job->admin;
    if (job->x != NULL) {
        exchange_set_user(job->x, NULL);
        job_answer(job, rv);
    }
    free(job->text);
    free(job);
    admin_query_done(admin);
}

static int job_run(struct query *query, struct store_reader *reader)
{
    struct admin_job *job = (struct admin_job *)(void *)query;
    json_t *tree = NULL;
    int rv = job->read(job, reader, &tree);
    if (rv == 0 && tree != NULL && (job->text = json_dumps(tree, JSON_COMPACT)) == NULL)
        rv = REIN_ENOMEM;
    json_decref(tree);
    return rv;
}

void *admin_job_new(size_t size, struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    struct admin_job *job = calloc(1, size);
    if (job == NULL) {
        exchange_abort(x);
        return NULL;
    }
    job->admin = admin;
    job->path = path;
    job->x = x;
    job->responder.on_closed = on_job_closed;
    job->query.done = on_job_done;
    job->query.run = job_run;
    return job;
}

void admin_job_start(struct admin_job *job,
                     int (*read)(struct admin_job *job, struct store_reader *reader, json_t **tree))
{
    job->read = read;
    exchange_set_user(job->x, &job->responder);
    if (query_start(job->admin->queries, &job->query) == 0)
        return;
    exchange_set_user(job->x, NULL);
    admin_reply_error(job->x, 503, "too_many_queries", NULL, "Too many queries are waiting. Try again later.");
    free(job);
}

void admin_job_refuse(struct admin_job *job, const struct param_problem *problem)
{
    admin_reply_error(job->x, 400, "invalid_parameter", problem->param, problem->message);
    free(job);
}

void admin_job_plain(struct admin *admin, const struct admin_path *path, struct exchange *x,
                     int (*read)(struct admin_job *job, struct store_reader *reader, json_t **tree))
{
    struct param_problem problem;
    struct admin_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    if (params_none(exchange_queries(x), &problem) != 0)
        admin_job_refuse(job, &problem);
    else
        admin_job_start(job, read);
}
