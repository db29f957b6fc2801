/* See reply_text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "judges/reply_text.h"

#include <string.h>

#include "judges/judge.h"

static const char blanks[] = " \t\r\n";

static struct reply_span span_trim(const char *text, size_t len)
{
    while (len > 0 && strchr(blanks, text[0]) != NULL) {
        text++;
        len--;
    }
    while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
        len--;
    return (struct reply_span){text, len};
}

struct reply_span reply_body(const char *reply)
{
    static const char open[] = "<think>", close[] = "</think>";
    struct reply_span body = span_trim(reply, strlen(reply));
    bool opens = body.len >= sizeof open - 1 && memcmp(body.text, open, sizeof open - 1) == 0;
    /* Some servers cut the opener off. */
    const char *end = memmem(body.text, body.len, close, sizeof close - 1);
    if (end != NULL) {
        end += sizeof close - 1;
        return span_trim(end, body.len - (size_t)(end - body.text));
    }
    return opens ? (struct reply_span){body.text, 0} : body;
}

struct reply_span reply_next_line(struct reply_span body, struct reply_span line)
{
    const char *end = body.text + body.len, *at = line.text == NULL ? body.text : line.text + line.len;
    if (line.text != NULL) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (at == NULL)
            return (struct reply_span){NULL, 0};
        at++;
    }
    if (line.text == NULL && body.len == 0)
        return (struct reply_span){NULL, 0};
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    struct reply_span next = span_trim(at, (size_t)((stop != NULL ? stop : end) - at));
    /* A blank line keeps its place, so that the next call finds the line end behind it. */
    return next.len > 0 ? next : (struct reply_span){at, 0};
}

static bool spans_equal(struct reply_span a, struct reply_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

/* Takes one more place where the value stands; false: it contradicts the ones before. */
static bool span_agree(struct reply_span *found, struct reply_span next, bool *twice)
{
    if (found->text != NULL && !spans_equal(*found, next)) {
        *found = (struct reply_span){NULL, 0};
        if (twice != NULL)
            *twice = true;
        return false;
    }
    *found = next;
    return true;
}

struct reply_span reply_behind(struct reply_span body, const char *label, bool *twice)
{
    size_t len = strlen(label);
    struct reply_span found = {NULL, 0}, line = {NULL, 0};
    if (twice != NULL)
        *twice = false;
    while ((line = reply_next_line(body, line)).text != NULL)
        if (line.len >= len && memcmp(line.text, label, len) == 0 &&
            !span_agree(&found, span_trim(line.text + len, line.len - len), twice))
            break;
    return found;
}

struct reply_span reply_between(struct reply_span body, const char *open, const char *close, bool *twice)
{
    size_t open_len = strlen(open), close_len = strlen(close);
    const char *at = body.text, *end = body.text + body.len;
    struct reply_span found = {NULL, 0};
    if (twice != NULL)
        *twice = false;
    while ((at = memmem(at, (size_t)(end - at), open, open_len)) != NULL) {
        at += open_len;
        const char *stop = memmem(at, (size_t)(end - at), close, close_len);
        if (stop == NULL || !span_agree(&found, span_trim(at, (size_t)(stop - at)), twice))
            break;
        at = stop + close_len;
    }
    return found;
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

struct reply_span reply_first_word(struct reply_span body)
{
    size_t len = 0;
    while (len < body.len && is_letter(body.text[len]))
        len++;
    return (struct reply_span){len > 0 ? body.text : NULL, len};
}

bool reply_is(struct reply_span span, const char *word)
{
    return span.text != NULL && strlen(word) == span.len && memcmp(span.text, word, span.len) == 0;
}

static bool category_add(struct judge_opinion *opinion, const char *name)
{
    size_t at = strlen(opinion->categories), len = strlen(name);
    if (at + (at > 0) + len >= JUDGE_CATEGORIES_MAX)
        return true; /* the names that fit are enough to tell what it is about */
    if (at > 0)
        opinion->categories[at++] = ',';
    memcpy(opinion->categories + at, name, len + 1);
    return true;
}

bool reply_categories(struct reply_span span, const char *const *known, const char *none, struct judge_opinion *opinion)
{
    const char *at = span.text, *end = span.text + span.len;
    if (span.text == NULL || span.len == 0 || (none != NULL && reply_is(span, none)))
        return true;
    for (;;) {
        const char *stop = memchr(at, ',', (size_t)(end - at));
        struct reply_span name = span_trim(at, (size_t)((stop != NULL ? stop : end) - at));
        size_t i = 0;
        while (known[i] != NULL && !reply_is(name, known[i]))
            i++;
        if (known[i] == NULL || !category_add(opinion, known[i]))
            return false;
        if (stop == NULL)
            return true;
        at = stop + 1;
    }
}
