/* Files of weights for tests: all zero but for the words that a test names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MODELKIT_H
#define TESTS_MODELKIT_H

#include <stddef.h>
#include <stdint.h>

#include "detect/model_features.h"
#include "rein/rein.h"

struct modelkit {
    int clip;
    double bias[REIN_HEADS], scale[REIN_HEADS];
    double signals, prompt;                                            /* weights of other votes */
    int8_t weights[REIN_HEADS * MODEL_BUCKETS + MODEL_ANSWER_BUCKETS]; /* as in the file: the answer's last */
};

/* Neutral: every score is 0.5, the clip is 1,000. */
void modelkit_init(struct modelkit *kit);
/* Gives all words and pairs of the text a weight; `in_answer`: in the answer's beginning. */
void modelkit_weigh(struct modelkit *kit, enum rein_head head, const char *text, int8_t weight);
void modelkit_weigh_answer(struct modelkit *kit, const char *text, int8_t weight);
/* The file, with the name `tiny`. Returns owned (free). */
char *modelkit_yaml(const struct modelkit *kit);

/* Words of harm and of going along, such as tests write: about_harm is "poison" and "bomb", complying "steps" and
 * "gladly" (the answer's too). Texts without any score near 0. Returns owned. */
char *modelkit_usual(void);
/* A policy that may name `tiny`, with modelkit_usual's weights, and steer; no lexicons. Fails the test if it does not
 * load. */
struct rein_policy *modelkit_policy(const char *yaml);

#endif
