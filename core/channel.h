/* Channels: splits inline reasoning ("<think>...</think>answer") out of one text, whatever the chunking.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Delimiters are the families' own (Qwen, Kimi, Magistral, gpt-oss, ...). The longest suffix that may still become a
 * tag is undecided and is held. A tag is no text of a channel. Text before an opener is answer if it is not blank. Once
 * an answer has begun an opener is text again, unless it stands at the beginning; a closer without an opener means that
 * all before it was reasoning (only if the caller said that reasoning was opened in the prompt is that known in time).
 */
#ifndef CORE_CHANNEL_H
#define CORE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "rein/rein.h"

enum part_kind { PART_REASONING, PART_ANSWER, PART_TAG };

/* A run of the text that was decided: `len` bytes following the previous part. */
struct part {
    enum part_kind kind;
    size_t len;
};

struct splitter {
    const struct delimiters *delimiters;
    uint8_t state;
    bool opened;      /* reasoning was open from the beginning */
    uint8_t pair;     /* which pair opened */
    uint8_t tail_len; /* undecided bytes, kept in `tail` */
    char tail[64];
};

/* `open`, `close`: one pair, or NULL for all known families. `opened`: the text starts inside reasoning. Borrows both
 * strings as long as the splitter. */
void splitter_init(struct splitter *s, const char *open, const char *close, bool opened);

/* Feeds decoded text. Writes at most `max` parts (32 are always enough for 64 bytes of text; feed in slices) and
 * returns how many; the lengths of all parts of all calls add up to the bytes decided so far. */
size_t splitter_feed(struct splitter *s, struct span text, struct part *parts, size_t max);

/* The text ended: decides what is left. */
size_t splitter_end(struct splitter *s, struct part *parts, size_t max);

/* Bytes fed and not yet decided. */
static inline size_t splitter_undecided(const struct splitter *s)
{
    return s->tail_len;
}

#endif
