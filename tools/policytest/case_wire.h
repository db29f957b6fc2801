/* A scripted response on the wire of one API (wire/wire.h): how it is sent, and how a client reads it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_POLICYTEST_CASE_WIRE_H
#define TOOLS_POLICYTEST_CASE_WIRE_H

#include <jansson.h>

#include "base/buffer.h"
#include "policytest/cases.h"
#include "rein/rein.h"
#include "wire/wire.h"

enum { CASE_PIECE_BYTES = 8 /* text in an event of a streamed case */, CASE_OUT_MAX = 512 << 20 };

/* Where the bytes of a response go. */
struct case_sink {
    int (*feed)(struct case_sink *sink, const char *bytes, size_t len); /* returns 0 or an error */
    bool is_over;                                                       /* set by `feed`: nothing more is wanted */
};

struct case_wire {
    const struct wire *wire;
    /* Adds what one event, or one body, says to a client. */
    int (*read)(const json_t *payload, struct buffer texts[CASE_TEXTS]);
};

enum { CASE_WIRES = 3 };
extern const struct case_wire case_wires[CASE_WIRES];

/* Can the response be sent at all, in both ways? */
bool case_wire_fits(const struct wire *wire, const struct case_script *script);
/* Sends it as events, its texts in pieces; or as one body. Returns 0 or an error. */
int case_wire_send(const struct wire *wire, const struct case_script *script, bool streamed,
                   struct case_sink *sink) REIN_MUST_USE;

#endif
