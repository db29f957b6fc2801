/* Finds where sentences end, one character at a time.
 * SPDX-License-Identifier: Apache-2.0
 *
 *     TEXT --. ! ?--> STOPPED --space--> SPACED --a beginning--> end
 *       ^               |                  |
 *       +---- others ---+--- lower case ---+
 *
 * A wide stop (。 and its kind) needs no space after it. Every decision waits for one character at most, so a sentence
 * is known to be over when the next one begins. */
#include "detect/sentence.h"

#include <ctype.h>
#include <string.h>

#include "base/byte_set.h"

enum state {
    TEXT,
    STOPPED,        /* after . ! ? and perhaps closing quotes */
    STOPPED_NUMBER, /* likewise, but a digit would continue ("No. 5") */
    SPACED,
    SPACED_NUMBER,
    WIDE, /* after a wide stop */
};

enum { SOFT_MAX = SENTENCE_MAX - 96, INVALID = 0xFFFD, WORD_MAX = sizeof(((struct sentencer *)0)->word) };

/* Bytes that may end a sentence, and those of characters beyond ASCII. */
#define IS_END(c) ((c) == '.' || (c) == '!' || (c) == '?' || (c) == '\n' || (c) >= 0x80)
static const struct byte_set ends = BYTE_SET(IS_END);

/* What a character may do: a set of these. */
enum kind {
    BREAKS_LINE = 1 << 0,
    BLANK = 1 << 1,
    STOP = 1 << 2,
    WIDE_STOP = 1 << 3, /* of scripts that put no space after it, or with no other meaning */
    CLOSER = 1 << 4,
    BEGINS = 1 << 5, /* a sentence may begin with it */
    DIGIT = 1 << 6,
    BREAKS_WORD = 1 << 7, /* a word begins behind it */
};

static const uint8_t plain_kinds[0x80] = {
    ['\0'] = BREAKS_WORD,
    ['\t'] = BLANK | BREAKS_WORD,
    ['\n'] = BREAKS_LINE,
    ['\v' ... '\r'] = BLANK | BREAKS_WORD,
    [' '] = BLANK | BREAKS_WORD,
    ['!'] = STOP,
    ['.'] = STOP,
    ['?'] = STOP,
    ['"'] = CLOSER | BEGINS | BREAKS_WORD,
    ['\''] = CLOSER | BEGINS | BREAKS_WORD,
    ['*'] = CLOSER | BEGINS | BREAKS_WORD,
    ['_'] = CLOSER | BEGINS | BREAKS_WORD,
    [')'] = CLOSER,
    [']'] = CLOSER,
    ['}'] = CLOSER,
    ['('] = BEGINS | BREAKS_WORD,
    ['['] = BEGINS | BREAKS_WORD,
    ['{'] = BEGINS | BREAKS_WORD,
    ['#'] = BEGINS | BREAKS_WORD,
    ['>'] = BEGINS | BREAKS_WORD,
    ['<'] = BEGINS,
    ['-'] = BEGINS,
    ['`'] = BEGINS,
    ['$'] = BEGINS,
    ['+'] = BEGINS,
    ['\\'] = BEGINS,
    ['A' ... 'Z'] = BEGINS,
    ['0' ... '9'] = BEGINS | DIGIT,
};

static unsigned wide_kind(uint32_t c)
{
    switch (c) {
    case INVALID:
        return 0;
    case 0x2028:
    case 0x2029:
        return BREAKS_LINE | BEGINS;
    case 0xA0:
    case 0x3000:
        return BLANK | BEGINS;
    case 0x2026:
        return STOP | BEGINS;
    case 0x061F:
    case 0x06D4:
    case 0x0964:
    case 0x1362:
    case 0x3002:
    case 0xFF01:
    case 0xFF1F:
    case 0xFF61:
        return WIDE_STOP | BEGINS;
    case 0xBB:
    case 0x2019:
    case 0x201D:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0xFF09:
        return CLOSER;
    default:
        return BEGINS;
    }
}

/* A character of the text. */
struct glyph {
    uint32_t c;
    unsigned kind;
    size_t size; /* in bytes */
};

static struct glyph glyph_of(uint32_t c, size_t size)
{
    return (struct glyph){c, c < 0x80 ? plain_kinds[c] : wide_kind(c), size};
}

static char lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

void sentencer_init(struct sentencer *s, uint64_t offset)
{
    *s = (struct sentencer){.offset = offset, .blank = true, .line_blank = true, .first_word = true};
}

static void forget_word(struct sentencer *s)
{
    memset(s->word, 0, sizeof s->word);
    s->word_len = 0;
}

/* The present sentence ends here; the state of the line and of the code fence stays. */
static void end_sentence(struct sentencer *s, uint64_t *end)
{
    s->offset += s->len;
    s->len = 0;
    s->state = TEXT;
    s->blank = s->first_word = true;
    forget_word(s);
    *end = s->offset;
}

/* Words by their first letter, padded with zeros so that each is compared at once. */
enum { LETTERS = 26, LETTER_WORDS_MAX = 4 };
struct word_lists {
    char words[LETTERS][LETTER_WORDS_MAX][WORD_MAX];
};

static bool word_is_in(const struct sentencer *s, const struct word_lists *lists)
{
    unsigned letter = (unsigned char)s->word[0] - 'a';
    if (s->word_len > WORD_MAX || letter >= LETTERS)
        return false;
    for (size_t i = 0; i < LETTER_WORDS_MAX; i++)
        if (memcmp(lists->words[letter][i], s->word, WORD_MAX) == 0)
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

/* "No. 5", "Fig. 2": a sentence continues if a number follows. */
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

static void sentence_stop(struct sentencer *s, uint32_t c)
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

/* The state after a character that ends no sentence by itself. */
static void note_mark(struct sentencer *s, struct glyph g)
{
    bool stopped = s->state != TEXT;
    if (s->in_code)
        s->state = TEXT;
    else if (g.kind & WIDE_STOP)
        s->state = WIDE;
    else if (g.kind & STOP)
        sentence_stop(s, g.c);
    else if (g.kind & CLOSER && stopped && s->state != SPACED && s->state != SPACED_NUMBER)
        ;
    else if (g.kind & BLANK)
        s->state = s->state == STOPPED ? SPACED : s->state == STOPPED_NUMBER ? SPACED_NUMBER : s->state;
    else
        s->state = TEXT;
}

static void note_word(struct sentencer *s, struct glyph g)
{
    if (g.kind & (BLANK | BREAKS_WORD)) {
        s->first_word = s->first_word && (s->blank || !(g.kind & BLANK));
        forget_word(s);
        return;
    }
    if (s->word_len < WORD_MAX)
        s->word[s->word_len] = g.c < 0x80 ? lower((unsigned char)g.c) : '?';
    s->word_len += s->word_len < UINT8_MAX;
}

/* Three backticks at the beginning of a line open or close a code block. */
static void note_fence(struct sentencer *s, struct glyph g)
{
    if (g.c == '`' && (s->line_blank || s->ticks > 0)) {
        if (++s->ticks == 3)
            s->in_code = !s->in_code;
    } else if (!(g.kind & BLANK) || s->ticks > 0) {
        s->ticks = 0;
    }
    s->line_blank = s->line_blank && g.kind & BLANK;
}

/* Does the present sentence end before this character? */
static bool ends_before(const struct sentencer *s, struct glyph g)
{
    if (s->len + g.size > SENTENCE_MAX)
        return true;
    switch (s->state) {
    case SPACED:
        return g.kind & BEGINS;
    case SPACED_NUMBER:
        return (g.kind & (BEGINS | DIGIT)) == BEGINS;
    case WIDE:
        return !(g.kind & (WIDE_STOP | STOP | CLOSER | BLANK | BREAKS_LINE));
    default:
        return false;
    }
}

/* Takes one character. True if a sentence ended before or after it. */
static bool sentence_take(struct sentencer *s, struct glyph g, uint64_t *end)
{
    bool ended = ends_before(s, g);
    if (ended)
        end_sentence(s, end);
    s->len += (uint32_t)g.size;
    if (g.kind & BREAKS_LINE) {
        s->line_blank = true;
        s->ticks = 0;
        forget_word(s);
        if (!s->blank) {
            end_sentence(s, end);
            return true;
        }
        return ended;
    }
    note_mark(s, g);
    note_fence(s, g);
    note_word(s, g);
    s->blank = s->blank && g.kind & BLANK;
    if (s->len >= SOFT_MAX && g.kind & BLANK && !ended) {
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

/* Reads one byte. True if that completes a character, or shows that the bytes before it are none: then *used is false,
 * and the byte has to be read again. */
static bool read_glyph(struct sentencer *s, char byte, bool *used, struct glyph *out)
{
    unsigned char b = (unsigned char)byte;
    *used = s->glyph_len == 0 || (b & 0xC0) == 0x80;
    if (!*used) {
        *out = glyph_of(INVALID, s->glyph_len);
        s->glyph_len = 0;
        return true;
    }
    if (s->glyph_len == 0 && sequence_size(b) < 2) {
        *out = glyph_of(b < 0x80 ? b : INVALID, 1);
        return true;
    }
    s->glyph[s->glyph_len++] = byte;
    size_t size = sequence_size((unsigned char)s->glyph[0]);
    if (s->glyph_len < size)
        return false;
    s->glyph_len = 0;
    *out = glyph_of(decode(s->glyph, size), size);
    return true;
}

static bool is_sentence_plain(unsigned char c, unsigned kind)
{
    return plain_kinds[c] & kind;
}

/* Applies a sequence of plain bytes to the present word. */
static void note_words(struct sentencer *s, struct span run)
{
    size_t begin = run.len;
    while (begin > 0 && !is_sentence_plain((unsigned char)run.data[begin - 1], BREAKS_WORD))
        begin--;
    for (size_t i = 0; i < begin && s->first_word; i++)
        s->first_word = !is_sentence_plain((unsigned char)run.data[i], BLANK);
    if (begin > 0)
        forget_word(s);
    size_t len = s->word_len, more = run.len - begin;
    for (size_t i = begin; i < run.len && len < WORD_MAX; i++)
        s->word[len++] = lower((unsigned char)run.data[i]);
    s->word_len = (uint8_t)(s->word_len + more < UINT8_MAX ? s->word_len + more : UINT8_MAX);
}

/* In the middle of a sentence, by far the most common case, ASCII that is neither a stop nor a line break matters only
 * to the present word. Returns how many bytes that were. */
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
        struct glyph glyph;
        bool used, is_whole = read_glyph(s, text.data[i], &used, &glyph);
        i += used;
        if (is_whole && sentence_take(s, glyph, end))
            break;
    }
    return i;
}
