/* One policy in parts: what its words find, what its learned score adds, what its judges add.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_EVAL_EVAL_VARIANTS_H
#define TOOLS_EVAL_EVAL_VARIANTS_H

#include <stdbool.h>

#include "rein/doc.h"

enum eval_variant {
    EVAL_WORDS,   /* without model and judges; what the score would have done, `lack_of_safety_awareness` does */
    EVAL_SCORE,   /* without judges */
    EVAL_CASCADE, /* with them */
    EVAL_ASKED,   /* acts on nothing, so that traces are judged to their ends: where the panels ask */
    EVAL_PLACES,  /* likewise with `when: always`: where they could */
    EVAL_VARIANTS
};

/* A panel that the command line describes, in place of the policy's own. */
struct eval_panel {
    const char *judge;
    unsigned channels; /* a set of 1 << enum rein_channel */
    const char *when;  /* NULL: uncertain if the policy has a model, else always */
    unsigned sentences;
};

struct eval_variants {
    struct rein_policy *policies[EVAL_VARIANTS];
    bool has_model;
};

/* `panel` NULL: the policy's own panels. What is wrong goes into `problems`. Fini in any case. */
int eval_variants_load(struct eval_variants *out, const char *path, const struct eval_panel *panel,
                       const struct rein_library *library, struct rein_problems *problems) REIN_MUST_USE;
void eval_variants_fini(struct eval_variants *variants);

#endif
