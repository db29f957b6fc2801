/* What Rein says itself in a response. SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DIALECT_OPENAI_RESPONSES_SAY_H
#define CORE_DIALECT_OPENAI_RESPONSES_SAY_H

#include "dialect/dialect.h"

/* See struct dialect. */
int responses_rewrite(void *state, enum event_mark mark, struct span with, struct bytes *out) REIN_MUST_USE;
int responses_say_text(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, bool begins,
                       struct span text) REIN_MUST_USE;
int responses_say_finish(struct bytes *out, const struct dialect_voice *voice, uint16_t choice,
                         const char *reason) REIN_MUST_USE;
int responses_say_usage(struct bytes *out, const struct dialect_voice *voice, int64_t prompt_tokens,
                        int64_t completion_tokens) REIN_MUST_USE;
int responses_say_end(struct bytes *out, const struct dialect_voice *voice) REIN_MUST_USE;
int responses_say_error(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                        const char *message) REIN_MUST_USE;
int responses_say_body(struct bytes *out, const struct dialect_voice *voice, unsigned choices, struct span text,
                       const char *reason) REIN_MUST_USE;
int responses_say_part(struct bytes *out, const struct dialect_voice *voice, uint16_t choice, struct span text,
                       const char *reason) REIN_MUST_USE;
int responses_say_error_body(struct bytes *out, const struct dialect_voice *voice, const char *type, const char *code,
                             const char *message) REIN_MUST_USE;
int responses_speak(void *state, struct dialect_memory *memory, struct span said, struct bytes *out) REIN_MUST_USE;
int responses_leave(void *state, struct dialect_memory *memory, struct bytes *out) REIN_MUST_USE;

/* Is an answer that ends for this reason incomplete? */
bool responses_is_incomplete(const char *reason);

/* pass.c */
int responses_pass(struct dialect_passing *p) REIN_MUST_USE;

#endif
