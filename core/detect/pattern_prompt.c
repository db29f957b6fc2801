/* How harmful a request looks, by its own words.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/engine.h"
#include "detect/pattern.h"

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

static const double HINT = 0.5, PASTED = 0.6, BELOW_RISKY = PROMPT_RISKY - 0.01;
enum { EDGE = 3 };

struct sentence_harm {
    double harm, benign;
};

/* The signals of the sentence that the engine has folded. */
static int weigh(struct prompt_risk *risk, const struct signals *signals, struct rein_engine *engine,
                 struct sentence_harm *out)
{
    struct signal_hit hits[SIGNAL_HITS_MAX];
    double hints = 0;
    *out = (struct sentence_harm){0};
    int len = signals_scan_same(signals, engine, REIN_PROMPT, hits);
    for (int i = 0; i < len; i++) {
        int category = signals_entry_category_index(signals, hits[i].entry);
        if (hits[i].class == SIGNAL_PROMPT_BENIGN)
            out->benign += hits[i].weight;
        else if (hits[i].weight < HINT)
            hints += hits[i].weight;
        else
            out->harm += hits[i].weight;
        if (category >= 0 && hits[i].weight >= HINT)
            risk->categories |= (uint64_t)1 << category;
    }
    out->harm += fmin(hints, HINT); /* however many weak words there are */
    return len < 0 ? len : 0;
}

/* The most harmful sentence counts, minus its own benign cues. The rest of a long prompt makes it neither worse nor
 * better. */
static void keep_worst(struct prompt_risk *risk, struct sentence_harm s, double share)
{
    if (share * (s.harm - s.benign) <= risk->harm - risk->benign && risk->harm > 0)
        return;
    risk->harm = share * s.harm;
    risk->benign = share * s.benign;
}

/* Signals and model vote on the prompt (model.h). The score stays what the signals say, moved to the side of
 * PROMPT_RISKY that the votes choose. */
static void count_votes(struct prompt_risk *risk, const struct model *model, const struct model_prompt *prompt)
{
    double sum = model_prompt_sum(model, prompt);
    risk->sum = risk->has_sum ? fmax(risk->sum, sum) : sum;
    risk->has_sum = true;
    risk->evidence = model_prompt_evidence(model, risk->sum, risk->said);
    risk->learned = model_prompt_score(model, risk->evidence);
    risk->score = risk->learned >= MODEL_RISKY ? fmax(risk->said, PROMPT_RISKY) : fmin(risk->said, BELOW_RISKY);
}

/* A request is at a message's beginning or end. What lies between the first and the last EDGE sentences is more
 * often something pasted (an essay, a resume) and counts less. */
int prompt_risk_add(struct prompt_risk *risk, const struct signals *signals, const struct model *model,
                    struct rein_engine *engine, const char *speaker, struct span text)
{
    if (strcmp(speaker, "user") != 0)
        return 0;
    struct sentence_harm last[EDGE] = {{0}};
    struct model_prompt learned = {.n = 0};
    struct sentencer s;
    sentencer_init(&s, 0);
    uint64_t start = 0;
    for (size_t at = 0, n = 0; start < text.len; n++) {
        uint64_t end = text.len;
        at += sentencer_feed(&s, (struct span){text.data + at, text.len - at}, &end);
        if (n >= 2 * EDGE)
            keep_worst(risk, last[n % EDGE], PASTED);
        else if (n >= EDGE)
            keep_worst(risk, last[n % EDGE], 1);
        struct span folded = engine_fold(engine, (struct span){text.data + start, end - start});
        int rv = weigh(risk, signals, engine, &last[n % EDGE]);
        if (rv != 0)
            return rv;
        if (model != NULL)
            model_prompt_sentence(model, &learned, folded);
        start = end;
    }
    for (size_t i = 0; i < EDGE; i++)
        keep_worst(risk, last[i], 1);
    risk->said = risk->harm > 0 ? logistic(2.5 * (risk->harm - risk->benign) - 1.8) : 0;
    risk->score = risk->said;
    if (model != NULL)
        count_votes(risk, model, &learned);
    return 0;
}
