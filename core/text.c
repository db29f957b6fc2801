/* See text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <assert.h>
#include <string.h>

#include "heap.h"

enum {
    PAST_MAX = 512,   /* so much of the past is kept as evidence for rules that do not hold */
    EDITS_MAX = 65536 /* redactions that wait at a time */
};

void text_init(struct text *t, enum rein_channel channel, uint16_t choice, const struct ruleset *rules,
               size_t window_max)
{
    *t = (struct text){.channel = channel, .choice = choice, .rules = rules, .limit = UINT64_MAX};
    bytes_init(&t->window, window_max);
    sentencer_init(&t->sentencer, 0);
}

void text_fini(struct text *t)
{
    matcher_free(t->matcher);
    bytes_fini(&t->window);
    heap_free(t->edits);
    *t = (struct text){0};
}

static size_t blank_prefix(struct span s)
{
    size_t n = 0;
    while (n < s.len && memchr(" \t\r\n", s.data[n], 4) != NULL)
        n++;
    return n;
}

int text_append(struct text *t, struct span bytes)
{
    assert(t->cursor.at == t->received);
    int rv = t->received == 0 && t->matcher == NULL ? matcher_new(&t->matcher, t->rules, t->channel) : 0;
    if (rv == 0)
        rv = bytes_append_span(&t->window, bytes);
    if (rv != 0)
        return rv;
    if (t->blank == t->received)
        t->blank += blank_prefix(bytes);
    t->received += bytes.len;
    if (bytes.len > 0)
        t->is_over = false;
    return 0;
}

struct span text_slice(const struct text *t, uint64_t start, uint64_t end)
{
    if (end > t->received)
        end = t->received;
    if (start < t->base)
        start = t->base;
    if (start >= end)
        return SPAN("");
    return (struct span){bytes_at(&t->window, (size_t)(start - t->base)), (size_t)(end - start)};
}

/* Lets the sentencer say how far the matcher may go before a sentence is due. */
static void set_goal(struct text *t)
{
    struct text_cursor *c = &t->cursor;
    if (c->at < c->goal || c->end != 0)
        return;
    c->goal = t->received;
    if (!t->has_sentences)
        return;
    struct span rest = text_slice(t, c->at, t->received);
    c->goal = c->at + sentencer_feed(&t->sentencer, rest, &c->end);
}

static int match_up_to_goal(struct text *t, struct match_list *matches)
{
    struct text_cursor *c = &t->cursor;
    while (c->at < c->goal) {
        size_t consumed = (size_t)(c->goal - c->at), before = matches->len;
        struct span seen = text_slice(t, t->base, c->goal);
        int rv = matcher_feed(t->matcher, seen, t->base, c->at, matches, &consumed);
        if (rv != 0)
            return rv;
        c->at += consumed;
        if (matches->len > before)
            return TEXT_MATCH;
    }
    return TEXT_DRY;
}

static int take_sentence(struct text *t, uint64_t end, struct span *sentence, uint64_t *offset)
{
    *offset = t->judged;
    *sentence = text_slice(t, t->judged, end);
    t->judged = end;
    return TEXT_SENTENCE;
}

int text_advance(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset)
{
    struct text_cursor *c = &t->cursor;
    while (c->at < t->received || c->end != 0) {
        set_goal(t);
        int rv = match_up_to_goal(t, matches);
        if (rv != TEXT_DRY)
            return rv;
        uint64_t end = c->end;
        c->end = 0;
        if (end > t->judged)
            return take_sentence(t, end, sentence, offset);
    }
    return TEXT_DRY;
}

int text_end(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset)
{
    if (t->is_over)
        return TEXT_DRY;
    size_t before = matches->len;
    int rv = matcher_end(t->matcher, text_slice(t, t->base, t->received), t->base, matches);
    if (rv != 0)
        return rv;
    if (matches->len > before)
        return TEXT_MATCH;
    t->is_over = true;
    if (!t->has_sentences || t->judged == t->received)
        return TEXT_DRY;
    sentencer_init(&t->sentencer, t->received);
    return take_sentence(t, t->received, sentence, offset);
}

/* Makes room at position i. */
static int insert_edit(struct text *t, size_t i, struct edit edit)
{
    if (t->edits_len == t->edits_cap) {
        size_t cap = t->edits_cap > 0 ? t->edits_cap * 2 : 4;
        if (cap > EDITS_MAX)
            return REIN_ELIMIT;
        struct edit *edits = heap_resize(t->edits, cap * sizeof *edits);
        if (edits == NULL)
            return REIN_ENOMEM;
        t->edits = edits;
        t->edits_cap = cap;
    }
    memmove(t->edits + i + 1, t->edits + i, (t->edits_len - i) * sizeof *t->edits);
    t->edits[i] = edit;
    t->edits_len++;
    return 0;
}

int text_redact(struct text *t, uint64_t start, uint64_t end, uint16_t rule)
{
    if (start < t->released)
        start = t->released;
    if (start >= end)
        return 0;
    size_t i = 0;
    while (i < t->edits_len && t->edits[i].end <= start)
        i++;
    size_t joined = i;
    while (joined < t->edits_len && t->edits[joined].start < end) {
        struct edit *e = &t->edits[joined++];
        if (e->start <= start) {
            start = e->start;
            rule = e->rule;
        }
        end = e->end > end ? e->end : end;
    }
    if (joined == i)
        return insert_edit(t, i, (struct edit){start, end, rule});
    t->edits[i] = (struct edit){start, end, rule};
    memmove(t->edits + i + 1, t->edits + joined, (t->edits_len - joined) * sizeof *t->edits);
    t->edits_len -= joined - i - 1;
    return 0;
}

void text_stop(struct text *t)
{
    if (t->limit > t->cleared)
        t->limit = t->cleared;
}

void text_released(struct text *t, uint64_t offset)
{
    t->released = offset;
    size_t gone = 0;
    while (gone < t->edits_len && t->edits[gone].end <= offset)
        gone++;
    if (gone > 0) {
        memmove(t->edits, t->edits + gone, (t->edits_len - gone) * sizeof *t->edits);
        t->edits_len -= gone;
    }
}

void text_trim(struct text *t)
{
    uint64_t keep = t->received;
    if (t->matcher != NULL) {
        keep = matcher_keep(t->matcher);
        uint64_t past = t->received > PAST_MAX ? t->received - PAST_MAX : 0;
        keep = keep < past ? keep : past;
    }
    if (t->has_sentences && t->judged < keep)
        keep = t->judged;
    if (keep <= t->base)
        return;
    bytes_consume(&t->window, (size_t)(keep - t->base));
    t->base = keep;
}
