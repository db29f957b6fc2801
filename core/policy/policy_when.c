/* Conditions: what has to be known of the prompt, and of the outcome, for a rule or pattern to find anything; and rules
 * that judge nothing but what is known of the prompt.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"

enum { HARM_NAME_MAX = 64 };

/* Reads ">= 0.8". */
static bool read_bound(const char *text, struct policy_bound *bound)
{
    static const struct {
        const char *sign;
        bool is_upper, is_strict;
    } signs[] = {{">=", false, false}, {"<=", true, false}, {">", false, true}, {"<", true, true}};
    text += strspn(text, " \t");
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t len = strlen(signs[i].sign);
        if (strncmp(text, signs[i].sign, len) != 0)
            continue;
        text += len + strspn(text + len, " \t");
        *bound = (struct policy_bound){true, signs[i].is_upper, signs[i].is_strict, 0};
        return doc_read_number(text, &bound->value) && bound->value >= 0 && bound->value <= 1;
    }
    return false;
}

static void load_bound(struct policy_loader *l, const struct rein_node *map, const char *key,
                       struct policy_bound *bound)
{
    const struct rein_node *node = rein_node_get(map, key);
    if (node == NULL || node->kind != REIN_NODE_TEXT || read_bound(node->text, bound))
        return;
    double plain;
    if (doc_read_number(node->text, &plain))
        rein_problems_node(l->problems, node, NULL, "expects a comparison, such as \">= %.20s\"", node->text);
    else
        rein_problems_node(l->problems, node, NULL,
                           "`%.40s` is no comparison with a number from 0 to 1, such as \">= 0.8\": use >=, >, <= or <",
                           node->text);
    *bound = (struct policy_bound){.is_set = false};
}

/* self_harm and self-harm are one name. */
static bool is_same_harm(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++)
        if (*a != *b && !((*a == '_' || *a == '-') && (*b == '_' || *b == '-')))
            return false;
    return *a == *b;
}

static void load_harm(struct policy_loader *l, const struct rein_node *node, uint64_t *harms)
{
    const char *names[SIGNAL_CATEGORIES_MAX + 1] = {NULL}, *name;
    for (size_t i = 0; i < SIGNAL_CATEGORIES_MAX && (name = signals_category_name(l->policy->signals, i)) != NULL;
         i++) {
        names[i] = name;
        if (is_same_harm(name, node->text)) {
            *harms |= UINT64_C(1) << i;
            return;
        }
    }
    const char *nearest = rein_nearest(node->text, names);
    char known[512] = "";
    for (size_t i = 0, len = 0; names[i] != NULL && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i > 0 ? ", " : "", names[i]);
    if (nearest != NULL)
        rein_problems_node(l->problems, node, NULL, "no lexicon has the harm `%.64s`; did you mean `%s`?", node->text,
                           nearest);
    else
        rein_problems_node(l->problems, node, NULL, "no lexicon has the harm `%.64s`; the harms are %s", node->text,
                           *known != '\0' ? known : "none: name a lexicon with categories");
}

static void load_harms(struct policy_loader *l, const struct rein_node *map, uint64_t *harms)
{
    const struct rein_node *list = rein_node_get(map, "harms");
    const struct rein_node *at = list != NULL && list->kind == REIN_NODE_LIST ? list->first : list;
    for (; at != NULL; at = at == list ? NULL : at->next)
        if (at->kind == REIN_NODE_TEXT)
            load_harm(l, at, harms);
}

static void load_when(struct policy_loader *l, const struct rein_node *owner, struct policy_when *when)
{
    const struct rein_node *map = rein_node_get(owner, "when");
    if (map == NULL || map->kind != REIN_NODE_MAP)
        return;
    if (map->count == 0)
        rein_problems_node(l->problems, map, NULL, "needs one of prompt_risk, harms and outcome_risk");
    load_bound(l, map, "prompt_risk", &when->prompt_risk);
    load_bound(l, map, "outcome_risk", &when->outcome_risk);
    load_harms(l, map, &when->harms);
    when->is_set = true;
    l->policy->wants_scores |= when->outcome_risk.is_set;
    if (when->outcome_risk.is_set && rein_node_get(l->root, "model") == NULL)
        rein_problems_node(l->problems, map, "outcome_risk",
                           "this is the learned score, which needs weights: name them, as in `model: harm-en`");
}

static void load_rule_when(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    unsigned channels = rein_node_words(node, "channels");
    bool on_prompt = (channels & 1u << REIN_PROMPT) != 0;
    load_when(l, node, &rule->when);
    l->policy->has_conditions |= rule->when.is_set;
    if (on_prompt && rule->when.outcome_risk.is_set)
        rein_problems_node(
            l->problems, node, "when.outcome_risk",
            "nothing is known of the outcome when the prompt is judged: use a separate rule for `prompt`");
    if (on_prompt && rule->when.is_set && rule->action == REIN_REDACT)
        rein_problems_node(
            l->problems, node, "when",
            "what masks a prompt cannot wait for what is known of all of it: remove `when`, or `prompt`");
}

static void load_prompt_rule(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    const struct rein_node *map = rein_node_get(node, "prompt");
    if (map->kind != REIN_NODE_MAP)
        return;
    if (rein_node_get(map, "risk") == NULL && rein_node_get(map, "harms") == NULL)
        rein_problems_node(l->problems, node, "prompt", "needs `risk`, `harms`, or both");
    load_bound(l, map, "risk", &rule->when.prompt_risk);
    load_harms(l, map, &rule->when.harms);
    rule->when.is_set = true;
}

static const struct rein_node *first_rule(const struct policy_loader *l)
{
    const struct rein_node *rules = rein_node_get(l->root, "rules");
    return rules != NULL && rules->kind == REIN_NODE_LIST ? rules->first : NULL;
}

int policy_load_conditions(struct policy_loader *l)
{
    struct rein_policy *policy = l->policy;
    size_t rule = 0, prompt_rule = 0;
    for (const struct rein_node *at = first_rule(l); at != NULL; at = at->next) {
        if (at->kind != REIN_NODE_MAP)
            continue;
        if (policy_is_prompt_rule(at))
            load_prompt_rule(l, at, &policy->prompt_rules[prompt_rule++]);
        else
            load_rule_when(l, at, &policy->rules[rule++]);
    }
    for (int i = 0; i < REIN_PATTERNS; i++) {
        char path[64];
        snprintf(path, sizeof path, "patterns.%s", rein_pattern_name((enum rein_pattern)i));
        const struct rein_node *node = rein_node_get(l->root, path);
        if (node != NULL && node->kind == REIN_NODE_MAP)
            load_when(l, node, &policy->patterns[i].when);
    }
    return 0;
}

static bool asks_for_risk(const struct rein_node *owner)
{
    return owner->kind == REIN_NODE_MAP && (rein_node_get(owner, "when") != NULL || policy_is_prompt_rule(owner));
}

bool policy_asks_for_risk(const struct policy_loader *l)
{
    for (const struct rein_node *at = first_rule(l); at != NULL; at = at->next)
        if (asks_for_risk(at))
            return true;
    return false; /* a pattern asks for the signals itself */
}
