/* The answer to a raw prompt, rebuilt as chat: a filter.
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

#include "backends/stream_filter.h"

/* The content of one event of a raw prompt's answer. */
struct completion_piece {
    const char *text; /* borrowed from the event; NULL: none */
    size_t len;
    const char *reasoning; /* likewise: what the backend separated itself; NULL: none */
    size_t reasoning_len;
    const char *finish;                          /* an OpenAI finish_reason; NULL: not yet */
    json_t *usage;                               /* borrowed, in OpenAI's form; NULL: none, or of another form: */
    json_int_t prompt_tokens, completion_tokens; /* 0: not sent */
};

/* Reads an event, or the body of an unstreamed answer. False: its format is unknown. */
typedef bool (*completion_read)(const json_t *event, struct completion_piece *out);

struct completions_to_chat_options {
    bool streamed;
    completion_read read;
    const char *close;      /* what closes the reasoning; borrowed as long as the filter */
    const char *field;      /* the field of the reasoning in events, "content": inline, with its closer; NULL or "": the
                               usual field. Static */
    const char *model, *id; /* of the events; copied */
    int64_t created_s;
    size_t body_max; /* of an unstreamed answer */
};

/* A whole transfer ends what it has finished. REIN_ELIMIT: a line or the body is too long. At the end, REIN_EFORMAT: an
 * unstreamed body that cannot be read. NULL: out of memory. Returns owned. */
struct stream_filter *completions_to_chat_new(const struct completions_to_chat_options *options);

#endif
