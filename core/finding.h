/* Findings of one trace, and the decision they add up to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the trace's. */
#ifndef CORE_FINDING_H
#define CORE_FINDING_H

#include <stddef.h>

#include "bytes.h"
#include "matcher.h"
#include "policy.h"
#include "rein/rein.h"

enum {
    FINDINGS_MAX = 256, /* of one trace; later ones are acted on but not kept */
    EVIDENCE_MAX = 512, /* bytes of evidence that one finding keeps */
};

struct findings {
    const struct rein_policy *policy; /* borrowed */
    struct rein_finding *items;
    size_t len, cap;
};

void findings_init(struct findings *f, const struct rein_policy *policy);
void findings_fini(struct findings *f);

/* Adds a finding; `evidence` is the text it stands on, copied (masked where a rule that masks matches in it) if the
 * policy keeps evidence at all. The finding's own evidence fields are ignored. */
int findings_add(struct findings *f, const struct rein_finding *finding, struct span evidence) REIN_MUST_USE;

/* The strongest action that was taken, and the strongest that shadow findings would have taken. */
enum rein_action findings_verdict(const struct findings *f);
enum rein_action findings_shadow(const struct findings *f);

#endif
