/* A policy's patterns: what each does, from which score on, and which actions can work for it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "policy/policy_load.h"

/* Why an action cannot work for a pattern; NULL if it can. */
static const char *why_not(enum rein_pattern pattern, enum rein_action action)
{
    bool is_inconsistency = pattern == REIN_INCONSISTENCY_COMPLIES || pattern == REIN_INCONSISTENCY_REFUSES;
    bool is_late = is_inconsistency || pattern == REIN_OUTCOME_RISK_ANSWER;
    if (pattern == REIN_WEAK_VACILLATION && action != REIN_RECORD)
        return "weak vacillation is harmless on its own: use `record`";
    if (is_late && action == REIN_CUT_REASONING)
        return is_inconsistency
                   ? "the reasoning has ended when an inconsistency is found, so it cannot be cut: use another action"
                   : "the reasoning has ended when the answer is scored, so it cannot be cut: use another action";
    if (pattern == REIN_INCONSISTENCY_REFUSES && action != REIN_RECORD && action != REIN_STEER)
        return "the answer is already a refusal: use `record` or `steer`";
    return NULL;
}

/* Steering is possible only while little was shown, so in shadow it waits as it would otherwise: what it records it
 * would have done is true. */
static bool acts(const struct policy_loader *l, const struct policy_pattern *p)
{
    return p->action > REIN_RECORD && !l->shadow && (!p->shadow || p->action == REIN_STEER);
}

static int load_pattern(struct policy_loader *l, enum rein_pattern pattern)
{
    char path[64];
    snprintf(path, sizeof(path), "patterns.%s", rein_pattern_name(pattern));
    struct policy_pattern *p = &l->policy->patterns[pattern];
    p->threshold = pattern_default_threshold[pattern];
    const struct rein_node *node = rein_node_get(l->root, path);
    if (node == NULL || node->kind != REIN_NODE_MAP)
        return 0;
    p->action = policy_action(node, "action");
    p->shadow = l->shadow || rein_node_bool(node, "shadow");
    if (rein_node_get(node, "threshold") != NULL)
        p->threshold = rein_node_number(node, "threshold");
    const char *reason = p->action != REIN_ALLOW ? why_not(pattern, p->action) : NULL;
    if (reason != NULL)
        rein_problems_node(l->problems, node, "action", "%s", reason);
    if (p->action == REIN_STEER && !p->shadow)
        l->policy->settings.may_steer = true;
    return policy_load_refusal(l, node, p->action, &p->refusal);
}

/* Only the learned score can tell the outcome. */
static void check_has_model(const struct policy_loader *l)
{
    bool is_wanted = l->policy->patterns[REIN_OUTCOME_RISK_REASONING].action != REIN_ALLOW ||
                     l->policy->patterns[REIN_OUTCOME_RISK_ANSWER].action != REIN_ALLOW;
    if (is_wanted && rein_node_get(l->root, "model") == NULL)
        rein_problems_node(l->problems, l->root, "patterns.outcome_risk",
                           "this is the learned score, which needs weights: name them, as in `model: harm-en`");
}

int policy_load_patterns(struct policy_loader *l)
{
    struct pattern_settings *settings = &l->policy->pattern_settings;
    for (int i = 0; i < REIN_PATTERNS; i++) {
        int rv = load_pattern(l, (enum rein_pattern)i);
        if (rv != 0)
            return rv;
        settings->enabled[i] = l->policy->patterns[i].action != REIN_ALLOW;
        settings->acts[i] = acts(l, &l->policy->patterns[i]);
        settings->threshold[i] = l->policy->patterns[i].threshold;
    }
    settings->model = l->policy->model;
    settings->min_sentences = (unsigned)rein_node_int(l->root, "patterns.outcome_risk.reasoning.min_sentences");
    settings->answer_bytes = (size_t)rein_node_int(l->root, "patterns.outcome_risk.answer.bytes");
    check_has_model(l);
    return 0;
}
