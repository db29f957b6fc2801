/* Opinions that were given before, by what they were about: a table of a fixed size.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The key is a digest of everything that an opinion depends on; no text is kept. Where its places are taken, the oldest
 * entry gives way. Thread: one. */
#ifndef SERVER_JUDGES_OPINION_CACHE_H
#define SERVER_JUDGES_OPINION_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judges/judge.h"

enum { OPINION_KEY_BYTES = 16 };

struct opinion_cache; /* opaque */

/* About 200 bytes an entry, taken at once. `entries` 0: nothing is kept. */
int opinion_cache_new(struct opinion_cache **out, size_t entries, uint64_t keep_ms) REIN_MUST_USE;
void opinion_cache_free(struct opinion_cache *cache); /* NULL is fine */
/* `now_ms`: of any clock that does not go backwards. */
bool opinion_cache_find(const struct opinion_cache *cache, const unsigned char key[OPINION_KEY_BYTES], uint64_t now_ms,
                        struct judge_opinion *opinion);
void opinion_cache_put(struct opinion_cache *cache, const unsigned char key[OPINION_KEY_BYTES], uint64_t now_ms,
                       const struct judge_opinion *opinion);

#endif
