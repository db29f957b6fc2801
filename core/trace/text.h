/* A text: the text so far of one place of a response (a choice's reasoning, its answer, one tool's arguments), as far
 * as it is still needed, and how far it is judged and cleared. SPDX-License-Identifier: Apache-2.0
 *
 *      0        base          cleared      received
 *      |  gone   |   window      |   held     |         offsets are bytes of decoded text
 *
 * The window keeps what a matcher or an unfinished sentence may still need. A byte is cleared when no rule or pattern
 * can claim it any more; `limit` ends the text early: bytes from there on are dropped, not held.
 *
 * Other texts may come in between: what a rule may still claim of this one stays held then. See text_lift.
 *
 * Arguments of tools, and answers, that are JSON are judged as text and as what their reader gets of it (leaf_view.h).
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_TEXT_H
#define CORE_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "detect/sentence.h"
#include "mask/known_text.h"
#include "mask/restore.h"
#include "policy/panel.h"
#include "rein/rein.h"
#include "rules/matcher.h"
#include "trace/leaf_view.h"

/* What panels of judges have heard of a text, and up to where each has judged it. */
struct text_asks {
    struct bytes heard; /* the end of what was said */
    uint64_t said;      /* bytes, in all */
    uint64_t to[POLICY_PANELS_MAX];
    unsigned sentences[POLICY_PANELS_MAX]; /* since then */
};

struct text {
    enum rein_channel channel;
    uint16_t choice;
    uint8_t slot;       /* number of the text among the choice's texts of this channel that have bytes: several fields
                           may have the same text */
    uint8_t series;     /* of reasoning: see struct place */
    bool has_sentences; /* somebody examines them */
    bool is_over;       /* nothing will come any more: all is decided */
    bool may_be_json;   /* nothing but blanks so far, and it may become JSON */
    bool is_plain;      /* neither leaves nor placeholders nor known matches are looked for */
    bool is_lifted; /* others continued for so long that nothing of this text is held any more, until it continues */
    struct bytes window;
    uint64_t lifted_to; /* matches that end here or before were decided when the hold was lifted */
    uint64_t before;    /* bytes of earlier texts of its series: the patterns count from there */
    uint64_t origin;    /* bytes that earlier attempts have shown of it; findings add this to their offsets */
    struct span lead;   /* released together with the first byte; not part of the text. Borrowed */
    uint64_t base, received, cleared, released, limit;
    uint64_t free;   /* how far it would be cleared if nothing were waited for: see trace_clear.c */
    uint64_t judged; /* where the last judged sentence ended */
    uint64_t blank;  /* length of the white space that the text begins with */
    uint64_t held_max;
    const struct ruleset *rules;   /* borrowed */
    const uint64_t *muted;         /* set of rules that find nothing; borrowed, NULL: none */
    struct matcher *matcher;       /* made with the first byte; NULL: no rule applies here */
    struct kept_text *kept;        /* what is kept of it (kept.h); NULL: nothing */
    struct text_asks *asks;        /* owned by the trace; NULL: no panel judges it */
    struct leaf_view *leaves;      /* of JSON; NULL: it is none, or nothing is looked for */
    struct restore *restore;       /* owned; NULL: no masked value comes back here */
    const struct known_hit *known; /* matches still to come that are known from elsewhere; borrowed */
    size_t known_len;
    uint64_t known_hold; /* from where rules held the text when the known matches of the last call were decided */
    struct known_sentences *known_sentences; /* its sentences end where these say; borrowed; NULL: where they do */
    struct sentencer sentencer;
    struct bytes edits; /* struct edit: ordered, not overlapping, those not yet released */
    struct text_cursor {
        uint64_t at;   /* examined up to here by the matcher */
        uint64_t goal; /* examined up to here by the sentencer */
        uint64_t end;  /* of the sentence that is due at `goal`; 0: none */
        bool pauses;   /* the last sentence ended because the text did, for now at least */
    } cursor;
};

static inline uint64_t min_offset(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What is known before any byte is judged; borrowed. */
static inline void text_knows(struct text *t, const struct known_text *known)
{
    t->known = known->hits;
    t->known_len = known->hits_len;
    t->known_sentences = known->sentences;
    t->muted = known->muted;
    t->is_plain &= known->hits_len == 0;
}

/* What text_advance stopped at. */
enum text_event {
    TEXT_DRY,      /* all bytes examined */
    TEXT_MATCH,    /* matches were decided: in the list */
    TEXT_LEAF,     /* the same, in the leaves: offsets are leaf offsets (text->leaves) */
    TEXT_KNOWN,    /* the same, of known ones */
    TEXT_SENTENCE, /* a sentence is complete */
};

/* Borrows `rules`. */
void text_init(struct text *t, enum rein_channel channel, uint16_t choice, const struct ruleset *rules,
               size_t window_max);
void text_fini(struct text *t);

/* Before the first byte: placeholders of the set (borrowed) are looked for and become edits. REIN_ENOMEM. */
int text_restore(struct text *t, const struct mask_set *set) REIN_MUST_USE;

/* Appends decoded bytes; text_advance then examines them. */
int text_append(struct text *t, struct span bytes) REIN_MUST_USE;

/* Judges appended bytes up to the next result, in the order of the text, so that what follows a decisive finding
 * was never examined. TEXT_SENTENCE sets *sentence (good until the next append) and *offset. Negative: an error. */
int text_advance(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset) REIN_MUST_USE;

/* Another text continues, and this one may continue later or not: returns its unfinished sentence
 * (TEXT_SENTENCE or TEXT_DRY). What rules hold stays held. */
int text_pause(struct text *t, struct span *sentence, uint64_t *offset) REIN_MUST_USE;

/* Before text_lift: the known matches that have ended, TEXT_KNOWN or TEXT_DRY. */
int text_lift_known(struct text *t, struct match_list *matches) REIN_MUST_USE;
/* Holds nothing of the present text any more, though the text may continue: TEXT_MATCH if its end would decide matches.
 * If it continues, a match that began before is still found, and the rest of it is withheld. */
int text_lift(struct text *t, struct match_list *matches) REIN_MUST_USE;

/* The text has ended, nothing may be appended any more: decides open matches, then returns the last sentence
 * (TEXT_SENTENCE or TEXT_DRY; TEXT_MATCH, TEXT_LEAF or TEXT_KNOWN first if some were decided: call again). */
int text_end(struct text *t, struct match_list *matches, struct span *sentence, uint64_t *offset) REIN_MUST_USE;

/* What was read of the sentence that was returned last, if that is known; else nothing yet. */
void text_reading(struct text *t, struct reading *out);

/* What a match of TEXT_MATCH, TEXT_LEAF or TEXT_KNOWN (`event`) stands for: the bytes of the text and what a reader
 * gets of them, good until the next append. False: it is none, because no reader sees it (leaf_view_is_illusion). */
bool text_found(const struct text *t, int event, const struct match *m, struct match *span, struct span *evidence);
/* Was it not found before? Only JSON is read twice. */
static inline bool text_is_news(const struct text *t, int event, const struct match *span)
{
    return t->leaves == NULL || event == TEXT_KNOWN || leaf_view_is_news(t->leaves, span->rule, span->start, span->end);
}

/* The bytes [start, end) as far as the window still has them. */
struct span text_slice(const struct text *t, uint64_t start, uint64_t end);

/* Adds a redaction; released bytes are excluded, overlaps are joined. Of JSON, what stands in its leaves is removed. */
int text_redact(struct text *t, uint64_t start, uint64_t end, uint16_t rule) REIN_MUST_USE;
/* What is redacted so far is all that will be of what was received. */
int text_settle(struct text *t) REIN_MUST_USE;
/* The first redaction that ends after `offset`, and how many follow it. */
const struct edit *text_edits(const struct text *t, uint64_t offset, size_t *len);
/* Drops all from the cleared part on. */
void text_stop(struct text *t);
/* Everything up to `offset` went out: forgets what is not needed any more. */
void text_forget_edits(struct text *t, uint64_t offset);
static inline void text_released(struct text *t, uint64_t offset)
{
    /* Bytes that came when the choice had just been stopped were never received here. */
    t->released = offset < t->received ? offset : t->received;
    if (bytes_len(&t->edits) > 0)
        text_forget_edits(t, offset);
}
/* Is the last byte that a client may have of it a line break? False if that is not known any more. */
bool text_ends_line(const struct text *t);
/* Reclaims window bytes that are not needed any more. */
void text_trim(struct text *t);

/* Are the waiting redactions sound, judging by the first and the last? */
bool text_edits_are_sound(const struct text *t);

/* Always true between two calls. Constant time. */
static inline bool text_is_sound(const struct text *t)
{
    const struct text_cursor *c = &t->cursor;
    return t->base <= c->at && c->at <= t->received && c->goal <= t->received && t->judged <= t->received &&
           t->cleared <= t->received && t->free <= t->received && t->released <= t->received &&
           t->blank <= t->received && bytes_len(&t->window) == t->received - t->base &&
           (t->limit == UINT64_MAX || t->limit <= t->received) &&
           (bytes_len(&t->edits) == 0 || text_edits_are_sound(t));
}

/* The same where more than the text as it is written is looked at. */
uint64_t text_unclaimed_in_views(const struct text *t);
/* How far the hold of the rules, and of placeholders, allows. */
static inline uint64_t text_unclaimed(const struct text *t)
{
    if (!t->is_plain)
        return text_unclaimed_in_views(t);
    if (t->matcher == NULL || t->is_over || t->is_lifted)
        return t->received;
    if (t->may_be_json && bytes_len(&t->edits) > 0)
        return 0; /* blanks that are redacted, unless JSON follows */
    return matcher_hold(t->matcher);
}
/* Up to here every byte belongs to the sentences that are judged or to the present one. Behind it may be the beginning
 * of a character, of which nobody knows yet whether it begins the next sentence. */
static inline uint64_t text_known(const struct text *t)
{
    if (t->cursor.end != 0)
        return t->cursor.end;
    return t->known_sentences != NULL ? t->cursor.goal : sentencer_end(&t->sentencer);
}
/* Bytes up to here may pass: they are cleared, or will be dropped. */
static inline uint64_t text_passable(const struct text *t)
{
    return t->limit <= t->cleared ? UINT64_MAX : t->cleared;
}

#endif
