/* Errors as OpenAI's APIs have them: for each API of this family.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef SERVER_API_OPENAI_ERROR_H
#define SERVER_API_OPENAI_ERROR_H

#include "front/reply.h"

/* {"error":{"message":...,"type":...,"param":...,"code":...}}; like snprintf (api.h, error_text). */
size_t openai_error_text(const struct reply_error *error, char *out, size_t cap);

#endif
