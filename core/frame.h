/* Frames: finds the events in the bytes of a text/event-stream response.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Follows the WHATWG HTML standard, section 9.2 (server-sent events): lines end in LF, CRLF or CR, a byte order mark
 * may open the stream, an event ends with a blank line. A frame is the raw bytes of one event with its blank line, so
 * that it can be forwarded as it came; the payload is found inside it. Where frames begin and end depends on the bytes
 * alone, not on how they were cut. Linear: no byte is looked at twice, however small the pieces. */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "bytes.h"

enum frame_kind {
    FRAME_DATA,    /* one `data` line; `payload` lies inside `raw` */
    FRAME_MULTI,   /* several `data` lines; `payload` is them joined with LF, in the framer's own buffer */
    FRAME_COMMENT, /* nothing but comments and fields other than data */
};

struct frame {
    enum frame_kind kind;
    struct span raw;     /* the whole event, blank line included; good until the caller's buffer moves */
    struct span payload; /* FRAME_DATA and FRAME_MULTI */
    bool has_extras;     /* comments or other fields (event, id, retry, unknown) beside the data line */
    bool unterminated;   /* the stream ended without the blank line */
};

struct framer {
    size_t scanned;    /* bytes of the present event looked at so far */
    size_t line_start; /* where the present line begins, from the event's start */
    unsigned data_lines;
    size_t payload_at, payload_len; /* of the first data line, from the event's start */
    bool started, extras, after_cr;
    struct bytes joined; /* FRAME_MULTI */
};

void framer_init(struct framer *f, size_t limit);
void framer_fini(struct framer *f);
void framer_reset(struct framer *f);

/* Looks for the next event in `buf`, which must begin where the previous event ended and hold at least what the last
 * call saw. Returns 1 and fills `out` (the caller then drops out->raw.len bytes), 0 if more bytes are needed, or an
 * error: REIN_ELIMIT when an event outgrows the limit, REIN_ENOMEM. `at_end` says that no more bytes will come: what is
 * left becomes an unterminated frame. */
int framer_next(struct framer *f, struct span buf, bool at_end, struct frame *out) REIN_MUST_USE;

#endif
