/* Server-sent events: one framing of streams, shared by all dialects that use it.
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
#ifndef CORE_DIALECT_SSE_H
#define CORE_DIALECT_SSE_H

#include "dialect/frame.h"

/* Reads events, with or without a name (an `event` line is one of the frame's extras); writes events without one. */
extern const struct framing framing_sse;
/* The same, but writes each event with a name: what the member `type` of its payload, a JSON object, says. */
extern const struct framing framing_sse_named;

#endif
