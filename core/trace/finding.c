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

static int keep_evidence(const struct findings *f, struct rein_finding *item, struct span evidence)
{
    item->evidence = "";
    item->evidence_len = 0;
    if (f->policy->settings.log_text == REIN_KEEP_NONE)
        evidence.len = 0;
    if (evidence.len > EVIDENCE_MAX)
        evidence.len = rein_text_whole(evidence.data, EVIDENCE_MAX);
    char *copy = heap_copy(evidence.data, evidence.len);
    if (copy == NULL)
        return REIN_ENOMEM;
    int rv = 0;
    if (is_masked(f, item))
        mask_span(copy, evidence.len);
    else
        rv = mask(f, copy, evidence.len);
    if (rv != 0) {
        heap_free(copy);
        return rv;
    }
    item->evidence = copy;
    item->evidence_len = evidence.len;
    return 0;
}

static int reserve(struct findings *f)
{
    struct rein_finding *items = heap_one_more(f->items, f->len, &f->cap, 4, sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    f->items = items;
    return 0;
}

bool findings_is_sound(const struct findings *f)
{
    return f->len <= f->cap && f->len <= FINDINGS_MAX && (f->dropped == 0 || f->len == FINDINGS_MAX) &&
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

static int findings_keep(struct findings *f, const struct rein_finding *finding, struct span evidence)
{
    int rv = reserve(f);
    if (rv != 0)
        return rv;
    struct rein_finding *item = &f->items[f->len];
    *item = *finding;
    rv = keep_evidence(f, item, evidence);
    if (rv == 0)
        f->len++;
    return rv;
}

int findings_add(struct findings *f, const struct rein_finding *finding, struct span evidence)
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
