/* See media_type.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/media_type.h"

#include <string.h>
#include <strings.h>

bool media_type_is(const char *value, const char *type)
{
    size_t len = strlen(type);
    if (!value)
        return false;
    value += strspn(value, " \t");
    if (strncasecmp(value, type, len) != 0)
        return false;
    value += len;
    value += strspn(value, " \t");
    return *value == '\0' || *value == ';';
}
