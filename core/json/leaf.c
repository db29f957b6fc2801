/* See leaf.h. SPDX-License-Identifier: Apache-2.0 */
#include "json/leaf.h"

#include <assert.h>
#include <string.h>

#include "base/byte_set.h"
#include "json/text.h"

enum state { OUTSIDE, IN_STRING, IN_SCALAR, AFTER_SCALAR, NO_JSON };

/* Where in a scalar: what was read last. */
enum scalar { MINUS, ZERO, WHOLE, POINT, FRACTION, EXPONENT, SIGN, POWER, WORD };

#define ENDS_PLAIN_STRING(c) ((c) == '"' || (c) == '\\')
static const struct byte_set ends_plain = BYTE_SET(ENDS_PLAIN_STRING);

/* ---- escapes ----------------------------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Do six bytes stand for half of a surrogate pair, the first (\uD8xx to \uDBxx) or the second? */
static bool is_half(const char *unit, const char *thirds)
{
    return (unit[2] | 0x20) == 'd' && strchr(thirds, unit[3] | 0x20) != NULL;
}

static bool is_first_half(const char *unit)
{
    return is_half(unit, "89ab");
}

static bool is_letter_of_escape(char c)
{
    return memchr("\"\\/bfnrt", c, 8) != NULL;
}

/* Does the byte belong to the escape that has begun? */
static bool unit_takes(const struct leaf_reader *r, char c)
{
    size_t at = r->unit_len < 6 ? r->unit_len : r->unit_len - 6u;
    if (r->unit_len == 6 && !is_first_half(r->unit))
        return false;
    if (at == 0)
        return c == '\\';
    if (at == 1)
        return c == 'u' || (r->unit_len == 1 && is_letter_of_escape(c));
    return is_hex(c);
}

/* Takes the first escape out of those that have begun, complete or not: what is none stands for itself. */
static void take_unit(struct leaf_reader *r, struct leaf_step *step)
{
    size_t len = r->unit_len;
    if (len > 6 && !(len == LEAF_UNIT_MAX && is_half(r->unit + 6, "cdef")))
        len = 6;
    bool is_escape = len >= 6 || (len == 2 && is_letter_of_escape(r->unit[1]));
    uint16_t half = 0;
    step->part = LEAF_ESCAPE;
    step->unit = len;
    if (len == 6 && is_first_half(r->unit)) {
        step->text_len = 3;
        memcpy(step->text, "\xEF\xBF\xBD", 3);
    } else if (is_escape) {
        step->text_len = json_unescape((struct span){r->unit, len}, &half, step->text);
    } else {
        step->text_len = len;
        memcpy(step->text, r->unit, len);
    }
    assert(step->text_len <= sizeof step->text);
    r->unit_len = (uint8_t)(r->unit_len - len);
    memmove(r->unit, r->unit + len, r->unit_len);
}

static void read_escape(struct leaf_reader *r, struct span text, struct leaf_step *step)
{
    step->part = LEAF_ESCAPE;
    if (r->unit_len > 0 && !unit_takes(r, text.data[0])) {
        take_unit(r, step);
        step->is_late = true;
        return;
    }
    bool is_complete = false;
    while (step->len < text.len && !is_complete && unit_takes(r, text.data[step->len])) {
        r->unit[r->unit_len++] = text.data[step->len++];
        is_complete = (r->unit_len == 2 && r->unit[1] != 'u') || r->unit_len == LEAF_UNIT_MAX ||
                      (r->unit_len == 6 && !is_first_half(r->unit));
    }
    if (is_complete)
        take_unit(r, step);
}

static void read_string(struct leaf_reader *r, struct span text, struct leaf_step *step)
{
    if (r->unit_len > 0 || text.data[0] == '\\') {
        read_escape(r, text, step);
        return;
    }
    if (text.data[0] == '"') {
        step->len = 1;
        step->ends = true;
        r->state = OUTSIDE;
        return;
    }
    step->part = LEAF_STRING;
    step->len = byte_set_skip(&ends_plain, text);
}

/* ---- scalars ----------------------------------------------------------------------------------------------------- */

static bool is_leaf_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool begins_scalar(struct leaf_reader *r, char c)
{
    static const char *const words[] = {"true", "false", "null", "NaN", "Infinity"};
    r->scalar = c == '-' ? MINUS : c == '0' ? ZERO : WHOLE;
    if (c == '-' || is_leaf_digit(c))
        return true;
    r->scalar = WORD;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i][0] == c) {
            r->word = words[i] + 1;
            return true;
        }
    return false;
}

/* Takes a byte of a scalar, if it is one. */
static bool scalar_takes(struct leaf_reader *r, char c)
{
    bool is_digit = is_leaf_digit(c), is_e = (c | 0x20) == 'e';
    int next = -1;
    switch ((enum scalar)r->scalar) {
    case MINUS:
        next = c == '0' ? ZERO : is_digit ? WHOLE : -1;
        if (c == 'I') {
            r->word = "nfinity";
            next = WORD;
        }
        break;
    case ZERO:
        next = c == '.' ? POINT : is_e ? EXPONENT : -1;
        break;
    case WHOLE:
        next = is_digit ? WHOLE : c == '.' ? POINT : is_e ? EXPONENT : -1;
        break;
    case POINT:
        next = is_digit ? FRACTION : -1;
        break;
    case FRACTION:
        next = is_digit ? FRACTION : is_e ? EXPONENT : -1;
        break;
    case EXPONENT:
        next = is_digit ? POWER : c == '+' || c == '-' ? SIGN : -1;
        break;
    case SIGN:
    case POWER:
        next = is_digit ? POWER : -1;
        break;
    case WORD:
        if (*r->word == c && c != '\0') {
            r->word++;
            next = WORD;
        }
        break;
    }
    if (next >= 0)
        r->scalar = (uint8_t)next;
    return next >= 0;
}

static bool is_whole_scalar(const struct leaf_reader *r)
{
    return r->scalar == ZERO || r->scalar == WHOLE || r->scalar == FRACTION || r->scalar == POWER ||
           (r->scalar == WORD && *r->word == '\0');
}

static bool is_leaf_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void end_scalar(struct leaf_reader *r, struct leaf_step *step, bool is_whole)
{
    step->part = is_whole ? LEAF_OUTSIDE : LEAF_NONE;
    step->ends = true;
    step->is_number = is_whole && r->scalar != WORD;
    r->state = is_whole ? OUTSIDE : NO_JSON;
}

/* A byte at a time: what it means depends on those before it. */
static void read_scalar(struct leaf_reader *r, struct span text, struct leaf_step *step)
{
    char c = text.data[0];
    bool is_over = r->state == AFTER_SCALAR;
    if (!is_over && scalar_takes(r, c)) {
        step->part = LEAF_SCALAR;
        step->len = 1;
    } else if (is_leaf_blank(c) && is_whole_scalar(r)) {
        r->state = AFTER_SCALAR;
        step->len = 1;
    } else {
        end_scalar(r, step, is_whole_scalar(r) && (c == ',' || c == ']' || c == '}'));
    }
}

/* ---- outside ----------------------------------------------------------------------------------------------------- */

static bool is_in_object(const struct leaf_reader *r)
{
    return r->depth > 0 && r->depth <= LEAF_DEPTH_MAX && (r->is_object[(r->depth - 1) / 8] >> (r->depth - 1) % 8 & 1);
}

static void open_list(struct leaf_reader *r, bool is_object)
{
    if (r->depth < LEAF_DEPTH_MAX) {
        uint8_t *byte = &r->is_object[r->depth / 8], bit = (uint8_t)(1u << r->depth % 8);
        *byte = (uint8_t)(is_object ? *byte | bit : *byte & ~bit);
    }
    r->depth += r->depth < UINT32_MAX;
    r->wants_key = is_object;
}

static bool close_list(struct leaf_reader *r, char c)
{
    if (r->depth == 0 || (r->depth <= LEAF_DEPTH_MAX && is_in_object(r) != (c == '}')))
        return false;
    r->depth--;
    return true;
}

/* A byte between leaves; false if it cannot be there. */
static bool takes_outside(struct leaf_reader *r, char c)
{
    switch (c) {
    case '{':
    case '[':
        open_list(r, c == '{');
        return true;
    case '}':
    case ']':
        return close_list(r, c);
    case ',':
        r->wants_key = is_in_object(r);
        return r->depth > 0;
    case ':':
        r->wants_key = false;
        return r->depth > 0;
    default:
        return is_leaf_blank(c);
    }
}

/* What stands between leaves, or the beginning of a leaf. */
static void read_outside(struct leaf_reader *r, struct span text, struct leaf_step *step)
{
    while (step->len < text.len && takes_outside(r, text.data[step->len]))
        step->len++;
    if (step->len > 0)
        return;
    step->len = 1;
    if (text.data[0] == '"') {
        step->begins = true;
        step->is_key = r->wants_key;
        r->state = IN_STRING;
    } else if (r->depth > 0 && begins_scalar(r, text.data[0])) {
        step->part = LEAF_SCALAR;
        step->begins = true;
        r->state = IN_SCALAR;
    } else {
        r->state = NO_JSON;
        step->part = LEAF_NONE;
        step->len = text.len;
    }
}

void leaf_next(struct leaf_reader *r, struct span text, struct leaf_step *step)
{
    assert(text.len > 0);
    *step = (struct leaf_step){.part = LEAF_OUTSIDE};
    switch ((enum state)r->state) {
    case OUTSIDE:
        read_outside(r, text, step);
        break;
    case IN_STRING:
        read_string(r, text, step);
        break;
    case IN_SCALAR:
    case AFTER_SCALAR:
        read_scalar(r, text, step);
        break;
    case NO_JSON:
        step->part = LEAF_NONE;
        step->len = text.len;
        break;
    }
}

bool leaf_end(struct leaf_reader *r, struct leaf_step *step)
{
    *step = (struct leaf_step){.part = LEAF_OUTSIDE};
    if (r->unit_len > 0) {
        take_unit(r, step);
        step->is_late = true;
        return true;
    }
    if (r->state == IN_SCALAR || r->state == AFTER_SCALAR)
        end_scalar(r, step, is_whole_scalar(r));
    else if (r->state == IN_STRING)
        step->ends = true;
    else
        return false;
    r->state = NO_JSON;
    return true;
}
