/* See kept.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/kept/kept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "trace/kept/kept_mask.h"
#include "json/text.h"

enum {
    TEXTS_MAX = 1024,  /* texts of one decision; of more, nothing is kept */
    TURNS_MAX = 16384, /* of one text; of more, none is kept */
    LIFTS_MAX = 16384, /* likewise; of more, the first ones */
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
    bytes_fini(&item->lifts);
    bytes_fini(&item->strings);
    bytes_fini(&item->ends);
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
    bytes_init(&item->masks, KEPT_MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item->found, KEPT_MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item->readings, limit);
    bytes_init(&item->turns, TURNS_MAX * sizeof(struct rein_turn));
    bytes_init(&item->lifts, LIFTS_MAX * sizeof(uint64_t));
    bytes_init(&item->strings, limit);
    bytes_init(&item->ends, SIZE_MAX / 2); /* bounded by what is kept of the array */
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

int kept_lift(struct text *text)
{
    struct kept_text *item = text->kept;
    if (item == NULL)
        return 0;
    int rv = bytes_append(&item->lifts, (const char *)&text->received, sizeof text->received);
    if (rv != 0 && rv != REIN_ELIMIT)
        return rv;
    const struct reading lift = {.flags = READING_LIFTED, .behind = (uint32_t)(text->received - text->judged)};
    return kept_reading(text, &lift);
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
    size_t len = rein_text_whole(speaker, strlen(speaker) < KEPT_SPEAKER_MAX ? strlen(speaker) : KEPT_SPEAKER_MAX);
    memcpy((*out)->speaker, speaker, len);
    (*out)->said.speaker = (*out)->speaker;
    (*out)->is_over = true;
    return note_reading(*out, readings_begin(&(*out)->readings, READINGS_OF_NOTHING));
}

/* The string itself, as far as it can be in what is kept of the array. */
static int keep_string(struct kept_text *item, struct span text, size_t room)
{
    if (item->is_cut)
        return 0;
    int rv = bytes_append(&item->strings, text.data, text.len < room ? text.len : room);
    const uint64_t end = bytes_len(&item->strings);
    return rv == 0 ? bytes_append(&item->ends, (const char *)&end, sizeof end) : rv;
}

/* One more string of the array. */
static int keep_field(struct kept *kept, struct span text)
{
    bool is_first = kept->fields == NULL;
    int rv = is_first ? add_prompt_text(kept, "field", &kept->fields) : 0;
    if (rv != 0 || kept->fields == NULL)
        return rv;
    rv = keep_string(kept->fields, text, kept->prompt_room);
    if (rv != 0)
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
    if (!keeps(kept, text->channel))
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

/* Of the text that came last; NULL: it has none. */
static struct rein_turn *last_turn(const struct kept *kept)
{
    size_t size = kept->last != NULL ? bytes_len(&kept->last->turns) : 0;
    return size > 0 ? (struct rein_turn *)(void *)bytes_at(&kept->last->turns, size - sizeof(struct rein_turn)) : NULL;
}

static int add_turn(struct kept_text *item, uint64_t at, size_t len)
{
    const struct rein_turn turn = {.at = at, .len = len};
    int rv = bytes_append(&item->turns, (const char *)&turn, sizeof turn);
    item->turns_lost = rv == REIN_ELIMIT;
    return item->turns_lost ? 0 : rv;
}

/* The text that came last goes on, or another one has its turn. What came in between of something else does not count
 * then: that a tool's arguments follow says that its name came. */
static int note_turn(struct kept *kept, struct kept_text *item, uint64_t at, size_t len)
{
    struct rein_turn *last = last_turn(kept);
    if (len == 0 || item->turns_lost)
        return 0;
    if (last != NULL && last->len == 0 && kept->last->said.attempt == item->said.attempt) {
        kept->last->turns.end -= sizeof *last;
        last = last_turn(kept);
    }
    if (kept->last == item && last != NULL) {
        last->len += len;
        return 0;
    }
    kept->last = item;
    return add_turn(item, at, len);
}

/* A turn without bytes says so. */
int kept_interrupt(struct kept *kept, const struct kept_place *place)
{
    const struct rein_turn *last = last_turn(kept);
    bool is_news = last != NULL && last->len > 0 && kept->last->said.attempt == place->attempt;
    return is_news && !kept->last->turns_lost ? add_turn(kept->last, place->at, 0) : 0;
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

static bool is_there(const struct kept_text *item)
{
    return !item->is_hidden || bytes_len(&item->masks) > 0;
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
    said->masks = kept_spans(&item->masks, &said->masks_len);
    if (!has_masks)
        bytes_clear(&item->found); /* the text itself shows them */
    said->found = kept_spans(&item->found, &said->found_len);
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
        rv = kept_mask(kept->policy, &kept->matches, item);
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
