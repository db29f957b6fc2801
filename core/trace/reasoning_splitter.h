/* Channels: splits inline reasoning ("<think>...</think>answer") out of one text, whatever the chunking.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     START -- opener --> REASONING -- closer --> AFTER_CLOSE -- text --> ANSWER
 *       \                     ^------------------- opener ----------------/  ^
 *        \------------------ text ---------------------------------------->-/
 *
 * Delimiters are the families' own (Qwen, Kimi, Magistral, gpt-oss, ...) or one configured pair. The longest suffix
 * that may still become a tag is undecided and is held, and so are a few blanks at the very beginning, if an opener may
 * follow: they belong to what follows. A tag is not text of a channel. The rules:
 *   - An opener counts at the beginning (blanks and invisible characters aside), after a closer and in the answer,
 * however often; but not in reasoning, and not directly behind a quote, because then the answer speaks of it. An opener
 * of ordinary words counts at the beginning and directly after a closer. Where the backend tells reasoning apart, none
 *     does.
 *   - Reasoning ends with its own family's closer, or where a tool call begins (which is answer). Never closed: all of
 * it was reasoning. A closer that the reasoning only quotes ends it too: the two cannot be distinguished.
 *   - An opener or a closer that is repeated directly is a tag again.
 *   - gpt-oss names a channel before every message.
 *
 * What cannot be decided: a closer without an opener means that everything before it was reasoning. This is known in
 * time only if the caller knows that the prompt left reasoning open; otherwise the text before it was treated as
 * answer, and `closed_unopened` is set. Thread: any, one splitter each; allocates nothing. */
#ifndef CORE_TRACE_REASONING_SPLITTER_H
#define CORE_TRACE_REASONING_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"

enum part_kind { PART_REASONING, PART_ANSWER, PART_TAG };

/* A run of the text that was decided: `len` bytes following the previous part. */
struct part {
    enum part_kind kind;
    size_t len;
};

enum {
    SPLITTER_TAIL_MAX = 64,
    SPLITTER_TAG_MAX = REIN_DELIMITER_MAX,
    SPLITTER_SLICE_MAX = 64, /* feed no more at once, and ... */
    SPLITTER_PARTS_MAX = 32, /* ... this many parts are enough */
};

struct splitter {
    struct span open, close; /* the configured pair, or empty for all known families */
    uint8_t state;
    uint8_t family;       /* of the open reasoning */
    uint8_t wrapper;      /* of the answer ("<response>"), 0: none */
    uint8_t rounds;       /* how often reasoning was opened or closed */
    bool harmony;         /* the text names its channels */
    bool reasoned;        /* there was reasoning, or it is open */
    bool is_apart;        /* reasoning comes elsewhere: openers are text */
    char before;          /* the last decided byte */
    bool closed_unopened; /* a closer came after text that was called answer */
    uint8_t tail_len;     /* undecided bytes, kept in `tail` */
    char tail[SPLITTER_TAIL_MAX];
};

/* `open`, `close`: one pair, or NULL for all known families; borrowed as long as the splitter. A delimiter that is
 * empty or longer than SPLITTER_TAG_MAX is never found. `opened`: the text starts inside reasoning. */
void splitter_init(struct splitter *s, const char *open, const char *close, bool opened);

/* Reasoning comes in another field: tags are text from here on, if no reasoning was found here. `is_begun`: something
 * was fed already. */
void splitter_set_apart(struct splitter *s, bool is_begun);

/* The usual case: takes what the text begins with up to the next tag, or what may become one, however long that is. It
 * is not to be fed. The part's `len` is 0 if the text has to be fed, because it begins with such, or with blanks that
 * may belong to what follows, or because some of what was fed is undecided. */
struct part splitter_plain(struct splitter *s, struct span text);

/* Feeds at most SPLITTER_SLICE_MAX bytes of decoded text. Writes at most `max` parts (at least SPLITTER_PARTS_MAX) and
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
