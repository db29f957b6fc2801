/* The object that a reader of the store has of a decision (dataset/kept_read.h), made without a store.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_KEPT_RECORD_H
#define TESTS_KEPT_RECORD_H

#include <jansson.h>

#include "rein/rein.h"

/* What the session knows besides the trace. */
struct kept_attempt {
    enum rein_delivery delivery;
    bool may_continue;
    unsigned choices;
    const char *outcome;
};
struct kept_facts {
    enum rein_dialect dialect;
    bool streamed;
    const char *ending; /* NULL: as the trace says */
    unsigned unjudged_parts;
    const struct kept_attempt *attempts;
    size_t attempts_len;
};

/* Returns owned; aborts when out of memory. */
json_t *kept_record(struct rein_trace *trace, const struct kept_facts *facts);

/* The object that a reader of the store has of the policy's version (store/policies.h). Likewise. */
json_t *kept_version(const struct rein_policy *policy);

#endif
