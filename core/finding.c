/* See finding.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "finding.h"

#include <string.h>

#include "heap.h"

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

/* Whatever a masking rule finds in the evidence is starred out, also when another finding brought it here. */
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

/* A masked rule's own evidence shows its length alone: a piece of it, cut at EVIDENCE_MAX, need not match again. */
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
    if (f->len < f->cap)
        return 0;
    size_t cap = f->cap > 0 ? f->cap * 2 : 4;
    struct rein_finding *items = heap_resize(f->items, cap * sizeof *items);
    if (items == NULL)
        return REIN_ENOMEM;
    f->items = items;
    f->cap = cap;
    return 0;
}

int findings_add(struct findings *f, const struct rein_finding *finding, struct span evidence)
{
    if (f->len == FINDINGS_MAX)
        return 0;
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

static enum rein_action strongest(const struct findings *f, bool shadow)
{
    enum rein_action strongest = REIN_ALLOW;
    for (size_t i = 0; i < f->len; i++) {
        if (f->items[i].shadow == shadow && f->items[i].action > strongest)
            strongest = f->items[i].action;
        if (!shadow && f->items[i].shadow && strongest < REIN_RECORD)
            strongest = REIN_RECORD;
    }
    return strongest;
}

enum rein_action findings_verdict(const struct findings *f)
{
    return strongest(f, false);
}

enum rein_action findings_shadow(const struct findings *f)
{
    return strongest(f, true);
}
