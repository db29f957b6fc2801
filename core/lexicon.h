/* Lexicons: documents of signals, compiled into a policy's signal set.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LEXICON_H
#define CORE_LEXICON_H

#include "bytes.h"
#include "rein/doc.h"
#include "signal.h"

/* Adds all entries of a checked lexicon to the set. What cannot be compiled is added to `problems`. The ids are copied
 * by the set, or else live as long as the document. */
int lexicon_add(const struct rein_node *lexicon, struct signals *signals, struct rein_problems *problems) REIN_MUST_USE;

/* The checks that the table cannot say: an entry needs phrases or a regex, ids are unique, prompt_harm has a category. */
void lexicon_check(const struct rein_node *lexicon, struct rein_problems *problems);

/* A phrase as a regular expression over folded text, appended: whole words, any white space, any apostrophe or none. */
int lexicon_phrase(struct span phrase, struct bytes *out) REIN_MUST_USE;

#endif
