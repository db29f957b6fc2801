/* The learned score: a linear model over hashed words and word pairs, one number for each question ("head").
 * SPDX-License-Identifier: Apache-2.0
 *
 * Incremental: each sentence adds the weights of the features that are new in it, clipped; a text's sum is divided by
 * the square root of its features. So the score depends on the text alone, and what one more sentence can make of it
 * has a bound. tools/train/README.md has the formula and the file of weights.
 *
 * A model is immutable once loaded and may be shared by threads; a state belongs to one tracker. Nothing but loading
 * allocates. */
#ifndef CORE_DETECT_MODEL_H
#define CORE_DETECT_MODEL_H

#include "detect/model_features.h"
#include "rein/doc.h"
#include "rein/rein.h"

struct model_head {
    double bias, scale, slope, offset;
    int32_t clip;
    int32_t most; /* the highest weight of its text, at least 0 */
};

enum { MODEL_LANES = 4 }; /* the weights of one bucket of the reasoning, of heads 1 to 3, lie beside each other */

struct model {
    struct model_head heads[REIN_HEADS];
    double signals_weight; /* what the risk that the prompt's signals see weighs in the prompt's evidence */
    double prompt_weight;  /* what the prompt's evidence weighs in reasoning_harm */
    int8_t prompt[MODEL_BUCKETS];
    int8_t reasoning[MODEL_BUCKETS][MODEL_LANES];
    int8_t answer[MODEL_ANSWER_BUCKETS];
};

/* What is wrong with a checked document is added to `problems`, and then *out stays as it is; returns owned.
 * REIN_ENOMEM is the only failure. */
int model_load(struct model **out, const struct rein_node *root, struct rein_problems *problems) REIN_MUST_USE;
void model_free(struct model *m); /* NULL is fine */

/* A prompt: one message, fed sentence by sentence. Cleared by zeros. */
struct model_prompt {
    uint64_t set[MODEL_BUCKETS / 64];
    int32_t sum;
    uint32_t n;
};
void model_prompt_sentence(const struct model *m, struct model_prompt *p, struct span folded);
/* The message's sum. Of several messages the highest counts. */
double model_prompt_sum(const struct model *m, const struct model_prompt *p);

/* Two votes about a prompt are added: that of its words (`sum`) and that of its signals (`risk`, 0 to 1, half counts as
 * no opinion). Each may outvote the other where that one is not sure. Words of a long text weigh little each, so
 * ordinary text around a harmful sentence lowers the sum: it takes away at most what sure signals give. The evidence is
 * in units of the head's sum. The score is 0 to 1, and from MODEL_RISKY on the prompt is risky. */
#define MODEL_RISKY 0.5
double model_prompt_evidence(const struct model *m, double sum, double risk);
double model_prompt_score(const struct model *m, double evidence);

/* A response's reasoning and the beginning of its answer. Cleared by zeros. About 5 KiB. */
struct model_state {
    uint64_t set[MODEL_BUCKETS / 64], answer_set[MODEL_ANSWER_BUCKETS / 64];
    int32_t sum[REIN_HEADS];
    uint32_t n;         /* features of the reasoning */
    uint32_t sentences; /* of the reasoning */
    int32_t answer_sum;
    uint32_t answer_n;
    double evidence; /* of the prompt, set before the first score (model_prompt_evidence); part of reasoning_harm */
};

/* Always true between two calls. */
static inline bool model_state_is_sound(const struct model_state *s)
{
    return s->n <= MODEL_BUCKETS && s->answer_n <= MODEL_ANSWER_BUCKETS && (s->sentences > 0 || s->n == 0);
}

/* What one sentence adds to a state. */
enum { MODEL_SENTENCE_HEADS = REIN_COMPLIES_ANSWER - REIN_REASONING_HARM + 1 };
struct model_sentence {
    int32_t sum[MODEL_SENTENCE_HEADS]; /* of the heads of the reasoning; of an answer the first: its words' weight */
    uint32_t features;                 /* that are new in it */
};
/* Reads one folded sentence of the reasoning, or of the answer: what it has is not new in later ones. */
struct model_sentence model_read_reasoning(const struct model *m, struct model_state *s, struct span folded);
struct model_sentence model_read_answer(const struct model *m, struct model_state *s, struct span folded);
/* Adds what was read of it, now or before. */
void model_add_reasoning(const struct model *m, struct model_state *s, const struct model_sentence *sentence);
void model_add_answer(const struct model *m, struct model_state *s, const struct model_sentence *sentence);

/* A head's score of what was fed, 0 to 1. Not for prompts. */
double model_score(const struct model *m, const struct model_state *s, enum rein_head head);
/* The highest score that the head can have after one more sentence of the reasoning, whatever that says. Heads of the
 * reasoning alone. */
double model_bound(const struct model *m, const struct model_state *s, enum rein_head head);

/* Outcome risk: is it about harm, and does it go along? 0 to 1. Without words of reasoning 0: the heads have learned
 * the answer's words beside a reasoning, and take plain answers to ordinary questions for going along with harm. */
double model_risk(const struct model *m, const struct model_state *s);
double model_risk_bound(const struct model *m, const struct model_state *s);
double model_answer_risk(const struct model *m, const struct model_state *s);
/* The highest that the risk with the answer can be, whatever the answer says. */
double model_answer_risk_bound(const struct model *m, const struct model_state *s);

#endif
