/* See backtest_report.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backtest/backtest_report.h"

#include <stdio.h>
#include <string.h>

static void add_example(struct report_examples *examples, const char *id)
{
    if (examples->len < REPORT_EXAMPLES)
        snprintf(examples->ids[examples->len++], REPORT_ID, "%s", id);
}

static struct report_change *change_of(struct backtest_report *r, const char *from, const char *to)
{
    for (size_t i = 0; i < r->changes_len; i++)
        if (strcmp(r->changes[i].from, from) == 0 && strcmp(r->changes[i].to, to) == 0)
            return &r->changes[i];
    if (r->changes_len == REPORT_CHANGES)
        return &r->changes[REPORT_CHANGES - 1];
    struct report_change *change = &r->changes[r->changes_len++];
    bool is_last = r->changes_len == REPORT_CHANGES;
    snprintf(change->from, sizeof change->from, "%s", is_last ? "others" : from);
    snprintf(change->to, sizeof change->to, "%s", is_last ? "others" : to);
    return change;
}

static struct report_finding *finding_of(struct backtest_report *r, const char *name)
{
    for (size_t i = 0; i < r->findings_len; i++)
        if (strcmp(r->findings[i].name, name) == 0)
            return &r->findings[i];
    if (r->findings_len == REPORT_NAMES) {
        r->names_left_out++;
        return NULL;
    }
    struct report_finding *finding = &r->findings[r->findings_len++];
    snprintf(finding->name, sizeof finding->name, "%s", name);
    return finding;
}

static bool has_name(const struct play_outcome *o, const char *name)
{
    for (size_t i = 0; i < o->findings_len; i++)
        if (strcmp(o->findings[i].name, name) == 0)
            return true;
    return false;
}

/* The same name in shadow and enforced counts once. */
static bool is_first_of_name(const struct play_outcome *o, size_t i)
{
    return i == 0 || strcmp(o->findings[i - 1].name, o->findings[i].name) != 0;
}

static void count_findings(struct backtest_report *r, const char *id, const struct play_outcome *was,
                           const struct play_outcome *would)
{
    for (size_t i = 0; i < was->findings_len; i++) {
        struct report_finding *f = is_first_of_name(was, i) ? finding_of(r, was->findings[i].name) : NULL;
        if (f == NULL)
            continue;
        bool stays = has_name(would, f->name);
        f->was++;
        f->less += !stays;
        if (!stays)
            add_example(&f->examples, id);
    }
    for (size_t i = 0; i < would->findings_len; i++) {
        struct report_finding *f = is_first_of_name(would, i) ? finding_of(r, would->findings[i].name) : NULL;
        if (f == NULL)
            continue;
        bool is_new = !has_name(was, f->name);
        f->would++;
        f->more += is_new;
        if (is_new)
            add_example(&f->examples, id);
    }
}

void report_add(struct backtest_report *r, const char *id, enum play_reason reason, const struct play_outcome *was,
                const struct play_outcome *would)
{
    r->decisions++;
    r->reasons[reason]++;
    if (reason != PLAY_COMPARED)
        return;
    count_findings(r, id, was, would);
    if (play_is_same(was, would)) {
        r->same++;
        return;
    }
    r->otherwise++;
    if (strcmp(was->action, would->action) == 0)
        return;
    struct report_change *change = change_of(r, was->action, would->action);
    change->count++;
    add_example(&change->examples, id);
}

/* ---- as a table ---- */

static void print_examples(const struct report_examples *examples)
{
    for (unsigned i = 0; i < examples->len; i++)
        printf("  %s", examples->ids[i]);
    printf("\n");
}

static void print_findings(const struct backtest_report *r)
{
    bool any = false;
    for (size_t i = 0; i < r->findings_len; i++)
        any |= r->findings[i].more > 0 || r->findings[i].less > 0;
    if (!any)
        return;
    printf("\nfindings that would differ:\n  %-36s %8s %8s %8s %8s  examples\n", "name", "was", "would be", "new",
           "gone");
    for (size_t i = 0; i < r->findings_len; i++) {
        const struct report_finding *f = &r->findings[i];
        if (f->more == 0 && f->less == 0)
            continue;
        printf("  %-36s %8zu %8zu %8zu %8zu", f->name, f->was, f->would, f->more, f->less);
        print_examples(&f->examples);
    }
}

void report_print(const struct backtest_report *r, const struct rein_policy_settings *policy)
{
    printf("policy %s %.16s\n%zu decisions, %zu compared: %zu as before, %zu otherwise\n", policy->name,
           policy->version, r->decisions, r->reasons[PLAY_COMPARED], r->same, r->otherwise);
    for (int i = PLAY_COMPARED + 1; i < PLAY_REASON_COUNT; i++)
        if (r->reasons[i] > 0)
            printf("  %8zu not comparable: %s\n", r->reasons[i], play_reason_text((enum play_reason)i));
    if (r->changes_len > 0)
        printf("\nother actions:\n  %-14s    %-14s %8s  examples\n", "was", "would be", "count");
    for (size_t i = 0; i < r->changes_len; i++) {
        printf("  %-14s -> %-14s %8zu", r->changes[i].from, r->changes[i].to, r->changes[i].count);
        print_examples(&r->changes[i].examples);
    }
    print_findings(r);
}

/* ---- as JSON ---- */

static json_t *examples_json(const struct report_examples *examples)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < examples->len; i++)
        json_array_append_new(list, json_string(examples->ids[i]));
    return list;
}

json_t *report_json(const struct backtest_report *r, const struct rein_policy_settings *policy)
{
    json_t *reasons = json_object(), *actions = json_array(), *findings = json_array();
    for (int i = PLAY_COMPARED + 1; i < PLAY_REASON_COUNT; i++)
        if (r->reasons[i] > 0)
            json_object_set_new(reasons, play_reason_text((enum play_reason)i),
                                json_integer((json_int_t)r->reasons[i]));
    for (size_t i = 0; i < r->changes_len; i++)
        json_array_append_new(actions, json_pack("{sssssIso}", "was", r->changes[i].from, "would_be", r->changes[i].to,
                                                 "count", (json_int_t)r->changes[i].count, "examples",
                                                 examples_json(&r->changes[i].examples)));
    for (size_t i = 0; i < r->findings_len; i++) {
        const struct report_finding *f = &r->findings[i];
        json_array_append_new(findings, json_pack("{sssIsIsIsIso}", "name", f->name, "was", (json_int_t)f->was,
                                                  "would_be", (json_int_t)f->would, "new", (json_int_t)f->more, "gone",
                                                  (json_int_t)f->less, "examples", examples_json(&f->examples)));
    }
    return json_pack("{sssssIsIsIsIsososo}", "policy", policy->name, "policy_version", policy->version, "decisions",
                     (json_int_t)r->decisions, "compared", (json_int_t)r->reasons[PLAY_COMPARED], "as_before",
                     (json_int_t)r->same, "otherwise", (json_int_t)r->otherwise, "not_comparable", reasons, "actions",
                     actions, "findings", findings);
}
