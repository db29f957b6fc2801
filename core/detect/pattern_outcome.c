/* Outcome risk: the learned score of the reasoning, sentence by sentence, and once more with the answer's beginning.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/pattern_state.h"

/* How surely it is about harm: an upper bound of the risk with the answer. */
static void note_harm(struct pattern_tracker *p)
{
    p->outcome.harm = model_answer_risk_bound(p->settings.model, p->outcome.learned);
}

void outcome_begin(struct pattern_tracker *p)
{
    if (p->outcome.learned == NULL)
        return;
    p->outcome.learned->evidence = p->risk.evidence;
    note_harm(p);
}

void outcome_reasoning(struct pattern_tracker *p, const struct sentence_facts *f, const struct model_sentence *learned)
{
    struct model_state *s = p->outcome.learned;
    model_add_reasoning(p->settings.model, s, learned);
    note_harm(p);
    if (s->sentences >= p->settings.min_sentences)
        pattern_raise(p, REIN_OUTCOME_RISK_REASONING, REIN_REASONING, model_risk(p->settings.model, s), f,
                      &(struct step_list){.len = 0});
}

static void score_answer(struct pattern_tracker *p, const struct sentence_facts *f)
{
    struct outcome_state *o = &p->outcome;
    o->answer_scored = true;
    pattern_raise(p, REIN_OUTCOME_RISK_ANSWER, REIN_ANSWER,
                  o->harm * model_score(p->settings.model, o->learned, REIN_COMPLIES_ANSWER), f,
                  &(struct step_list){.len = 0});
}

void outcome_answer(struct pattern_tracker *p, const struct sentence_facts *f, const struct model_sentence *learned)
{
    struct outcome_state *o = &p->outcome;
    model_add_answer(p->settings.model, o->learned, learned);
    o->answer_len += f->len;
    if (o->answer_len >= p->settings.answer_bytes)
        score_answer(p, f);
}

void outcome_answer_end(struct pattern_tracker *p)
{
    struct outcome_state *o = &p->outcome;
    struct sentence_facts end = {.offset = 0, .len = (uint32_t)o->answer_len};
    if (o->learned != NULL && !o->answer_scored && o->answer_len > 0)
        score_answer(p, &end);
}

bool outcome_wants_answer(const struct pattern_tracker *p)
{
    return p->outcome.learned != NULL && !p->outcome.answer_scored;
}

bool outcome_answer_may_act(const struct pattern_tracker *p)
{
    return outcome_wants_answer(p) && p->settings.acts[REIN_OUTCOME_RISK_ANSWER] &&
           p->outcome.harm >= p->settings.threshold[REIN_OUTCOME_RISK_ANSWER];
}

bool outcome_reasoning_may_act(const struct pattern_tracker *p)
{
    const struct outcome_state *o = &p->outcome;
    bool is_due = o->learned != NULL && p->settings.acts[REIN_OUTCOME_RISK_REASONING] &&
                  (p->found & 1u << REIN_OUTCOME_RISK_REASONING) == 0 &&
                  o->learned->sentences + 1 >= p->settings.min_sentences;
    return is_due &&
           model_risk_bound(p->settings.model, o->learned) >= p->settings.threshold[REIN_OUTCOME_RISK_REASONING];
}

double pattern_head(const struct pattern_tracker *p, enum rein_head head)
{
    const struct model_state *s = p->outcome.learned;
    bool has_text = s != NULL && head != REIN_PROMPT_HARM && (head == REIN_COMPLIES_ANSWER ? s->answer_n : s->n) > 0;
    return has_text ? model_score(p->settings.model, s, head) : 0;
}
