/* All dialects by their names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/dialect.h"

#include <stddef.h>

extern const struct dialect dialect_openai_chat, dialect_openai_responses, dialect_anthropic_messages;

static const struct dialect *const dialects[] = {
    [REIN_OPENAI_CHAT] = &dialect_openai_chat,
    [REIN_OPENAI_RESPONSES] = &dialect_openai_responses,
    [REIN_ANTHROPIC_MESSAGES] = &dialect_anthropic_messages,
};

const struct dialect *dialect_find(enum rein_dialect dialect)
{
    size_t len = sizeof dialects / sizeof *dialects;
    return (size_t)dialect < len ? dialects[dialect] : NULL;
}
