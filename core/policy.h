/* The compiled policy, as the other parts of the core see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "matcher.h"
#include "pattern.h"
#include "rein/rein.h"
#include "signal.h"

struct policy_rule {
    const char *id;
    enum rein_action action;
    bool shadow;
    const char *replacement; /* what a redaction puts in the span's place */
};

struct policy_pattern {
    enum rein_action action; /* REIN_ALLOW: the pattern is off */
    bool shadow;
    double threshold;
};

struct rein_policy {
    atomic_uint refs;
    struct rein_policy_settings settings;
    struct policy_rule *rules; /* by the ruleset's numbers */
    size_t rules_len;
    struct ruleset *ruleset;
    struct policy_pattern patterns[REIN_PATTERNS];
    struct pattern_settings pattern_settings;
    struct signals *signals;
    struct arena arena; /* owns the strings */
};

#endif
