/* What the dialect of Anthropic's Messages writes itself: see struct dialect for the contracts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_ANTHROPIC_MESSAGES_SAY_H
#define CORE_DIALECT_ANTHROPIC_MESSAGES_SAY_H

#include "dialect/dialect.h"

int messages_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out);
int messages_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                      struct span text);
int messages_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason);
int messages_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                       int64_t completion_tokens);
int messages_say_end(struct bytes *out, const struct dialect_voice *voice);
int messages_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                       const char *message);
int messages_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                      const char *reason);
int messages_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                      const char *reason);
int messages_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                            const char *message);
int messages_speak(void *state, struct dialect_memory *memory, struct span said, struct bytes *out);

/* The end of a block, which has this number for the client. */
int messages_say_stop(struct bytes *out, uint32_t number) REIN_MUST_USE;

#endif
