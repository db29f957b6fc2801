/* Runs rows through the parts of a policy; the cascade's questions go to the judges.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A judge that does not answer leaves its row open, to be asked again by the next run: what `on_error` says is of the
 * day, not of the judge. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "eval/eval_cascade.h"
#include "eval/eval_stream.h"

struct cascade_run {
    struct eval_cascade *cascade;
    struct asking_results *results;
    struct asking *asking;
    struct judge_set *judges;
    size_t next;
    loop_fn closed; /* when the judges are */
    void *closed_ctx;
};

/* A question on its way. */
struct cascade_question {
    struct cascade_one *one;
    struct cascade_question *next;
    struct judge_ask *ask;
    uint32_t id;
};

/* A row on its way. */
struct cascade_one {
    struct asking_job *job;
    struct eval_cascade_row *row;
    struct eval_stream stream;
    struct cascade_question *questions; /* open ones */
    enum rein_judge_outcome failed;     /* REIN_JUDGE_OPINED: none has */
};

static const char *member_of(const struct eval_cascade_row *row, const char *key)
{
    return json_string_value(json_object_get(row->source, key));
}

static void fill_stream(struct eval_stream *stream, const struct eval_cascade_row *row)
{
    *stream = (struct eval_stream){.prompt = member_of(row, "prompt"),
                                   .reasoning = member_of(row, "reasoning"),
                                   .answer = member_of(row, "answer")};
}

/* ---- what needs no judge ---- */

struct silent_answers {
    uint32_t ids[256];
    size_t len;
};

static int note_questions(void *ctx, const struct rein_question *questions, size_t len)
{
    struct silent_answers *s = ctx;
    for (size_t i = 0; i < len; i++) {
        if (s->len == sizeof s->ids / sizeof *s->ids)
            return REIN_ELIMIT;
        s->ids[s->len++] = questions[i].id;
    }
    return 0;
}

/* Counts the questions of panels that act on nothing; each is answered at once with no risk. */
static int count_questions(struct eval_cascade *c, struct eval_cascade_row *row, enum eval_variant variant,
                           unsigned *count)
{
    struct eval_stream stream;
    struct silent_answers silent = {{0}, 0};
    const struct rein_answer answer = {.outcome = REIN_JUDGE_OPINED};
    fill_stream(&stream, row);
    int rv = eval_stream_begin(&stream, c->variants.policies[variant], c->engine, note_questions, &silent);
    while (rv == 0 && !stream.is_over) {
        if (silent.len > 0) {
            *count += 1;
            rv = eval_stream_answer(&stream, silent.ids[--silent.len], &answer);
        } else {
            rv = eval_stream_step(&stream);
        }
    }
    eval_stream_fini(&stream);
    return rv;
}

static int run_part(struct eval_cascade *c, struct eval_cascade_row *row, enum eval_variant variant)
{
    struct eval_stream stream;
    fill_stream(&stream, row);
    int rv = eval_stream_begin(&stream, c->variants.policies[variant], c->engine, NULL, NULL);
    while (rv == 0 && !stream.is_over)
        rv = eval_stream_step(&stream);
    if (rv == 0)
        row->acted[variant] = rein_trace_decision(stream.trace)->verdict > REIN_RECORD;
    eval_stream_fini(&stream);
    return rv;
}

/* ---- the cascade ---- */

static void one_free(struct cascade_one *one)
{
    for (struct cascade_question *q = one->questions, *next; q != NULL; q = next) {
        next = q->next;
        if (q->ask != NULL)
            judge_service_cancel(q->ask);
        free(q);
    }
    eval_stream_fini(&one->stream);
    free(one);
}

static json_t *line_of(const struct eval_cascade *c, const struct eval_cascade_row *row)
{
    static const char *const truths[EVAL_TRUTHS] = {"unsafe", "safe", "benign"};
    return json_pack("{ss ss sI ss sb sb sb sI sI sI sI sI}", "key", row->key, "file", c->options->files[row->file],
                     "line", (json_int_t)row->line, "truth", truths[row->truth], "words", row->acted[EVAL_WORDS],
                     "score", row->acted[EVAL_SCORE], "cascade", row->acted[EVAL_CASCADE], "questions",
                     (json_int_t)row->questions, "unparsed", (json_int_t)row->unparsed, "tokens",
                     (json_int_t)row->tokens, "asked", (json_int_t)row->asked, "places", (json_int_t)row->places);
}

static void cascade_finish(struct cascade_one *one)
{
    struct cascade_run *run = asking_context(one->job);
    struct asking_job *job = one->job;
    struct eval_cascade_row *row = one->row;
    char why[ASKING_WHY_MAX];
    enum rein_judge_outcome failed = one->failed;
    row->acted[EVAL_CASCADE] = rein_trace_decision(one->stream.trace)->verdict > REIN_RECORD;
    asking_set_data(job, NULL);
    one_free(one);
    if (failed != REIN_JUDGE_OPINED) {
        row->questions = row->unparsed = row->tokens = row->asked = row->places = 0;
        snprintf(why, sizeof why, "a judge: %s", rein_judge_outcome_name(failed));
        asking_end(job, why);
        return;
    }
    row->is_done = true;
    json_t *line = line_of(run->cascade, row);
    int rv = line != NULL ? asking_results_add(run->results, line) : REIN_ENOMEM;
    json_decref(line);
    if (rv != 0)
        asking_abort(job, rv);
    else
        asking_end(job, NULL);
}

/* Goes on as far as it can without an answer. True: it is over. */
static bool cascade_go_on(struct cascade_one *one, int rv)
{
    while (rv == 0 && !one->stream.is_over && one->stream.open == 0 && one->failed == REIN_JUDGE_OPINED)
        rv = eval_stream_step(&one->stream);
    if (rv != 0)
        asking_abort(one->job, rv);
    return rv == 0 && (one->stream.is_over || one->failed != REIN_JUDGE_OPINED);
}

static void question_link_out(struct cascade_question *q)
{
    struct cascade_question **at = &q->one->questions;
    while (*at != q)
        at = &(*at)->next;
    *at = q->next;
}

static void on_judge_said(void *ctx, const struct judge_answer *a)
{
    struct cascade_question *q = ctx;
    struct cascade_one *one = q->one;
    struct cascade_run *run = asking_context(one->job);
    uint32_t id = q->id;
    question_link_out(q);
    free(q);
    run->cascade->took_ms += a->took_ms;
    run->cascade->asked_now++;
    one->row->questions++;
    one->row->unparsed += a->outcome == REIN_JUDGE_UNPARSED;
    one->row->tokens += a->tokens;
    if (a->outcome != REIN_JUDGE_OPINED && a->outcome != REIN_JUDGE_UNPARSED)
        one->failed = a->outcome;
    int rv = eval_stream_answer(&one->stream, id,
                                &(struct rein_answer){.outcome = a->outcome,
                                                      .risk = a->opinion.risk,
                                                      .leaves = a->opinion.leaves,
                                                      .categories = a->opinion.categories,
                                                      .took_ms = a->took_ms});
    if (cascade_go_on(one, rv))
        cascade_finish(one);
}

static int ask_judge(struct cascade_question *q, const struct cascade_run *run, const struct rein_question *question)
{
    char nonce[JUDGE_NONCE_SIZE];
    struct judge_service *service = judge_set_find(run->judges, question->judge);
    char *prompt = utf8_mend(question->prompt.text, question->prompt.len);
    char *text = utf8_mend(question->text.text, question->text.len);
    int rv = service == NULL ? REIN_ESTATE : prompt == NULL || text == NULL ? REIN_ENOMEM : 0;
    judge_nonce(nonce);
    if (rv == 0)
        rv = judge_service_ask(
            &q->ask, service,
            &(struct judge_question){
                .subject = (enum judge_subject)question->channel, .prompt = prompt, .text = text, .nonce = nonce},
            on_judge_said, q);
    free(prompt);
    free(text);
    return rv;
}

static int ask_judges(void *ctx, const struct rein_question *questions, size_t len)
{
    struct cascade_one *one = ctx;
    const struct cascade_run *run = asking_context(one->job);
    int rv = 0;
    for (size_t i = 0; i < len && rv == 0; i++) {
        struct cascade_question *q = calloc(1, sizeof *q);
        if (q == NULL)
            return REIN_ENOMEM;
        *q = (struct cascade_question){.one = one, .next = one->questions, .id = questions[i].id};
        one->questions = q;
        rv = ask_judge(q, run, &questions[i]);
    }
    return rv;
}

/* ---- jobs ---- */

static int begin_cascade(struct cascade_run *run, struct cascade_one *one)
{
    struct eval_cascade *c = run->cascade;
    int rv = count_questions(c, one->row, EVAL_ASKED, &one->row->asked);
    if (rv == 0)
        rv = count_questions(c, one->row, EVAL_PLACES, &one->row->places);
    for (enum eval_variant v = EVAL_WORDS; v < EVAL_CASCADE && rv == 0; v++)
        rv = run_part(c, one->row, v);
    if (rv == 0)
        rv = eval_stream_begin(&one->stream, c->variants.policies[EVAL_CASCADE], c->engine, ask_judges, one);
    return rv;
}

static bool begin_row(void *ctx, struct asking_job *job)
{
    struct cascade_run *run = ctx;
    struct eval_cascade *c = run->cascade;
    while (run->next < c->len && c->rows[run->next].is_done)
        run->next++;
    if (run->next == c->len)
        return false;
    struct cascade_one *one = calloc(1, sizeof *one);
    if (one == NULL) {
        asking_abort(job, REIN_ENOMEM);
        return true;
    }
    one->job = job;
    one->row = &c->rows[run->next++];
    one->failed = REIN_JUDGE_OPINED;
    fill_stream(&one->stream, one->row);
    asking_set_data(job, one);
    int rv = begin_cascade(run, one);
    if (cascade_go_on(one, rv))
        cascade_finish(one);
    return true;
}

static void drop_row(void *ctx, struct asking_job *job)
{
    struct cascade_one *one = asking_data(job);
    (void)ctx;
    if (one == NULL)
        return;
    one->row->questions = one->row->unparsed = one->row->tokens = one->row->asked = one->row->places = 0;
    one_free(one);
}

/* ---- the run ---- */

static void on_set_closed(void *ctx)
{
    struct cascade_run *run = ctx;
    run->closed(run->closed_ctx);
}

static void close_judges(void *ctx, loop_fn done, void *done_ctx)
{
    struct cascade_run *run = ctx;
    run->closed = done;
    run->closed_ctx = done_ctx;
    if (run->judges != NULL)
        judge_set_unref(run->judges);
    else
        done(done_ctx);
}

int eval_cascade_ask(struct eval_cascade *c, struct asking_results *results, struct asking_options *asked,
                     struct asking_tally *tally)
{
    struct cascade_run run = {.cascade = c, .results = results};
    struct asking_work work = {.begin = begin_row, .drop = drop_row, .close = close_judges, .ctx = &run};
    *tally = (struct asking_tally){0};
    *asked =
        (struct asking_options){.jobs_max = c->options->calls_max, .timeout_s = c->options->timeout_s, .all = c->len};
    for (size_t i = 0; i < c->len; i++)
        asked->had += c->rows[i].is_done;
    if (asked->had == c->len)
        return 0;
    int rv = asking_new(&run.asking, asked, &work);
    if (rv == 0)
        rv = judges_open(&run.judges, c->judges, run.asking, on_set_closed, &run);
    if (rv == 0)
        rv = asking_run(run.asking, tally);
    asking_free(run.asking);
    return rv;
}
