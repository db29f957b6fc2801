/* Splits inline reasoning out of a text: a table of tags, and in each state the tags that count there.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes are decided from the left. Whether a tag begins at a byte depends on no more than SPLITTER_TAG_MAX bytes from
 * there on (and on the few blanks that may be before the first opener), so a tail of 64 bytes is enough. */
#include "trace/reasoning_splitter.h"

#include <assert.h>
#include <string.h>

#include "base/byte_set.h"

enum state {
    START,           /* nothing but blanks so far */
    REASONING_BEGUN, /* reasoning, nothing but blanks so far */
    REASONING,
    AFTER_CLOSE, /* answer, nothing but blanks so far */
    ANSWER,
};

enum tag_kind {
    OPEN,     /* begins reasoning */
    CLOSE,    /* ends it */
    CALL,     /* a tool call: ends reasoning, and is text itself */
    WRAP,     /* begins the answer */
    UNWRAP,   /* ends what the same family's WRAP began */
    ANALYSIS, /* gpt-oss: the message that follows is reasoning */
    MESSAGE,  /* gpt-oss: the message that follows is answer */
    MARK,     /* gpt-oss: a tag between messages */
};

enum family {
    ANY,
    THINK,
    THINKING,
    KIMI,
    KIMI_K3,
    SEED,
    MINIMAX,
    MISTRAL,
    GRANITE,
    COHERE,
    GEMMA,
    THOUGHT,
    BEGUN_THOUGHT,
    HARMONY,
    CUSTOM
};

struct tag {
    struct span text;
    enum tag_kind kind;
    enum family family;
};

/* clang-format off */
#define TAG(text, kind, family) {{(text), sizeof(text) - 1}, (kind), (family)}
/* clang-format on */

/* Written with the bytes of U+25C1 and U+25B7, white triangles that point left and right. */
#define LEFT "\xE2\x97\x81"
#define RIGHT "\xE2\x96\xB7"

/* A tag is not text and goes out unjudged, so each is here to its last byte: a model could write anything into a part
 * that is left open. */
static const struct tag known_tags[] = {
    TAG("<think>", OPEN, THINK),
    TAG("</think>", CLOSE, THINK),
    TAG("<thinking>", OPEN, THINKING),
    TAG("</thinking>", CLOSE, THINKING),
    TAG("<think:opensource>", OPEN, THINK),
    TAG("</think:opensource>", CLOSE, THINK),
    TAG(LEFT "think" RIGHT, OPEN, KIMI),
    TAG(LEFT "/think" RIGHT, CLOSE, KIMI),
    TAG("<|open|>think<|sep|>", OPEN, KIMI_K3),
    TAG("<|close|>think<|sep|>", CLOSE, KIMI_K3),
    TAG("<seed:think>", OPEN, SEED),
    TAG("</seed:think>", CLOSE, SEED),
    TAG("<mm:think>", OPEN, MINIMAX),
    TAG("</mm:think>", CLOSE, MINIMAX),
    TAG("[THINK]", OPEN, MISTRAL),
    TAG("[/THINK]", CLOSE, MISTRAL),
    TAG("Here is my thought process:", OPEN, GRANITE),
    TAG("Here's my thought process:", OPEN, GRANITE),
    TAG("Here is my response:", CLOSE, GRANITE),
    TAG("Here's my response:", CLOSE, GRANITE),
    TAG("<|START_THINKING|>", OPEN, COHERE),
    TAG("<|END_THINKING|>", CLOSE, COHERE),
    TAG("<|START_RESPONSE|>", WRAP, COHERE),
    TAG("<|END_RESPONSE|>", UNWRAP, COHERE),
    TAG("<|START_TEXT|>", WRAP, COHERE),
    TAG("<|END_TEXT|>", UNWRAP, COHERE),
    TAG("<|channel>thought\n", OPEN, GEMMA),
    TAG("<channel|>", CLOSE, GEMMA),
    TAG("<thought>", OPEN, THOUGHT),
    TAG("</thought>", CLOSE, THOUGHT),
    TAG("<|begin_of_thought|>", OPEN, BEGUN_THOUGHT),
    TAG("<|end_of_thought|>", CLOSE, BEGUN_THOUGHT),
    TAG("<answer>", WRAP, THINK),
    TAG("</answer>", UNWRAP, THINK),
    TAG("<response>", WRAP, THINK),
    TAG("</response>", UNWRAP, THINK),
    TAG("<tool_call>", CALL, ANY),
    TAG("<|tool_call_begin|>", CALL, ANY),
    TAG("<|tool_calls_section_begin|>", CALL, ANY),
    TAG("[TOOL_CALLS]", CALL, ANY),
    TAG("<|START_ACTION|>", CALL, ANY),
    TAG("<|channel|>analysis", ANALYSIS, HARMONY),
    TAG("<|channel|>final", MESSAGE, HARMONY),
    TAG("<|channel|>commentary", MESSAGE, HARMONY),
    TAG("<|end|>", CLOSE, HARMONY),
    TAG("<|message|>", MARK, HARMONY),
    TAG("<|start|>assistant", MARK, HARMONY),
    TAG("<|constrain|>", MARK, HARMONY),
    TAG("<|return|>", MARK, HARMONY),
    TAG("<|call|>", MARK, HARMONY),
};

enum {
    BLANKS_MAX = SPLITTER_TAIL_MAX - SPLITTER_TAG_MAX - 1,
    ROUNDS_MAX = 6, /* after so many tags, a closer without an opener is text */
};

/* What was found at a byte. */
struct found {
    enum { NOTHING, TOO_SHORT, FOUND } result; /* TOO_SHORT: more bytes may make it a tag */
    size_t len;
    enum tag_kind kind;
    enum family family;
};

void splitter_init(struct splitter *s, const char *open, const char *close, bool opened)
{
    *s = (struct splitter){.open = SPAN(""), .close = SPAN("")};
    if (open != NULL || close != NULL) {
        s->open = (struct span){open != NULL ? open : "", open != NULL ? strlen(open) : 0};
        s->close = (struct span){close != NULL ? close : "", close != NULL ? strlen(close) : 0};
        s->family = CUSTOM;
    }
    if (opened) {
        s->state = REASONING_BEGUN;
        s->reasoned = true;
    }
}

void splitter_set_apart(struct splitter *s, bool is_begun)
{
    if (s->state == REASONING_BEGUN && !is_begun) {
        s->state = START;
        s->reasoned = false;
    }
    s->is_apart = !s->reasoned;
}

/* ---- which tags count where ---------------------------------------------------------------------------------------
 */

static bool is_open_reasoning(const struct splitter *s)
{
    return s->state == REASONING || s->state == REASONING_BEGUN;
}

static bool closes_count(const struct splitter *s, enum family family)
{
    if (family == GRANITE && s->family != GRANITE)
        return false; /* ordinary words */
    if (s->is_apart && !is_open_reasoning(s))
        return false;
    if (family == HARMONY && s->harmony)
        return true;
    if (is_open_reasoning(s))
        return s->family == ANY || s->family == family;
    return family != HARMONY && (s->state != ANSWER || !s->reasoned) && s->rounds < ROUNDS_MAX;
}

/* An answer may speak of a tag: then quotes surround it, or it is in code. */
static bool is_quoted(const struct splitter *s)
{
    return s->before != '\0' && strchr("`\"'\\", s->before) != NULL;
}

/* Reasoning begins anywhere in an answer, unless it is known to come elsewhere. Granite's openers are ordinary words.
 */
static bool opens_count(const struct splitter *s, enum family family)
{
    if (s->state == REASONING || s->is_apart)
        return false;
    return s->state != ANSWER || (family != GRANITE && !is_quoted(s));
}

static bool counts(const struct splitter *s, const struct tag *tag)
{
    switch (tag->kind) {
    case OPEN:
        return opens_count(s, tag->family);
    case CLOSE:
        return closes_count(s, tag->family);
    case CALL:
        return is_open_reasoning(s);
    case WRAP:
        return s->state == AFTER_CLOSE && s->wrapper == 0;
    case UNWRAP:
        return s->wrapper == tag->family && (s->state == AFTER_CLOSE || s->state == ANSWER);
    case ANALYSIS:
    case MESSAGE:
        return s->harmony || (!is_open_reasoning(s) && opens_count(s, HARMONY));
    case MARK:
        return s->harmony || (tag->text.data[2] == 's' && !is_open_reasoning(s) && opens_count(s, HARMONY));
    }
    return false;
}

/* ---- finding a tag ------------------------------------------------------------------------------------------------
 */

static struct found match_tag(const struct tag *tag, struct span text)
{
    size_t len = text.len < tag->text.len ? text.len : tag->text.len;
    if (memcmp(text.data, tag->text.data, len) != 0)
        return (struct found){.result = NOTHING};
    if (len < tag->text.len)
        return (struct found){.result = TOO_SHORT};
    return (struct found){FOUND, len, tag->kind, tag->family};
}

/* The tag among `tags` that begins at the text's first byte. No tag is the beginning of another one. */
static struct found match_any(const struct splitter *s, const struct tag *tags, size_t len, struct span text)
{
    struct found best = {.result = NOTHING};
    for (size_t i = 0; i < len && best.result != FOUND; i++) {
        if (tags[i].text.len == 0 || tags[i].text.data[0] != text.data[0] || !counts(s, &tags[i]))
            continue;
        struct found found = match_tag(&tags[i], text);
        if (found.result != NOTHING)
            best = found;
    }
    return best;
}

static struct found find_tag(const struct splitter *s, struct span text)
{
    if (s->open.len == 0 && s->close.len == 0)
        return match_any(s, known_tags, sizeof(known_tags) / sizeof(known_tags[0]), text);
    struct tag pair[] = {{s->open, OPEN, CUSTOM}, {s->close, CLOSE, CUSTOM}};
    for (int i = 0; i < 2; i++)
        if (pair[i].text.len > SPLITTER_TAG_MAX)
            pair[i].text.len = 0;
    return match_any(s, pair, 2, text);
}

#define BEGINS_KNOWN_TAG(c) ((c) == '<' || (c) == '[' || (c) == 'H' || (c) == 0xE2)
static const struct byte_set known_beginnings = BYTE_SET(BEGINS_KNOWN_TAG);

static bool may_begin_tag(const struct splitter *s, char c)
{
    if (s->open.len == 0 && s->close.len == 0)
        return known_beginnings.has[(unsigned char)c];
    return (s->open.len > 0 && c == s->open.data[0]) || (s->close.len > 0 && c == s->close.data[0]);
}

/* ---- deciding -----------------------------------------------------------------------------------------------------
 */

/* What is decided of a window of text. */
struct decided {
    struct part *parts;
    size_t parts_len, max;
};

static void reasoning_splitter_add(struct decided *d, enum part_kind kind, size_t len)
{
    if (len == 0)
        return;
    if (d->parts_len > 0 && d->parts[d->parts_len - 1].kind == kind) {
        d->parts[d->parts_len - 1].len += len;
        return;
    }
    assert(d->parts_len < d->max);
    d->parts[d->parts_len++] = (struct part){kind, len};
}

static void open_reasoning(struct splitter *s, enum family family)
{
    s->state = REASONING_BEGUN;
    s->family = (uint8_t)family;
    s->reasoned = true;
    s->rounds += s->rounds < UINT8_MAX;
}

static void close_reasoning(struct splitter *s, enum family family)
{
    if (s->state == ANSWER && !s->reasoned)
        s->closed_unopened = true;
    s->reasoned = true;
    s->harmony |= family == HARMONY;
    if (family != HARMONY)
        s->rounds += s->rounds < UINT8_MAX;
    s->state = AFTER_CLOSE;
}

/* Takes a tag that counts. Returns what it is: a tag, except for a tool call, which is answer. */
static enum part_kind take_tag(struct splitter *s, struct found found)
{
    switch (found.kind) {
    case OPEN:
        open_reasoning(s, found.family);
        break;
    case CLOSE:
        close_reasoning(s, found.family);
        break;
    case CALL:
        s->state = ANSWER;
        return PART_ANSWER;
    case WRAP:
        s->wrapper = (uint8_t)found.family;
        break;
    case UNWRAP:
        s->wrapper = 0;
        break;
    case ANALYSIS:
        s->harmony = s->reasoned = true;
        s->family = HARMONY;
        s->state = REASONING_BEGUN;
        break;
    case MESSAGE:
        s->harmony = true;
        s->state = AFTER_CLOSE;
        break;
    case MARK:
        if (!s->harmony)
            s->state = AFTER_CLOSE;
        s->harmony = true;
        break;
    }
    return PART_TAG;
}

static enum part_kind text_kind(const struct splitter *s)
{
    return is_open_reasoning(s) ? PART_REASONING : PART_ANSWER;
}

/* A byte that is not a blank has arrived. */
static void leave_beginning(struct splitter *s)
{
    if (s->state == REASONING_BEGUN)
        s->state = REASONING;
    else if (s->state == START || s->state == AFTER_CLOSE)
        s->state = ANSWER;
}

/* Bytes of the blank that the text begins with: 0: none; SIZE_MAX: it may become one. Before the first tag, invisible
 * characters are blanks, too: byte order marks, zero-width and no-break spaces. */
static size_t blank_len(struct span text, bool at_start)
{
    static const char *const invisible[] = {"\xEF\xBB\xBF", "\xE2\x80\x8B", "\xE2\x80\x8C",
                                            "\xE2\x80\x8D", "\xE2\x81\xA0", "\xC2\xA0"};
    if (memchr(" \t\r\n", text.data[0], 4) != NULL)
        return 1;
    for (size_t i = 0; i < sizeof invisible / sizeof *invisible && at_start; i++) {
        size_t len = strlen(invisible[i]), have = text.len < len ? text.len : len;
        if (memcmp(text.data, invisible[i], have) == 0)
            return have == len ? len : SIZE_MAX;
    }
    return 0;
}

/* *waits: what follows them may become another one. */
static size_t count_blanks(struct span text, bool at_start, bool *waits)
{
    size_t i = 0, len = 0;
    for (; i < text.len && i < BLANKS_MAX; i += len) {
        len = blank_len((struct span){text.data + i, text.len - i}, at_start);
        if (len == 0 || len == SIZE_MAX)
            break;
    }
    *waits = len == SIZE_MAX;
    return i;
}

/* Text up to the next byte that a tag may begin with. The first byte is known to begin none. */
static size_t text_run(const struct splitter *s, struct span text)
{
    if (s->open.len == 0 && s->close.len == 0)
        return 1 + byte_set_skip(&known_beginnings, (struct span){text.data + 1, text.len - 1});
    size_t i = 1;
    while (i < text.len && !may_begin_tag(s, text.data[i]))
        i++;
    return i;
}

/* Decides what is at the beginning of the text. Returns how many bytes, 0 if that depends on what follows. */
static size_t decide_next(struct splitter *s, struct span text, bool final, struct decided *d)
{
    bool waits = false;
    size_t blanks = s->state == REASONING || s->state == ANSWER ? 0 : count_blanks(text, s->state == START, &waits);
    bool held = s->state == START && !s->is_apart && blanks < BLANKS_MAX; /* they belong to what follows */
    if (waits && !final)
        return 0;
    if (blanks > 0 && !held) {
        reasoning_splitter_add(d, text_kind(s), blanks);
        return blanks;
    }
    struct span rest = {text.data + blanks, text.len - blanks};
    if (rest.len == 0) {
        reasoning_splitter_add(d, PART_ANSWER, final ? blanks : 0);
        return final ? blanks : 0;
    }
    struct found found = {.result = NOTHING};
    if (may_begin_tag(s, rest.data[0]))
        found = find_tag(s, rest);
    if (found.result == TOO_SHORT && !final)
        return 0;
    if (found.result == FOUND) {
        enum part_kind kind = take_tag(s, found);
        reasoning_splitter_add(d, text_kind(s), blanks);
        reasoning_splitter_add(d, kind, found.len);
        return blanks + found.len;
    }
    leave_beginning(s);
    size_t run = text_run(s, rest);
    reasoning_splitter_add(d, text_kind(s), blanks + run);
    return blanks + run;
}

/* Decides as much of the window as can be; returns how many bytes. */
static size_t decide(struct splitter *s, struct span window, bool final, struct decided *d)
{
    size_t done = 0;
    while (done < window.len) {
        size_t len = decide_next(s, (struct span){window.data + done, window.len - done}, final, d);
        if (len == 0)
            break;
        done += len;
        s->before = window.data[done - 1];
    }
    return done;
}

/* No tag begins the text, whatever follows it. */
static bool begins_no_tag(const struct splitter *s, struct span text)
{
    return !may_begin_tag(s, text.data[0]) || find_tag(s, text).result == NOTHING;
}

struct part splitter_plain(struct splitter *s, struct span text)
{
    bool is_inside = s->state == REASONING || s->state == ANSWER;
    size_t len = 0;
    if (s->tail_len > 0 || (!is_inside && blank_len(text, s->state == START) > 0))
        return (struct part){text_kind(s), 0};
    for (struct span rest = text; len < text.len && begins_no_tag(s, rest);) {
        leave_beginning(s);
        len += text_run(s, rest);
        rest = (struct span){text.data + len, text.len - len};
        s->before = text.data[len - 1];
    }
    return (struct part){text_kind(s), len};
}

size_t splitter_feed(struct splitter *s, struct span text, struct part *parts, size_t max)
{
    assert(text.len <= SPLITTER_SLICE_MAX && max >= SPLITTER_PARTS_MAX);
    char room[SPLITTER_TAIL_MAX + SPLITTER_SLICE_MAX];
    struct span window = text;
    if (s->tail_len > 0) {
        memcpy(room, s->tail, s->tail_len);
        memcpy(room + s->tail_len, text.data, text.len);
        window = (struct span){room, s->tail_len + text.len};
    }
    struct decided d = {.parts = parts, .max = max};
    size_t done = decide(s, window, false, &d);
    assert(window.len - done <= SPLITTER_TAIL_MAX);
    s->tail_len = (uint8_t)(window.len - done);
    memcpy(s->tail, window.data + done, s->tail_len);
    return d.parts_len;
}

size_t splitter_end(struct splitter *s, struct part *parts, size_t max)
{
    struct decided d = {.parts = parts, .max = max};
    char room[SPLITTER_TAIL_MAX];
    memcpy(room, s->tail, s->tail_len);
    size_t done = decide(s, (struct span){room, s->tail_len}, true, &d);
    assert(done == s->tail_len);
    s->tail_len = 0;
    return d.parts_len;
}
