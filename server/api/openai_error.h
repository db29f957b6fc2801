/* Errors as OpenAI's APIs have them: for each API of this family.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_API_OPENAI_ERROR_H
#define SERVER_API_OPENAI_ERROR_H

#include "api/upstream_reason.h"
#include "front/reply.h"

/* {"error":{"message":...,"type":...,"param":...,"code":...}}; like snprintf (api.h, error_text). */
size_t openai_error_text(const struct reply_error *error, char *out, size_t cap);

/* What an upstream says in any of the forms that servers give their errors; the code that clients know for it (api.h).
 */
void openai_read_reason(struct upstream_reason *out, const json_t *body);
const char *openai_reason_code(const struct upstream_reason *reason);

#endif
