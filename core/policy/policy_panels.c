/* A policy's panels of judges.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "policy/policy_load.h"

/* ---- several opinions ---- */

double panel_risk(const struct policy_panel *panel, const double *risks, const bool *has_opinion)
{
    double sorted[POLICY_PANEL_JUDGES_MAX], sum = 0, weights = 0;
    size_t len = 0;
    for (size_t i = 0; i < panel->judges_len; i++) {
        if (!has_opinion[i])
            continue;
        sum += risks[i] * panel->weights[i];
        weights += panel->weights[i];
        size_t at = len++;
        for (; at > 0 && sorted[at - 1] > risks[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = risks[i];
    }
    switch (panel->combine) {
    case PANEL_ANY:
        return sorted[len - 1];
    case PANEL_ALL:
        return sorted[0];
    case PANEL_MAJORITY: /* of an even number the upper middle one: half of them is enough */
        return sorted[len / 2];
    default:
        return weights > 0 ? sum / weights : 0;
    }
}

/* ---- loading ---- */

static const struct rein_judge_name *judge_find(const struct policy_loader *l, const char *name)
{
    for (size_t i = 0; i < l->judges_len; i++)
        if (strcmp(l->judges[i].name, name) == 0)
            return &l->judges[i];
    return NULL;
}

static void judge_missing(struct policy_loader *l, const struct rein_node *node)
{
    enum { NEAR_MAX = 32 };
    const char *names[NEAR_MAX + 1] = {NULL};
    for (size_t i = 0; i < l->judges_len && i < NEAR_MAX; i++)
        names[i] = l->judges[i].name;
    const char *nearest = rein_nearest(node->text, names);
    if (nearest != NULL)
        rein_problems_node(l->problems, node, NULL, "there is no judge `%.64s`; did you mean `%s`?", node->text,
                           nearest);
    else
        rein_problems_node(l->problems, node, NULL,
                           "there is no judge `%.64s`: the server's config declares judges, in `judges`", node->text);
}

/* The first channel of the panel that the judge cannot judge; NULL: none. */
static const char *channel_beyond(const struct policy_panel *panel, const struct rein_judge_name *judge)
{
    for (int c = REIN_PROMPT; c <= REIN_TOOL; c++)
        if (panel_judges(panel, (enum rein_channel)c) && (judge->channels >> c & 1) == 0)
            return rein_channel_name((enum rein_channel)c);
    return NULL;
}

static int read_judges(struct policy_loader *l, const struct rein_node *node, struct policy_panel *panel)
{
    const struct rein_node *list = rein_node_get(node, "ask");
    const struct rein_node *at = list == NULL ? NULL : list->kind == REIN_NODE_LIST ? list->first : list;
    for (; at != NULL && panel->judges_len < POLICY_PANEL_JUDGES_MAX; at = at == list ? NULL : at->next) {
        const struct rein_judge_name *judge = judge_find(l, at->text);
        if (judge == NULL && !l->any_judge)
            judge_missing(l, at);
        else if (judge != NULL && channel_beyond(panel, judge) != NULL)
            rein_problems_node(l->problems, at, NULL,
                               "the judge `%.64s` cannot judge the channel `%s`: leave one of them out", at->text,
                               channel_beyond(panel, judge));
        panel->weights[panel->judges_len] = 1;
        panel->judges[panel->judges_len] = arena_copy(&l->policy->arena, at->text, at->len);
        if (panel->judges[panel->judges_len++] == NULL)
            return REIN_ENOMEM;
    }
    return 0;
}

static void read_weights(struct policy_loader *l, const struct rein_node *node, struct policy_panel *panel)
{
    const struct rein_node *list = rein_node_get(node, "weights");
    if (list == NULL || list->kind != REIN_NODE_LIST)
        return;
    if (panel->combine != PANEL_MEAN || list->count != panel->judges_len) {
        rein_problems_node(l->problems, node, "weights",
                           panel->combine != PANEL_MEAN ? "is only for `combine: mean`: remove it"
                                                        : "needs one number for each judge");
        return;
    }
    size_t i = 0;
    for (const struct rein_node *at = list->first; at != NULL; at = at->next) {
        char *end;
        panel->weights[i] = strtod(at->text, &end);
        if (at->text[0] == '\0' || *end != '\0' || !(panel->weights[i] >= 0 && panel->weights[i] <= 1000))
            rein_problems_node(l->problems, at, NULL, "expects a number from 0 to 1000");
        i++;
    }
}

/* What cannot work for a panel. */
static void check_panel(struct policy_loader *l, const struct rein_node *node, const struct policy_panel *panel)
{
    unsigned later = 1u << REIN_ANSWER | 1u << REIN_TOOL;
    if (panel->action == REIN_CUT_REASONING && (panel->channels & ~(1u << REIN_REASONING)) != 0)
        rein_problems_node(l->problems, node, "action", "only reasoning can be cut: use the channel `reasoning` alone");
    if (panel_judges(panel, REIN_PROMPT) && panel->action != REIN_RECORD && panel->action != REIN_REFUSE)
        rein_problems_node(l->problems, node, "action",
                           "a prompt can be refused or recorded: use another panel for the rest");
    if (panel->when == PANEL_UNCERTAIN && panel->grey_from >= panel->grey_to)
        rein_problems_node(l->problems, node, "grey", "`from` must be less than `to`");
    if (panel->when == PANEL_UNCERTAIN && l->model == NULL)
        rein_problems_node(l->problems, node, "when",
                           "needs a score to be uncertain about: name weights, as in `model: harm-en`");
    if (panel->when == PANEL_UNCERTAIN && (panel->channels & (1u << REIN_PROMPT | later)) == (1u << REIN_TOOL))
        rein_problems_node(l->problems, node, "when",
                           "there is no score of a tool's arguments: use `always` or `risky`");
}

static int read_panel(struct policy_loader *l, const struct rein_node *node, struct policy_panel *panel)
{
    const char *id = rein_node_text(node, "id");
    panel->id = arena_copy(&l->policy->arena, id != NULL ? id : "", id != NULL ? strlen(id) : 0);
    panel->combine = (enum panel_combine)rein_node_word(node, "combine");
    panel->channels = rein_node_words(node, "channels");
    panel->sentences = (unsigned)rein_node_int(node, "every.sentences");
    panel->bytes = (size_t)rein_node_int(node, "every.bytes");
    panel->when = (enum panel_when)rein_node_word(node, "when");
    panel->grey_from = rein_node_number(node, "grey.from");
    panel->grey_to = rein_node_number(node, "grey.to");
    panel->risk_from = rein_node_number(node, "risk_from");
    panel->action = policy_action(node, "action");
    panel->on_error = (enum panel_on_error)rein_node_word(node, "on_error");
    panel->shadow = l->shadow || rein_node_bool(node, "shadow");
    int rv = panel->id != NULL ? policy_load_refusal(l, node, panel->action, &panel->refusal) : REIN_ENOMEM;
    if (rv == 0)
        rv = read_judges(l, node, panel);
    if (rv != 0)
        return rv;
    read_weights(l, node, panel);
    check_panel(l, node, panel);
    if (panel->action == REIN_STEER && !panel->shadow)
        l->policy->settings.may_steer = true;
    return 0;
}

static void check_twins(struct policy_loader *l, const struct rein_node *node, const struct policy_panel *panel)
{
    const struct rein_policy *policy = l->policy;
    for (const struct policy_panel *at = policy->panels; at != panel; at++)
        if (strcmp(at->id, panel->id) == 0)
            rein_problems_node(l->problems, node, "id", "another panel has the id `%.64s` too: rename one of them",
                               panel->id);
    for (size_t i = 0; i < policy->rules_len; i++)
        if (policy->rules[i].id != NULL && strcmp(policy->rules[i].id, panel->id) == 0)
            rein_problems_node(l->problems, node, "id", "a rule has the id `%.64s` too: rename one of them", panel->id);
}

int policy_load_panels(struct policy_loader *l)
{
    const struct rein_node *list = rein_node_get(l->root, "judges");
    struct rein_policy *policy = l->policy;
    int rv = 0;
    if (list == NULL || list->kind != REIN_NODE_LIST)
        return 0;
    for (const struct rein_node *at = list->first; at != NULL && rv == 0 && policy->panels_len < POLICY_PANELS_MAX;
         at = at->next) {
        if (at->kind != REIN_NODE_MAP)
            continue;
        struct policy_panel *panel = &policy->panels[policy->panels_len];
        rv = read_panel(l, at, panel);
        if (rv == 0)
            check_twins(l, at, panel);
        policy->panels_len++;
        policy->judged |= panel->channels;
        policy->waits_for_judges |= panel->shadow ? 0 : panel->channels;
    }
    return rv;
}

int policy_put_judges(const struct policy_loader *l, struct bytes *out)
{
    int rv = 0;
    for (size_t p = 0; p < l->policy->panels_len; p++)
        for (size_t i = 0; i < l->policy->panels[p].judges_len && rv == 0; i++) {
            const struct rein_judge_name *judge = judge_find(l, l->policy->panels[p].judges[i]);
            if (judge == NULL)
                continue; /* a problem was said */
            rv = bytes_append(out, judge->name, strlen(judge->name) + 1);
            if (rv == 0)
                rv = bytes_append(out, judge->version, strlen(judge->version) + 1);
        }
    return rv;
}
