/* See trace_ids.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/trace_ids.h"

#include <string.h>
#include <sys/random.h>

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* capitals are not allowed */
}

/* False also for all zeros, which no id may be. */
static bool read_hex(const char *text, unsigned char *out, size_t len, bool may_be_zero)
{
    unsigned char any = 0;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]), low = high >= 0 ? hex_digit(text[2 * i + 1]) : -1;
        if (low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
        any |= out[i];
    }
    return any != 0 || may_be_zero;
}

/* 00-<trace>-<span>-<flags>; a later version may go on behind that. */
bool trace_ids_read(struct trace_ids *out, const char *text)
{
    struct trace_ids ids = {.is_set = true};
    unsigned char version;
    if (text == NULL || strnlen(text, TRACEPARENT_LEN) < TRACEPARENT_LEN || text[2] != '-' || text[35] != '-' ||
        text[52] != '-')
        return false;
    if (!read_hex(text, &version, 1, true) || version == 0xff || !read_hex(text + 3, ids.trace, TRACE_LEN, false) ||
        !read_hex(text + 36, ids.span, SPAN_LEN, false) || !read_hex(text + 53, &ids.flags, 1, true))
        return false;
    if (version == 0 ? text[55] != '\0' : text[55] != '\0' && text[55] != '-')
        return false;
    *out = ids;
    return true;
}

static void draw_id(unsigned char *out, size_t len)
{
    if (getrandom(out, len, 0) != (ssize_t)len)
        memset(out, 0, len);
    out[0] |= 1; /* never all zero */
}

void trace_ids_begin(struct trace_ids *ids)
{
    if (ids->is_set)
        memcpy(ids->parent, ids->span, SPAN_LEN);
    else
        draw_id(ids->trace, TRACE_LEN);
    if (!ids->is_set)
        ids->flags = 1;
    draw_id(ids->span, SPAN_LEN);
    ids->is_set = true;
}

void trace_ids_attempt(const struct trace_ids *ids, unsigned n, unsigned char out[SPAN_LEN])
{
    memcpy(out, ids->span, SPAN_LEN);
    out[SPAN_LEN - 1] ^= (unsigned char)(n + 1);
}

void trace_ids_hex(const unsigned char *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void trace_ids_print(const struct trace_ids *ids, const unsigned char span[SPAN_LEN], char out[TRACEPARENT_LEN + 1])
{
    memcpy(out, "00-", 3);
    trace_ids_hex(ids->trace, TRACE_LEN, out + 3);
    out[35] = '-';
    trace_ids_hex(span, SPAN_LEN, out + 36);
    out[52] = '-';
    trace_ids_hex(&ids->flags, 1, out + 53);
}
