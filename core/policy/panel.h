/* A panel: which judges are asked about which texts, how often, and what their opinion does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_POLICY_PANEL_H
#define CORE_POLICY_PANEL_H

#include <stdbool.h>
#include <stddef.h>

#include "rein/rein.h"

enum { POLICY_PANELS_MAX = 4, POLICY_PANEL_JUDGES_MAX = 4 };

/* In the orders of the schema's words. */
enum panel_combine { PANEL_ANY, PANEL_ALL, PANEL_MAJORITY, PANEL_MEAN };
enum panel_when { PANEL_ALWAYS, PANEL_RISKY, PANEL_UNCERTAIN };
enum panel_on_error { PANEL_WORDS, PANEL_OPEN, PANEL_CLOSED };

/* What the client gets where something refuses or ends a choice; strings are the policy's. NULL: what the policy says
 * of all its refusals. */
struct policy_refusal {
    const char *message;
    const char *reason; /* why a choice ends, as the client reads it; also of one that is cut */
};

/* Strings are the policy's. */
struct policy_panel {
    const char *id;
    const char *judges[POLICY_PANEL_JUDGES_MAX];
    double weights[POLICY_PANEL_JUDGES_MAX];
    size_t judges_len;
    enum panel_combine combine;
    unsigned channels; /* a set of 1 << enum rein_channel */
    unsigned sentences;
    size_t bytes;
    enum panel_when when;
    double grey_from, grey_to, risk_from;
    enum rein_action action;
    enum panel_on_error on_error;
    bool shadow;
    struct policy_refusal refusal;
};

static inline bool panel_judges(const struct policy_panel *panel, enum rein_channel channel)
{
    return (panel->channels >> channel & 1) != 0;
}

/* One risk of several opinions; there is at least one. */
double panel_risk(const struct policy_panel *panel, const double *risks, const bool *has_opinion);

#endif
