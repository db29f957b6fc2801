/* The compiled policy, as the other parts of the core see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POLICY_POLICY_H
#define CORE_POLICY_POLICY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/digest.h"
#include "detect/model.h"
#include "detect/pattern.h"
#include "detect/signal.h"
#include "policy/panel.h"
#include "rein/rein.h"
#include "rules/matcher.h"

struct policy_rule {
    const char *id;
    enum rein_action action;
    bool shadow;
    const char *replacement;      /* the replacement of a redacted span */
    const char *replacement_json; /* the same, as the inside of a JSON string */
};

struct policy_pattern {
    enum rein_action action; /* REIN_ALLOW: the pattern is off */
    bool shadow;
    double threshold;
};

/* Compiled signals, shared by policies that name the same lexicons. */
struct policy_signals {
    atomic_uint refs;
    struct signals *set;
    char digest[DIGEST_HEX]; /* of the lexicons */
};

struct rein_policy {
    atomic_uint refs;
    struct rein_policy_settings settings;
    struct policy_rule *rules; /* by the ruleset's numbers */
    size_t rules_len;
    bool rule_interrupts; /* some rule steers (be it in shadow) or cuts the reasoning: the response goes on */
    struct ruleset *ruleset;
    struct policy_pattern patterns[REIN_PATTERNS];
    struct pattern_settings pattern_settings;
    struct policy_signals *shared;
    struct signals *signals; /* shared->set */
    struct model *model;     /* owned; NULL: there is none */
    struct policy_panel panels[POLICY_PANELS_MAX];
    size_t panels_len;
    unsigned judged;           /* channels that panels judge: a set of 1 << enum rein_channel */
    unsigned waits_for_judges; /* likewise, those whose text waits for opinions */
    struct arena arena;        /* owns the strings */
};

/* Why a refused answer ends, as the client reads it. */
static inline const char *policy_refusal_reason(const struct rein_policy *policy)
{
    return policy->settings.refusal.finish_reason;
}

#endif
