/* A dialect: one wire format as one small table of functions. Another format is another file with another table.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_DIALECT_H
#define CORE_DIALECT_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/event.h"
#include "dialect/frame.h"
#include "dialect/passing.h"
#include "rein/rein.h"

/* The values for events that Rein writes itself. Strings are borrowed. */
struct dialect_voice {
    void *state; /* the dialect's, for this response */
    const char *id, *model;
    int64_t created_s;
};

struct event_fill; /* see event_fill.h */

/* State: what a dialect has to remember of a response, such as the kind of a block that was announced before its text.
 * It lies in the trace's own block of memory, `state_size` bytes, zeroed when the response begins; nothing frees what
 * it might point to. Reading and writing get it. Known shapes of events are recognised without a call of `read`
 * (event_template.h), so an event that changes the state, or whose meaning depends on it, is marked is_unique. */
struct dialect {
    const char *name;
    const struct framing *framing; /* of its streams */
    size_t state_size;
    const char *fallback_id; /* of a response that has got none */
    bool sees_emptied;       /* `pass` is told of events that do not go out because nothing of their texts does */
    bool echoes;             /* some pieces repeat a text: what came of a text is kept until the response ends */
    /* Is this payload the terminal event? */
    bool (*is_terminal)(struct span payload);
    /* The field in which a client finds this text, which is reasoning; static. "content": inline. */
    const char *(*field)(uint32_t text);
    /* Walks one payload, which must be an object, and fills the event. REIN_EFORMAT, REIN_ENOMEM. */
    int (*read)(struct event_fill *fill);
    /* Appends to `out` what goes out instead of a mark's bytes; nothing: they are removed. `with`: why the answer ends,
     * as the policy says it, or the id as JSON; without data: the answer does not end here. REIN_ELIMIT, REIN_ENOMEM.
     */
    int (*rewrite)(void *state, enum event_mark mark, struct span with, struct bytes *out);
    /* Each appends whole events (streamed; the client's stream is at an event's boundary) or a whole body to `out`,
     * or leaves `out` as it was: REIN_ELIMIT, REIN_ENOMEM. Texts are decoded UTF-8. `begins`: nothing went out yet that
     * begins the answer, so that comes first. say_text with an empty text writes nothing else. `reason`: why the answer
     * ends, as the policy says it; NULL: it ended by itself. */
    int (*say_text)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                    struct span text);
    int (*say_finish)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason);
    int (*say_usage)(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens);
    int (*say_end)(struct bytes *out, const struct dialect_voice *voice);
    int (*say_error)(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                     const char *message);
    int (*say_body)(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason);
    /* One part of a body (event_part.object). */
    int (*say_part)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                    const char *reason);
    int (*say_error_body)(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                          const char *message);

    /* ---- of a format whose events build on those before (passing.h); otherwise all three are NULL ---- */
    /* An event of the upstream goes out. */
    int (*pass)(struct dialect_passing *passing);
    /* Rein's own event goes out; an event that waits does not, because it has begun something without content.
     * What say_text, say_finish, say_usage, say_end and say_error wrote for a stream goes out: appends the events that
     * it stands for. It may be a note of the dialect's own, one for each call. */
    int (*speak)(void *state, struct dialect_memory *memory, struct span said, struct bytes *out);
    /* The attempt ends, and another one begins: appends what closes the parts of it that the client has seen. */
    int (*leave)(void *state, struct dialect_memory *memory, struct bytes *out);
};

const struct dialect *dialect_find(enum rein_dialect dialect);

#endif
