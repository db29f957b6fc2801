/* The prompt's messages: they are judged, and what rules redact of them is masked.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The caller sends the prompt on, so it is told what to put in the place of what. Patterns and the learned score see
 * the prompt as it came; judges and whatever else leaves the process see it masked. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/heap.h"
#include "trace/trace_state.h"
#include "json/text.h"

/* A message that is being judged. */
struct prompt_text {
    struct rein_trace *trace;
    const struct rein_prompt_part *parts;
    size_t parts_len, glue_len;
    struct span whole;
    struct bytes shown;     /* the whole with its masks, as far as it is made */
    uint64_t shown_to;      /* of the whole */
    size_t part, part_at;   /* the first part that the next mask may lie in, and where it begins in the whole */
    struct match_list kept; /* matches whose values never come back, by their beginnings */
    size_t kept_at;
};

/* ---- one mask ---- */

static int by_match_start(const void *a, const void *b)
{
    const struct match *x = a, *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* The rule that says what stands there: where several overlap, one that does not restore. */
static uint16_t rule_of(struct prompt_text *p, const struct edit *e)
{
    while (p->kept_at < p->kept.len && p->kept.items[p->kept_at].end <= e->start)
        p->kept_at++;
    for (size_t i = p->kept_at; i < p->kept.len && p->kept.items[i].start < e->end; i++)
        if (p->kept.items[i].end > e->start)
            return p->kept.items[i].rule;
    return e->rule;
}

/* What a reader of the text has there: `room` gets it where the text is spelled otherwise. */
static int value_of(const struct edit *e, struct span spelled, struct bytes *room, struct span *value)
{
    uint16_t half = 0;
    *value = spelled;
    if (e->form != EDIT_STRING || memchr(spelled.data, '\\', spelled.len) == NULL)
        return 0;
    bytes_clear(room);
    int rv = bytes_reserve(room, spelled.len + 3);
    if (rv == 0)
        *value = (struct span){room->data, json_unescape(spelled, &half, room->data)};
    return rv;
}

/* What stands in the place of an edit, appended to `shown`. */
static int write_mask(struct prompt_text *p, const struct edit *e, const struct policy_rule *rule, struct span name)
{
    struct span quote = e->form == EDIT_SCALAR ? SPAN("\"") : SPAN("");
    const char *words = e->form == EDIT_TEXT ? rule->replacement : rule->replacement_json;
    char number[16] = "";
    if (name.len == 0 && e->number > 0)
        snprintf(number, sizeof number, " (%" PRIu32 ")", e->number);
    int rv = bytes_append_span(&p->shown, quote);
    if (rv == 0)
        rv = bytes_append_span(&p->shown, name.len > 0 ? name : (struct span){words, strlen(words)});
    if (rv == 0)
        rv = bytes_append(&p->shown, number, strlen(number));
    return rv == 0 ? bytes_append_span(&p->shown, quote) : rv;
}

/* Tells the caller, for each part that has some of it; the first one gets the text. */
static int note_masks(struct prompt_text *p, const struct edit *e, struct rein_mask mask)
{
    while (p->part < p->parts_len && p->part_at + p->parts[p->part].len <= e->start) {
        p->part_at += p->parts[p->part].len + p->glue_len;
        p->part++;
    }
    size_t at = p->part_at;
    int rv = 0;
    for (size_t i = p->part; i < p->parts_len && at < e->end && rv == 0; i++) {
        size_t end = at + p->parts[i].len;
        uint64_t from = e->start > at ? e->start : at, to = e->end < end ? e->end : end;
        if (from < to) {
            mask.tag = p->parts[i].tag;
            mask.offset = from - at;
            mask.len = to - from;
            rv = mask_set_add(p->trace->masks, &mask);
            mask.text_len = 0;
        }
        at = end + p->glue_len;
    }
    return rv;
}

static int mask_edit(struct prompt_text *p, const struct edit *e, struct bytes *room)
{
    struct rein_trace *t = p->trace;
    uint16_t number = rule_of(p, e);
    const struct policy_rule *rule = &t->policy->rules[number];
    struct span value, name, spelled = {p->whole.data + e->start, (size_t)(e->end - e->start)};
    int rv = bytes_append(&p->shown, p->whole.data + p->shown_to, (size_t)(e->start - p->shown_to));
    if (rv == 0)
        rv = value_of(e, spelled, room, &value);
    if (rv == 0)
        rv = mask_set_name(t->masks, number, value, &name);
    size_t at = bytes_len(&p->shown);
    if (rv == 0)
        rv = write_mask(p, e, rule, name);
    if (rv != 0)
        return rv;
    p->shown_to = e->end;
    t->decision.flow[REIN_PROMPT].redacted += e->end - e->start;
    t->decision.flow[REIN_PROMPT].released -= e->end - e->start;
    return note_masks(p, e,
                      (struct rein_mask){.text = bytes_at(&p->shown, at),
                                         .text_len = bytes_len(&p->shown) - at,
                                         .restores = name.len > 0,
                                         .rule = rule->id});
}

/* ---- a message ---- */

static int make_masks(struct rein_trace *t)
{
    if (t->masks != NULL)
        return 0;
    int rv = mask_set_new(&t->masks, t->policy, t->has_mask_key ? t->mask_key : NULL);
    t->gate.masks = t->masks;
    return rv;
}

static int mask_edits(struct prompt_text *p, const struct text *text)
{
    size_t len = 0;
    const struct edit *edits = bytes_len(&text->edits) > 0 ? text_edits(text, 0, &len) : NULL;
    struct bytes room;
    if (len == 0)
        return 0;
    int rv = make_masks(p->trace);
    bytes_init(&room, SIZE_MAX / 2);
    if (p->kept.len > 1)
        qsort(p->kept.items, p->kept.len, sizeof *p->kept.items, by_match_start);
    for (size_t i = 0; i < len && rv == 0; i++)
        rv = mask_edit(p, &edits[i], &room);
    if (rv == 0)
        rv = bytes_append(&p->shown, p->whole.data + p->shown_to, p->whole.len - (size_t)p->shown_to);
    p->trace->needs_commit = true;
    bytes_fini(&room);
    return rv;
}

static int judge_and_mask(struct prompt_text *p, const char *speaker)
{
    struct text text;
    int rv = trace_judge_prompt(p->trace, speaker, p->whole, &text, &p->kept);
    if (rv == 0)
        rv = mask_edits(p, &text);
    text_fini(&text);
    return rv;
}

/* How risky the prompt is with this message; of a masked one, what is known of that. */
static int weigh_prompt(struct rein_trace *t, const char *speaker, struct span whole)
{
    int rv = 0;
    if (t->policy->signals == NULL)
        return 0;
    if (t->known_prompt.risk.len > 0)
        t->lacks_readings |= !reading_read_risk(t->known_prompt.risk, &t->risk);
    else
        rv = prompt_risk_add(&t->risk, t->policy->signals, t->policy->model, t->engine, speaker, whole);
    return rv == 0 && t->kept != NULL ? kept_risk(t->kept, &t->risk) : rv;
}

static int take_prompt(struct prompt_text *p, const char *speaker)
{
    struct rein_trace *t = p->trace;
    int rv = t->kept != NULL ? kept_prompt(t->kept, speaker, p->whole) : 0; /* it masks by itself */
    if (rv == 0)
        rv = t->policy->settings.masks_prompt ? judge_and_mask(p, speaker)
                                              : trace_judge_prompt(t, speaker, p->whole, NULL, NULL);
    struct span said = bytes_len(&p->shown) > 0 || p->shown_to > 0 ? bytes_span(&p->shown) : p->whole;
    if (rv == 0)
        rv = trace_panels_prompt(t, speaker, said);
    if (rv == 0)
        rv = weigh_prompt(t, speaker, p->whole);
    if (rv != 0)
        t->phase = TRACE_BROKEN; /* what was not judged must not go to the upstream */
    return rv;
}

/* The parts as one text. */
static int join_parts(const struct rein_prompt_part *parts, size_t len, const char *glue, char **out, size_t *out_len)
{
    size_t glue_len = strlen(glue), all = 0;
    for (size_t i = 0; i < len; i++)
        all += parts[i].len + glue_len;
    char *at = *out = heap_new(all + 1, 1);
    if (at == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < len; i++) {
        if (parts[i].len > 0)
            memcpy(at, parts[i].text, parts[i].len);
        memcpy(at + parts[i].len, glue, glue_len);
        at += parts[i].len + glue_len;
    }
    *out_len = len > 0 ? all - glue_len : 0;
    return 0;
}

int rein_trace_prompt_parts(struct rein_trace *t, const char *speaker, const struct rein_prompt_part *parts, size_t len,
                            const char *glue)
{
    if (t->phase != TRACE_PROMPT)
        return REIN_ESTATE;
    char *joined = NULL;
    struct prompt_text p = {.trace = t, .parts = parts, .parts_len = len, .glue_len = strlen(glue)};
    int rv = 0;
    if (len == 1)
        p.whole = (struct span){parts[0].text, parts[0].len};
    else
        rv = join_parts(parts, len, glue, &joined, &p.whole.len);
    if (rv != 0)
        return rv;
    p.whole.data = joined != NULL ? joined : p.whole.data;
    bytes_init(&p.shown, SIZE_MAX / 2);
    rv = take_prompt(&p, speaker);
    bytes_fini(&p.shown);
    match_list_fini(&p.kept);
    heap_free(joined);
    return rv;
}

int rein_trace_prompt(struct rein_trace *t, const char *speaker, const char *text, size_t len)
{
    return rein_trace_prompt_parts(t, speaker, &(struct rein_prompt_part){.text = text, .len = len}, 1, "");
}

const struct rein_mask *rein_trace_masks(const struct rein_trace *t, size_t *len)
{
    *len = t->masks != NULL ? t->masks->masks_len : 0;
    return *len > 0 ? t->masks->masks : NULL;
}
