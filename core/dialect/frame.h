/* Frames: the events of a stream, and how they are found in its bytes and written to them. A framing is one way of this
 * (server-sent events: sse.h); a dialect names its own.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A frame is the raw bytes of one event with what ends it, so that it can be forwarded unchanged; the payload is found
 * inside it. All frames concatenated are the input, byte for byte, and they depend on the bytes alone, not on how these
 * were cut. */
#ifndef CORE_DIALECT_FRAME_H
#define CORE_DIALECT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum frame_kind {
    FRAME_DATA,    /* one `data` line; `payload` lies inside `raw` */
    FRAME_MULTI,   /* several `data` lines; `payload` is them joined with LF, in the framer's own buffer */
    FRAME_COMMENT, /* nothing but comments and fields other than data */
};

struct frame {
    enum frame_kind kind;
    struct span raw;     /* the whole event, blank line included; good until the caller's buffer moves */
    struct span payload; /* FRAME_DATA and FRAME_MULTI; the latter is good until the next call */
    bool has_extras;     /* comments or other fields (event, id, retry, unknown) next to the data line */
    bool head_repeats;   /* with extras: what is before the payload is what an earlier frame of the stream had there */
    bool unterminated;   /* the stream ended without the blank line */
};

struct framer;

/* One way of framing. */
struct framing {
    /* See framer_next. */
    int (*next)(struct framer *f, struct span buf, bool at_end, struct frame *out);
    /* Begin and end an event of one payload: what is appended to `out` in between is the payload, which lies from
     * *payload_at on. A payload that is JSON may change in its white space. REIN_ELIMIT, REIN_ENOMEM. */
    int (*open)(struct bytes *out, size_t *payload_at);
    int (*close)(struct bytes *out, size_t payload_at);
    struct span end; /* completes an unterminated frame */
};

enum { HEAD_MAX = 80 }; /* longer heads are read and judged anew in each frame */

/* Where a stream is. All offsets count from the present event's start. */
struct framer {
    const struct framing *framing;
    size_t limit;
    size_t line_start; /* where the present line begins */
    size_t scanned;    /* no line end lies between line_start and here */
    size_t lf_free;    /* no LF lies between line_start and here */
    unsigned data_lines;
    size_t payload_at, payload_len; /* of the first data line */
    bool started;                   /* the stream's first line is behind us */
    bool extras, head_repeats;
    bool after_cr;       /* the line before ended in CR: an LF now belongs to it */
    struct bytes joined; /* FRAME_MULTI */
    /* What was before the payload of the last frame that had something there, such as the name of its event; before
     * there was one, the beginning of a data line. Mostly the next one has the same: its lines (`head_lines`) are then
     * stepped over at once. 0: nothing is known. */
    char head[HEAD_MAX];
    uint8_t head_len, head_lines;
};

/* Always true between two calls that did not fail. */
static inline bool framer_is_sound(const struct framer *f)
{
    return f->line_start <= f->scanned && f->payload_at + f->payload_len <= f->line_start &&
           (f->data_lines > 0 || f->payload_len == 0) && f->head_lines <= f->head_len;
}

/* Allocates nothing yet. `limit` is the longest event, in raw bytes. */
void framer_init(struct framer *f, const struct framing *framing, size_t limit);
void framer_fini(struct framer *f);
/* Back to the beginning of another stream. */
void framer_reset(struct framer *f);

/* Searches for the next event in `buf`, which must begin where the previous event ended and hold at least what the last
 * call saw. Returns 1 and fills `out` (the caller then drops out->raw.len bytes), 0 if more bytes are needed, or an
 * error: REIN_ELIMIT when an event outgrows the limit, REIN_ENOMEM; after an error only framer_reset and framer_fini
 * are of use. `at_end` says that no more bytes will come: what is left becomes an unterminated frame. */
REIN_MUST_USE static inline int framer_next(struct framer *f, struct span buf, bool at_end, struct frame *out)
{
    return f->framing->next(f, buf, at_end, out);
}

#endif
