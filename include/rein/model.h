/* The learned score: the features that its weights belong to, for a program that trains them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef REIN_MODEL_H
#define REIN_MODEL_H

#include "rein/rein.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gets each feature of a text once, in the order in which they come: its bucket, and the sentence that brought it (0 is
 * the first that has a word). */
typedef void (*rein_feature_fn)(void *ctx, uint32_t sentence, uint32_t bucket);

/* The features of a prompt (one message), a reasoning or an answer, exactly as the engine makes them. `limit` other
 * than 0: no sentence that begins after so many bytes. Returns how many sentences have words. */
REIN_API uint32_t rein_features(enum rein_channel channel, const char *text, size_t len, size_t limit,
                                rein_feature_fn each, void *ctx);

/* How many buckets the channel's features have: each is below. */
REIN_API uint32_t rein_feature_buckets(enum rein_channel channel);

#ifdef __cplusplus
}
#endif
#endif
