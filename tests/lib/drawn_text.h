/* Random texts: sentences that carry the lexicon's signals, ordinary ones, and what rules search for, anywhere in them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DRAWN_TEXT_H
#define TESTS_DRAWN_TEXT_H

#include "drawn.h"
#include "rein/rein.h"

/* Reads the sentences that the lexicon has as its own tests. */
void drawn_texts_open(const char *lexicon);
void drawn_texts_close(void);

/* Appends a text; what it is for decides which signals are frequent in it. `rules`: those of drawn_rules whose needles
 * are frequent. Sometimes a JSON document. */
void drawn_text_add(struct drawn *d, struct bytes *out, enum rein_channel channel, uint64_t rules,
                    size_t sentences_max);

#endif
