/* A dialect: one wire format as one small table of functions. Another format is another file with another table.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_DIALECT_H
#define CORE_DIALECT_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "dialect/event.h"
#include "dialect/frame.h"
#include "rein/rein.h"

/* The values for events that Rein writes itself. Strings are borrowed. */
struct dialect_voice {
    const char *id, *model;
    int64_t created_s;
};

struct delta_fill; /* see event_fill.h */

struct dialect {
    const char *name;
    const struct framing *framing; /* of its streams */
    /* Is this payload the terminal event ("[DONE]")? */
    bool (*is_terminal)(struct span payload);
    /* The field in which a client finds reasoning of this source; static. "content": inline. */
    const char *(*field)(enum delta_source source);
    /* Walks one payload, which must be an object, and fills the delta. REIN_EFORMAT, REIN_ENOMEM. */
    int (*read)(struct delta_fill *fill);
    /* Each appends whole events (streamed; the client's stream is at an event's boundary) or a whole body to `out`,
     * or leaves `out` as it was: REIN_ELIMIT, REIN_ENOMEM. Texts are decoded UTF-8. `with_role` when no role went out
     * yet: a role event comes first. say_text with an empty text writes only the role. */
    int (*say_text)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool with_role,
                    struct span text);
    int (*say_finish)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason);
    int (*say_usage)(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens);
    int (*say_end)(struct bytes *out);
    int (*say_error)(struct bytes *out, const char *type, const char *code, const char *message);
    int (*say_body)(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason);
    /* One choice of a body, as an object. */
    int (*say_choice)(struct bytes *out, uint16_t choice, struct span text, const char *reason);
    int (*say_error_body)(struct bytes *out, const char *type, const char *code, const char *message);
};

const struct dialect *dialect_find(enum rein_dialect dialect);

#endif
