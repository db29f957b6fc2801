/* A dialect: one wire format as one small table of functions. Another format is another file with another table.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_H
#define CORE_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"
#include "delta.h"
#include "rein/rein.h"

/* What events that Rein says itself carry. Strings are borrowed. */
struct dialect_voice {
    const char *id, *model;
    int64_t created_s;
};

struct json_walk; /* delta.c's scanner state, see dialect_openai_chat.c */

struct dialect {
    const char *name;
    /* Is this payload the terminal event ("[DONE]")? */
    bool (*is_terminal)(struct span payload);
    /* Called by the scanner for each value, with its path: fills the delta. */
    int (*on_value)(struct json_walk *walk, struct delta *delta);
    /* Each appends one or more whole events (streamed) or a whole body to `out`. `with_role` when no role went out yet.
     */
    int (*say_text)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool with_role,
                    struct span text);
    int (*say_finish)(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason);
    int (*say_usage)(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens);
    int (*say_end)(struct bytes *out);
    int (*say_error)(struct bytes *out, const char *type, const char *code, const char *message);
    int (*say_body)(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason);
    int (*say_error_body)(struct bytes *out, const char *type, const char *code, const char *message);
};

const struct dialect *dialect_find(enum rein_dialect dialect);

#endif
