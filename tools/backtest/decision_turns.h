/* The turns in which the texts of a response came: several may come at the same time.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_DECISION_TURNS_H
#define TOOLS_BACKTEST_DECISION_TURNS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

/* A part of a text that came without another text in between. */
struct decision_turn {
    size_t text; /* which of the attempt's */
    uint64_t at; /* how far the attempt had come (rein_trace_heard) */
    size_t from, len;
};

/* The turns of the attempt's response, in their order; *out is owned, for free(). A record that says nothing of them
 * has one for each text. REIN_ENOMEM. */
int decision_turns_read(struct decision_turn **out, size_t *len, const json_t *texts, uint32_t attempt) REIN_MUST_USE;

#endif
