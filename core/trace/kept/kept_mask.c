/* See kept_mask.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/kept/kept_mask.h"

#include <stdlib.h>
#include <string.h>

#include "rules/ruleset.h"
#include "json/text.h"

enum { OPEN_MIN = 8 /* a secret that was cut off is masked from this length on: less says nothing */ };

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
    const struct rein_policy *policy;
    struct match_list *matches; /* empty between two calls */
    struct kept_text *item;
    struct span whole; /* all that is handed over of it; of fields, the present string */
    struct text text;
    bool is_own;      /* on the text's own channel */
    uint64_t open_at; /* where a secret begins that has not ended; the text's length: none does */
};

/* `at`: where they were decided. `decided`: those that end here or before were decided earlier. */
static int take_kept_matches(struct masking *m, int event, uint64_t at, uint64_t decided)
{
    const struct rein_policy *policy = m->policy;
    bool masks_all = policy->settings.log.text == REIN_KEEP_REDACTED && m->is_own;
    struct match_list *matches = m->matches;
    const uint64_t held = text_unclaimed(&m->text);
    int rv = event < 0 ? event : 0;
    for (size_t i = 0; i < matches->len && rv == 0; i++) {
        struct match span;
        struct span evidence;
        if (matches->items[i].end <= decided || !text_found(&m->text, event, &matches->items[i], &span, &evidence) ||
            !text_is_news(&m->text, event, &span))
            continue;
        bool withholds = m->text.rules->rules[span.rule].withholds;
        struct rein_span found = {.offset = span.start,
                                  .len = span.end - span.start,
                                  .rule = policy->rules[span.rule].id,
                                  .at = at,
                                  .is_held = withholds ? held != span.start : held < m->text.cursor.at,
                                  .held = held};
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

/* Judges the next bytes of what is kept. */
static int find_secrets_in(struct masking *m, struct span bytes)
{
    struct span sentence;
    uint64_t offset;
    int event, rv = text_append(&m->text, bytes);
    while (rv == 0 && (event = text_advance(&m->text, m->matches, &sentence, &offset)) != TEXT_DRY)
        rv = take_kept_matches(m, event, event == TEXT_LEAF ? m->text.leaves->decided : m->text.cursor.at,
                               event == TEXT_MATCH ? m->text.lifted_to : 0);
    return rv;
}

/* Judges them up to where the text was last lifted, which decided matches that all of the text need not have. *from: as
 * far as that is. */
static int find_lifted_secrets(struct masking *m, size_t *from)
{
    struct span lifts = bytes_span(&m->item->lifts);
    int rv = 0;
    for (size_t i = 0; i + sizeof(uint64_t) <= lifts.len && rv == 0; i += sizeof(uint64_t)) {
        uint64_t to, decided = m->text.lifted_to;
        memcpy(&to, lifts.data + i, sizeof to);
        if (to > m->whole.len)
            break;
        rv = find_secrets_in(m, (struct span){m->whole.data + *from, (size_t)to - *from});
        *from = (size_t)to;
        int event = rv == 0 ? text_lift(&m->text, m->matches) : rv;
        rv = event < 0 ? event : take_kept_matches(m, TEXT_MATCH, UINT64_MAX, decided); /* an end, for now */
    }
    return rv;
}

/* Judges all that is kept of a text on one channel. */
static int find_secrets(struct masking *m, enum rein_channel channel)
{
    struct span sentence;
    uint64_t offset;
    size_t from = 0;
    int event, rv;
    m->is_own = channel == m->item->said.channel;
    text_init(&m->text, channel, 0, m->policy->ruleset, m->whole.len);
    m->text.may_be_json = m->item->said.channel != REIN_REASONING;
    rv = m->is_own ? find_lifted_secrets(m, &from) : 0;
    if (rv == 0)
        rv = find_secrets_in(m, (struct span){m->whole.data + from, m->whole.len - from});
    uint64_t open_at = rv == 0 ? open_secret(&m->text) : 0;
    m->open_at = open_at < m->open_at ? open_at : m->open_at;
    while (rv == 0 && (event = text_end(&m->text, m->matches, &sentence, &offset)) != TEXT_DRY)
        rv = take_kept_matches(m, event, UINT64_MAX, event == TEXT_MATCH ? m->text.lifted_to : 0);
    text_fini(&m->text);
    m->matches->len = 0;
    return rv;
}

static int compare_spans(const void *a, const void *b)
{
    const struct rein_span *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x->len > y->len ? -1 : x->len < y->len;
}

/* In order; those that overlap become one, under the name of the first. */
static void join_spans(struct bytes *spans)
{
    size_t len, to = 0;
    struct rein_span *at = kept_spans(spans, &len);
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
static int mask_open_end(struct masking *m)
{
    const uint64_t len = m->whole.len;
    if (ended_by_itself(m->item) || len - m->open_at < OPEN_MIN)
        return 0;
    return add_span(&m->item->masks,
                    (struct rein_span){.offset = m->open_at, .len = len - m->open_at, .rule = "", .is_open = true});
}

/* ---- strings of fields: each is judged by itself, as it was; what was found is at another place in the array ---- */

/* A place in a string, and how far it is from where the string begins in the array. */
struct string_place {
    struct span string;
    size_t at, out;
};

static uint64_t place_move(struct string_place *p, uint64_t to)
{
    while (p->at < to && p->at < p->string.len)
        p->out += json_escaped_len(p->string.data[p->at++]);
    while (p->at > to)
        p->out -= json_escaped_len(p->string.data[--p->at]);
    return p->out;
}

/* Spans of the string, from `from` on in the list, become those of the array, of which `len` bytes are kept. */
static void place_spans(struct bytes *spans, size_t from, struct span string, uint64_t begin, uint64_t len)
{
    struct string_place place = {.string = string};
    size_t to = from;
    for (size_t i = from; i < bytes_len(spans); i += sizeof(struct rein_span)) {
        struct rein_span *span = (struct rein_span *)(void *)bytes_at(spans, i);
        uint64_t end = span->offset + span->len, at = span->at;
        uint64_t start = begin + place_move(&place, span->offset);
        struct string_place behind = place;
        end = begin + place_move(&behind, end);
        span->offset = start;
        span->is_held = false; /* a prompt is judged as a whole */
        span->len = (end < len ? end : len) - start;
        span->at = at == UINT64_MAX ? at : begin + place_move(&behind, at);
        if (start < len) {
            *(struct rein_span *)(void *)bytes_at(spans, to) = *span;
            to += sizeof *span;
        }
    }
    spans->end = spans->start + to;
}

/* `may_be_open`: what is kept may end in it. */
static int mask_string(struct masking *m, unsigned channels, bool may_be_open)
{
    int rv = 0;
    m->open_at = UINT64_MAX;
    for (int c = REIN_PROMPT; c <= REIN_OTHER && rv == 0 && m->whole.len > 0; c++)
        if ((channels >> c & 1) != 0)
            rv = find_secrets(m, (enum rein_channel)c);
    return rv == 0 && may_be_open && m->whole.len > 0 ? mask_open_end(m) : rv;
}

static int mask_strings(struct masking *m, unsigned channels)
{
    struct kept_text *item = m->item;
    const uint64_t len = bytes_len(&item->masked);
    size_t count = bytes_len(&item->ends) / sizeof(uint64_t), from = 0;
    uint64_t begin = 2; /* behind [" */
    int rv = 0;
    for (size_t i = 0; i < count && rv == 0; i++) {
        uint64_t end;
        memcpy(&end, bytes_at(&item->ends, i * sizeof end), sizeof end);
        size_t masks = bytes_len(&item->masks), found = bytes_len(&item->found);
        m->whole = (struct span){bytes_span(&item->strings).data + from, (size_t)end - from};
        rv = mask_string(m, channels, item->is_cut && i + 1 == count);
        place_spans(&item->masks, masks, m->whole, begin, len);
        place_spans(&item->found, found, m->whole, begin, len);
        struct string_place place = {.string = m->whole};
        begin += place_move(&place, m->whole.len) + 3; /* "," */
        from = (size_t)end;
    }
    return rv;
}

/* All of it is masked, if a rule of its channel found something; else it is not there. */
static int hide_kept_text(struct kept_text *item)
{
    bytes_clear(&item->masks);
    if (bytes_len(&item->found) == 0)
        return 0;
    return add_span(&item->masks, (struct rein_span){.len = bytes_len(&item->masked), .rule = ""});
}

int kept_mask(const struct rein_policy *policy, struct match_list *scratch, struct kept_text *item)
{
    struct span text = kept_bytes(item);
    struct masking m = {.policy = policy, .matches = scratch, .item = item, .whole = text, .open_at = UINT64_MAX};
    enum rein_channel own = item->said.channel;
    unsigned channels = masking_channels(policy->ruleset, own) | 1u << own;
    bytes_clear(&item->masks);
    bytes_clear(&item->found);
    bytes_clear(&item->masked);
    int rv = bytes_append_span(&item->masked, text);
    if (rv == 0 && bytes_len(&item->ends) > 0)
        rv = mask_strings(&m, channels);
    else if (rv == 0)
        rv = mask_string(&m, channels, true);
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
    const struct rein_span *masks = kept_spans(&item->masks, &len);
    for (size_t i = 0; i < len; i++)
        memset(bytes_at(&item->masked, (size_t)masks[i].offset), '*', (size_t)masks[i].len);
    return 0;
}

static int mask_alone(const struct rein_policy *policy, struct kept_text *item, char *text, size_t len, size_t *spans)
{
    struct match_list matches = {.len = 0};
    int rv = bytes_append(&item->bytes, text, len);
    if (rv == 0)
        rv = kept_mask(policy, &matches, item);
    if (rv == 0) {
        memcpy(text, bytes_span(&item->masked).data, len);
        kept_spans(&item->masks, spans);
    }
    match_list_fini(&matches);
    return rv;
}

int rein_policy_mask(const struct rein_policy *policy, enum rein_channel channel, char *text, size_t len, size_t *spans)
{
    struct kept_text item = {.is_over = true, .len = len, .said = {.channel = channel}};
    *spans = 0;
    if (channel > REIN_TOOL)
        return REIN_EINVAL;
    if (len == 0)
        return 0;
    bytes_init(&item.bytes, len);
    bytes_init(&item.masked, len);
    bytes_init(&item.masks, KEPT_MASKS_MAX * sizeof(struct rein_span));
    bytes_init(&item.found, KEPT_MASKS_MAX * sizeof(struct rein_span));
    int rv = mask_alone(policy, &item, text, len, spans);
    bytes_fini(&item.bytes);
    bytes_fini(&item.masked);
    bytes_fini(&item.masks);
    bytes_fini(&item.found);
    return rv;
}
