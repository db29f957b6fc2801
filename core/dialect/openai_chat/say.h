/* What the dialect of OpenAI's chat completions writes itself: see struct dialect for the contracts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_OPENAI_CHAT_SAY_H
#define CORE_DIALECT_OPENAI_CHAT_SAY_H

#include "dialect/dialect.h"

const char *openai_field(uint32_t text);
int openai_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out);
int openai_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                    struct span text);
int openai_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, const char *reason);
int openai_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                     int64_t completion_tokens);
int openai_say_end(struct bytes *out, const struct dialect_voice *voice);
int openai_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                     const char *message);
int openai_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                    const char *reason);
int openai_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                    const char *reason);
int openai_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                          const char *message);

#endif
