/* Questions to judges: asked when the trace wants to know, answered to the trace when the judge has spoken. What waits
 * for the answer, the trace knows alone. SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "judges/judge_set.h"
#include "session/session_internal.h"

struct session_question {
    struct session *s; /* NULL: not wanted any more */
    struct session_question *prev, *next;
    struct judge_ask *ask; /* NULL: it could not be asked */
    uint32_t id;
    struct loop_task later; /* then the answer to what could not be asked */
};

static void question_link_out(struct session_question *q)
{
    if (q->prev != NULL)
        q->prev->next = q->next;
    else
        q->s->questions = q->next;
    if (q->next != NULL)
        q->next->prev = q->prev;
}

/* Frees the question: no other is touched by what follows from its answer. */
static void question_answer(struct session_question *q, const struct rein_answer *answer)
{
    struct session *s = q->s;
    struct rein_update update = {0};
    uint32_t id = q->id;
    assert(session_is_sound(s) && !session_is_over(s));
    question_link_out(q);
    free(q);
    int rv = rein_trace_answer(s->trace, id, answer, &update);
    if (rv < 0)
        session_fail_internal(s, rv);
    else if (s->state == SESSION_JUDGING)
        session_take_prompt(s, &update);
    else
        session_act(s, &update);
}

static void on_judge_answer(void *ctx, const struct judge_answer *a)
{
    question_answer(ctx, &(struct rein_answer){.outcome = a->outcome,
                                               .risk = a->opinion.risk,
                                               .leaves = a->opinion.leaves,
                                               .categories = a->opinion.categories,
                                               .took_ms = a->took_ms,
                                               .was_known = a->was_known});
}

static void answer_later(void *ctx)
{
    struct session_question *q = ctx;
    if (q->s == NULL)
        free(q);
    else
        question_answer(q, &(struct rein_answer){.outcome = REIN_JUDGE_FAILED});
}

/* Judges read texts that end with NUL and are valid. */
static int question_ask(struct session_question *q, const struct rein_question *question)
{
    char nonce[JUDGE_NONCE_SIZE];
    struct judge_service *service = judge_set_find(q->s->judges, question->judge);
    char *prompt = utf8_mend(question->prompt.text, question->prompt.len);
    char *text = utf8_mend(question->text.text, question->text.len);
    judge_nonce(nonce);
    int rv = service == NULL ? REIN_ESTATE : prompt == NULL || text == NULL ? REIN_ENOMEM : 0;
    if (rv == 0)
        rv = judge_service_ask(
            &q->ask, service,
            &(struct judge_question){
                .subject = (enum judge_subject)question->channel, .prompt = prompt, .text = text, .nonce = nonce},
            on_judge_answer, q);
    free(prompt);
    free(text);
    return rv;
}

int session_judges_ask(struct session *s)
{
    size_t len;
    const struct rein_question *questions = rein_trace_questions(s->trace, &len);
    for (size_t i = 0; i < len; i++) {
        struct session_question *q = calloc(1, sizeof *q);
        if (q == NULL)
            return REIN_ENOMEM;
        q->s = s;
        q->id = questions[i].id;
        q->next = s->questions;
        if (q->next != NULL)
            q->next->prev = q;
        s->questions = q;
        if (question_ask(q, &questions[i]) == 0)
            continue;
        q->ask = NULL;
        q->later = (struct loop_task){.fn = answer_later, .ctx = q};
        loop_defer(s->env->loop, &q->later);
    }
    return 0;
}

void session_judges_drop(struct session *s)
{
    for (struct session_question *q = s->questions, *next; q != NULL; q = next) {
        next = q->next;
        q->s = NULL;
        if (q->ask == NULL)
            continue; /* answer_later frees it */
        judge_service_cancel(q->ask);
        free(q);
    }
    s->questions = NULL;
}

void session_judges_leave(struct session *s)
{
    session_judges_drop(s);
    judge_set_unref(s->judges);
    s->judges = NULL;
}
