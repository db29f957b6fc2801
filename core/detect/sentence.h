/* Sentences: finds where sentences end in text that arrives in pieces.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A sentence ends after . ! ? … 。！？ and closing quotes when what follows begins a new one, or at a line break. Not
 * after abbreviations ("e.g.", "Dr."), inside numbers, names of files, or list markers ("1."); fenced code is one
 * sentence a line. A sentence longer than SENTENCE_MAX ends there (at a space where there is one), so that holding is
 * bounded. Depends on the text alone, not on how it was cut. */
#ifndef CORE_DETECT_SENTENCE_H
#define CORE_DETECT_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { SENTENCE_MAX = 1024 };

struct sentencer {
    uint64_t offset; /* of the present sentence's first byte */
    uint32_t len;    /* bytes of the present sentence so far, an unfinished character left out */
    uint8_t state;
    bool in_code;    /* inside fenced code */
    bool blank;      /* nothing but white space so far */
    bool line_blank; /* likewise since the last line break */
    bool first_word; /* no white space after a word yet */
    uint8_t ticks;   /* backticks at the beginning of the line */
    uint8_t glyph_len, word_len;
    char glyph[4]; /* the first bytes of an unfinished character */
    char word[8];  /* the present word in lower case, to know abbreviations by; zeros behind it, word_len counts on */
};

void sentencer_init(struct sentencer *s, uint64_t offset);

/* Examines the next bytes. Returns how many it consumed. If the present sentence ends, *end is the offset where
 * (exclusive) and where the next one begins; else *end is left alone: all was consumed, feed more. The end may lie a
 * few bytes before the bytes given (it takes what follows to know it), and what was consumed past it belongs to the
 * next sentence. White space after a sentence belongs to it; one of nothing but white space comes only at SENTENCE_MAX.
 */
size_t sentencer_feed(struct sentencer *s, struct span text, uint64_t *end);

/* The offset where the unfinished sentence begins. */
static inline uint64_t sentencer_start(const struct sentencer *s)
{
    return s->offset;
}

/* The offset up to which it reaches so far; less than what was fed while a character is unfinished. */
static inline uint64_t sentencer_end(const struct sentencer *s)
{
    return s->offset + s->len;
}

#endif
