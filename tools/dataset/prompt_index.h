/* Which prompts were seen before: the same one in other letters or spacing, or one that differs in a few words.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A prompt is read as its words: runs of ASCII letters and digits, in lower case, and of all bytes beyond ASCII. Two
 * prompts are the same if their words are, and near each other if their SimHashes (Charikar 2002; 64 bits over words
 * and pairs of neighbouring words) differ in at most PROMPT_NEAR_BITS bits. Prompts of fewer than PROMPT_WORDS_MIN
 * words are never near, because one word of a short prompt is much of it.
 *
 * Four tables find a near prompt: of 64 bits that differ in at most seven, one of four blocks of 16 differs in at most
 * one (as Manku and others, 2007, do it for equal blocks). 40 to 48 bytes a prompt, and 1 MiB. Thread: any, one at a
 * time. */
#ifndef TOOLS_DATASET_PROMPT_INDEX_H
#define TOOLS_DATASET_PROMPT_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

enum { PROMPT_NEAR_BITS = 7, PROMPT_WORDS_MIN = 8, PROMPT_INDEX_MAX = 1 << 28 };

struct prompt_print {
    uint64_t words;   /* equal for the same words */
    uint64_t simhash; /* few bits differ for similar words */
    size_t words_len; /* how many there are */
};
struct prompt_print prompt_print_of(const char *prompt);

enum prompt_match { PROMPT_NEW, PROMPT_SAME, PROMPT_NEAR };

struct prompt_index; /* opaque */
int prompt_index_new(struct prompt_index **out) REIN_MUST_USE;
void prompt_index_free(struct prompt_index *index);
/* Is this prompt, or one near it, in the index? If not, it is added. REIN_ENOMEM, REIN_ELIMIT. */
int prompt_index_add(struct prompt_index *index, const struct prompt_print *print,
                     enum prompt_match *match) REIN_MUST_USE;

/* Mixes the bits of a value; the same everywhere (SplitMix64's finaliser). */
uint64_t prompt_mix(uint64_t value);

#endif
