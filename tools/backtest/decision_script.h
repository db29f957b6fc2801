/* The texts of a kept decision as an upstream would send them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The answer is that of the chat API: how it came does not change how it is judged.
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_DECISION_SCRIPT_H
#define TOOLS_BACKTEST_DECISION_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "rein/rein.h"

/* Members of a decision, or of one of its parts. */
int64_t script_number(const json_t *object, const char *key);   /* 0: there is none */
const char *script_word(const json_t *object, const char *key); /* "": there is none */
enum rein_channel script_channel(const json_t *text);           /* REIN_OTHER: no known one */
struct rein_source script_text(const json_t *text);             /* what it says; borrowed, `name` unused */

/* Is it a text of the attempt's response? */
bool script_is_of(const json_t *text, uint32_t attempt);
/* Appends an event with a piece of the text number i: from the byte `at`, whole characters of at most `max` bytes (at
 * least one). *len: how many they are. */
int script_piece(struct buffer *out, const json_t *texts, size_t i, size_t at, size_t max, size_t *len) REIN_MUST_USE;
/* Appends the attempt's texts as one body. */
int script_body(struct buffer *out, const json_t *texts, uint32_t attempt, unsigned choices) REIN_MUST_USE;
/* Appends the last event of a choice; of a stream. */
int script_last(struct buffer *out, unsigned choice) REIN_MUST_USE;
int script_done(struct buffer *out) REIN_MUST_USE;
enum { SCRIPT_MAX = 128 << 20 };

#endif
