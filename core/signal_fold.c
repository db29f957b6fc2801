/* The plain form of a sentence that lexicons are written for: lower case, single spaces, straight quotes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "signal.h"
#include "unicode.h"

/* The plain form of the typographic mark at `text`, and its size; NULL if there is none. */
static const char *plain_mark(const unsigned char *text, size_t len, size_t *size)
{
    if (len >= 2 && text[0] == 0xC2 && text[1] == 0xB4) {
        *size = 2;
        return "'";
    }
    if (len < 3 || text[0] != 0xE2 || text[1] != 0x80)
        return NULL;
    *size = 3;
    switch (text[2]) {
    case 0x98:
    case 0x99:
        return "'";
    case 0x9C:
    case 0x9D:
        return "\"";
    case 0x90:
    case 0x91:
    case 0x92:
    case 0x93:
    case 0x94:
        return "-";
    default:
        return NULL;
    }
}

/* Squeezes white space, takes out emphasis marks, makes quotes and dashes plain, lowers ASCII. In place is fine. */
static size_t squeeze(struct span text, char *out, size_t cap)
{
    size_t len = 0;
    bool spaced = true; /* no space at the beginning */
    for (size_t i = 0; i < text.len && len < cap; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x80) {
            size_t size = 1;
            const char *plain = plain_mark((const unsigned char *)text.data + i, text.len - i, &size);
            out[len++] = plain != NULL ? plain[0] : (char)c;
            i += plain != NULL ? size - 1 : 0;
            spaced = false;
        } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
            if (!spaced)
                out[len++] = ' ';
            spaced = true;
        } else if (c != '*' && c != '`') {
            out[len++] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
            spaced = false;
        }
    }
    return len;
}

static bool is_ascii(struct span text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.len; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

size_t signal_fold(struct span text, char *out, size_t cap)
{
    if (is_ascii(text))
        return squeeze(text, out, cap);
    size_t len = fold_text(text, out, NULL, cap);
    return squeeze((struct span){out, len}, out, cap);
}
