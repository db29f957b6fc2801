/* See text.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/text.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"
#include "rules/ruleset.h"

enum {
    PAST_MAX = 512,     /* how much earlier text is kept as evidence for rules that do not hold */
    EDITS_MAX = 131072, /* redactions that may wait at a time */
};

void text_init(struct text *t, enum rein_channel channel, uint16_t choice, const struct ruleset *rules,
               size_t window_max)
{
    *t = (struct text){.channel = channel,
                       .choice = choice,
                       .rules = rules,
                       .limit = UINT64_MAX,
                       .is_plain = true,
                       .known_hold = UINT64_MAX};
    bytes_init(&t->window, window_max);
    bytes_init(&t->edits, EDITS_MAX * sizeof(struct edit));
    sentencer_init(&t->sentencer, 0);
}

void text_fini(struct text *t)
{
    matcher_free(t->matcher);
    leaf_view_free(t->leaves);
    heap_free(t->restore);
    bytes_fini(&t->window);
    bytes_fini(&t->edits);
    *t = (struct text){0};
}

int text_restore(struct text *t, const struct mask_set *set)
{
    assert(t->received == 0 && t->restore == NULL);
    t->restore = heap_new(1, sizeof *t->restore);
    if (t->restore == NULL)
        return REIN_ENOMEM;
    restore_init(t->restore, set);
    t->is_plain = false;
    return 0;
}

static size_t blank_prefix(struct span s)
{
    size_t n = 0;
    while (n < s.len && memchr(" \t\r\n", s.data[n], 4) != NULL)
        n++;
    return n;
}

bool text_edits_are_sound(const struct text *t)
{
    size_t len = bytes_len(&t->edits);
    const struct edit *edits = (const struct edit *)(const void *)bytes_span(&t->edits).data;
    return len % sizeof *edits == 0 && edits[0].end > t->released && edits[len / sizeof *edits - 1].end <= t->received;
}

/* Something that is not blank has come, at the text's offset `blank`. */
static int open_leaves(struct text *t, char first)
{
    t->may_be_json = false;
    bool is_json = leaf_begins(first) && (first != '"' || t->channel == REIN_TOOL || t->channel == REIN_PROMPT);
    if (!is_json || (t->matcher == NULL && t->restore == NULL))
        return 0;
    bytes_clear(&t->edits); /* blanks before it */
    int rv = leaf_view_new(&t->leaves, t->rules, t->channel, t->blank, t->window.limit);
    t->is_plain = false;
    if (rv == 0 && t->muted != NULL)
        matcher_mute(t->leaves->matcher, t->muted);
    return rv == 0 && t->restore != NULL ? leaf_view_restore(t->leaves, t->restore->set) : rv;
}

static int make_matcher(struct text *t)
{
    int rv = matcher_new(&t->matcher, t->rules, t->channel);
    if (rv == 0 && t->muted != NULL)
        matcher_mute(t->matcher, t->muted);
    return rv;
}

int text_append(struct text *t, struct span bytes)
{
    assert(text_is_sound(t) && t->cursor.at == t->received && !t->is_over);
    int rv = t->received == 0 && t->matcher == NULL ? make_matcher(t) : 0;
    if (rv == 0)
        rv = bytes_append_span(&t->window, bytes);
    if (rv != 0)
        return rv;
    uint64_t blank = t->blank == t->received ? blank_prefix(bytes) : 0;
    t->blank += blank;
    t->received += bytes.len;
    t->is_lifted &= bytes.len == 0;
    return t->may_be_json && blank < bytes.len ? open_leaves(t, bytes.data[blank]) : 0;
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

bool text_found(const struct text *t, int event, const struct match *m, struct match *span, struct span *evidence)
{
    *span = *m;
    if (event == TEXT_LEAF) {
        *evidence = leaf_view_text(t->leaves, m);
        leaf_view_source(t->leaves, m, &span->start, &span->end);
        return true;
    }
    *evidence = text_slice(t, m->start, m->end);
    if (t->leaves == NULL || event == TEXT_KNOWN)
        return true;
    span->end = leaf_view_clip(t->leaves, m->end);
    return !leaf_view_is_illusion(t->leaves, m->start, m->end);
}

/* The end of the next known sentence counts when all has come that had to come at the time. */
static void set_known_goal(struct text *t)
{
    struct text_cursor *c = &t->cursor;
    uint64_t end, due;
    if (!known_sentence_due(t->known_sentences, &end, &due) || due > t->received)
        return;
    c->end = end;
    c->goal = due > c->at ? due : c->at;
}

/* Asks the sentencer how far the matcher may go before a sentence is due. */
static void set_goal(struct text *t)
{
    struct text_cursor *c = &t->cursor;
    if (c->at < c->goal || c->end != 0)
        return;
    c->goal = t->received;
    if (!t->has_sentences)
        return;
    if (t->known_sentences != NULL) {
        set_known_goal(t);
        return;
    }
    struct span rest = text_slice(t, c->at, t->received);
    c->goal = c->at + sentencer_feed(&t->sentencer, rest, &c->end);
}

static int put_redaction(struct text *t, struct edit edit);

/* The leaves have decided something, and the text is judged up to there. */
static bool are_leaves_due(const struct text *t)
{
    return t->leaves != NULL && t->leaves->matches.len > 0 && t->cursor.at >= t->leaves->at;
}

/* Hands the matches over. The list that the caller had, which is empty, is the leaves' next one. */
static int take_leaf_matches(struct text *t, struct match_list *matches)
{
    struct match_list mine = t->leaves->matches;
    assert(matches->len == 0);
    t->leaves->matches = *matches;
    *matches = mine;
    return TEXT_LEAF;
}

/* A scalar that was to be redacted has ended. */
static int take_due_edit(struct text *t)
{
    struct edit edit = t->leaves->due;
    t->leaves->due.end = 0;
    return edit.end > 0 ? put_redaction(t, edit) : 0;
}

/* Values that are put back, in the place of placeholders in leaves. */
static int take_restored_leaves(struct text *t)
{
    struct edit edit;
    int rv = 0;
    while (rv == 0 && leaf_view_take_restored(t->leaves, &edit))
        rv = put_redaction(t, edit);
    return rv;
}

/* Reads the leaves up to `goal`, or up to where they decide something. */
static int read_leaves(struct text *t, uint64_t goal)
{
    int rv = 0;
    while (rv == 0 && t->leaves->at < goal && t->leaves->matches.len == 0) {
        rv = leaf_view_feed(t->leaves, text_slice(t, t->leaves->at, goal));
        if (rv == 0)
            rv = take_restored_leaves(t);
        if (rv == 0)
            rv = take_due_edit(t);
    }
    return rv;
}

/* Looks for placeholders in the text as it is written, up to where it is judged. */
static int restore_up_to(struct text *t, uint64_t end)
{
    struct restored found;
    int rv = 0;
    while (rv == 0 && t->restore->at < end) {
        size_t read = restore_feed(t->restore, text_slice(t, t->restore->at, end), &found);
        assert(read > 0);
        bool counts = found.end != 0 && (t->leaves == NULL || leaf_view_part(t->leaves, found.end - 1) == LEAF_NONE);
        if (counts)
            rv = put_redaction(t, (struct edit){.start = found.start,
                                                .end = found.end,
                                                .restores = true,
                                                .form = EDIT_TEXT,
                                                .number = found.value});
    }
    return rv;
}

static int match_views(struct text *t, struct match_list *matches)
{
    struct text_cursor *c = &t->cursor;
    while (c->at < c->goal && !are_leaves_due(t)) {
        uint64_t goal = c->goal;
        int rv = t->leaves != NULL ? read_leaves(t, goal) : 0;
        if (rv != 0)
            return rv;
        if (t->leaves != NULL && t->leaves->matches.len > 0)
            goal = t->leaves->at;
        size_t consumed = (size_t)(goal - c->at), before = matches->len;
        struct span seen = text_slice(t, t->base, goal);
        rv = matcher_feed(t->matcher, seen, t->base, c->at, matches, &consumed);
        if (rv == 0)
            rv = t->restore != NULL ? restore_up_to(t, c->at + consumed) : 0;
        if (rv != 0)
            return rv;
        c->at += consumed;
        if (matches->len > before)
            return TEXT_MATCH;
    }
    return are_leaves_due(t) ? take_leaf_matches(t, matches) : TEXT_DRY;
}

static int take_known_match(struct text *t, struct match_list *matches)
{
    t->known_hold = min_offset(t->known_hold, t->known->still_held);
    return match_list_add(matches, t->known->match);
}

/* Hands over the known matches that are decided before `at`. What lies behind the text's end is none of it, whoever
 * says so. */
static int take_known(struct text *t, uint64_t at, struct match_list *matches)
{
    int rv = 0;
    for (; rv == 0 && t->known_len > 0 && t->known->at <= at; t->known++, t->known_len--)
        if (t->known->match.end <= t->received)
            rv = take_known_match(t, matches);
    return rv == 0 ? TEXT_KNOWN : rv;
}

static int match_views_and_known(struct text *t, struct match_list *matches)
{
    struct text_cursor *c = &t->cursor;
    uint64_t goal = c->goal, at = t->known_len > 0 ? t->known->at : UINT64_MAX;
    if (c->at < at && at < goal)
        c->goal = at;
    int rv = c->at < at ? match_views(t, matches) : TEXT_DRY;
    c->goal = goal;
    return rv != TEXT_DRY || c->at < at ? rv : take_known(t, c->at, matches);
}

static int match_up_to_goal(struct text *t, struct match_list *matches)
{
    struct text_cursor *c = &t->cursor;
    if (!t->is_plain)
        return match_views_and_known(t, matches);
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
    t->cursor.pauses = false;
    return TEXT_SENTENCE;
}

void text_reading(struct text *t, struct reading *out)
{
    const struct text_cursor *c = &t->cursor;
    if (t->known_sentences != NULL) {
        known_sentence_take(t->known_sentences, out);
        return;
    }
    *out = (struct reading){.flags = c->pauses ? READING_PAUSED : 0,
                            .behind = c->pauses ? 0 : (uint32_t)(c->goal - t->judged)};
}

int text_advance(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset)
{
    struct text_cursor *c = &t->cursor;
    t->known_hold = UINT64_MAX;
    while (c->at < t->received || c->end != 0 || are_leaves_due(t)) {
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

int text_pause(struct text *t, struct span *sentence, uint64_t *offset)
{
    assert(text_is_sound(t) && t->cursor.at == t->received);
    if (t->is_over || !t->has_sentences || t->judged == t->received)
        return TEXT_DRY;
    if (t->known_sentences != NULL && !known_sentence_pauses(t->known_sentences, t->received))
        return TEXT_DRY;
    sentencer_init(&t->sentencer, t->received);
    (void)take_sentence(t, t->received, sentence, offset);
    t->cursor.pauses = true;
    return TEXT_SENTENCE;
}

int text_lift_known(struct text *t, struct match_list *matches)
{
    int rv = 0;
    if (t->known_len == 0 || t->known->match.end > t->received)
        return TEXT_DRY;
    for (; rv == 0 && t->known_len > 0 && t->known->match.end <= t->received; t->known++, t->known_len--)
        rv = take_known_match(t, matches);
    return rv == 0 ? TEXT_KNOWN : rv;
}

int text_lift(struct text *t, struct match_list *matches)
{
    assert(text_is_sound(t) && t->cursor.at == t->received);
    size_t before = matches->len;
    int rv = matcher_end_for_now(t->matcher, text_slice(t, t->base, t->received), t->base, matches);
    if (rv != 0)
        return rv;
    t->is_lifted = true;
    t->lifted_to = t->received;
    return matches->len > before ? TEXT_MATCH : TEXT_DRY;
}

int text_end(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset)
{
    assert(text_is_sound(t));
    if (t->is_over)
        return TEXT_DRY;
    size_t before = matches->len;
    int rv = matcher_end(t->matcher, text_slice(t, t->base, t->received), t->base, matches);
    if (rv != 0)
        return rv;
    if (matches->len > before)
        return TEXT_MATCH;
    if (t->known_len > 0)
        return take_known(t, UINT64_MAX, matches);
    if (t->leaves != NULL) {
        rv = leaf_view_end(t->leaves);
        if (rv == 0)
            rv = take_restored_leaves(t);
        if (rv == 0)
            rv = take_due_edit(t);
        if (rv != 0 || t->leaves->matches.len > 0)
            return rv != 0 ? rv : take_leaf_matches(t, matches);
    }
    rv = text_pause(t, sentence, offset);
    t->is_over = true;
    assert(text_is_sound(t));
    return rv;
}

static struct edit *edit_at(const struct text *t, size_t i)
{
    return (struct edit *)(void *)bytes_at(&t->edits, i * sizeof(struct edit));
}

static size_t edit_count(const struct text *t)
{
    return bytes_len(&t->edits) / sizeof(struct edit);
}

/* How many redactions end at `offset` or before. */
static size_t edits_before(const struct text *t, uint64_t offset)
{
    size_t low = 0, high = edit_count(t);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edit_at(t, middle)->end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct edit *text_edits(const struct text *t, uint64_t offset, size_t *len)
{
    size_t count = edit_count(t), before = count > 0 ? edits_before(t, offset) : 0;
    *len = count - before;
    return *len > 0 ? edit_at(t, before) : NULL;
}

/* A value goes out as a whole, and only when no rule can claim a part of what stands for it. */
static uint64_t undivided_value(const struct text *t, uint64_t unclaimed)
{
    size_t len = 0;
    const struct edit *e = bytes_len(&t->edits) > 0 ? text_edits(t, unclaimed, &len) : NULL;
    return len > 0 && e->restores && e->start < unclaimed ? e->start : unclaimed;
}

uint64_t text_unclaimed_in_views(const struct text *t)
{
    if ((t->matcher == NULL && t->restore == NULL) || t->is_over || t->is_lifted)
        return t->received;
    uint64_t unclaimed = t->matcher != NULL ? matcher_hold(t->matcher) : t->received;
    if (t->may_be_json && bytes_len(&t->edits) > 0)
        return 0; /* see text_unclaimed */
    uint64_t back = t->restore != NULL ? restore_hold(t->restore) : unclaimed;
    /* Strings of JSON are read as their reader gets them. */
    bool is_read = t->leaves != NULL && back < unclaimed && leaf_view_part(t->leaves, back) == LEAF_STRING;
    if (back < unclaimed && !is_read)
        unclaimed = back;
    if (t->leaves != NULL)
        unclaimed = leaf_view_unclaimed(t->leaves, unclaimed);
    unclaimed = min_offset(unclaimed, t->known_hold);
    for (size_t i = 0; i < t->known_len; i++)
        unclaimed = min_offset(unclaimed, t->known[i].held);
    return t->restore != NULL ? undivided_value(t, unclaimed) : unclaimed;
}

/* Puts an edit in the place of `gone` others from number i on. Those behind it, which are moved, lie in what is held.
 */
static int put_edit(struct text *t, size_t i, size_t gone, struct edit edit)
{
    int rv = gone == 0 ? bytes_append(&t->edits, (const char *)&edit, sizeof edit) : 0;
    if (rv != 0)
        return rv;
    size_t count = edit_count(t), behind = count - i - (gone == 0 ? 1 : gone);
    struct edit *at = edit_at(t, i);
    memmove(at + 1, at + gone, behind * sizeof *at);
    *at = edit;
    t->edits.end -= gone > 1 ? (gone - 1) * sizeof *at : 0;
    return 0;
}

/* Of a redaction and a placeholder, both go: what a rule claims is not put back in part. */
static struct edit join_edits(const struct edit *old, struct edit new)
{
    bool are_alike = old->restores == new.restores;
    struct edit both = (are_alike ? old->start <= new.start : new.restores) ? *old : new;
    both.start = old->start < new.start ? old->start : new.start;
    both.end = old->end > new.end ? old->end : new.end;
    if (are_alike)
        both.number = old->number > new.number ? old->number : new.number;
    return both;
}

static int put_redaction(struct text *t, struct edit edit)
{
    assert(text_is_sound(t));
    if (edit.start < t->released)
        edit.start = t->released;
    if (edit.start >= edit.end)
        return 0;
    size_t i = edits_before(t, edit.start), joined = i;
    for (; joined < edit_count(t) && edit_at(t, joined)->start < edit.end; joined++)
        edit = join_edits(edit_at(t, joined), edit);
    int rv = put_edit(t, i, joined - i, edit);
    assert(text_is_sound(t));
    return rv;
}

int text_redact(struct text *t, uint64_t start, uint64_t end, uint16_t rule)
{
    struct edit edit = {.start = start, .end = end, .rule = rule};
    if (t->leaves == NULL)
        return put_redaction(t, edit);
    int rv = 0;
    while (rv == 0 && start < end && leaf_view_edit(t->leaves, &start, end, rule, &edit))
        rv = put_redaction(t, edit);
    return rv;
}

int text_settle(struct text *t)
{
    if (t->leaves == NULL)
        return 0;
    leaf_view_settle(t->leaves);
    return take_due_edit(t);
}

void text_stop(struct text *t)
{
    if (t->limit > t->cleared)
        t->limit = t->cleared;
}

void text_forget_edits(struct text *t, uint64_t offset)
{
    while (bytes_len(&t->edits) > 0 && edit_at(t, 0)->end <= offset)
        bytes_consume(&t->edits, sizeof(struct edit));
}

bool text_ends_line(const struct text *t)
{
    uint64_t end = t->limit < t->cleared ? t->limit : t->cleared;
    struct span last = end > 0 ? text_slice(t, end - 1, end) : SPAN("");
    return last.len == 1 && last.data[0] == '\n';
}

void text_trim(struct text *t)
{
    uint64_t keep = t->received;
    if (t->matcher != NULL) {
        keep = matcher_keep(t->matcher);
        uint64_t past = t->received > PAST_MAX ? t->received - PAST_MAX : 0;
        keep = keep < past ? keep : past;
        if (keep >= t->cleared) /* the last byte that a client may have, for text_ends_line */
            keep = t->cleared > 0 ? t->cleared - 1 : 0;
    }
    if (t->leaves != NULL)
        leaf_view_trim(t->leaves, t->matcher != NULL ? matcher_keep(t->matcher) : t->received);
    if (t->has_sentences && t->judged < keep)
        keep = t->judged;
    if (keep <= t->base)
        return;
    bytes_consume(&t->window, (size_t)(keep - t->base));
    t->base = keep;
}
