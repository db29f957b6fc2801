/* Texts of a response in the wire formats of the upstreams, as a stream or one body.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_LIVE_WIRE_H
#define TESTS_LIVE_WIRE_H

#include "base/bytes.h"
#include "dice.h"
#include "rein/rein.h"

enum { LIVE_CHOICES_MAX = 2, LIVE_TOOLS_MAX = 3, LIVE_TEXTS_MAX = LIVE_CHOICES_MAX * (LIVE_TOOLS_MAX + 2) };

/* A text of the response. */
struct live_text {
    unsigned choice, call;
    enum rein_channel channel;
    struct bytes text;
    size_t sent;
};

struct live_wire {
    enum rein_dialect dialect; /* only chat has choices, and texts that interrupt each other */
    struct dice *dice;
    struct live_text texts[LIVE_TEXTS_MAX]; /* those of a choice in order: reasoning, answer, tools */
    size_t len;
    unsigned choices;
    size_t piece_max; /* bytes of a piece */
    bool is_mixed;    /* texts of a choice interrupt each other */
    bool breaks_off;
};

void live_wire_stream(struct live_wire *wire, struct bytes *out);
void live_wire_body(struct live_wire *wire, struct bytes *out);
void live_wire_clear(struct live_wire *wire); /* frees the texts */

#endif
