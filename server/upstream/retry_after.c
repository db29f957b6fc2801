/* See retry_after.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "upstream/retry_after.h"

#include <stddef.h>
#include <string.h>

static bool is_date_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "Sun, 06 Nov 1994 08:49:37 GMT"; 0 stands for a digit, A for a letter. */
bool retry_after_is_valid(const char *value)
{
    static const char date[] = "AAA, 00 AAA 0000 00:00:00 GMT";
    size_t len = strlen(value);
    if (len >= 1 && len <= 8 && strspn(value, "0123456789") == len)
        return true;
    if (len != sizeof date - 1)
        return false;
    for (size_t i = 0; i < len - 4; i++) {
        bool fits = date[i] == 'A'   ? is_date_letter(value[i])
                    : date[i] == '0' ? (value[i] >= '0' && value[i] <= '9')
                                     : value[i] == date[i];
        if (!fits)
            return false;
    }
    static const char days[] = "Sun Mon Tue Wed Thu Fri Sat",
                      months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    char day[4] = {value[0], value[1], value[2]}, month[4] = {value[8], value[9], value[10]};
    return strcmp(value + len - 4, " GMT") == 0 && strstr(days, day) != NULL && strstr(months, month) != NULL;
}
