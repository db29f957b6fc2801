/* The paths by which people say that a finding is right or wrong.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/admin_job.h"
#include "config/keys.h"
#include "store/feedback.h"

struct feedback_job {
    struct admin_job job; /* first */
    struct store_id id;
    int64_t n;
    bool is_right, drops;
    int64_t at_us;
    char note[STORE_NOTE_MAX + 1], by[KEY_NAME_MAX + 1];
};

/* The parts of the path: …/decisions/{id}/findings/{n}/feedback. */
static bool read_place(const struct exchange *x, struct feedback_job *job)
{
    const char *at = exchange_path(x) + strlen("/admin/v1/decisions/");
    size_t len = strcspn(at, "/");
    if (len >= sizeof job->id.text)
        return false;
    memcpy(job->id.text, at, len);
    at += len + strlen("/findings/");
    len = strcspn(at, "/");
    if (strspn(at, "0123456789") != len || len > 6)
        return false;
    job->n = atoll(at);
    return store_id_is_valid(job->id.text);
}

/* The body: {"verdict": "right" or "wrong", "note": "..."}. */
static int read_body(const struct exchange *x, struct feedback_job *job, struct param_problem *problem)
{
    struct rein_source body = exchange_body(x);
    json_t *tree = json_loadb(body.text, body.len, JSON_REJECT_DUPLICATES, NULL), *value;
    const char *verdict = json_string_value(json_object_get(tree, "verdict")), *name;
    const json_t *note = json_object_get(tree, "note");
    *problem = (struct param_problem){NULL, NULL};
    if (!json_is_object(tree))
        *problem = (struct param_problem){"body", "The body must be a JSON object."};
    else if (verdict == NULL || (strcmp(verdict, "right") != 0 && strcmp(verdict, "wrong") != 0))
        *problem = (struct param_problem){"verdict", "The verdict must be right or wrong."};
    else if (note != NULL && (!json_is_string(note) || json_string_length(note) > STORE_NOTE_MAX))
        *problem = (struct param_problem){"note", "The note must be a text of at most 2000 bytes."};
    json_object_foreach(tree, name, value)
    {
        if (strcmp(name, "verdict") != 0 && strcmp(name, "note") != 0)
            *problem = (struct param_problem){"body", "The body has only verdict and note."};
    }
    if (problem->param == NULL) {
        job->is_right = strcmp(verdict, "right") == 0;
        strcpy(job->note, note != NULL ? json_string_value(note) : "");
    }
    json_decref(tree);
    return problem->param == NULL ? 0 : REIN_EINVAL;
}

static int run_feedback(struct admin_job *base, struct store_reader *reader, json_t **tree)
{
    struct feedback_job *job = (struct feedback_job *)(void *)base;
    const struct store_feedback feedback = {.id = job->id.text,
                                            .n = job->n,
                                            .is_right = job->is_right,
                                            .note = job->note,
                                            .by = *job->by != '\0' ? job->by : NULL,
                                            .at_us = job->at_us};
    char at[STORE_TIME_LEN];
    bool found = false;
    int rv = job->drops ? store_drop_feedback(reader, job->id.text, job->n, &found)
                        : store_write_feedback(reader, &feedback, &found);
    if (rv != 0 || !found)
        return rv;
    store_format_time(job->at_us, at);
    *tree = job->drops ? json_object()
                       : json_pack("{ssssss?ss}", "verdict", job->is_right ? "right" : "wrong", "note", job->note, "by",
                                   feedback.by, "at", at);
    return *tree != NULL ? 0 : REIN_ENOMEM;
}

static void serve_feedback(struct admin *admin, const struct admin_path *path, struct exchange *x, bool drops)
{
    struct param_problem problem = {"id", "This is not a finding of a decision: use its id and the finding's n."};
    struct feedback_job *job = admin_job_new(sizeof *job, admin, path, x);
    if (job == NULL)
        return;
    job->drops = drops;
    job->at_us = admin_now_us();
    if (strcmp(admin_caller_name(x), ADMIN_NO_TOKEN) != 0)
        strncat(job->by, admin_caller_name(x), KEY_NAME_MAX);
    if (!read_place(x, job) || params_none(exchange_queries(x), &problem) != 0 ||
        (!drops && read_body(x, job, &problem) != 0))
        admin_job_refuse(&job->job, &problem);
    else
        admin_job_start(&job->job, run_feedback);
}

static void serve_give(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_feedback(admin, path, x, false);
}

static void serve_drop(struct admin *admin, const struct admin_path *path, struct exchange *x)
{
    serve_feedback(admin, path, x, true);
}

#define FEEDBACK_PATH "/admin/v1/decisions/*/findings/*/feedback"

const struct admin_path admin_feedback_paths[] = {
    {"PUT", FEEDBACK_PATH, ADMIN_TEXT, admin_json_headers, serve_give},
    {"DELETE", FEEDBACK_PATH, ADMIN_TEXT, admin_json_headers, serve_drop},
    {.path = NULL},
};
