/* See utf8.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

size_t utf8_length(const char *bytes, size_t len)
{
    const unsigned char *text = (const unsigned char *)bytes;
    static const struct {
        unsigned char mask, lead, len;
        unsigned least;
    } forms[] = {{0x80, 0, 1, 1}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if ((text[0] & forms[f].mask) != forms[f].lead)
            continue;
        if (forms[f].len > len)
            return 0;
        unsigned code = text[0] & (unsigned char)~forms[f].mask;
        for (size_t i = 1; i < forms[f].len; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (text[i] & 0x3f);
        }
        bool valid = code >= forms[f].least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
        return valid ? forms[f].len : 0;
    }
    return 0;
}

char *utf8_mend(const char *text, size_t len)
{
    static const char unknown[] = "\xef\xbf\xbd";
    char *out = malloc(len * (sizeof unknown - 1) + 1), *at = out;
    for (size_t from = 0; out && from < len;) {
        size_t n = utf8_length(text + from, len - from);
        size_t put = n > 0 ? n : sizeof unknown - 1;
        memcpy(at, n > 0 ? text + from : unknown, put);
        at += put;
        from += n > 0 ? n : 1;
    }
    if (out)
        *at = '\0';
    return out;
}
