/* Compares two ways to release the same reasoning (`reasoning.release`), by what a client sees of them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RELEASEKIT_H
#define TESTS_RELEASEKIT_H

#include "base/bytes.h"
#include "dice.h"
#include "tracekit.h"

/* A policy with a lexicon, which may name a shipped model or modelkit's `tiny`; fails the test if it does not load.
 * `peer`: an earlier one with the same lexicon, which then is not compiled again; or NULL. */
struct rein_policy *release_policy(const char *yaml, const struct rein_source *lexicon, struct rein_policy *peer);

/* The next event: one that carries the first piece of `text`, at most `most` bytes and at least one character, in the
 * named field. Returns the length of the piece. */
size_t release_event(struct bytes *out, const char *field, struct span text, size_t most);

/* A whole stream: reasoning and answer in pieces of random length up to `most` bytes, a finish reason, the end.
 * `is_inline`: the reasoning stands in the answer's field, between <think> and </think>. */
void release_stream(struct bytes *out, struct dice *dice, struct span reasoning, struct span answer, size_t most,
                    bool is_inline);

/* What the client of `tight`, which may show reasoning earlier, sees or learns otherwise than that of `whole`, which
 * shows whole sentences; NULL: nothing. Both show the same in the end; only a rule that stops the reasoning in the
 * middle of a sentence leaves its beginning with `tight`. */
const char *release_difference(struct kit_seen *whole, struct kit_seen *tight);

#endif
