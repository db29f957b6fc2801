/* The response of a kept decision, as its upstream would send it: in the API that it came by, as far as its texts say.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_DECISION_SCRIPT_H
#define TOOLS_BACKTEST_DECISION_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "rein/rein.h"
#include "wire/wire.h"

/* Members of a decision, or of one of its parts. */
int64_t script_number(const json_t *object, const char *key);   /* 0: there is none */
const char *script_word(const json_t *object, const char *key); /* "": there is none */
enum rein_channel script_channel(const json_t *text);           /* REIN_OTHER: no known one */
struct rein_source script_text(const json_t *text);             /* what it says; borrowed, `name` unused */

/* Is it a text of the attempt's response? */
bool script_is_of(const json_t *text, uint32_t attempt);
/* The attempt's last text, if a tool was named behind it that has no arguments, else NULL. *at: when
 * (rein_trace_heard). */
const json_t *script_named_tool(const json_t *texts, uint32_t attempt, uint64_t *at);

/* The response of one attempt. */
struct decision_script {
    struct wire_text *texts; /* owned; what they say is the decision's */
    struct wire_script said;
};

/* Reads the attempt's texts, in their order; behind them an empty one of a tool that was only named. REIN_ENOMEM. */
int decision_script_read(struct decision_script *out, const json_t *decision, uint32_t attempt,
                         unsigned choices) REIN_MUST_USE;
void decision_script_fini(struct decision_script *script);

/* The API in which the decision's attempts are played: its own, or another one in which the same is decided. Good
 * forever. REIN_ENOMEM; REIN_ELIMIT: none has a place for all of its texts. */
int decision_script_wire(const struct wire **out, const json_t *decision, unsigned choices) REIN_MUST_USE;

/* How many bytes the next piece of the text has, from the byte `at` on: whole characters of at most `max` bytes (at
 * least one). */
size_t decision_script_piece(const struct wire_text *text, size_t at, size_t max);

#endif
