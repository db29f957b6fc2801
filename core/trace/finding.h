/* Findings of one trace, and the decision they add up to.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: the trace's. */
#ifndef CORE_TRACE_FINDING_H
#define CORE_TRACE_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "policy/policy.h"
#include "rein/rein.h"
#include "rules/matcher.h"

enum {
    FINDINGS_MAX = 256, /* findings findings of one trace; later ones are acted on and counted, but not kept */
    EVIDENCE_MAX = 512, /* bytes of evidence that one finding keeps */
};

/* A stretch of a text in the evidence: `len` bytes from `at` on are those from `offset` on. */
struct evidence_part {
    uint64_t offset;
    uint32_t at, len;
};

/* What a finding quotes. */
struct evidence {
    struct span text; /* borrowed */
    uintptr_t source; /* which text it is from, its address or an odd number: others say nothing of it */
    struct evidence_part parts[REIN_STEPS_MAX];
    size_t parts_len; /* 0: which byte came from where is not known */
};

/* Where a finding's evidence is from. */
struct evidence_place {
    uintptr_t source;
    struct evidence_part parts[REIN_STEPS_MAX];
    size_t parts_len;
    bool is_secret; /* its rule masks what it finds */
};

struct findings {
    const struct rein_policy *policy; /* borrowed */
    struct rein_finding *items;
    struct evidence_place *places; /* of the same items */
    size_t len, cap, places_cap;
    size_t dropped;           /* made, but not kept: the list is full */
    enum rein_action verdict; /* the strongest action of all enforced findings */
    enum rein_action shadow;  /* the strongest action that shadow findings would have had */
};

/* Always true between two calls. */
bool findings_is_sound(const struct findings *f);

void findings_init(struct findings *f, const struct rein_policy *policy);
void findings_fini(struct findings *f);

/* Adds a finding; its evidence is copied if the policy keeps any, masked where a masking rule matches in it, or has
 * matched, or will match, something of the text that reaches into it. The finding's own evidence fields are ignored. It
 * counts for the verdict even if the list is full. REIN_ENOMEM: nothing was added. */
int findings_add(struct findings *f, const struct rein_finding *finding, const struct evidence *evidence) REIN_MUST_USE;

/* A text of which parts are not known, such as that of a stand-alone string. */
static inline struct evidence evidence_of(struct span text, uintptr_t source)
{
    return (struct evidence){.text = text, .source = source};
}

#endif
