/* Finds where sentences end, one character at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     TEXT --. ! ?--> STOPPED --space--> SPACED --a beginning--> end
 *       ^               |                  |
 *       +---- others ---+--- lower case ---+
 *
 * A wide stop (。 and its kind) needs no space after it. Every decision waits for one character at most, so a sentence
 * is known to be over when the next one begins. */
#include "sentence.h"

#include <ctype.h>

#include "byte_set.h"

enum state {
    TEXT,
    STOPPED,        /* after . ! ? and perhaps closing quotes */
    STOPPED_NUMBER, /* likewise, but a digit would go on ("No. 5") */
    SPACED,
    SPACED_NUMBER,
    WIDE, /* after a wide stop */
};

enum { SOFT_MAX = SENTENCE_MAX - 96, INVALID = 0xFFFD, WORD_MAX = sizeof(((struct sentencer *)0)->word) };

/* Bytes that may end a sentence, and those of characters beyond ASCII. */
#define IS_END(c) ((c) == '.' || (c) == '!' || (c) == '?' || (c) == '\n' || (c) >= 0x80)
static const struct byte_set ends = BYTE_SET(IS_END);

/* Plain bytes behind which a word begins. */
static const bool word_breaks[256] = {
    [' '] = true, ['\t'] = true, ['\r'] = true, ['\v'] = true, ['\f'] = true,
    ['('] = true, ['"'] = true,  ['\''] = true, ['['] = true,  ['{'] = true,
    ['*'] = true, ['_'] = true,  ['#'] = true,  ['>'] = true,  ['\0'] = true,
};

void sentencer_init(struct sentencer *s, uint64_t offset)
{
    *s = (struct sentencer){.offset = offset, .blank = true, .line_blank = true, .first_word = true};
}

/* The present sentence ends here; what the line and the code fence were stays. */
static void end_sentence(struct sentencer *s, uint64_t *end)
{
    s->offset += s->len;
    s->len = 0;
    s->state = TEXT;
    s->blank = s->first_word = true;
    s->word_len = 0;
    *end = s->offset;
}

static bool is_line_break(uint32_t c)
{
    return c == '\n' || c == 0x2028 || c == 0x2029;
}

static bool is_blank(uint32_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == 0xA0 || c == 0x3000;
}

static bool is_stop(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026;
}

/* Stops of scripts that put no space after them, or whose stop means nothing else. */
static bool is_wide_stop(uint32_t c)
{
    return c >= 0x80 && (c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61 || c == 0x0964 || c == 0x061F ||
                         c == 0x06D4 || c == 0x1362);
}

static bool is_closer(uint32_t c)
{
    switch (c) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case '*':
    case '_':
    case 0xBB:
    case 0x2019:
    case 0x201D:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0xFF09:
        return true;
    default:
        return false;
    }
}

/* May a sentence begin with this? */
static bool can_begin(uint32_t c)
{
    if (c >= 0x80)
        return !is_closer(c) && c != INVALID;
    return isupper((int)c) || isdigit((int)c) || (c != 0 && strchr("\"'([{*_#<>-`$+\\", (int)c) != NULL);
}

/* Words by their first letter, padded with zeros so that each is compared at once. */
enum { LETTERS = 26, LETTER_WORDS_MAX = 4 };
struct word_lists {
    char words[LETTERS][LETTER_WORDS_MAX][WORD_MAX];
};

static bool word_is_in(const struct sentencer *s, const struct word_lists *lists)
{
    char word[WORD_MAX] = {0};
    unsigned letter = (unsigned char)s->word[0] - 'a';
    if (s->word_len == 0 || s->word_len > WORD_MAX || letter >= LETTERS)
        return false;
    memcpy(word, s->word, s->word_len);
    for (size_t i = 0; i < LETTER_WORDS_MAX; i++)
        if (memcmp(lists->words[letter][i], word, WORD_MAX) == 0)
            return true;
    return false;
}

/* "U.S", "a.k.a": single letters with dots between. */
static bool is_dotted(const struct sentencer *s)
{
    if (s->word_len < 3 || s->word_len > WORD_MAX || s->word_len % 2 == 0)
        return false;
    for (size_t i = 0; i < s->word_len; i++)
        if (i % 2 == 0 ? !isalpha((unsigned char)s->word[i]) : s->word[i] != '.')
            return false;
    return true;
}

static bool is_abbreviation(const struct sentencer *s)
{
    static const struct word_lists words = {{
        ['a' - 'a'] = {"al", "approx"},
        ['c' - 'a'] = {"col", "capt", "cf"},
        ['d' - 'a'] = {"dr", "dept"},
        ['e' - 'a'] = {"eg"},
        ['g' - 'a'] = {"gen", "gov"},
        ['i' - 'a'] = {"ie", "incl"},
        ['j' - 'a'] = {"jr"},
        ['l' - 'a'] = {"lt"},
        ['m' - 'a'] = {"mr", "mrs", "ms", "messrs"},
        ['p' - 'a'] = {"prof", "ph.d"},
        ['r' - 'a'] = {"resp"},
        ['s' - 'a'] = {"st", "sr", "sgt", "sen"},
        ['v' - 'a'] = {"vs", "viz"},
    }};
    if (word_is_in(s, &words))
        return true;
    bool initial = s->word_len == 1 && isalpha((unsigned char)s->word[0]) && s->word[0] != 'i' && s->word[0] != 'a';
    return initial || is_dotted(s);
}

/* "No. 5", "Fig. 2": a sentence goes on if a number follows. */
static bool wants_number(const struct sentencer *s)
{
    static const struct word_lists words = {{
        ['a' - 'a'] = {"art"},
        ['c' - 'a'] = {"ch"},
        ['e' - 'a'] = {"eq"},
        ['f' - 'a'] = {"fig", "figs"},
        ['n' - 'a'] = {"no", "nos"},
        ['p' - 'a'] = {"p", "pp"},
        ['s' - 'a'] = {"sec"},
        ['v' - 'a'] = {"vol", "ver"},
    }};
    return word_is_in(s, &words);
}

/* "1." or "b." at the beginning. */
static bool is_list_marker(const struct sentencer *s)
{
    if (!s->first_word || s->word_len == 0 || s->word_len > 3)
        return false;
    if (s->word_len == 1 && isalpha((unsigned char)s->word[0]))
        return s->word[0] != 'i';
    for (size_t i = 0; i < s->word_len; i++)
        if (!isdigit((unsigned char)s->word[i]))
            return false;
    return true;
}

static void stop(struct sentencer *s, uint32_t c)
{
    if (c != '.')
        s->state = STOPPED;
    else if (is_list_marker(s))
        s->state = TEXT;
    else if (wants_number(s))
        s->state = STOPPED_NUMBER;
    else
        s->state = is_abbreviation(s) ? TEXT : STOPPED;
}

/* The state after a character that ends nothing by itself. */
static void note_mark(struct sentencer *s, uint32_t c)
{
    bool stopped = s->state != TEXT;
    if (s->in_code)
        s->state = TEXT;
    else if (is_wide_stop(c))
        s->state = WIDE;
    else if (is_stop(c))
        stop(s, c);
    else if (is_closer(c) && stopped && s->state != SPACED && s->state != SPACED_NUMBER)
        ;
    else if (is_blank(c))
        s->state = s->state == STOPPED ? SPACED : s->state == STOPPED_NUMBER ? SPACED_NUMBER : s->state;
    else
        s->state = TEXT;
}

static void note_word(struct sentencer *s, uint32_t c)
{
    if (is_blank(c)) {
        if (!s->blank)
            s->first_word = false;
        s->word_len = 0;
    } else if (c < 0x80 && word_breaks[c]) {
        s->word_len = 0;
    } else {
        if (s->word_len < WORD_MAX)
            s->word[s->word_len] = c < 0x80 ? (char)tolower((int)c) : '?';
        s->word_len += s->word_len < UINT8_MAX;
    }
}

/* Three backticks at the beginning of a line open or close a code block. */
static void note_fence(struct sentencer *s, uint32_t c)
{
    if (c == '`' && (s->line_blank || s->ticks > 0)) {
        if (++s->ticks == 3)
            s->in_code = !s->in_code;
    } else if (!is_blank(c) || s->ticks > 0) {
        s->ticks = 0;
    }
    s->line_blank = s->line_blank && is_blank(c);
}

/* Does the present sentence end before this character? */
static bool ends_before(const struct sentencer *s, uint32_t c, size_t size)
{
    if (s->len + size > SENTENCE_MAX)
        return true;
    switch (s->state) {
    case SPACED:
        return can_begin(c);
    case SPACED_NUMBER:
        return can_begin(c) && !(c < 0x80 && isdigit((int)c));
    case WIDE:
        return !is_wide_stop(c) && !is_stop(c) && !is_closer(c) && !is_blank(c) && !is_line_break(c);
    default:
        return false;
    }
}

/* Takes one character of `size` bytes. True if a sentence ended before or after it. */
static bool take(struct sentencer *s, uint32_t c, size_t size, uint64_t *end)
{
    bool ended = ends_before(s, c, size);
    if (ended)
        end_sentence(s, end);
    s->len += (uint32_t)size;
    if (is_line_break(c)) {
        s->line_blank = true;
        s->ticks = 0;
        s->word_len = 0;
        if (!s->blank) {
            end_sentence(s, end);
            return true;
        }
        return ended;
    }
    note_mark(s, c);
    note_fence(s, c);
    note_word(s, c);
    s->blank = s->blank && is_blank(c);
    if (s->len >= SOFT_MAX && is_blank(c) && !ended) {
        end_sentence(s, end);
        return true;
    }
    return ended;
}

/* How many bytes the sequence has that begins with this one; 0 if none does. */
static size_t sequence_size(unsigned char lead)
{
    return lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
}

static uint32_t decode(const char *glyph, size_t size)
{
    uint32_t c = (unsigned char)glyph[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        c = c << 6 | ((unsigned char)glyph[i] & 0x3F);
    return c;
}

/* Takes one byte that is not plain ASCII, or any byte after an unfinished character. *used is false if the byte has to
 * be looked at again. */
static bool take_byte(struct sentencer *s, char byte, bool *used, uint64_t *end)
{
    unsigned char b = (unsigned char)byte;
    *used = true;
    if (s->glyph_len > 0 && (b & 0xC0) != 0x80) {
        size_t broken = s->glyph_len;
        s->glyph_len = 0;
        *used = false;
        return take(s, INVALID, broken, end);
    }
    if (s->glyph_len == 0 && sequence_size(b) < 2)
        return take(s, b < 0x80 ? b : INVALID, 1, end);
    s->glyph[s->glyph_len++] = byte;
    size_t size = sequence_size((unsigned char)s->glyph[0]);
    if (s->glyph_len < size)
        return false;
    s->glyph_len = 0;
    return take(s, decode(s->glyph, size), size, end);
}

/* What a run of plain bytes makes of the present word. */
static void note_words(struct sentencer *s, struct span run)
{
    size_t begin = run.len;
    while (begin > 0 && !word_breaks[(unsigned char)run.data[begin - 1]])
        begin--;
    for (size_t i = 0; i < begin && s->first_word; i++)
        s->first_word = !is_blank((unsigned char)run.data[i]);
    size_t len = begin > 0 ? 0 : s->word_len, more = run.len - begin;
    for (size_t i = 0; i < more && len + i < WORD_MAX; i++)
        s->word[len + i] = (char)tolower((unsigned char)run.data[begin + i]);
    s->word_len = (uint8_t)(len + more < UINT8_MAX ? len + more : UINT8_MAX);
}

/* In the middle of a sentence, by far the most common case, ASCII that is no stop and no line break matters only to the
 * present word. Returns how many bytes that were. */
static size_t take_plain(struct sentencer *s, struct span text)
{
    const uint32_t len_max = SOFT_MAX - 1;
    if (s->state != TEXT || s->glyph_len > 0 || s->ticks > 0 || s->blank || s->len >= len_max)
        return 0;
    if (text.len > len_max - s->len)
        text.len = len_max - s->len;
    size_t len = byte_set_skip(&ends, text);
    s->len += (uint32_t)len;
    note_words(s, (struct span){text.data, len});
    return len;
}

size_t sentencer_feed(struct sentencer *s, struct span text, uint64_t *end)
{
    size_t i = 0;
    while (i < text.len) {
        i += take_plain(s, (struct span){text.data + i, text.len - i});
        if (i == text.len)
            break;
        bool used;
        bool ended = take_byte(s, text.data[i], &used, end);
        i += used;
        if (ended)
            return i;
    }
    return i;
}
