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

/* A bound of a score. */
struct policy_bound {
    bool is_set, is_upper, is_strict;
    double value;
};

/* What has to hold for a finding to be made; all that is set. */
struct policy_when {
    struct policy_bound prompt_risk, outcome_risk;
    uint64_t harms; /* one of them: by the signals' order of categories; 0: any prompt will do */
    bool is_set;
};

static inline bool policy_bound_holds(const struct policy_bound *bound, double score)
{
    if (!bound->is_set || score == bound->value)
        return !bound->is_set || !bound->is_strict;
    return (score < bound->value) == bound->is_upper;
}

/* Who says a message of the prompt; in the order of the schema's words. */
enum policy_speaker { POLICY_SYSTEM, POLICY_USER, POLICY_ASSISTANT, POLICY_TOOL, POLICY_SPEAKERS };
enum { POLICY_ALL_SPEAKERS = (1 << POLICY_SPEAKERS) - 1 };

/* A placeholder, which stands for a value that a rule masks: [id:code]. */
enum {
    MASK_LABEL_MAX = 24, /* bytes of a rule's id */
    MASK_CODE = 8,
    MASK_NAME_MAX = MASK_LABEL_MAX + MASK_CODE + 3,
};

struct policy_rule {
    const char *id;
    enum rein_action action;
    bool shadow;
    size_t place; /* in the policy's list */
    enum rein_severity severity;
    const char *tags;  /* joined by commas, "" for none */
    unsigned speakers; /* whose messages of the prompt it judges: a set of 1 << enum policy_speaker */
    struct policy_refusal refusal;
    struct policy_when when;
    bool restores;                /* a value that it masks in the prompt comes back where the answer repeats its mark */
    const char *replacement;      /* the replacement of a redacted span */
    const char *replacement_json; /* the same, as the inside of a JSON string */
};

struct policy_pattern {
    enum rein_action action; /* REIN_ALLOW: the pattern is off */
    bool shadow;
    double threshold;
    struct policy_refusal refusal;
    struct policy_when when;
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
    struct policy_rule *prompt_rules; /* those that judge what is known of the prompt as a whole */
    size_t prompt_rules_len;
    bool has_conditions;  /* some rule finds only when something holds */
    bool wants_scores;    /* some condition is about the outcome risk */
    bool rule_interrupts; /* some rule steers (be it in shadow) or cuts the reasoning: the response goes on */
    struct ruleset *ruleset;
    struct policy_pattern patterns[REIN_PATTERNS];
    struct pattern_settings pattern_settings;
    struct policy_signals *shared;
    struct signals *signals; /* shared->set */
    struct model *model;     /* owned; NULL: there is none */
    struct policy_panel panels[POLICY_PANELS_MAX];
    size_t panels_len;
    unsigned judged;                        /* channels that panels judge: a set of 1 << enum rein_channel */
    unsigned waits_for_judges;              /* likewise, those whose text waits for opinions */
    struct rein_policy_document *documents; /* the policy's own first */
    size_t documents_len;
    struct arena arena; /* owns the strings */
};

/* What the client reads where a rule, a pattern or a panel with this refusal refuses; NULL: none of them does. */
static inline const char *policy_refusal_message(const struct rein_policy *policy, const struct policy_refusal *refusal)
{
    return refusal != NULL && refusal->message != NULL ? refusal->message : policy->settings.refusal.message;
}

/* Why a refused or cut answer ends, as the client reads it. */
static inline const char *policy_refusal_reason(const struct rein_policy *policy, const struct policy_refusal *refusal)
{
    return refusal != NULL && refusal->reason != NULL ? refusal->reason : policy->settings.refusal.finish_reason;
}

/* The roles that a message's speaker stands for: one, or all if no policy can name it. */
unsigned policy_speakers_of(const char *speaker);

#endif
