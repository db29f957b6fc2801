/* Sentences: finds where sentences end in text that arrives in pieces.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A sentence ends after . ! ? … 。！？ and closing quotes when what follows begins a new one, or at a line break. Not
 * after abbreviations ("e.g.", "Dr."), inside numbers, names of files, or list markers ("1."); fenced code is one
 * sentence a line. A sentence longer than SENTENCE_MAX ends there (at a space where there is one), so that holding is
 * bounded. Depends on the text alone, not on how it was cut. */
#ifndef CORE_SENTENCE_H
#define CORE_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"

enum { SENTENCE_MAX = 1024 };

struct sentencer {
    uint64_t offset; /* of the present sentence's first byte */
    uint32_t len;    /* of the present sentence so far */
    uint8_t state;
    bool in_code, blank;
    uint8_t tail_len; /* the last bytes, to know abbreviations by */
    char tail[24];
};

void sentencer_init(struct sentencer *s, uint64_t offset);

/* Looks at the next bytes. Returns how many it consumed; if *end is set, the present sentence ends at that offset
 * (exclusive) and the next one begins there: call again with the rest. The end may lie before the bytes given (it takes
 * what follows to know it). All consumed and no end: feed more. */
size_t sentencer_feed(struct sentencer *s, struct span text, uint64_t *end);

/* The offset where the unfinished sentence begins. */
static inline uint64_t sentencer_start(const struct sentencer *s)
{
    return s->offset;
}

#endif
