/* Features of the learned score: the words and word pairs of a text, each hashed to a bucket.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A word is a run of letters, digits and apostrophes between letters, in the folded form that lexicons are written for;
 * every digit counts as 0. A pair is two words that follow each other in a sentence. A bucket counts once in a text,
 * however often it comes: the features of a text are the set of its buckets, so they do not depend on how the text was
 * cut. Weights belong to one way of making features; whoever changes the way raises MODEL_FEATURES. */
#ifndef CORE_DETECT_MODEL_FEATURES_H
#define CORE_DETECT_MODEL_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/sentence.h"

enum {
    MODEL_FEATURES = 1, /* version */
    MODEL_BITS = 15,
    MODEL_ANSWER_BITS = 13, /* an answer's beginning has few words */
    MODEL_BUCKETS = 1 << MODEL_BITS,
    MODEL_ANSWER_BUCKETS = 1 << MODEL_ANSWER_BITS,
    FEATURES_MAX = SENTENCE_MAX + 2, /* of one sentence: a word has a byte and something between it and the next */
};

/* Writes the hashes of a folded sentence's words and pairs, some perhaps twice; returns how many. */
size_t features_hash(struct span folded, uint32_t hashes[FEATURES_MAX]);

static inline uint32_t feature_bucket(uint32_t hash, unsigned bits)
{
    return hash >> (32 - bits);
}

/* Adds a bucket to a set of bits; false if it was there already. */
static inline bool feature_add(uint64_t *set, uint32_t bucket)
{
    uint64_t bit = (uint64_t)1 << (bucket & 63), *word = &set[bucket >> 6];
    bool is_new = (*word & bit) == 0;
    *word |= bit;
    return is_new;
}

#endif
