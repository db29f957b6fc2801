/* See base64.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>

enum { PAD = 64, BLANK = 65 };

/* The six bits of a digit, PAD, BLANK, or -1. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '/')
        return c == '+' ? 62 : 63;
    return c == '=' ? PAD : memchr(" \t\r\n", c, 4) != NULL ? BLANK : -1;
}

ptrdiff_t base64_decode(struct span text, void *out, size_t cap)
{
    unsigned char *to = out;
    size_t len = 0, digits = 0, pads = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.data[i]);
        if (digit == BLANK)
            continue;
        if (digit < 0 || (pads > 0 && digit != PAD))
            return REIN_EFORMAT;
        pads += digit == PAD;
        bits = bits << 6 | (digit == PAD ? 0 : (uint32_t)digit);
        if (++digits % 4 != 0)
            continue;
        if (pads > 2)
            return REIN_EFORMAT;
        for (size_t k = 0; k < 3 - pads; k++, len++)
            if (len < cap)
                to[len] = (unsigned char)(bits >> (16 - 8 * k));
    }
    return digits % 4 == 0 ? (ptrdiff_t)len : REIN_EFORMAT;
}
