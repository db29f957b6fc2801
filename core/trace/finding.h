/* Findings of one trace, and the decision they add up to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_FINDING_H
#define CORE_TRACE_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "policy/policy.h"
#include "rein/rein.h"
#include "rules/matcher.h"

enum {
    FINDINGS_MAX = 256, /* findings findings of one trace; later ones are acted on and counted, but not kept */
    EVIDENCE_MAX = 512, /* bytes of evidence that one finding keeps */
};

struct findings {
    const struct rein_policy *policy; /* borrowed */
    struct rein_finding *items;
    size_t len, cap;
    size_t dropped;           /* made, but not kept: the list is full */
    enum rein_action verdict; /* the strongest action of all enforced findings */
    enum rein_action shadow;  /* the strongest action that shadow findings would have had */
};

/* Always true between two calls. */
bool findings_is_sound(const struct findings *f);

void findings_init(struct findings *f, const struct rein_policy *policy);
void findings_fini(struct findings *f);

/* Adds a finding; `evidence` is its text, which is copied if the policy keeps evidence (masked where a masking rule
 * matches in it). The finding's own evidence fields are ignored. It counts for the verdict even if the list is full.
 * REIN_ENOMEM: nothing was added. */
int findings_add(struct findings *f, const struct rein_finding *finding, struct span evidence) REIN_MUST_USE;

#endif
