/* Unicode: UTF-8 steps and folding with offsets kept.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Folding removes what does not change how a word reads: case, width and compatibility forms (utf8proc's tables),
 * zero-width and other default-ignorable characters, accents, and letters of other scripts that look like Latin ones (a
 * table of our own, after UTS #39). Each folded byte remembers which original bytes it stands for. */
#ifndef CORE_BASE_UNICODE_H
#define CORE_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Length of the UTF-8 sequence that begins at text[0]: 1 to 4, 0 if the text ends inside a sequence that is valid so
 * far, -1 if the first byte belongs to no valid sequence (it then stands alone). *codepoint is set for 1 to 4. */
int utf8_next(struct span text, uint32_t *codepoint);
size_t utf8_encode(uint32_t codepoint, char out[4]);

/* Simple (one to one) case mappings; itself if there is none. */
uint32_t codepoint_upper(uint32_t codepoint);
uint32_t codepoint_lower(uint32_t codepoint);

/* White space beyond ASCII; a letter, a mark on one, a digit or a connector such as `_` beyond ASCII. */
bool codepoint_is_space(uint32_t codepoint);
bool codepoint_is_word(uint32_t codepoint);

enum { FOLD_MAX = 64 }; /* folded bytes of one code point, at most */

/* Folds one code point: writes 0 to FOLD_MAX bytes of UTF-8. */
size_t fold_codepoint(uint32_t codepoint, char out[FOLD_MAX]);

/* Folds a whole text. `map[i]` (if not NULL) is the original offset of folded byte i; both have room for `cap` entries.
 * Returns the folded length; text that does not fit is omitted. Invalid bytes stay as they are. */
size_t fold_text(struct span text, char *out, uint32_t *map, size_t cap);

/* A control character that is no white space: folding drops it. */
static inline bool is_unseen_ascii(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && !(u >= 0x09 && u <= 0x0D)) || u == 0x7F;
}

#endif
