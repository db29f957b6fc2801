/* `rein eval prefix`: the open questions, asked one call each.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "prefix/eval_prefix.h"

struct prefix_run {
    const struct eval_prefix_options *options;
    const struct eval_inputs *in;
    struct eval_grid *grid;
    struct asking_results *results;
    char *url, *authorization;
    size_t next;
};

static struct eval_question *next_open(struct prefix_run *run)
{
    while (run->next < run->grid->questions_len) {
        struct eval_question *q = &run->grid->questions[run->next++];
        if (q->result.outcome == EVAL_OPEN)
            return q;
    }
    return NULL;
}

static void on_prefix_reply(struct asking_job *job, const struct asking_reply *reply)
{
    struct prefix_run *run = asking_context(job);
    struct eval_question *q = asking_data(job);
    struct eval_answer answer;
    char why[ASKING_WHY_MAX] = "";
    if (reply->failure != NULL) {
        asking_end(job, reply->failure);
        return;
    }
    int rv = eval_answer_read(&answer, reply->status, reply->body, reply->len, why, sizeof why);
    if (rv == 0)
        rv = eval_answer_score(&q->result, &answer, run->in, &run->in->prompts[q->prompt]);
    if (rv == 0)
        rv = eval_results_add(run->results, q, run->in, run->options, &answer);
    eval_answer_fini(&answer);
    if (rv == 0 || rv == REIN_EFORMAT)
        asking_end(job, rv == 0 ? NULL : why);
    else
        asking_abort(job, rv);
}

static bool begin_question(void *ctx, struct asking_job *job)
{
    struct prefix_run *run = ctx;
    struct eval_question *q = next_open(run);
    char *body = NULL;
    if (q == NULL)
        return false;
    asking_set_data(job, q);
    int rv = eval_question_body(&body, run->in, run->options, q->prompt, q->arm);
    if (rv == 0)
        rv = asking_call(job, &(struct asking_request){run->url, run->authorization, body}, on_prefix_reply);
    free(body);
    if (rv != 0)
        asking_abort(job, rv);
    return true;
}

static int make_texts(struct prefix_run *run)
{
    size_t len = strlen(run->options->url);
    while (len > 0 && run->options->url[len - 1] == '/')
        len--;
    if (asprintf(&run->url, "%.*s/v1/chat/completions", (int)len, run->options->url) < 0)
        run->url = NULL;
    const char *key = run->options->api_key;
    if (key != NULL && asprintf(&run->authorization, "Bearer %s", key) < 0)
        run->authorization = NULL;
    return run->url != NULL && (key == NULL || run->authorization != NULL) ? 0 : REIN_ENOMEM;
}

int eval_ask(struct asking_tally *tally, struct asking_options *asked, const struct eval_prefix_options *options,
             const struct eval_inputs *in, struct eval_grid *grid, struct asking_results *results)
{
    struct prefix_run run = {options, in, grid, results, NULL, NULL, 0};
    struct asking_work work = {.begin = begin_question, .ctx = &run};
    struct asking *asking = NULL;
    *asked = (struct asking_options){
        .jobs_max = options->calls_max, .timeout_s = options->timeout_s, .all = grid->questions_len};
    for (size_t i = 0; i < grid->questions_len; i++)
        asked->had += grid->questions[i].result.outcome != EVAL_OPEN;
    int rv = make_texts(&run);
    if (rv == 0)
        rv = asking_new(&asking, asked, &work);
    if (rv == 0)
        rv = asking_run(asking, tally);
    asking_free(asking);
    free(run.url);
    free(run.authorization);
    return rv;
}
