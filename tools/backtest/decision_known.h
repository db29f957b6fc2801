/* What a kept decision knows that its texts do not show, because it is masked: matches, and what detectors read.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_DECISION_KNOWN_H
#define TOOLS_BACKTEST_DECISION_KNOWN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "backtest/policy_match.h"
#include "rein/rein.h"

struct decision_known {
    struct rein_known *items; /* owned; names are the decision's */
    size_t len;
    struct rein_known_text *texts; /* in which something is masked; owned */
    char **readings;               /* of each; owned, as is the list; NULL: it has none */
    size_t texts_len;
    bool lacks_rule;     /* a rule masks that the policy has not */
    bool lacks_readings; /* of a masked text: what detectors read is not known, or they would read something else */
};

/* Reads the decision's texts (an array, in order). REIN_ENOMEM. */
int decision_known_read(struct decision_known *out, const json_t *texts, const struct policy_match *match,
                        const struct rein_policy *policy) REIN_MUST_USE;
void decision_known_fini(struct decision_known *known);
/* The strings as which a text of the prompt is judged; NULL: it is judged as it is. Returns owned. */
json_t *decision_known_fields(const json_t *text);

#endif
