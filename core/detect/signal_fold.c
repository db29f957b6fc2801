/* The plain form of a sentence that lexicons are written for: lower case, single spaces, straight quotes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/byte_block.h"
#include "base/unicode.h"
#include "detect/signal.h"

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

/* For the first two, it is what has to be added. */
enum kind { PLAIN, UPPER = 'a' - 'A', BLANK, EMPHASIS, WIDE };

static const uint8_t kinds[256] = {['A' ... 'Z'] = UPPER, ['\t' ... '\r'] = BLANK, [' '] = BLANK,
                                   ['*'] = EMPHASIS,      ['`'] = EMPHASIS,        [0x80 ... 0xFF] = WIDE};

/* Folds a byte that is not an ordinary character. Returns how many bytes it used, because marks have several. */
static size_t fold_byte(struct span rest, char *out, size_t *len)
{
    unsigned char c = (unsigned char)rest.data[0];
    size_t size = 1;
    const char *mark = kinds[c] == WIDE ? plain_mark((const unsigned char *)rest.data, rest.len, &size) : NULL;
    if (mark != NULL || kinds[c] == WIDE)
        out[(*len)++] = mark != NULL ? mark[0] : (char)c;
    else if (kinds[c] == BLANK && *len > 0 && out[*len - 1] != ' ')
        out[(*len)++] = ' ';
    return mark != NULL ? size : 1;
}

/* Are all of them characters that fold to one of their own? A blank does if it is a plain one and none follows. */
static bool is_ordinary(byte_block bytes, byte_block next)
{
    byte_block marks = (byte_block)(bytes == '*') | (byte_block)(bytes == '`') | (byte_block)(bytes >= 0x80);
    byte_block breaks = (byte_block)(bytes - '\t' <= '\r' - '\t');
    byte_block doubled = (byte_block)(bytes == ' ') & (byte_block)(next == ' ');
    return byte_block_first(marks | breaks | doubled) == BYTE_BLOCK;
}

static byte_block to_lower(byte_block bytes)
{
    return bytes | ((byte_block)(bytes - 'A' <= 'Z' - 'A') & UPPER);
}

/* Folds a block if it is simple, as most are. */
static bool fold_block(struct span rest, char *out, size_t len)
{
    if (rest.len <= BYTE_BLOCK || (rest.data[0] == ' ' && (len == 0 || out[len - 1] == ' ')))
        return false;
    byte_block bytes = byte_block_load(rest.data);
    if (!is_ordinary(bytes, byte_block_load(rest.data + 1)))
        return false;
    byte_block_store(out + len, to_lower(bytes));
    return true;
}

/* Collapses white space, removes emphasis marks, makes quotes and dashes plain, lowers ASCII. May work in place. */
static size_t squeeze(struct span text, char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len && len < cap;) {
        if (cap - len >= BYTE_BLOCK && fold_block((struct span){text.data + i, text.len - i}, out, len)) {
            i += BYTE_BLOCK;
            len += BYTE_BLOCK;
            continue;
        }
        size_t most = cap - len < BYTE_BLOCK ? cap - len : BYTE_BLOCK;
        size_t stop = text.len - i < most ? text.len : i + most;
        while (i < stop) {
            unsigned char c = (unsigned char)text.data[i];
            if (kinds[c] <= UPPER) {
                out[len++] = (char)(c + kinds[c]);
                i++;
            } else {
                i += fold_byte((struct span){text.data + i, text.len - i}, out, &len);
            }
        }
    }
    return len;
}

static bool is_ascii(struct span text)
{
    uint64_t all = 0, block;
    size_t i = 0;
    for (; i + sizeof block <= text.len; i += sizeof block) {
        memcpy(&block, text.data + i, sizeof block);
        all |= block;
    }
    for (; i < text.len; i++)
        all |= (unsigned char)text.data[i];
    return (all & 0x8080808080808080u) == 0;
}

size_t signal_fold(struct span text, char *out, size_t cap)
{
    if (is_ascii(text))
        return squeeze(text, out, cap);
    size_t len = fold_text(text, out, NULL, cap);
    return squeeze((struct span){out, len}, out, cap);
}
