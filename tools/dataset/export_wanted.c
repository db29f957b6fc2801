/* Which decisions are exported; see export.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataset/export.h"

/* The store applies what has an index of its own; the rest is looked at here. */
struct store_filter export_filter(const struct export_options *o)
{
    struct store_filter filter = {.from_us = o->from_us, .to_us = o->to_us};
    filter.route = o->routes.len == 1 ? o->routes.names[0] : NULL;
    filter.model = o->models.len == 1 ? o->models.names[0] : NULL;
    filter.verdict = o->verdicts.len == 1 ? o->verdicts.names[0] : NULL;
    filter.policy_version = o->versions.len == 1 ? o->versions.names[0] : NULL;
    return filter;
}

static bool is_named(const struct export_names *names, const char *name)
{
    for (size_t i = 0; i < names->len; i++)
        if (name != NULL && strcmp(names->names[i], name) == 0)
            return true;
    return false;
}

static bool field_fits(const struct export_names *names, const json_t *decision, const char *field)
{
    return names->len == 0 || is_named(names, json_string_value(json_object_get(decision, field)));
}

/* A score that was not made lies in no range. */
static bool range_fits(const struct export_range *range, const json_t *value)
{
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    return number >= range->from && number <= range->to;
}

/* `strong_vacillation` is the column score_strong_vacillation; `trace_risk`, `model_complies` are columns. */
static const json_t *score_of(const json_t *decision, const char *name)
{
    char column[96];
    snprintf(column, sizeof column, "score_%s", name);
    const json_t *value = json_object_get(decision, column);
    return value != NULL ? value : json_object_get(decision, name);
}

bool export_is_wanted(const struct export_options *o, const json_t *decision)
{
    if (!field_fits(&o->verdicts, decision, "verdict") || !field_fits(&o->actions, decision, "action") ||
        !field_fits(&o->routes, decision, "route") || !field_fits(&o->models, decision, "model") ||
        !field_fits(&o->versions, decision, "policy_version"))
        return false;
    for (size_t i = 0; i < o->scores_len; i++)
        if (!range_fits(&o->scores[i], score_of(decision, o->scores[i].name)))
            return false;
    return true;
}

static bool has_finding(const json_t *decision, const struct export_names *names, const char *field)
{
    size_t i;
    const json_t *finding;
    json_array_foreach(json_object_get(decision, "findings"), i, finding)
    {
        if (is_named(names, json_string_value(json_object_get(finding, field))))
            return true;
    }
    return false;
}

/* The highest risk that a judge gave to what the model said lies in the range; no opinion: it does not. */
static bool risk_fits(const json_t *decision, const struct export_range *range)
{
    double highest = -1;
    size_t i;
    const json_t *opinion;
    json_array_foreach(json_object_get(decision, "opinions"), i, opinion)
    {
        const char *judge = json_string_value(json_object_get(opinion, "judge"));
        const char *channel = json_string_value(json_object_get(opinion, "channel"));
        double risk = json_number_value(json_object_get(opinion, "risk"));
        if (judge != NULL && strcmp(judge, range->name) == 0 && channel != NULL && strcmp(channel, "prompt") != 0 &&
            json_is_number(json_object_get(opinion, "risk")))
            highest = risk > highest ? risk : highest;
    }
    return highest >= range->from && highest <= range->to;
}

bool export_parts_are_wanted(const struct export_options *o, const json_t *decision)
{
    if ((o->patterns.len > 0 && !has_finding(decision, &o->patterns, "id")) ||
        (o->without.len > 0 && has_finding(decision, &o->without, "id")) ||
        (o->judges.len > 0 && !has_finding(decision, &o->judges, "judge")))
        return false;
    for (size_t i = 0; i < o->risks_len; i++)
        if (!risk_fits(decision, &o->risks[i]))
            return false;
    return true;
}
