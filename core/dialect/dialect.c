/* All dialects by their names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dialect/dialect.h"

#include <stddef.h>

extern const struct dialect dialect_openai_chat;

const struct dialect *dialect_find(enum rein_dialect dialect)
{
    return dialect == REIN_OPENAI_CHAT ? &dialect_openai_chat : NULL;
}
