/* Deltas: finds the text and the few other things that matter inside the JSON of an event, without building a tree.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A strict RFC 8259 scanner walks the payload once and reports every string value with its path to the dialect, which
 * says what it is. Most events of a stream differ from an earlier one only inside one string; such an event is
 * recognised by comparing the bytes before and after that string (a *stencil*) and is not walked again. The result is
 * the same. */
#ifndef CORE_DELTA_H
#define CORE_DELTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "rein/rein.h"

/* Where one piece of text belongs. The same (choice, channel, source, tool) is the same text going on. */
struct place {
    uint16_t choice; /* the `index` inside the choice object */
    uint16_t tool;   /* index of a tool call, else 0 */
    uint8_t channel; /* enum rein_channel; inline reasoning arrives as REIN_ANSWER and is split later */
    uint8_t source;  /* which field it came by (reasoning_content, reasoning, ...); small and dense */
    bool whole;      /* not a stream: each value stands alone (names, error messages, unknown fields) */
};

/* A string value: `at` and `len` are the raw JSON between the quotes, from the payload's start. */
struct piece {
    struct place place;
    uint32_t at, len;
};

/* Bytes of the payload that may have to be replaced or taken out, from the payload's start. len 0: not there.
 * For `member` spans the span holds key, colon, value and one adjacent comma, so that what is left is valid JSON. */
struct range {
    uint32_t at, len;
};

enum {
    DELTA_PIECES_MAX =
        512, /* more strings than this in one event, and it is garbage; whole bodies have their own limit */
    DELTA_CHOICES_MAX = 32,
    DELTA_TOOLS_MAX = 128,
    DELTA_DEPTH_MAX = 64,
};

struct delta_choice {
    uint16_t index;
    bool has_finish;       /* finish_reason is a string */
    struct range finish;   /* its value, quotes included */
    struct range role;     /* member span of delta.role when it is a string */
    struct range logprobs; /* member span of logprobs (and not null), likewise token_ids */
    struct range token_ids;
    bool has_tool_calls;
};

struct delta {
    struct piece *pieces; /* in the order of the payload, reasoning of a choice before its answer; empty strings too */
    size_t pieces_len, pieces_cap;
    struct delta_choice choices[DELTA_CHOICES_MAX];
    size_t choices_len;
    bool has_choices;   /* the key `choices` is there (perhaps empty) */
    bool has_error;     /* a top-level `error` that is not null */
    struct range error; /* its member span, also when null */
    struct range id;    /* the top-level id's value, quotes included */
    struct range usage; /* member span of a usage that is not null */
    struct range
        prompt_logprobs; /* further vendor members that spell text out: to be taken out when anything is hidden */
    int64_t prompt_tokens, completion_tokens, reasoning_tokens; /* -1: not said */
};

struct dialect;
struct delta_reader; /* opaque: stencils and the pieces' memory */

int delta_reader_new(struct delta_reader **out, const struct dialect *dialect) REIN_MUST_USE;
void delta_reader_free(struct delta_reader *r);

/* Reads one payload. `body` is true for a whole (non-streamed) JSON body, in which `message` stands for `delta`.
 * Returns 0 and *out, good until the next call; REIN_EFORMAT if it is no valid JSON object, repeats a key that the
 * dialect knows, is nested too deep or has too many strings; REIN_ENOMEM. */
int delta_read(struct delta_reader *r, struct span payload, bool body, const struct delta **out) REIN_MUST_USE;

/* Decodes the raw JSON of a string into `out` (room for len bytes). `*half` carries the first half of a surrogate pair
 * that was cut between two strings of one place (0: none): it is set when the string ends in one, and consumed by the
 * next string. A half that meets no other half becomes U+FFFD. Returns the decoded length; never more than len + 3. */
size_t delta_decode(struct span raw, uint16_t *half, char *out);

/* Appends text to `out` as the inside of a JSON string. Bytes that are no UTF-8 are copied as they are. */
int delta_encode(struct bytes *out, struct span text) REIN_MUST_USE;

#endif
