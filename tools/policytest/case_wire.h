/* A scripted response on the wire of one API: how an upstream sends it, and how a client reads it.
 * SPDX-License-Identifier: Apache-2.0
 *
 * One table for each API: wire_chat.c, wire_messages.c, wire_responses.c. Thread: any. */
#ifndef TOOLS_POLICYTEST_CASE_WIRE_H
#define TOOLS_POLICYTEST_CASE_WIRE_H

#include <jansson.h>

#include "base/buffer.h"
#include "policytest/cases.h"
#include "rein/rein.h"

enum { CASE_PIECE_BYTES = 8 /* text in an event of a streamed case */, CASE_OUT_MAX = 512 << 20 };

/* Where the bytes of a response go. */
struct case_sink {
    int (*feed)(struct case_sink *sink, const char *bytes, size_t len); /* returns 0 or an error */
    bool is_over;                                                       /* set by `feed`: nothing more is wanted */
};

struct case_wire {
    enum rein_dialect dialect;
    const char *name; /* the API's name in configs: "chat", ... */
    /* Can the response be sent at all? */
    bool (*fits)(const struct case_script *script);
    /* Sends it as events, its texts in pieces; or as one body. Return 0 or an error. */
    int (*events)(const struct case_script *script, struct case_sink *sink);
    int (*body)(const struct case_script *script, struct case_sink *sink);
    /* Adds what one event, or one body, says to a client. */
    int (*read)(const json_t *payload, struct buffer texts[CASE_TEXTS]);
};

extern const struct case_wire case_wire_chat, case_wire_messages, case_wire_responses;
enum { CASE_WIRES = 3 };
const struct case_wire *case_wire_at(size_t i);

/* ---- for the tables ---- */

/* Sends an object as one event (`name` NULL: without an `event:` line) or as a body. Take `json`; NULL is an error. */
int case_send_event(struct case_sink *sink, const char *name, json_t *json) REIN_MUST_USE;
int case_send_body(struct case_sink *sink, json_t *json) REIN_MUST_USE;

/* Sends a text as events of CASE_PIECE_BYTES bytes, of whole characters. `pack` makes one; `name` as above. */
typedef json_t *(*case_pack)(const char *text, size_t len, int index);
int case_send_pieces(struct case_sink *sink, const char *name, const char *text, case_pack pack,
                     int index) REIN_MUST_USE;

/* Adds a string, if it is one. */
int case_join(struct buffer *out, const json_t *string) REIN_MUST_USE;

#endif
