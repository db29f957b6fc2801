/* What a kept decision knows that its texts do not show: the matches that are masked in them.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_DECISION_KNOWN_H
#define TOOLS_BACKTEST_DECISION_KNOWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct decision_known {
    struct rein_known *items; /* owned; names are the decision's */
    size_t len;
    bool is_masked;  /* some byte of some text is */
    bool lacks_rule; /* a rule masks that the policy has not */
};

/* Reads `found` and `masks` of the decision's texts (an array, in order). Texts of one channel of a choice are one to
 * the engine, but for tools. REIN_ENOMEM. */
int decision_known_read(struct decision_known *out, const json_t *texts,
                        const struct rein_policy *policy) REIN_MUST_USE;
void decision_known_fini(struct decision_known *known);

#endif
