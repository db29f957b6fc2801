/* See text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/unicode.h"
#include "json/text.h"

enum { REPLACEMENT = 0xFFFD };

static bool is_high(uint32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low(uint32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

static uint32_t hex_digit(char c)
{
    return c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
}

/* The four digits of an escape \uXXXX. */
static uint32_t read_unit(const char *digits)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++)
        unit = unit << 4 | hex_digit(digits[i]);
    return unit;
}

/* A waiting first half meets something that is not a second half. */
static size_t drop_half(uint16_t *half, char *out)
{
    if (*half == 0)
        return 0;
    *half = 0;
    return utf8_encode(REPLACEMENT, out);
}

/* One \uXXXX unit: completes a pair, begins one, or stands alone. */
static size_t put_unit(uint32_t unit, uint16_t *half, char *out)
{
    if (*half != 0 && is_low(unit)) {
        uint32_t codepoint = 0x10000 + ((uint32_t)(*half - 0xD800) << 10) + (unit - 0xDC00);
        *half = 0;
        return utf8_encode(codepoint, out);
    }
    size_t len = drop_half(half, out);
    if (is_high(unit)) {
        *half = (uint16_t)unit;
        return len;
    }
    return len + utf8_encode(is_low(unit) ? REPLACEMENT : unit, out + len);
}

static char unescape(char letter)
{
    switch (letter) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return letter;
    }
}

size_t json_unescape(struct span raw, uint16_t *half, char *out)
{
    const char *at = raw.data, *end = raw.data + raw.len;
    char *to = out;
    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash != NULL ? backslash : end) - at);
        if (plain > 0) {
            to += drop_half(half, to);
            memcpy(to, at, plain);
            to += plain;
            at += plain;
        }
        if (backslash == NULL)
            break;
        if (at[1] == 'u') {
            to += put_unit(read_unit(at + 2), half, to);
            at += 6;
        } else {
            to += drop_half(half, to);
            *to++ = unescape(at[1]);
            at += 2;
        }
    }
    return (size_t)(to - out);
}

/* The escape of a byte that cannot be in a JSON string, or 0. */
static size_t escape(unsigned char c, char out[6])
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "btn\0fr"; /* of 8 to 13, without 11 */
    if (c == '"' || c == '\\' || (c >= 8 && c <= 13 && c != 11)) {
        out[0] = '\\';
        out[1] = c == '"' || c == '\\' ? (char)c : letters[c - 8];
        return 2;
    }
    if (c >= 0x20)
        return 0;
    memcpy(out, "\\u00", 4);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

size_t json_escaped_len(char c)
{
    char room[6];
    size_t len = escape((unsigned char)c, room);
    return len > 0 ? len : 1;
}

int json_escape(struct bytes *out, struct span text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        char room[6];
        size_t len = escape((unsigned char)text.data[i], room);
        if (len == 0)
            continue;
        int rv = bytes_append(out, text.data + from, i - from);
        if (rv == 0)
            rv = bytes_append(out, room, len);
        if (rv != 0)
            return rv;
        from = i + 1;
    }
    return bytes_append(out, text.data + from, text.len - from);
}
