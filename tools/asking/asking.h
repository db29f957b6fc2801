/* Asking: many questions, some at a time, until all are asked, somebody says stop, or the upstream is down.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     asking_run -> work.begin(job) -> asking_call(job) -> reply -> (another call, a judge, ...) -> asking_end(job)
 *                   ^ as long as a job is free and a question is left                              `-> job is free
 *
 * A job is one question on its way; its owner decides how many calls it takes. Calls keep to `per_minute`. An upstream
 * that is busy (429 or 503 with Retry-After) is asked again after that time, a few times; that is no failure. A job
 * that fails leaves its question open, and the run goes on; ASKING_FAILURES_MAX in a row end it. SIGINT and SIGTERM end
 * it, too: calls are cancelled, so what was not answered is open.
 *
 * If stderr is a terminal, it shows a bar with the rate and the time that is left.
 *
 * Thread: the one that runs it; all callbacks come from asking_run. */
#ifndef TOOLS_ASKING_ASKING_H
#define TOOLS_ASKING_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "upstream/upstream.h"

enum { ASKING_JOBS_MAX = 256, ASKING_FAILURES_MAX = 16, ASKING_WHY_MAX = 200, ASKING_REPLY_MAX = 16 << 20 };

struct asking_options {
    size_t jobs_max;     /* questions on their way at once: 1 to ASKING_JOBS_MAX */
    unsigned per_minute; /* calls that begin in a minute, evenly spread; 0: no limit */
    unsigned timeout_s;  /* from a call to its first byte, and between two bytes */
    size_t all, had;     /* for the progress: questions in all, and those that were answered before */
};

struct asking_tally {
    size_t asked, failed; /* jobs that ended well, and those that did not */
    bool interrupted, gave_up;
    char first_failure[ASKING_WHY_MAX];
};

struct asking;     /* a run; opaque */
struct asking_job; /* opaque; `data` is its owner's */

struct asking_work {
    /* Begins the next question on this job: calls asking_call or asking_end. False: no question is left. */
    bool (*begin)(void *ctx, struct asking_job *job);
    /* The run stops: what runs for this job is not wanted any more, and there is no asking_end for it. Its call is
     * cancelled already. NULL: there is nothing to do. */
    void (*drop)(void *ctx, struct asking_job *job);
    /* No job runs any more: closes what needs the loop, then calls `done`. NULL: there is nothing. */
    void (*close)(void *ctx, loop_fn done, void *done_ctx);
    void *ctx; /* borrowed */
};

/* Borrows the work. Returns owned. Loop and pool are there at once, for judges. */
int asking_new(struct asking **out, const struct asking_options *options, const struct asking_work *work) REIN_MUST_USE;
/* Runs to the end. 0, also if it was interrupted or gave up: the tally says so. Else the error of asking_abort. Once.
 */
int asking_run(struct asking *asking, struct asking_tally *tally) REIN_MUST_USE;
/* Holds Ctrl-C back until asking_run takes it, so that what is started before is also ended. Before any thread. */
void asking_hold_signals(void);
void asking_free(struct asking *asking); /* after asking_run, or instead of it; NULL is fine */

struct loop *asking_loop(struct asking *asking);
struct upstream_pool *asking_pool(struct asking *asking);

/* ---- jobs ---- */

struct asking_request {
    const char *url;           /* complete */
    const char *authorization; /* "Bearer KEY"; NULL: none */
    const char *body;          /* JSON, NUL-terminated; NULL: it is a GET */
};
struct asking_reply {
    unsigned status;  /* 0: there is no response, and `failure` says why */
    const char *body; /* NUL-terminated; good until the callback returns */
    size_t len;
    const char *failure;
    const char *decision; /* its id, if a Rein has answered; "": none */
};
typedef void (*asking_reply_fn)(struct asking_job *job, const struct asking_reply *reply);

/* Copies the request. One call of a job at a time. An error and no reply, or 0 and the reply once, later. */
int asking_call(struct asking_job *job, const struct asking_request *request, asking_reply_fn reply) REIN_MUST_USE;
/* The question is answered (`failure` NULL) or has failed. The job may begin the next one after this. */
void asking_end(struct asking_job *job, const char *failure);
/* The run cannot go on: no memory, no room on the disk. Ends it with this error. Jobs that run are dropped. */
void asking_abort(struct asking_job *job, int error);

void asking_set_data(struct asking_job *job, void *data);
void *asking_data(const struct asking_job *job);
void *asking_context(const struct asking_job *job); /* work.ctx */

/* What commands say at the end on stderr: what failed, what is open, how to go on. `out`: the file of results, or NULL.
 * True: nothing is open. */
bool asking_tell_end(const char *program, const struct asking_options *options, const struct asking_tally *tally,
                     const char *out);

#endif
