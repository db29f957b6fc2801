/* The answer to a raw prompt, rebuilt as chat.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     {"text":"so I must refuse.</think>I can't"}   ->   {"delta":{"reasoning_content":"so I must refuse."}}
 *                                                        {"delta":{"content":"I can't"}}
 *
 * The prompt ended inside open reasoning, so the text begins as reasoning, until the delimiter that closes it. Events
 * are SSE or one per line; what is not a JSON object is dropped, errors are passed on unchanged.
 *
 * Thread: one at a time. */
#ifndef SERVER_BACKENDS_COMPLETIONS_TO_CHAT_H
#define SERVER_BACKENDS_COMPLETIONS_TO_CHAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "rein/rein.h"

/* The content of one event of a raw prompt's answer. */
struct raw_piece {
    const char *text; /* borrowed from the event; NULL: none */
    size_t len;
    const char *reasoning; /* likewise: what the backend separated itself; NULL: none */
    size_t reasoning_len;
    const char *finish;                          /* an OpenAI finish_reason; NULL: not yet */
    json_t *usage;                               /* borrowed, in OpenAI's form; NULL: none, or of another form: */
    json_int_t prompt_tokens, completion_tokens; /* 0: not sent */
};

/* Reads an event, or the body of an unstreamed answer. False: its format is unknown. */
typedef bool (*raw_read)(const json_t *event, struct raw_piece *out);

struct raw_options {
    bool streamed;
    raw_read read;
    const char *close;      /* what closes the reasoning; borrowed as long as the raw */
    const char *field;      /* the field of the reasoning in events, "content": inline, with its closer; NULL or "": the
                               usual field. Static */
    const char *model, *id; /* of the events; copied */
    int64_t created_s;
    size_t body_max; /* of an unstreamed answer */
};

struct raw;

/* Returns owned. */
int raw_new(struct raw **out, const struct raw_options *options) REIN_MUST_USE;
void raw_free(struct raw *raw); /* NULL is fine */

/* Upstream bytes, cut anywhere; appends chat events to `out`. REIN_ELIMIT: a line or the body is too long. */
int raw_feed(struct raw *raw, const char *data, size_t len, struct buffer *out) REIN_MUST_USE;
/* The transfer ended properly. REIN_EFORMAT: an unstreamed body that cannot be read. */
int raw_finish(struct raw *raw, struct buffer *out) REIN_MUST_USE;

#endif
