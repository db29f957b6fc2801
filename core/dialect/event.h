/* Events: finds the text and the few other things that matter inside the JSON of an event, without building a tree.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A strict RFC 8259 scanner walks the payload once; the dialect says what each value is. Every string is a piece of
 * text, and so is every object key that no known format has, and every number but those that count, measure or identify
 * under a key that says so; only words of a fixed vocabulary in their own place are not.
 *
 * Most events of a stream differ from an earlier one only inside the streamed strings; such an event is recognised by
 * comparing the bytes around these strings (a *stencil*) and is not walked again. The result is the same. */
#ifndef CORE_DIALECT_EVENT_H
#define CORE_DIALECT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "rein/rein.h"
#include "json/text.h"
#include "json/walk.h"

/* What a piece is of its text. */
enum piece_kind {
    PIECE_STREAM, /* the text goes on */
    PIECE_WHOLE,  /* stands alone: names, error messages, unknown fields, numbers */
    PIECE_ECHO,   /* repeats all of the text, as far as it came; it is the text's beginning if nothing of it came */
};

/* Where one piece of text belongs. */
struct place {
    uint32_t text;       /* the text's id, by which the dialect tells it from all others of the response; opaque */
    uint16_t choice;     /* which of the answers that were asked for, below REIN_CHOICES_MAX */
    uint8_t channel;     /* enum rein_channel; inline reasoning arrives as REIN_ANSWER and is split later */
    uint8_t kind;        /* enum piece_kind */
    bool is_key : 1;     /* an object's key */
    bool is_number : 1;  /* a number, which has no quotes */
    bool is_bare : 1;    /* an object: its JSON is the text, not the inside of a string; it comes whole */
    bool is_noise : 1;   /* random padding, different in each event */
    bool is_spelled : 1; /* repeats the text of its choice in another form, as a list of tokens does */
    bool numeric : 1;    /* while reading: numbers in here count, measure or identify, so they are not text */
    bool ends : 1;       /* the text is complete with this piece */
    /* Of reasoning: texts of the same series go on one from the other, as the parts of one reasoning do; 0: a text of
     * its own. Below PLACE_SERIES. */
    uint8_t series : 2;
};

/* Added to the id of a text: another text of the same place, which came in the form of an echo but differs, or came
 * after the text was complete. */
#define PLACE_AGAIN (UINT32_C(1) << 31)

enum { PLACE_SERIES = 4 };

/* Does a piece at `b` continue with the text at `a`? */
static inline bool place_is_same_text(const struct place *a, const struct place *b)
{
    return a->text == b->text;
}

/* A string value: `at` and `len` are the raw JSON between the quotes, from the payload's start. Or a number. */
struct piece {
    struct place place;
    uint32_t at, len;
    /* The same bytes were in the same place of an earlier event. May be false although they were; used only to avoid
     * work. */
    bool seen;
};

/* Ranges of a payload are bytes that may have to be replaced or removed, from the payload's start. len 0: not there.
 * For `member` spans the range holds key, colon, value and one adjacent comma, so that what is left is valid JSON. */

enum {
    EVENT_PIECES_MAX = 1 << 18, /* an event with more strings and numbers than this cannot be judged */
    EVENT_DEPTH_MAX = 256,
    EVENT_SPELLED_MAX = 4, /* members of a part that spell its text */
    EVENT_NOTED_MAX = 5,
    EVENT_PARTS_MAX = 1024,
};

/* Bytes of an event that are not text, but may have to be changed when the event goes out. The dialect says where they
 * are, and what is there instead (dialect.rewrite). */
enum event_mark {
    EVENT_BEGINS, /* an answer begins; a member */
    EVENT_ENDS,   /* an answer ends, and why; a value */
    EVENT_SPELLS, /* a text is spelled; a member */
    EVENT_HAS_ID, /* the response's id; a value */
};

/* What an event says of one answer, next to the answer's texts. */
struct event_part {
    uint16_t choice;
    bool has_end;        /* the answer ends here */
    bool is_signed;      /* EVENT_SPELLS stands for the texts of `object`, not for those of the whole answer */
    bool has_tool_calls; /* there are some, or a function is called */
    struct range begins; /* EVENT_BEGINS */
    struct range ends;   /* EVENT_ENDS; may be there without has_end, then it says that the answer goes on */
    struct range object; /* all of the part; of a body alone */
    /* EVENT_SPELLS, in the order of the payload; unused ones have no length. They are removed together. */
    struct range spelled[EVENT_SPELLED_MAX];
    uint32_t ids_len; /* token ids in the longest list of them */
};

/* What a dialect notes of an event for when the event goes out (dialect.pass). The meaning of kind, of the numbers and
 * of `at` is the dialect's own. */
struct event_note {
    uint8_t kind, part;
    uint16_t outer, inner;
    struct range count; /* a number that counts the events, so it is another one in each; len 0: there is none */
    /* Bytes that may change when the event goes out; len 0, but at > 0: a place where something may be inserted. */
    struct range at[EVENT_NOTED_MAX];
};

struct event {
    struct piece *pieces; /* in the order of the payload, but in a part: reasoning, answer, tool, others; empty
                             strings too */
    size_t pieces_len, pieces_cap;
    bool spells;          /* some part has members that spell its text */
    bool spells_aside;    /* spelled_aside spells the answer */
    bool has_parts;       /* the list of parts exists (perhaps empty) */
    bool has_error;       /* an error where clients search for it */
    bool has_inner_error; /* an error where they search for none */
    bool is_usage_alone;  /* clients that did not ask for usage do not get such an event */
    bool wholes_seen;     /* all pieces that stand alone are `seen`; may be false although they are */
    bool is_unique;       /* read anew each time: the dialect's state decides what it means, or is changed by it */
    bool is_last;         /* the stream ends with it */
    bool carries;         /* it goes out also when all its texts are empty then */
    bool repeats_all;     /* a text or more, so it may be as long as a body */
    struct range error;   /* its member span, also when null */
    struct range id;      /* EVENT_HAS_ID */
    struct range usage;   /* member span of a usage that is not null */
    struct range spelled_aside; /* EVENT_SPELLS, of no part: removed when anything is hidden */
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* -1: not said */
    struct event_note note;
    struct event_part *parts; /* at most EVENT_PARTS_MAX */
    size_t parts_len, parts_cap;
};

struct dialect;
struct event_reader; /* opaque: stencils and the pieces' memory */

/* Returns owned. `dialect`, and its state for the response, are borrowed for the reader's lifetime. One reader per
 * response, because it learns the shapes of its stream. */
int event_reader_new(struct event_reader **out, const struct dialect *dialect, void *state) REIN_MUST_USE;
void event_reader_free(struct event_reader *r);

/* Reads one payload. `body` is true for a whole (non-streamed) JSON body.
 * Returns 0 and *out, good until the next call; REIN_EFORMAT if it is not a valid JSON object, repeats a key that the
 * dialect knows, has an index beyond the ceilings above, is nested too deep or has too many strings; REIN_ENOMEM. */
int event_read(struct event_reader *r, struct span payload, bool body, const struct event **out) REIN_MUST_USE;

#endif
