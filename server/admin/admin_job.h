/* A request whose answer is read from the store: a job that outlives its exchange if the client leaves.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the admin loop's, except for `read`. */
#ifndef SERVER_ADMIN_ADMIN_JOB_H
#define SERVER_ADMIN_ADMIN_JOB_H

#include "admin/admin_internal.h"
#include "admin/admin_params.h"
#include "front/reply.h"

/* First in a larger struct that has what is asked. */
struct admin_job {
    struct query query; /* first */
    struct responder responder;
    struct admin *admin;
    const struct admin_path *path;
    struct exchange *x; /* NULL: the client has left */
    int (*read)(struct admin_job *job, struct store_reader *reader, json_t **tree);
    const char *missing; /* the message if it does not exist; NULL: that of a decision */
    char *text;          /* NULL after a read of 0: what is asked for does not exist */
};

/* All zero but for the job; `size` of the larger struct. NULL: the exchange was aborted. */
void *admin_job_new(size_t size, struct admin *admin, const struct admin_path *path, struct exchange *x);
/* Reads in another thread, which also writes the JSON of what `read` made; answers, and frees the job. `read` leaves
 * *tree at NULL if what is asked for does not exist; it may be called a second time (query.h). */
void admin_job_start(struct admin_job *job,
                     int (*read)(struct admin_job *job, struct store_reader *reader, json_t **tree));
/* Answers 400 and frees the job. */
void admin_job_refuse(struct admin_job *job, const struct param_problem *problem);
/* All of it, for a path without parameters. */
void admin_job_plain(struct admin *admin, const struct admin_path *path, struct exchange *x,
                     int (*read)(struct admin_job *job, struct store_reader *reader, json_t **tree));
/* The error of a read that failed. */
void admin_reply_failure(struct exchange *x, int rv);

#endif
