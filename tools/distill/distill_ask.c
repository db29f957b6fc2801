/* Asking through a guard, until all questions have an outcome or somebody says stop. See distill.h.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     a question: ask -> the decision of the guard -> a row? ---------------------------> its line
 *                  ^                                    `-> no, and a try is left -> ask with another seed
 *
 * A try that the upstream fails is no outcome: the question stays open, and the next run asks it again from its first
 * try. So an interrupted run comes to what an uninterrupted one does, if the upstream answers the same to the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asking/asking.h"
#include "asking/guard.h"
#include "dataset/kept_read.h"
#include "distill/distill.h"
#include "store/driver.h"

enum { QUERY_MS = 60000, WHY_MAX = 160, ATTEMPTS_MOST = 5 /* of one try, as a policy allows */ };

struct distilling {
    struct distill_run *run;
    struct guard *guard;
    struct store_reader *reader; /* of the guard's decisions */
    char *url;
    struct distill_job *jobs;
    size_t next;
};

struct distill_job {
    size_t question;
    unsigned nth;  /* of its tries */
    json_t *tries; /* owned */
    char why[WHY_MAX];
};

/* ---- one try ---- */

static char *try_body(const struct distilling *d, const struct distill_job *job)
{
    const struct distill_options *o = d->run->options;
    const struct distill_inputs *in = d->run->in;
    const struct style *style = &in->styles[job->question / o->samples % in->styles_len];
    char *content = style_apply(style, in->prompts[job->question / o->samples / in->styles_len].text);
    /* Another seed for each sample and try; the same in each run. */
    json_int_t seed = o->seed + (json_int_t)(job->question % o->samples) * DISTILL_TRIES_MAX + job->nth;
    json_t *body = content != NULL ? json_pack("{sss[{ssss}]sI}", "model", o->model, "messages", "role", "user",
                                               "content", content, "seed", seed)
                                   : NULL;
    if (body != NULL && o->max_tokens > 0)
        json_object_set_new(body, "max_tokens", json_integer(o->max_tokens));
    if (body != NULL && o->temperature >= 0)
        json_object_set_new(body, "temperature", json_real(o->temperature));
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    free(content);
    return text;
}

static void on_try(struct asking_job *job, const struct asking_reply *reply);

static void try_start(struct asking_job *job)
{
    struct distilling *d = asking_context(job);
    struct distill_job *mine = asking_data(job);
    char *body = try_body(d, mine);
    struct asking_request request = {.url = d->url, .authorization = guard_authorization(d->guard, 0), .body = body};
    int rv = body != NULL ? asking_call(job, &request, on_try) : REIN_ENOMEM;
    free(body);
    if (rv != 0)
        asking_abort(job, rv);
}

static void job_over(struct asking_job *job, const char *failure)
{
    struct distill_job *mine = asking_data(job);
    json_decref(mine->tries);
    mine->tries = NULL;
    asking_end(job, failure);
}

/* The question has its outcome. */
static void job_done(struct asking_job *job, const struct training_row *row)
{
    struct distilling *d = asking_context(job);
    struct distill_job *mine = asking_data(job);
    json_t *line = distill_line(d->run, mine->question, row, mine->tries);
    mine->tries = NULL;
    int rv = line != NULL ? asking_results_add(d->run->results, line) : REIN_ENOMEM;
    json_decref(line);
    if (rv != 0) {
        asking_abort(job, rv);
        return;
    }
    d->run->done[mine->question] = true;
    job_over(job, NULL);
}

/* Endings that say nothing about the answer: nobody got it. */
static bool is_failure(const json_t *decision)
{
    static const char *const failures[] = {"upstream_error", "upstream_broke", "client_left", "store_failed",
                                           "shutdown",       "lost",           "open"};
    const char *ending = json_string_value(json_object_get(decision, "ending"));
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        if (ending == NULL || strcmp(ending, failures[i]) == 0)
            return true;
    return false;
}

static void take_decision(struct asking_job *job, const json_t *decision)
{
    struct distilling *d = asking_context(job);
    struct distill_job *mine = asking_data(job);
    const struct distill_inputs *in = d->run->in;
    struct distill_try try;
    int rv =
        distill_try_read(&try, in, decision, &in->styles[mine->question / d->run->options->samples % in->styles_len]);
    if (rv == 0)
        rv = distill_tries_add(mine->tries, decision, try.outcome);
    if (rv != 0)
        asking_abort(job, rv);
    else if (try.outcome == EXPORT_ROW)
        job_done(job, &try.row.row);
    else if (++mine->nth < d->run->options->tries)
        try_start(job);
    else
        job_done(job, NULL);
    if (rv == 0 && try.outcome == EXPORT_ROW)
        distill_try_fini(&try);
}

static const char *reply_failure(struct distill_job *mine, const struct asking_reply *reply)
{
    if (reply->status == 0) {
        snprintf(mine->why, sizeof mine->why, "%s", reply->failure);
        return mine->why;
    }
    json_t *tree = json_loadb(reply->body, reply->len, 0, NULL);
    const char *message = json_string_value(json_object_get(json_object_get(tree, "error"), "message"));
    message = message != NULL ? message : "";
    snprintf(mine->why, sizeof mine->why, "HTTP %u %.*s", reply->status,
             (int)rein_text_whole(message, strnlen(message, 120)), message);
    json_decref(tree);
    return mine->why;
}

static void on_try(struct asking_job *job, const struct asking_reply *reply)
{
    struct distilling *d = asking_context(job);
    struct distill_job *mine = asking_data(job);
    json_t *decision = NULL;
    int rv = *reply->decision != '\0' ? kept_read(d->reader, reply->decision, &decision) : 0;
    if (rv != 0)
        asking_abort(job, rv);
    else if (decision == NULL || is_failure(decision))
        job_over(job, reply_failure(mine, reply));
    else
        take_decision(job, decision);
    json_decref(decision);
}

/* ---- the run ---- */

static struct distill_job *free_job(struct distilling *d)
{
    for (size_t i = 0; i < d->run->options->jobs; i++)
        if (d->jobs[i].tries == NULL)
            return &d->jobs[i];
    return NULL;
}

static bool distill_begin(void *ctx, struct asking_job *job)
{
    struct distilling *d = ctx;
    size_t all = distill_questions(d->run->in, d->run->options);
    while (d->next < all && d->run->done[d->next])
        d->next++;
    if (d->next == all)
        return false;
    struct distill_job *mine = free_job(d);
    *mine = (struct distill_job){.question = d->next++, .tries = json_array()};
    asking_set_data(job, mine);
    if (mine->tries == NULL)
        asking_abort(job, REIN_ENOMEM);
    else
        try_start(job);
    return true;
}

static void distill_drop(void *ctx, struct asking_job *job)
{
    struct distill_job *mine = asking_data(job);
    (void)ctx;
    if (mine == NULL)
        return;
    json_decref(mine->tries);
    mine->tries = NULL;
}

static int run_begin(struct distilling *d)
{
    const struct distill_options *o = d->run->options;
    const struct guard_policy policy = {d->run->in->policy_name, d->run->in->policy_text, o->policy};
    struct guard_options options = {.program = "rein distill",
                                    .library = o->library,
                                    .config = o->config,
                                    .upstream = o->upstream,
                                    .url = o->url,
                                    .kind = o->kind,
                                    .api_key_env = o->api_key_env,
                                    .policies = &policy,
                                    .policies_len = 1,
                                    .timeout_s = o->timeout_s};
    asking_hold_signals();
    int rv = guard_start(&d->guard, &options);
    if (rv == 0)
        rv = store_driver_find(NULL)->open_reader(&d->reader, guard_database(d->guard), QUERY_MS);
    if (rv == 0 && asprintf(&d->url, "%s/v1/chat/completions", guard_url(d->guard)) < 0) {
        d->url = NULL;
        rv = REIN_ENOMEM;
    }
    if (rv == 0 && (d->jobs = calloc(o->jobs, sizeof *d->jobs)) == NULL)
        rv = REIN_ENOMEM;
    return rv;
}

static int run_all(struct distilling *d, const struct asking_options *options, struct asking_tally *tally)
{
    const struct asking_work work = {.begin = distill_begin, .drop = distill_drop, .ctx = d};
    struct asking *asking = NULL;
    int rv = asking_new(&asking, options, &work);
    if (rv == 0)
        rv = asking_run(asking, tally);
    asking_free(asking);
    return rv;
}

int distill_ask(struct distill_run *run)
{
    const struct distill_options *o = run->options;
    struct distilling d = {.run = run};
    struct asking_tally tally = {0};
    struct asking_options options = {.jobs_max = o->jobs,
                                     .per_minute = o->per_minute,
                                     .timeout_s = o->timeout_s * ATTEMPTS_MOST,
                                     .all = distill_questions(run->in, o),
                                     .had = run->had};
    int rv = run_begin(&d), status = CLI_FAILED;
    if (rv == 0 && (rv = run_all(&d, &options, &tally)) == 0)
        status = asking_tell_end("rein distill", &options, &tally, o->out) ? CLI_OK : CLI_FAILED;
    if (rv != 0 && rv != REIN_EPOLICY)
        fprintf(stderr, "rein distill: %s\n", rein_strerror(rv));
    store_reader_close(d.reader);
    guard_stop(d.guard);
    free(d.url);
    free(d.jobs);
    return rv == REIN_EPOLICY ? CLI_CONFIG : status;
}
