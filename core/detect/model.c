/* See model.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/model.h"

#include <assert.h>
#include <math.h>

static int32_t clip(int32_t sum, const struct model_head *head)
{
    return sum > head->clip ? head->clip : sum < -head->clip ? -head->clip : sum;
}

void model_prompt_sentence(const struct model *m, struct model_prompt *p, struct span folded)
{
    uint32_t hashes[FEATURES_MAX];
    size_t len = features_hash(folded, hashes);
    int32_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        uint32_t bucket = feature_bucket(hashes[i], MODEL_BITS);
        if (!feature_add(p->set, bucket))
            continue;
        sum += m->prompt[bucket];
        p->n++;
    }
    p->sum += clip(sum, &m->heads[REIN_PROMPT_HARM]);
}

struct model_sentence model_read_reasoning(const struct model *m, struct model_state *s, struct span folded)
{
    uint32_t hashes[FEATURES_MAX];
    size_t len = features_hash(folded, hashes);
    int32_t sum[MODEL_LANES] = {0};
    struct model_sentence out = {.features = 0};
    for (size_t i = 0; i < len; i++) {
        uint32_t bucket = feature_bucket(hashes[i], MODEL_BITS);
        if (!feature_add(s->set, bucket))
            continue;
        for (size_t k = 0; k < MODEL_LANES; k++)
            sum[k] += m->reasoning[bucket][k];
        out.features++;
    }
    for (size_t i = 0; i < MODEL_SENTENCE_HEADS; i++)
        out.sum[i] = clip(sum[i], &m->heads[REIN_REASONING_HARM + i]);
    return out;
}

struct model_sentence model_read_answer(const struct model *m, struct model_state *s, struct span folded)
{
    uint32_t hashes[FEATURES_MAX];
    size_t len = features_hash(folded, hashes);
    struct model_sentence out = {.features = 0};
    for (size_t i = 0; i < len; i++) {
        uint32_t bucket = feature_bucket(hashes[i], MODEL_ANSWER_BITS);
        if (!feature_add(s->answer_set, bucket))
            continue;
        out.sum[0] += m->answer[bucket];
        out.features++;
    }
    out.sum[0] = clip(out.sum[0], &m->heads[REIN_COMPLIES_ANSWER]);
    return out;
}

/* A text has no more features than there are, whoever says so. */
static uint32_t more_features(uint32_t n, uint32_t more, uint32_t max)
{
    return more < max - n ? n + more : max;
}

void model_add_reasoning(const struct model *m, struct model_state *s, const struct model_sentence *sentence)
{
    assert(model_state_is_sound(s));
    s->n = more_features(s->n, sentence->features, MODEL_BUCKETS);
    for (size_t i = 0; i < MODEL_SENTENCE_HEADS; i++)
        s->sum[REIN_REASONING_HARM + i] += clip(sentence->sum[i], &m->heads[REIN_REASONING_HARM + i]);
    s->sentences++;
}

void model_add_answer(const struct model *m, struct model_state *s, const struct model_sentence *sentence)
{
    assert(model_state_is_sound(s));
    s->answer_n = more_features(s->answer_n, sentence->features, MODEL_ANSWER_BUCKETS);
    s->answer_sum += clip(sentence->sum[0], &m->heads[REIN_COMPLIES_ANSWER]);
}

static double share(double sum, double n)
{
    return n > 0 ? sum / sqrt(n) : 0;
}

static double head_squash(const struct model_head *head, double z)
{
    return 1 / (1 + exp(-(head->slope * z + head->offset)));
}

/* A head's sum so far; `more` is in units of the sum. */
static double head_sum(const struct model_head *head, double weights, double more)
{
    return head->bias + head->scale * weights + more;
}

double model_prompt_sum(const struct model *m, const struct model_prompt *p)
{
    return head_sum(&m->heads[REIN_PROMPT_HARM], share(p->sum, p->n), 0);
}

double model_prompt_evidence(const struct model *m, double sum, double risk)
{
    double weight = m->signals_weight;
    return (weight > 0 ? fmax(sum, -weight) : sum) + weight * (2 * risk - 1);
}

double model_prompt_score(const struct model *m, double evidence)
{
    return head_squash(&m->heads[REIN_PROMPT_HARM], evidence);
}

/* What the prompt adds to a head of the reasoning. */
static double prompt_part(const struct model *m, const struct model_state *s, enum rein_head head)
{
    return head == REIN_REASONING_HARM ? m->prompt_weight * s->evidence : 0;
}

double model_score(const struct model *m, const struct model_state *s, enum rein_head head)
{
    double answer = head == REIN_COMPLIES_ANSWER ? share(s->answer_sum, s->answer_n) : 0;
    double weights = share(s->sum[head], s->n) + answer;
    return head_squash(&m->heads[head], head_sum(&m->heads[head], weights, prompt_part(m, s, head)));
}

/* The sentence brings k new features, which weigh `most` each at best, and clip in all. While what they add grows with
 * their number, so does the quotient, because no sum is above `most` for each feature that it has; from there on a
 * positive one falls, and a negative one rises with every further feature. */
double model_bound(const struct model *m, const struct model_state *s, enum rein_head head)
{
    const struct model_head *h = &m->heads[head];
    double full = h->most > 0 ? (double)h->clip / h->most : 0;
    double top = s->sum[head] + (h->most > 0 ? h->clip : 0);
    double weights = share(top, s->n + (top > 0 ? full : (double)FEATURES_MAX)) + 1e-9;
    return head_squash(h, head_sum(h, weights, prompt_part(m, s, head)));
}

double model_risk(const struct model *m, const struct model_state *s)
{
    return s->n == 0 ? 0 : model_score(m, s, REIN_REASONING_HARM) * model_score(m, s, REIN_COMPLIES);
}

double model_risk_bound(const struct model *m, const struct model_state *s)
{
    return model_bound(m, s, REIN_REASONING_HARM) * model_bound(m, s, REIN_COMPLIES);
}

double model_answer_risk_bound(const struct model *m, const struct model_state *s)
{
    return s->n == 0 ? 0 : model_score(m, s, REIN_REASONING_HARM);
}

double model_answer_risk(const struct model *m, const struct model_state *s)
{
    return model_answer_risk_bound(m, s) * model_score(m, s, REIN_COMPLIES_ANSWER);
}
