/* Asking: a question goes to its upstream through the guard, and the judge is asked about reasoning and answer apart.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     begin -> reply: parsed, refusal found -> opinions of reasoning and answer, at the same time -> a line of the file
 *
 * A judge that does not answer leaves the question open. A reply of its that cannot be read is a result: the line says
 * so. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "attack/attack.h"
#include "attack/math_answer.h"
#include "prefix/eval_prefix.h"

enum { ATTEMPTS_MOST = 5 }; /* of a steered answer, all of which the guard may wait for */

struct attack_run {
    const struct attack_options *options;
    const struct attack_inputs *in;
    struct attack_grid *grid;
    struct asking_results *results;
    struct guard *guards[ATTACK_UPSTREAMS_MAX];
    char *urls[ATTACK_UPSTREAMS_MAX];
    struct asking *asking;
    struct judge_set *judges;
    struct judge_service *judge;
    size_t next;
    loop_fn closed; /* when the judges are */
    void *closed_ctx;
};

/* One of the two texts of an answer, on its way to the judge. */
struct attack_opinion {
    struct attack_one *one;
    struct judge_ask *ask; /* NULL: it is not being asked */
    double *risk;
};

/* A question that was answered, until it is judged. */
struct attack_one {
    struct asking_job *job;
    size_t question;
    struct eval_answer answer;
    char *inline_reasoning; /* owned; NULL: there is none */
    struct attack_opinion opinions[2];
    enum rein_judge_outcome failed; /* of the judge; REIN_JUDGE_OPINED: it has not */
};

static const struct attack_row *row_of(const struct attack_run *run, size_t question)
{
    return &run->in->rows[question % run->in->rows_len];
}

static enum attack_kind kind_of(const struct attack_run *run, size_t question)
{
    size_t row = question % run->in->rows_len, i = 0;
    while (row >= run->in->sets[i].first + run->in->sets[i].len)
        i++;
    return run->in->sets[i].kind;
}

static void one_free(struct attack_one *one)
{
    for (size_t i = 0; i < 2; i++)
        if (one->opinions[i].ask != NULL)
            judge_service_cancel(one->opinions[i].ask);
    eval_answer_fini(&one->answer);
    free(one->inline_reasoning);
    free(one);
}

static const char *reasoning_of(const struct attack_one *one)
{
    return one->inline_reasoning != NULL ? one->inline_reasoning : one->answer.reasoning;
}

/* ---- the end of a question ---- */

static void one_finish(struct attack_one *one)
{
    struct attack_run *run = asking_context(one->job);
    struct asking_job *job = one->job;
    struct attack_result *r = &run->grid->results[one->question];
    char why[ASKING_WHY_MAX];
    if (one->failed != REIN_JUDGE_OPINED) {
        *r = (struct attack_result){0};
        snprintf(why, sizeof why, "the judge: %s", rein_judge_outcome_name(one->failed));
        asking_set_data(job, NULL);
        one_free(one);
        asking_end(job, why);
        return;
    }
    r->is_done = true;
    int rv = attack_results_add(run->results, run->in, run->options, run->grid, one->question, reasoning_of(one),
                                one->answer.text);
    asking_set_data(job, NULL);
    one_free(one);
    if (rv != 0)
        asking_abort(job, rv);
    else
        asking_end(job, NULL);
}

static void one_finish_if_judged(struct attack_one *one)
{
    if (one->opinions[0].ask == NULL && one->opinions[1].ask == NULL)
        one_finish(one);
}

/* ---- opinions ---- */

static void on_opinion(void *ctx, const struct judge_answer *answer)
{
    struct attack_opinion *opinion = ctx;
    struct attack_one *one = opinion->one;
    struct attack_run *run = asking_context(one->job);
    opinion->ask = NULL;
    run->grid->results[one->question].judge_tokens += answer->tokens;
    if (answer->outcome == REIN_JUDGE_OPINED)
        *opinion->risk = answer->opinion.risk;
    else if (answer->outcome == REIN_JUDGE_UNPARSED)
        *opinion->risk = ATTACK_UNPARSED;
    else
        one->failed = answer->outcome;
    one_finish_if_judged(one);
}

static int ask_opinion(struct attack_one *one, size_t i, enum judge_subject subject, const char *text, double *risk)
{
    struct attack_run *run = asking_context(one->job);
    const struct judge_settings *s = &run->in->judge->settings;
    char nonce[JUDGE_NONCE_SIZE];
    if (text[strspn(text, " \t\r\n")] == '\0' || !s->kind->judges(s->description, subject))
        return 0;
    judge_nonce(nonce);
    one->opinions[i].one = one;
    one->opinions[i].risk = risk;
    return judge_service_ask(&one->opinions[i].ask, run->judge,
                             &(struct judge_question){.subject = subject,
                                                      .prompt = judges_tail(row_of(run, one->question)->query),
                                                      .text = judges_tail(text),
                                                      .nonce = nonce},
                             on_opinion, &one->opinions[i]);
}

static int ask_opinions(struct attack_one *one)
{
    struct attack_run *run = asking_context(one->job);
    struct attack_result *r = &run->grid->results[one->question];
    if (run->judge == NULL || kind_of(run, one->question) != ATTACK_HARMFUL)
        return 0;
    int rv = ask_opinion(one, 0, JUDGE_ANSWER, one->answer.text, &r->answer_risk);
    return rv == 0 ? ask_opinion(one, 1, JUDGE_REASONING, reasoning_of(one), &r->reasoning_risk) : rv;
}

/* ---- the answer ---- */

/* Reasoning between tags at the beginning of the answer, which the upstream did not separate. */
static int find_inline_reasoning(struct attack_one *one)
{
    const json_t *choice = json_array_get(json_object_get(one->answer.tree, "choices"), 0);
    const char *content = json_string_value(json_object_get(json_object_get(choice, "message"), "content"));
    if (content == NULL || content == one->answer.text || *one->answer.reasoning != '\0')
        return 0;
    content += strspn(content, " \r\n\t");
    content += strncmp(content, "<think>", 7) == 0 ? 7 : 0;
    const char *end = strstr(content, "</think>");
    size_t len = end != NULL ? (size_t)(end - content) : strlen(content);
    if (end == NULL && *one->answer.text != '\0')
        return 0;
    one->inline_reasoning = strndup(content, len);
    return one->inline_reasoning != NULL ? 0 : REIN_ENOMEM;
}

static unsigned count_tokens(const json_t *tree, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(json_object_get(tree, "usage"), key));
    return n > 0 && n <= INT32_MAX ? (unsigned)n : 0;
}

static int score_answer(struct attack_one *one)
{
    struct attack_run *run = asking_context(one->job);
    const struct eval_answer *a = &one->answer;
    struct attack_result *r = &run->grid->results[one->question];
    enum rein_stance stance = REIN_STANCE_REFUSES;
    int rv = a->is_guarded ? 0 : eval_stance_of(&stance, run->in->detector, run->in->engine, a->text);
    *r = (struct attack_result){.is_guarded = a->is_guarded,
                                .refuses = stance == REIN_STANCE_REFUSES,
                                .is_silent = !a->is_guarded && a->text[strspn(a->text, " \t\r\n")] == '\0',
                                .is_cut = strcmp(a->finish, "length") == 0,
                                .answer_risk = ATTACK_NOT_ASKED,
                                .reasoning_risk = ATTACK_NOT_ASKED,
                                .prompt_tokens = count_tokens(a->tree, "prompt_tokens"),
                                .completion_tokens = count_tokens(a->tree, "completion_tokens")};
    if (kind_of(run, one->question) == ATTACK_MATH)
        r->is_correct = math_answer_is(a->text, row_of(run, one->question)->answer);
    return rv;
}

static void on_attack_reply(struct asking_job *job, const struct asking_reply *reply)
{
    struct attack_one *one = asking_data(job);
    char why[ASKING_WHY_MAX] = "";
    int rv = reply->failure == NULL
                 ? eval_answer_read(&one->answer, reply->status, reply->body, reply->len, why, sizeof why)
                 : REIN_EFORMAT;
    if (rv == 0)
        rv = find_inline_reasoning(one);
    if (rv == 0)
        rv = score_answer(one);
    if (rv == 0)
        rv = ask_opinions(one);
    if (rv == 0) {
        one_finish_if_judged(one);
    } else if (rv == REIN_EFORMAT) {
        asking_set_data(job, NULL);
        one_free(one);
        asking_end(job, reply->failure != NULL ? reply->failure : why);
    } else {
        asking_abort(job, rv);
    }
}

/* ---- questions ---- */

static int ask_one(struct attack_run *run, struct attack_one *one)
{
    size_t arm = one->question / run->in->rows_len, upstream = arm / run->in->policies_len;
    char *body = attack_body(run->in, run->options, one->question);
    if (body == NULL)
        return REIN_ENOMEM;
    const char *bearer = guard_authorization(run->guards[upstream], arm % run->in->policies_len);
    int rv = asking_call(one->job, &(struct asking_request){run->urls[upstream], bearer, body}, on_attack_reply);
    free(body);
    return rv;
}

static bool begin_attack(void *ctx, struct asking_job *job)
{
    struct attack_run *run = ctx;
    while (run->next < run->grid->len && run->grid->results[run->next].is_done)
        run->next++;
    if (run->next == run->grid->len)
        return false;
    struct attack_one *one = calloc(1, sizeof *one);
    if (one == NULL) {
        asking_abort(job, REIN_ENOMEM);
        return true;
    }
    *one = (struct attack_one){.job = job, .question = run->next++, .failed = REIN_JUDGE_OPINED};
    one->answer = (struct eval_answer){.text = "", .reasoning = "", .finish = ""};
    asking_set_data(job, one);
    int rv = ask_one(run, one);
    if (rv != 0)
        asking_abort(job, rv);
    return true;
}

static void drop_attack(void *ctx, struct asking_job *job)
{
    struct attack_run *run = ctx;
    struct attack_one *one = asking_data(job);
    if (one == NULL)
        return;
    run->grid->results[one->question] = (struct attack_result){0};
    one_free(one);
}

/* ---- the run ---- */

static void on_judges_closed(void *ctx)
{
    struct attack_run *run = ctx;
    run->judges = NULL;
    run->closed(run->closed_ctx);
}

static void close_attack(void *ctx, loop_fn done, void *done_ctx)
{
    struct attack_run *run = ctx;
    run->closed = done;
    run->closed_ctx = done_ctx;
    if (run->judges != NULL)
        judge_set_unref(run->judges);
    else
        done(done_ctx);
}

static int start_guards(struct attack_run *run)
{
    const struct attack_options *o = run->options;
    struct guard_policy *policies = calloc(run->in->policies_len, sizeof *policies);
    int rv = policies != NULL ? 0 : REIN_ENOMEM;
    for (size_t i = 0; rv == 0 && i < run->in->policies_len; i++)
        policies[i] = (struct guard_policy){
            .name = run->in->policies[i].name, .text = run->in->policies[i].text, .file = run->in->policies[i].file};
    for (size_t i = 0; rv == 0 && i < run->in->upstreams_len; i++) {
        bool is_configured = o->upstreams.len > 0;
        rv = guard_start(&run->guards[i], &(struct guard_options){.program = ATTACK_PROGRAM,
                                                                  .library = o->library,
                                                                  .config = o->config,
                                                                  .upstream = is_configured ? o->upstreams.at[i] : NULL,
                                                                  .url = is_configured ? NULL : o->urls.at[i],
                                                                  .kind = o->kind,
                                                                  .api_key_env = o->api_key_env,
                                                                  .policies = policies,
                                                                  .policies_len = run->in->policies_len,
                                                                  .timeout_s = o->timeout_s});
        if (rv == 0 && asprintf(&run->urls[i], "%s/v1/chat/completions", guard_url(run->guards[i])) < 0)
            rv = REIN_ENOMEM;
    }
    free(policies);
    return rv;
}

static int open_judge(struct attack_run *run)
{
    if (run->in->judge == NULL)
        return 0;
    int rv = judges_open(&run->judges, run->in->judges, run->asking, on_judges_closed, run);
    if (rv == 0)
        run->judge = judge_set_find(run->judges, run->in->judge->name);
    assert(rv != 0 || run->judge != NULL);
    return rv;
}

int attack_ask(struct asking_tally *tally, struct asking_options *asked, const struct attack_options *o,
               const struct attack_inputs *in, struct attack_grid *grid, struct asking_results *results)
{
    struct attack_run run = {.options = o, .in = in, .grid = grid, .results = results};
    struct asking_work work = {.begin = begin_attack, .drop = drop_attack, .close = close_attack, .ctx = &run};
    *tally = (struct asking_tally){0};
    *asked = (struct asking_options){.jobs_max = o->calls_max,
                                     .per_minute = o->per_minute,
                                     .timeout_s = o->timeout_s * ATTEMPTS_MOST,
                                     .all = grid->len};
    for (size_t i = 0; i < grid->len; i++)
        asked->had += grid->results[i].is_done;
    if (asked->had == grid->len)
        return 0; /* nothing is left to ask: no guard is needed */
    asking_hold_signals();
    int rv = start_guards(&run);
    if (rv == 0)
        rv = asking_new(&run.asking, asked, &work);
    if (rv == 0)
        rv = open_judge(&run);
    if (rv == 0)
        rv = asking_run(run.asking, tally);
    asking_free(run.asking);
    for (size_t i = 0; i < in->upstreams_len; i++) {
        guard_stop(run.guards[i]);
        free(run.urls[i]);
    }
    return rv;
}
