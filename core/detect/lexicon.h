/* Lexicons: documents of signals, compiled into a policy's signal set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DETECT_LEXICON_H
#define CORE_DETECT_LEXICON_H

#include "detect/signal.h"
#include "rein/doc.h"

/* The checks that the table cannot express: an entry has phrases or a regex, ids are unique, prompt_harm has a
 * category. */
void lexicon_check(const struct rein_node *lexicon, struct rein_problems *problems);

/* Adds all entries of a checked lexicon to the set, which copies what it needs: each phrase and each regex on its own,
 * under the entry's id. What the set refuses is added to `problems`. */
int lexicon_add(const struct rein_node *lexicon, struct signals *signals, struct rein_problems *problems) REIN_MUST_USE;

/* Runs the entries' own tests: every `match` sentence must have the entry's signal, no `unlike` sentence may
 * (lexicon_test.c). A second lexicon's entries must not be in the set. */
int lexicon_test(const struct rein_node *lexicon, const struct signals *signals,
                 struct rein_problems *problems) REIN_MUST_USE;
/* The same for a lexicon of which nothing is compiled yet. */
int lexicon_compile_and_test(const struct rein_node *lexicon, struct rein_problems *problems) REIN_MUST_USE;

/* The phrase or regex that has number `index` among those that lexicon_add adds; NULL past the last, and then `index`
 * is reduced by how many there were. */
const struct rein_node *lexicon_expression(const struct rein_node *lexicon, size_t *index);

#endif
