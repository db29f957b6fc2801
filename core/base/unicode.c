/* See unicode.h. The one file that includes <utf8proc.h>.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/unicode.h"

#include "rein/rein.h"

#include <utf8proc.h>

#include "base/confusable.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length that the first byte announces, and the bounds of the second byte, which alone rule out overlong forms,
 * surrogates and what lies past U+10FFFF. 0: no first byte. */
static size_t sequence_shape(unsigned char first, unsigned char *lo, unsigned char *hi)
{
    *lo = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    *hi = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
}

int utf8_next(struct span text, uint32_t *codepoint)
{
    if (text.len == 0)
        return 0;
    unsigned char first = (unsigned char)text.data[0], lo, hi;
    if (first < 0x80) {
        *codepoint = first;
        return 1;
    }
    size_t len = sequence_shape(first, &lo, &hi);
    if (len == 0)
        return -1;
    if (text.len > 1 && ((unsigned char)text.data[1] < lo || (unsigned char)text.data[1] > hi))
        return -1;
    uint32_t value = first & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (i == text.len)
            return 0;
        if (!is_continuation(text.data[i]))
            return -1;
        value = value << 6 | ((unsigned char)text.data[i] & 0x3F);
    }
    *codepoint = value;
    return (int)len;
}

size_t rein_text_whole(const char *text, size_t len)
{
    for (size_t back = 1; back <= 3 && back <= len; back++) {
        unsigned char c = (unsigned char)text[len - back];
        size_t wanted = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        if ((c & 0xC0) != 0x80)
            return wanted > back ? len - back : len;
    }
    return len;
}

size_t utf8_encode(uint32_t codepoint, char out[4])
{
    if (codepoint < 0x80) {
        out[0] = (char)codepoint;
        return 1;
    }
    size_t len = codepoint < 0x800 ? 2 : codepoint < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, codepoint >>= 6)
        out[i] = (char)(0x80 | (codepoint & 0x3F));
    out[0] = (char)((0xF00u >> len & 0xF0) | codepoint);
    return len;
}

uint32_t codepoint_upper(uint32_t codepoint)
{
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)codepoint);
}

uint32_t codepoint_lower(uint32_t codepoint)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)codepoint);
}

bool codepoint_is_space(uint32_t codepoint)
{
    return codepoint == 0x85 || codepoint == 0x2028 || codepoint == 0x2029 ||
           utf8proc_category((utf8proc_int32_t)codepoint) == UTF8PROC_CATEGORY_ZS;
}

bool codepoint_is_word(uint32_t codepoint)
{
    switch (utf8proc_category((utf8proc_int32_t)codepoint)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}

/* Accents and other marks that are put on letters of any script, and points that spell vowels where readers do without.
 */
static bool is_accent(uint32_t c)
{
    return (c >= 0x0483 && c <= 0x0489) || (c >= 0x0591 && c <= 0x05BD) || (c >= 0x064B && c <= 0x065F) ||
           (c >= 0x302A && c <= 0x302D) || (c >= 0xA66F && c <= 0xA672) || (c >= 0x0300 && c <= 0x036F) ||
           (c >= 0x1AB0 && c <= 0x1AFF) || (c >= 0x1DC0 && c <= 0x1DFF) || (c >= 0x20D0 && c <= 0x20FF) ||
           (c >= 0xFE20 && c <= 0xFE2F);
}

/* What is not seen, next to what Unicode says is ignorable: control characters that are no white space, annotation
 * marks, the place of an object, the empty Braille cell. */
static bool is_unseen(uint32_t c)
{
    return (c < 0x80 && is_unseen_ascii((char)c)) || (c >= 0x80 && c <= 0x9F && c != 0x85) ||
           (c >= 0xFFF9 && c <= 0xFFFC) || c == 0x2800;
}

/* Greek capitals that look like another letter than their small ones, which look_alikes has. */
static char greek_capital(uint32_t c)
{
    return c == 0x397 ? 'h' : c == 0x39C ? 'm' : c == 0x39D ? 'n' : c == 0x3A5 ? 'y' : '\0';
}

/* Han characters and Hangul syllables look like no ASCII; they are common, and the tables are slow. */
static bool folds_to_itself(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xAC00 && c <= 0xD7A3);
}

static size_t put_folded(uint32_t c, char *out, size_t room)
{
    const char *latin = confusable_find(c);
    if (latin == NULL)
        return room >= 4 ? utf8_encode(c, out) : 0;
    size_t len = strlen(latin);
    if (len > room)
        return 0;
    memcpy(out, latin, len);
    return len;
}

size_t fold_codepoint(uint32_t codepoint, char out[FOLD_MAX])
{
    if (is_unseen(codepoint))
        return 0;
    if (codepoint < 0x80) {
        out[0] = (char)(codepoint >= 'A' && codepoint <= 'Z' ? codepoint + ('a' - 'A') : codepoint);
        return 1;
    }
    if (folds_to_itself(codepoint))
        return utf8_encode(codepoint, out);
    if ((out[0] = greek_capital(codepoint)) != '\0')
        return 1;
    utf8proc_int32_t parts[FOLD_MAX];
    int boundary = 0;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)codepoint, parts, FOLD_MAX,
                                UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE, &boundary);
    if (n < 0 || n > FOLD_MAX)
        return utf8_encode(codepoint, out);
    size_t len = 0;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        if (!is_accent((uint32_t)parts[i]))
            len += put_folded((uint32_t)parts[i], out + len, FOLD_MAX - len);
    return len;
}

size_t fold_text(struct span text, char *out, uint32_t *map, size_t cap)
{
    size_t written = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t codepoint;
        char folded[FOLD_MAX] = {text.data[at]};
        int step = utf8_next((struct span){text.data + at, text.len - at}, &codepoint);
        size_t len = step > 0 ? fold_codepoint(codepoint, folded) : 1;
        if (len > cap - written)
            break;
        memcpy(out + written, folded, len);
        for (size_t i = 0; map != NULL && i < len; i++)
            map[written + i] = (uint32_t)at;
        written += len;
        at += step > 0 ? (size_t)step : 1;
    }
    return written;
}
