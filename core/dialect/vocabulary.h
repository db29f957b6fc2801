/* The vocabulary: the object keys of the known formats. Any other key is text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_VOCABULARY_H
#define CORE_DIALECT_VOCABULARY_H

#include "base/bytes.h"

enum vocabulary_kind {
    VOCABULARY_NONE,    /* not a known key: text */
    VOCABULARY_KEY,     /* known */
    VOCABULARY_NUMERIC, /* known, and the numbers in it (at any depth) count, measure or identify: they are not text */
};

enum vocabulary_kind vocabulary_look(struct span key);

#endif
