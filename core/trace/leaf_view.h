/* The leaves of a text that is JSON: what its reader will see, judged leaf by leaf next to the text itself.
 * SPDX-License-Identifier: Apache-2.0
 *
 *      text     {"to":"a\u0040b.c"}      offsets of the text: source
 *      leaves     to   a@b.c             offsets of all leaves, one after the other: leaf offsets
 *      runs     o-o  o- e     -  o       which source bytes are what (json/leaf.h)
 *
 * A rule matches within one leaf, as in a text of its own. Matches are mapped back to the source, and what is removed
 * from it are whole escapes, whole numbers and the insides of strings, so that JSON stays JSON.
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_LEAF_VIEW_H
#define CORE_TRACE_LEAF_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "mask/restore.h"
#include "rein/rein.h"
#include "rules/matcher.h"
#include "json/leaf.h"

enum { LEAF_NEWS = 8 };

/* How the replacement of a redaction is written. */
enum edit_form {
    EDIT_TEXT,   /* as it is */
    EDIT_STRING, /* in a JSON string */
    EDIT_SCALAR, /* as a JSON string, in the place of a number or word */
};

/* A redaction: the bytes are replaced by the rule's replacement, or by a masked value. */
struct edit {
    uint64_t start, end;
    uint16_t rule;
    uint8_t form;    /* enum edit_form */
    bool restores;   /* no redaction: a masked value is put back */
    uint32_t number; /* of the key that it is in, because keys must differ; 0: needs none. Of the value put back */
};

/* Source bytes from `at` to the next run. */
struct leaf_run {
    uint64_t at, leaf_at;
    uint32_t leaf;  /* number of the leaf */
    uint32_t key;   /* number of the key that it is part of; 0: none */
    uint8_t part;   /* enum leaf_part */
    bool is_late;   /* leaf_step.is_late */
    bool is_broken; /* a scalar that is none, because of what follows it */
};

struct leaf_view {
    const struct ruleset *rules; /* borrowed */
    enum rein_channel channel;
    bool withholds; /* some rule on the channel does */
    struct leaf_reader reader;
    struct matcher *matcher; /* of the present leaf */
    struct bytes window;     /* leaf bytes from `base` on */
    uint64_t base, received; /* leaf offsets */
    uint64_t at, unit_at;    /* source read; the beginning of an escape that is not complete, else `at` */
    uint64_t decided;        /* what was decided last was so when all before this source byte had come */
    struct bytes runs;       /* struct leaf_run, oldest first */
    uint64_t leaf_at;        /* where the present leaf begins; a leaf offset */
    bool in_leaf, in_scalar;
    bool is_redacted; /* the present scalar, when it ends; this of it, if it turns out to be none: */
    struct edit redacted;
    struct restore *restore;   /* owned; NULL: no masked value comes back here */
    struct bytes restored;     /* struct restored: leaf offsets, not yet taken */
    struct edit due;           /* of a scalar that has ended; end 0: none */
    uint32_t leaf, key, keys;  /* numbers of the present leaf, and if it is a key, of that; how many keys there were */
    uint32_t first_key;        /* the first one that was redacted; 0: none was */
    struct match_list matches; /* of the byte before `at`; leaf offsets */
    struct match_list plain;   /* of a number as programs print it */
    struct match news[LEAF_NEWS]; /* what was found last, in source bytes */
    unsigned news_next;
};

/* Always true between two calls. Constant time. */
bool leaf_view_is_sound(const struct leaf_view *view);

/* `at`: where the JSON begins. Returns owned. REIN_ENOMEM. */
int leaf_view_new(struct leaf_view **out, const struct ruleset *rules, enum rein_channel channel, uint64_t at,
                  size_t window_max) REIN_MUST_USE;
/* Before the first byte: placeholders of the set (borrowed) are looked for, too, in leaves that are no keys. */
int leaf_view_restore(struct leaf_view *view, const struct mask_set *set) REIN_MUST_USE;
void leaf_view_free(struct leaf_view *view);

/* Reads source bytes from view->at on, and stops right after a byte that decides matches (view->matches; the caller
 * empties the list) or ends a redacted scalar (view->due; the caller sets its end to 0). */
int leaf_view_feed(struct leaf_view *view, struct span source) REIN_MUST_USE;
/* The text ended: the same for what was open. */
int leaf_view_end(struct leaf_view *view) REIN_MUST_USE;

/* The next value that is put back, in source bytes. Take all after each call that reads. */
bool leaf_view_take_restored(struct leaf_view *view, struct edit *edit);
/* What the source byte, which was read, belongs to; of one that no match can cover any more, what follows it. */
enum leaf_part leaf_view_part(const struct leaf_view *view, uint64_t at);

/* The source bytes that a match of leaf bytes stands for, and its text (good until the next call). */
void leaf_view_source(const struct leaf_view *view, const struct match *m, uint64_t *start, uint64_t *end);
struct span leaf_view_text(const struct leaf_view *view, const struct match *m);

/* A match in the source that lies in one leaf, and begins or ends inside an escape: no reader sees that text. One that
 * lies in a scalar is a match of the leaf, too, and counts as such. */
bool leaf_view_is_illusion(const struct leaf_view *view, uint64_t start, uint64_t end);
/* Where a match in the source ends without an escape that it has the beginning of. */
uint64_t leaf_view_clip(const struct leaf_view *view, uint64_t end);
/* Was no match of this rule found yet that overlaps this one? Remembers it. */
bool leaf_view_is_news(struct leaf_view *view, uint16_t rule, uint64_t start, uint64_t end);

/* The first part of a redaction of source bytes [*start, end): true and *edit, and *start is moved behind it. False:
 * there is nothing (any more) to remove. A scalar that has not ended is removed later (view->due). */
bool leaf_view_edit(struct leaf_view *view, uint64_t *start, uint64_t end, uint16_t rule, struct edit *edit);
/* What ends here ends the present scalar: its redaction becomes due. */
void leaf_view_settle(struct leaf_view *view);

/* The first source byte that the view still holds, when the rules on the source hold from `unclaimed` on. Never falls.
 */
uint64_t leaf_view_unclaimed(const struct leaf_view *view, uint64_t unclaimed);
/* Forgets what no match can cover any more; those on the source may cover bytes from `keep` on. */
void leaf_view_trim(struct leaf_view *view, uint64_t keep);

#endif
