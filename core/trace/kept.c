/* See kept.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/kept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "rules/ruleset.h"
#include "json/text.h"

enum {
    TEXTS_MAX = 1024,  /* texts of one decision; of more, nothing is kept */
    SPEAKER_MAX = 31,  /* bytes of a speaker's name */
    OPEN_MIN = 8,      /* a secret that was cut off is masked from this length on: less says nothing */
    TURNS_MAX = 16384, /* of one text; of more, none is kept */
    MASKS_MAX = 65536, /* matches in one text that are masked one by one; with more, all of it is masked */
};

struct kept_text {
    struct kept_text *next;
    const struct text *text; /* NULL: a prompt's, or it has gone */
    bool is_over;            /* it ended by itself */
    bool is_cut;             /* at the ceiling */
    bool is_hidden;          /* it says who the user is: only that a rule found something in it is kept */
    bool broke_off;          /* with the response */
    char speaker[SPEAKER_MAX + 1];
    uint64_t len; /* bytes received */
    struct rein_text said;
    struct bytes bytes;
    struct bytes masked;   /* a copy of them, when it was handed over */
    struct bytes masks;    /* struct rein_span */
    struct bytes found;    /* the same, in the order in which they were decided */
    struct bytes readings; /* reading.h */
    bool readings_lost;    /* there was no room for one */
    struct bytes turns;    /* struct rein_turn */
    bool turns_lost;
};

struct kept {
    const struct rein_policy *policy; /* borrowed */
    struct kept_text *first, **end;
    size_t texts_len;
    size_t room, prompt_room; /* bytes that may still be kept; of these, by the prompt */
    struct kept_text *fields; /* one of the texts; NULL: there are none yet */
    struct kept_text *last;   /* of the response: had the last turn; NULL: none */
    struct kept_text *heard;  /* the prompt's that was kept last, or added to; NULL: that was not kept */
    bool fields_closed;       /* its array is complete */
    struct bytes scratch;
    struct bytes order; /* struct rein_text, when they were handed over */
    struct match_list matches;
};

static bool kept_is_sound(const struct kept *kept)
{
    return kept->texts_len <= TEXTS_MAX && kept->prompt_room <= kept->room &&
           kept->room <= kept->policy->settings.log.max_bytes && (kept->texts_len == 0) == (kept->first == NULL);
}

int kept_new(struct kept **out, const struct rein_policy *policy)
{
    const struct rein_log_rules *log = &policy->settings.log;
    bool keeps_text = log->text >= REIN_KEEP_REDACTED && log->channels != 0;
    *out = NULL;
    if (!keeps_text)
        return 0;
    struct kept *kept = heap_new(1, sizeof *kept);
    if (kept == NULL)
        return REIN_ENOMEM;
    kept->policy = policy;
    kept->end = &kept->first;
    kept->room = log->max_bytes;
    bool has_response = (log->channels & ~(1u << REIN_PROMPT)) != 0;
    kept->prompt_room = has_response ? log->max_bytes / 2 : log->max_bytes;
    bytes_init(&kept->order, TEXTS_MAX * sizeof(struct rein_text));
    bytes_init(&kept->scratch, SIZE_MAX / 2); /* bounded by a string of the request */
    *out = kept;
    return 0;
}

static void free_kept_text(struct kept_text *item)
{
    bytes_fini(&item->bytes);
    bytes_fini(&item->masked);
    bytes_fini(&item->masks);
    bytes_fini(&item->found);
    bytes_fini(&item->readings);
    bytes_fini(&item->turns);
    heap_free(item);
}

void kept_free(struct kept *kept)
{
    if (kept == NULL)
        return;
    for (struct kept_text *item = kept->first, *next; item != NULL; item = next) {
        next = item->next;
        free_kept_text(item);
    }
    bytes_fini(&kept->order);
    bytes_fini(&kept->scratch);
    match_list_fini(&kept->matches);
    heap_free(kept);
}

/* NULL with *full: there are too many. */
static struct kept_text *add_kept_text(struct kept *kept, enum rein_channel channel, bool *full)
{
    *full = kept->texts_len == TEXTS_MAX;
    if (*full)
        return NULL;
    struct kept_text *item = heap_new(1, sizeof *item);
    if (item == NULL)
        return NULL;
    size_t limit = kept->policy->settings.log.max_bytes;
    bytes_init(&item->bytes, limit);
    bytes_init(&item->masked, limit);
    bytes_init(&item->masks, MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item->found, MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item->readings, limit);
    bytes_init(&item->turns, TURNS_MAX * sizeof(struct rein_turn));
    item->said.channel = channel;
    *kept->end = item;
    kept->end = &item->next;
    kept->texts_len++;
    return item;
}

/* Keeps as much of it as there is room for. A text that was cut once stays so, because it is kept from its beginning.
 */
static int keep_bytes(struct kept *kept, struct kept_text *item, struct span bytes, size_t room)
{
    item->len += bytes.len;
    size_t len = item->is_cut ? 0 : bytes.len < room ? bytes.len : room;
    int rv = len > 0 ? bytes_append(&item->bytes, bytes.data, len) : 0;
    if (rv != 0)
        return rv;
    item->is_cut |= len < bytes.len;
    kept->room -= len;
    kept->prompt_room -= item->said.channel == REIN_PROMPT ? len : 0;
    if (kept->prompt_room > kept->room)
        kept->prompt_room = kept->room;
    return 0;
}

static bool keeps(const struct kept *kept, enum rein_channel channel)
{
    return (kept->policy->settings.log.channels >> channel & 1) != 0;
}

/* ---- what was read ---- */

/* What finds no room is given up, and all of the text with it. */
static int note_reading(struct kept_text *item, int rv)
{
    if (rv != REIN_ELIMIT)
        return rv;
    item->readings_lost = true;
    bytes_clear(&item->readings);
    return 0;
}

static bool keeps_readings(const struct kept_text *item)
{
    return item != NULL && !item->is_cut && !item->readings_lost;
}

int kept_reading(struct text *text, const struct reading *reading)
{
    struct kept_text *item = text->kept;
    return keeps_readings(item) ? note_reading(item, reading_write(&item->readings, reading)) : 0;
}

int kept_risk(struct kept *kept, const struct prompt_risk *risk)
{
    struct kept_text *item = kept->heard;
    return keeps_readings(item) ? note_reading(item, reading_write_risk(&item->readings, risk)) : 0;
}

/* Of a text for which there is no place: the decision is not whole without it. */
static void note_missing(struct kept *kept)
{
    struct kept_text *last = kept->first;
    while (last->next != NULL)
        last = last->next;
    last->is_cut = true;
}

/* *out is NULL if there is no place for it. */
static int add_prompt_text(struct kept *kept, const char *speaker, struct kept_text **out)
{
    bool full;
    *out = add_kept_text(kept, REIN_PROMPT, &full);
    if (*out == NULL && !full)
        return REIN_ENOMEM;
    if (*out == NULL) {
        note_missing(kept);
        return 0;
    }
    size_t len = rein_text_whole(speaker, strlen(speaker) < SPEAKER_MAX ? strlen(speaker) : SPEAKER_MAX);
    memcpy((*out)->speaker, speaker, len);
    (*out)->said.speaker = (*out)->speaker;
    (*out)->is_over = true;
    return note_reading(*out, readings_begin(&(*out)->readings, READINGS_OF_NOTHING));
}

/* One more string of the array. */
static int keep_field(struct kept *kept, struct span text)
{
    bool is_first = kept->fields == NULL;
    int rv = is_first ? add_prompt_text(kept, "field", &kept->fields) : 0;
    if (rv != 0 || kept->fields == NULL)
        return rv;
    bytes_clear(&kept->scratch);
    rv = bytes_append(&kept->scratch, is_first ? "[\"" : ",\"", 2);
    if (rv == 0)
        rv = json_escape(&kept->scratch, text);
    if (rv == 0)
        rv = bytes_append(&kept->scratch, "\"", 1);
    return rv == 0 ? keep_bytes(kept, kept->fields, bytes_span(&kept->scratch), kept->prompt_room) : rv;
}

int kept_prompt(struct kept *kept, const char *speaker, struct span text)
{
    assert(kept_is_sound(kept));
    kept->heard = NULL;
    if (!keeps(kept, REIN_PROMPT))
        return 0;
    if (strcmp(speaker, "field") == 0) {
        int rv = keep_field(kept, text);
        kept->heard = kept->fields;
        return rv;
    }
    int rv = add_prompt_text(kept, speaker, &kept->heard);
    if (rv != 0 || kept->heard == NULL)
        return rv;
    kept->heard->is_hidden = strcmp(speaker, "user_id") == 0;
    return keep_bytes(kept, kept->heard, text, kept->prompt_room);
}

/* The text's first bytes. */
static int begin_kept_text(struct kept *kept, struct text *text, uint32_t attempt)
{
    bool full;
    if (!keeps(kept, text->channel) || text->channel > REIN_TOOL)
        return 0;
    struct kept_text *item = add_kept_text(kept, text->channel, &full);
    if (item == NULL && !full)
        return REIN_ENOMEM;
    if (item == NULL) {
        note_missing(kept);
        return 0;
    }
    item->text = text;
    item->said.attempt = attempt;
    item->said.choice = text->choice;
    item->said.series = text->series;
    item->said.origin = text->origin;
    text->kept = item;
    return note_reading(
        item, readings_begin(&item->readings, text->has_sentences ? READINGS_OF_SENTENCES : READINGS_OF_NOTHING));
}

/* The text that came last goes on, or another one has its turn. */
static int note_turn(struct kept *kept, struct kept_text *item, uint64_t at, size_t len)
{
    size_t size = bytes_len(&item->turns);
    if (len == 0 || item->turns_lost)
        return 0;
    if (kept->last == item && size > 0) {
        ((struct rein_turn *)(void *)bytes_at(&item->turns, size - sizeof(struct rein_turn)))->len += len;
        return 0;
    }
    kept->last = item;
    const struct rein_turn turn = {.at = at, .len = len};
    int rv = bytes_append(&item->turns, (const char *)&turn, sizeof turn);
    item->turns_lost = rv == REIN_ELIMIT;
    return item->turns_lost ? 0 : rv;
}

int kept_hear(struct kept *kept, struct text *text, const struct kept_place *place, struct span bytes)
{
    assert(kept_is_sound(kept));
    bool begins = text->received == 0 && bytes.len > 0;
    int rv = begins ? begin_kept_text(kept, text, place->attempt) : 0;
    if (rv == 0 && text->kept != NULL)
        rv = note_turn(kept, text->kept, place->at, bytes.len);
    if (rv == 0 && text->kept != NULL)
        rv = keep_bytes(kept, text->kept, bytes, kept->room);
    assert(kept_is_sound(kept));
    return rv;
}

void kept_leave(struct text *text)
{
    if (text->kept == NULL)
        return;
    text->kept->is_over = text->is_over;
    text->kept->text = NULL;
    text->kept = NULL;
}

void kept_break_off(struct kept *kept)
{
    for (struct kept_text *item = kept->first; item != NULL; item = item->next)
        item->broke_off |= item->text != NULL && !item->text->is_over;
}

/* Nothing of it was cut off, be it at the ceiling, because the response was stopped, or by its upstream. */
static bool ended_by_itself(const struct kept_text *item)
{
    bool is_over = item->text != NULL ? item->text->is_over : item->is_over;
    return is_over && !item->is_cut && !item->broke_off;
}

/* What is kept of it, without a part of a character that was cut. */
static struct span kept_bytes(const struct kept_text *item)
{
    struct span bytes = bytes_span(&item->bytes);
    if (!ended_by_itself(item))
        bytes.len = rein_text_whole(bytes.data, bytes.len);
    return bytes;
}

/* ---- masking --------------------------------------------------------------------------------------------------- */

/* A set of channels on which all masking rules apply, besides the text's own. */
static unsigned masking_channels(const struct ruleset *rules, enum rein_channel own)
{
    unsigned channels = 0;
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        unsigned on = rules->rules[i].channels;
        if (ruleset_masks(rules, (uint16_t)i) && (on >> own & 1) == 0 && (on & channels) == 0)
            channels |= on & -on;
    }
    return channels;
}

static int add_span(struct bytes *spans, struct rein_span span)
{
    return span.len > 0 ? bytes_append(spans, (const char *)&span, sizeof span) : 0;
}

/* What is being masked. */
struct masking {
    struct kept *kept;
    struct kept_text *item;
    struct span whole; /* all that is handed over of it */
    struct text text;
    bool is_own;      /* on the text's own channel */
    uint64_t open_at; /* where a secret begins that has not ended; the text's length: none does */
};

/* `at`: where they were decided. */
static int take_kept_matches(struct masking *m, int event, uint64_t at)
{
    const struct rein_policy *policy = m->kept->policy;
    bool masks_all = policy->settings.log.text == REIN_KEEP_REDACTED && m->is_own;
    struct match_list *matches = &m->kept->matches;
    int rv = event < 0 ? event : 0;
    for (size_t i = 0; i < matches->len && rv == 0; i++) {
        struct match span;
        struct span evidence;
        if (!text_found(&m->text, event, &matches->items[i], &span, &evidence) || !text_is_news(&m->text, event, &span))
            continue;
        struct rein_span found = {
            .offset = span.start, .len = span.end - span.start, .rule = policy->rules[span.rule].id, .at = at};
        if (masks_all || ruleset_masks(policy->ruleset, span.rule))
            rv = add_span(&m->item->masks, found);
        if (rv == 0 && m->is_own)
            rv = add_span(&m->item->found, found);
    }
    matches->len = 0;
    return rv;
}

/* Where a secret may have begun that the text ends in the middle of. */
static uint64_t open_secret(const struct text *text)
{
    uint64_t at = matcher_secret(text->matcher);
    const struct leaf_view *leaves = text->leaves;
    uint64_t leaf_at = leaves != NULL && leaves->in_leaf ? matcher_secret(leaves->matcher) : UINT64_MAX;
    if (leaf_at < UINT64_MAX && leaf_at < leaves->received) {
        struct match begins = {.start = leaf_at, .end = leaf_at + 1};
        uint64_t start, end;
        leaf_view_source(leaves, &begins, &start, &end);
        at = start < at ? start : at;
    }
    return at < text->received ? at : text->received;
}

/* Judges all that is kept of a text on one channel. */
static int find_secrets(struct masking *m, enum rein_channel channel)
{
    struct span sentence;
    uint64_t offset;
    int event, rv;
    m->is_own = channel == m->item->said.channel;
    text_init(&m->text, channel, 0, m->kept->policy->ruleset, m->whole.len);
    m->text.may_be_json = m->item->said.channel != REIN_REASONING;
    rv = text_append(&m->text, m->whole);
    while (rv == 0 && (event = text_advance(&m->text, &m->kept->matches, &sentence, &offset)) != TEXT_DRY)
        rv = take_kept_matches(m, event, m->text.cursor.at);
    uint64_t open_at = rv == 0 ? open_secret(&m->text) : 0;
    m->open_at = open_at < m->open_at ? open_at : m->open_at;
    while (rv == 0 && (event = text_end(&m->text, &m->kept->matches, &sentence, &offset)) != TEXT_DRY)
        rv = take_kept_matches(m, event, UINT64_MAX);
    text_fini(&m->text);
    m->kept->matches.len = 0;
    return rv;
}

static int compare_spans(const void *a, const void *b)
{
    const struct rein_span *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->len > y->len ? -1 : x->len < y->len;
}

static struct rein_span *spans_of(const struct bytes *bytes, size_t *len)
{
    *len = bytes_len(bytes) / sizeof(struct rein_span);
    return *len > 0 ? (struct rein_span *)(void *)bytes_at(bytes, 0) : NULL;
}

/* In order; those that overlap become one, under the name of the first. */
static void join_spans(struct bytes *spans)
{
    size_t len, to = 0;
    struct rein_span *at = spans_of(spans, &len);
    if (len == 0)
        return;
    qsort(at, len, sizeof *at, compare_spans);
    for (size_t i = 1; i < len; i++) {
        struct rein_span *last = &at[to];
        uint64_t end = last->offset + last->len, other = at[i].offset + at[i].len;
        if (at[i].offset >= end)
            at[++to] = at[i];
        else if (other > end)
            last->len = other - last->offset;
    }
    spans->end = spans->start + (to + 1) * sizeof *at;
}

/* What the text ends in the middle of. A text that ended by itself, and is all here, has nothing open. */
static int mask_open_end(struct masking *m, uint64_t len)
{
    if (ended_by_itself(m->item) || len - m->open_at < OPEN_MIN)
        return 0;
    return add_span(&m->item->masks,
                    (struct rein_span){.offset = m->open_at, .len = len - m->open_at, .rule = "", .is_open = true});
}

/* All of it is masked, if a rule of its channel found something; else it is not there. */
static int hide_kept_text(struct kept_text *item)
{
    bytes_clear(&item->masks);
    if (bytes_len(&item->found) == 0)
        return 0;
    return add_span(&item->masks, (struct rein_span){.len = bytes_len(&item->masked), .rule = ""});
}

static bool is_there(const struct kept_text *item)
{
    return !item->is_hidden || bytes_len(&item->masks) > 0;
}

static int mask_kept_text(struct kept *kept, struct kept_text *item)
{
    struct span text = kept_bytes(item);
    struct masking m = {.kept = kept, .item = item, .whole = text, .open_at = UINT64_MAX};
    enum rein_channel own = item->said.channel;
    unsigned channels = masking_channels(kept->policy->ruleset, own) | 1u << own;
    bytes_clear(&item->masks);
    bytes_clear(&item->found);
    bytes_clear(&item->masked);
    int rv = bytes_append_span(&item->masked, text);
    for (int c = REIN_PROMPT; c <= REIN_OTHER && rv == 0 && text.len > 0; c++)
        if ((channels >> c & 1) != 0)
            rv = find_secrets(&m, (enum rein_channel)c);
    if (rv == 0 && text.len > 0)
        rv = mask_open_end(&m, text.len);
    if (rv == REIN_ELIMIT) { /* too many to list */
        bytes_clear(&item->masks);
        bytes_clear(&item->found);
        item->is_cut = true;
        rv = add_span(&item->masks, (struct rein_span){.len = text.len, .rule = "", .is_open = true});
    }
    if (rv == 0 && item->is_hidden)
        rv = hide_kept_text(item);
    if (rv != 0)
        return rv;
    join_spans(&item->masks);
    size_t len;
    const struct rein_span *masks = spans_of(&item->masks, &len);
    for (size_t i = 0; i < len; i++)
        memset(bytes_at(&item->masked, (size_t)masks[i].offset), '*', (size_t)masks[i].len);
    return 0;
}

static int mask_alone(struct kept *kept, struct kept_text *item, char *text, size_t len, size_t *spans)
{
    int rv = bytes_append(&item->bytes, text, len);
    if (rv == 0)
        rv = mask_kept_text(kept, item);
    if (rv == 0) {
        memcpy(text, bytes_span(&item->masked).data, len);
        spans_of(&item->masks, spans);
    }
    return rv;
}

int rein_policy_mask(const struct rein_policy *policy, enum rein_channel channel, char *text, size_t len, size_t *spans)
{
    struct kept kept = {.policy = policy};
    struct kept_text item = {.is_over = true, .len = len, .said = {.channel = channel}};
    *spans = 0;
    if (channel > REIN_TOOL)
        return REIN_EINVAL;
    if (len == 0)
        return 0;
    bytes_init(&item.bytes, len);
    bytes_init(&item.masked, len);
    bytes_init(&item.masks, MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item.found, MASKS_MAX * sizeof(struct rein_span));
    int rv = mask_alone(&kept, &item, text, len, spans);
    bytes_fini(&item.bytes);
    bytes_fini(&item.masked);
    bytes_fini(&item.masks);
    bytes_fini(&item.found);
    match_list_fini(&kept.matches);
    return rv;
}

/* ---- handing over ---------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    const struct rein_text *x = a, *y = b;
    bool x_later = x->channel != REIN_PROMPT, y_later = y->channel != REIN_PROMPT;
    if (x_later != y_later)
        return x_later ? 1 : -1;
    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? -1 : 1;
    if (x->choice != y->choice)
        return x->choice < y->choice ? -1 : 1;
    return x->n < y->n ? -1 : 1; /* as they began */
}

/* Did each text of the response come in one turn, behind those before it? */
static bool come_in_order(const struct rein_text *texts, size_t len)
{
    const struct rein_text *last = NULL;
    for (size_t i = 0; i < len; i++) {
        if (texts[i].channel == REIN_PROMPT)
            continue;
        if (texts[i].turns_len != 1)
            return false;
        if (last != NULL && last->attempt == texts[i].attempt && last->turns[0].at >= texts[i].turns[0].at)
            return false;
        last = &texts[i];
    }
    return true;
}

/* `has_masks`: some text of the decision has. */
static int hand_over_text(struct kept *kept, struct kept_text *item, uint32_t n, bool has_masks)
{
    struct rein_text *said = &item->said;
    struct span text = bytes_span(&item->masked), readings = bytes_span(&item->readings);
    said->n = n;
    said->form = kept->policy->settings.log.text;
    said->len = item->len;
    said->whole = !item->is_cut && text.len == item->len;
    said->text = text.data;
    said->text_len = text.len;
    said->masks = spans_of(&item->masks, &said->masks_len);
    if (!has_masks)
        bytes_clear(&item->found); /* the text itself shows them */
    said->found = spans_of(&item->found, &said->found_len);
    said->turns = (const struct rein_turn *)(const void *)bytes_span(&item->turns).data;
    said->turns_len = item->turns_lost ? 0 : bytes_len(&item->turns) / sizeof *said->turns;
    said->readings = has_masks && readings.len > 0 ? readings.data : NULL;
    said->readings_len = said->readings != NULL ? readings.len : 0;
    return bytes_append(&kept->order, (const char *)said, sizeof *said);
}

int kept_hand_over(struct kept *kept, const struct rein_text **out, size_t *len)
{
    int rv = 0;
    uint32_t n = 0;
    *out = NULL;
    *len = 0;
    assert(kept_is_sound(kept));
    if (kept->fields != NULL && !kept->fields_closed)
        rv = keep_bytes(kept, kept->fields, SPAN("]"), kept->prompt_room);
    kept->fields_closed = true;
    bytes_clear(&kept->order);
    bool has_masks = false;
    for (struct kept_text *item = kept->first; item != NULL && rv == 0; item = item->next) {
        rv = mask_kept_text(kept, item);
        has_masks |= bytes_len(&item->masks) > 0;
    }
    for (struct kept_text *item = kept->first; item != NULL && rv == 0; item = item->next)
        if (is_there(item))
            rv = hand_over_text(kept, item, n++, has_masks);
    if (rv != 0)
        return rv;
    struct rein_text *texts = (struct rein_text *)(void *)kept->order.data;
    if (n > 1)
        qsort(texts, n, sizeof *texts, compare_texts);
    bool in_order = come_in_order(texts, n);
    for (uint32_t i = 0; i < n; i++) {
        texts[i].n = i;
        texts[i].turns = in_order || texts[i].channel == REIN_PROMPT ? NULL : texts[i].turns;
        texts[i].turns_len = texts[i].turns != NULL ? texts[i].turns_len : 0;
    }
    *out = texts;
    *len = n;
    return 0;
}
