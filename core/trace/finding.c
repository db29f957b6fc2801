/* See finding.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "trace/finding.h"

#include <assert.h>
#include <string.h>

#include "base/heap.h"

void findings_init(struct findings *f, const struct rein_policy *policy)
{
    *f = (struct findings){.policy = policy};
}

void findings_fini(struct findings *f)
{
    for (size_t i = 0; i < f->len; i++)
        heap_free((char *)f->items[i].evidence);
    heap_free(f->items);
    heap_free(f->places);
    *f = (struct findings){0};
}

static void mask_span(char *text, size_t len)
{
    memset(text, '*', len);
}

/* Masks everything that a masking rule finds in the evidence, even if another finding quotes it. */
static int mask(const struct findings *f, char *text, size_t len)
{
    struct match_list list = {0};
    int rv = 0;
    for (int channel = REIN_PROMPT; channel <= REIN_TOOL && rv == 0; channel++) {
        list.len = 0;
        rv = matcher_scan(f->policy->ruleset, (enum rein_channel)channel, (struct span){text, len}, &list);
        for (size_t i = 0; rv == 0 && i < list.len; i++)
            if (ruleset_masks(f->policy->ruleset, list.items[i].rule))
                mask_span(text + list.items[i].start, (size_t)(list.items[i].end - list.items[i].start));
    }
    match_list_fini(&list);
    return rv;
}

/* The evidence of a masked rule shows only its length: a part of it, cut at EVIDENCE_MAX, might not match again. */
static bool is_masked(const struct findings *f, const struct rein_finding *finding)
{
    if (!finding->is_rule)
        return false;
    for (size_t i = 0; i < f->policy->rules_len; i++)
        if (f->policy->rules[i].id == finding->id)
            return ruleset_masks(f->policy->ruleset, (uint16_t)i);
    return false;
}

/* ---- matches that reach into the evidence of other findings ---- */

static bool is_of_same_text(const struct findings *f, size_t a, size_t b)
{
    const struct rein_finding *x = &f->items[a], *y = &f->items[b];
    return f->places[a].source == f->places[b].source && x->attempt == y->attempt && x->channel == y->channel &&
           x->choice == y->choice;
}

static bool overlaps(uint64_t offset, uint64_t len, const struct rein_finding *secret)
{
    return offset < secret->offset + secret->len && secret->offset < offset + len;
}

/* Without parts: all of it, if the secret is anywhere near. */
static void mask_unplaced(struct rein_finding *item, const struct rein_finding *secret)
{
    bool is_near = overlaps(item->offset, item->len, secret);
    for (size_t i = 0; i < item->steps_len; i++)
        is_near |= overlaps(item->steps[i].offset, item->steps[i].len, secret);
    if (is_near)
        mask_span((char *)item->evidence, item->evidence_len);
}

/* Masks in the evidence of one finding what another has found to be secret. */
static void mask_found(const struct findings *f, size_t at, size_t secret_at)
{
    struct rein_finding *item = &f->items[at];
    const struct evidence_place *place = &f->places[at];
    const struct rein_finding *secret = &f->items[secret_at];
    if (at == secret_at || !f->places[secret_at].is_secret || item->evidence_len == 0 ||
        !is_of_same_text(f, at, secret_at))
        return;
    if (place->parts_len == 0)
        mask_unplaced(item, secret);
    for (size_t i = 0; i < place->parts_len; i++) {
        const struct evidence_part *part = &place->parts[i];
        uint64_t end = part->offset + part->len, secret_end = secret->offset + secret->len;
        uint64_t from = secret->offset > part->offset ? secret->offset : part->offset;
        uint64_t to = secret_end < end ? secret_end : end;
        if (from < to && part->at + (to - part->offset) <= item->evidence_len)
            mask_span((char *)item->evidence + part->at + (from - part->offset), (size_t)(to - from));
        else if (from < to && part->at + (from - part->offset) < item->evidence_len)
            mask_span((char *)item->evidence + part->at + (from - part->offset),
                      item->evidence_len - part->at - (size_t)(from - part->offset));
    }
}

/* The last finding and all before it. */
static void mask_each_other(const struct findings *f)
{
    size_t last = f->len - 1;
    for (size_t i = 0; i < last; i++) {
        mask_found(f, i, last);
        mask_found(f, last, i);
    }
}

/* It is masked together with what follows the part that is kept, so that a secret is found that is cut there. */
static int keep_evidence(const struct findings *f, struct rein_finding *item, struct span evidence)
{
    size_t looked_at = EVIDENCE_MAX + f->policy->settings.hold_max_bytes;
    item->evidence = "";
    item->evidence_len = 0;
    if (f->policy->settings.log.text == REIN_KEEP_NONE)
        evidence.len = 0;
    size_t kept = evidence.len > EVIDENCE_MAX ? rein_text_whole(evidence.data, EVIDENCE_MAX) : evidence.len;
    if (evidence.len > looked_at)
        evidence.len = rein_text_whole(evidence.data, looked_at);
    char *copy = heap_copy(evidence.data, evidence.len);
    if (copy == NULL)
        return REIN_ENOMEM;
    int rv = 0;
    if (is_masked(f, item))
        mask_span(copy, kept);
    else
        rv = mask(f, copy, evidence.len);
    if (rv != 0) {
        heap_free(copy);
        return rv;
    }
    copy[kept] = '\0';
    item->evidence = copy;
    item->evidence_len = kept;
    return 0;
}

static int reserve(struct findings *f)
{
    struct rein_finding *items = heap_one_more(f->items, f->len, &f->cap, 4, sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    f->items = items;
    struct evidence_place *places = heap_one_more(f->places, f->len, &f->places_cap, 4, sizeof *places);
    if (places == NULL)
        return REIN_ENOMEM;
    f->places = places;
    return 0;
}

bool findings_is_sound(const struct findings *f)
{
    return f->len <= f->cap && f->len <= f->places_cap && f->len <= FINDINGS_MAX &&
           (f->dropped == 0 || f->len == FINDINGS_MAX) &&
           (f->len > 0 || (f->verdict == REIN_ALLOW && f->shadow == REIN_ALLOW));
}

/* A finding counts for the verdict even if it cannot be listed. */
static void count_in(struct findings *f, const struct rein_finding *finding)
{
    enum rein_action done = finding->shadow ? REIN_RECORD : finding->action;
    f->verdict = done > f->verdict ? done : f->verdict;
    if (finding->shadow && finding->action > f->shadow)
        f->shadow = finding->action;
}

static int findings_keep(struct findings *f, const struct rein_finding *finding, const struct evidence *evidence)
{
    int rv = reserve(f);
    if (rv != 0)
        return rv;
    struct rein_finding *item = &f->items[f->len];
    struct evidence_place *place = &f->places[f->len];
    *item = *finding;
    place->source = evidence->source;
    place->parts_len = evidence->parts_len;
    memcpy(place->parts, evidence->parts, sizeof place->parts);
    place->is_secret = is_masked(f, item);
    rv = keep_evidence(f, item, evidence->text);
    if (rv != 0)
        return rv;
    f->len++;
    mask_each_other(f);
    return 0;
}

int findings_add(struct findings *f, const struct rein_finding *finding, const struct evidence *evidence)
{
    assert(findings_is_sound(f));
    bool is_full = f->len == FINDINGS_MAX;
    int rv = is_full ? 0 : findings_keep(f, finding, evidence);
    if (rv != 0)
        return rv;
    f->dropped += is_full;
    count_in(f, finding);
    assert(findings_is_sound(f));
    return 0;
}
