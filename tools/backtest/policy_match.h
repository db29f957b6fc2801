/* What of a policy reads texts as the policy of a kept decision did.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_BACKTEST_POLICY_MATCH_H
#define TOOLS_BACKTEST_POLICY_MATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

struct policy_match {
    json_t *documents;  /* of the policy, as `rein_policy_documents` names them; owned */
    const char **rules; /* names of rules that find the same in both; owned, the names are those of `documents` */
    size_t rules_len;
    bool is_known;      /* what the other policy was */
    bool detectors;     /* lexicons, model and templates are the same */
    bool has_detectors; /* the policy has any */
};

/* `version`: the version that decided, with `resolved` and `documents` (store_read_policy); NULL: it is not known, so
 * nothing is the same. REIN_ENOMEM. */
int policy_match_read(struct policy_match *out, const json_t *version, const struct rein_policy *policy) REIN_MUST_USE;
void policy_match_fini(struct policy_match *match);

#endif
