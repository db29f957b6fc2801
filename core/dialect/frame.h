/* Frames: finds the events in the bytes of a text/event-stream response.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Follows the WHATWG HTML standard, section 9.2 (server-sent events): lines end in LF, CRLF or CR, a byte order mark
 * may open the stream, an event ends with a blank line. A frame is the raw bytes of one event with its blank line, so
 * that it can be forwarded unchanged; the payload is found inside it. All frames concatenated are the input, byte for
 * byte. Linear: no byte is searched twice, however small the pieces.
 *
 * Where frames begin and end depends on the bytes alone, not on how they were cut. A CR may be the first half of a CRLF
 * whose LF has not arrived yet, so:
 *   - after "CR CR" the event ends at once (streams with bare CRs are not delayed); should an LF follow after all, it
 *     is the first byte of the next frame;
 *   - a CR that is a blank line after an LF or at a frame's beginning waits for the byte after it, which is nearly
 *     always there already. */
#ifndef CORE_DIALECT_FRAME_H
#define CORE_DIALECT_FRAME_H

#include <stdbool.h>
#include <stddef.h>

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
    bool unterminated;   /* the stream ended without the blank line */
};

/* All offsets count from the present event's start. */
struct framer {
    size_t limit;
    size_t line_start; /* where the present line begins */
    size_t scanned;    /* no line end lies between line_start and here */
    size_t lf_free;    /* no LF lies between line_start and here */
    unsigned data_lines;
    size_t payload_at, payload_len; /* of the first data line */
    bool started;                   /* the stream's first line is behind us */
    bool extras;
    bool after_cr;       /* the line before ended in CR: an LF now belongs to it */
    struct bytes joined; /* FRAME_MULTI */
};

/* Always true between two calls that did not fail. */
static inline bool framer_is_sound(const struct framer *f)
{
    return f->line_start <= f->scanned && f->payload_at + f->payload_len <= f->line_start &&
           (f->data_lines > 0 || f->payload_len == 0);
}

/* Allocates nothing yet. `limit` is the longest event, in raw bytes. */
void framer_init(struct framer *f, size_t limit);
void framer_fini(struct framer *f);
/* Back to the beginning of another stream. */
void framer_reset(struct framer *f);

/* Searches for the next event in `buf`, which must begin where the previous event ended and hold at least what the last
 * call saw. Returns 1 and fills `out` (the caller then drops out->raw.len bytes), 0 if more bytes are needed, or an
 * error: REIN_ELIMIT when an event outgrows the limit, REIN_ENOMEM; after an error only framer_reset and framer_fini
 * are of use. `at_end` says that no more bytes will come: what is left becomes an unterminated frame. */
int framer_next(struct framer *f, struct span buf, bool at_end, struct frame *out) REIN_MUST_USE;

#endif
