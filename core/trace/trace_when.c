/* Conditions: what is known of the prompt and of the outcome when a finding would be made.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The prompt's risk and harms are known when the prompt is complete. So a rule with a condition on a prompt waits for
 * its end; in the response such a rule finds something or does not exist, and then holds nothing. The outcome risk is
 * what the sentences have shown that were judged before the match was decided. */
#include "base/heap.h"
#include "trace/trace_state.h"

/* A match in the prompt whose rule has a condition; its evidence follows it. */
struct late_match {
    struct rein_finding finding;
    struct evidence evidence; /* without its text */
    const struct policy_rule *rule;
    size_t len;
};

/* So many, and one more of each rule, so that none is forgotten for the number of others. */
enum { LATE_MAX = 256 };

/* An image may ask for anything: the prompt is risky at least. */
static double prompt_risk(const struct rein_trace *t)
{
    return t->has_unjudged && t->risk.score < PROMPT_RISKY ? PROMPT_RISKY : t->risk.score;
}

static bool prompt_fits(const struct rein_trace *t, const struct policy_when *when)
{
    return policy_bound_holds(&when->prompt_risk, prompt_risk(t)) &&
           (when->harms == 0 || (when->harms & t->risk.categories) != 0);
}

static double outcome_risk(const struct rein_trace *t, uint16_t choice)
{
    double risk = 0;
    for (size_t slot = 0; slot < SLOTS_MAX && choice < t->choice_count; slot++) {
        const struct pattern_tracker *tracker = t->choice[choice].trackers[slot];
        for (int p = REIN_OUTCOME_RISK_REASONING; p <= REIN_OUTCOME_RISK_ANSWER && tracker != NULL; p++) {
            double score = pattern_score(tracker, (enum rein_pattern)p);
            risk = score > risk ? score : risk;
        }
    }
    return risk;
}

bool trace_when_holds(const struct rein_trace *t, const struct policy_when *when, uint16_t choice)
{
    if (!when->is_set)
        return true;
    return prompt_fits(t, when) &&
           (!when->outcome_risk.is_set || policy_bound_holds(&when->outcome_risk, outcome_risk(t, choice)));
}

/* ---- the prompt -------------------------------------------------------------------------------------------------- */

static bool is_late_already(const struct rein_trace *t, const struct policy_rule *rule)
{
    for (size_t at = 0; at < bytes_len(&t->late);) {
        struct late_match late;
        memcpy(&late, bytes_at(&t->late, at), sizeof late);
        if (late.rule == rule)
            return true;
        at += sizeof late + late.len;
    }
    return false;
}

int trace_match_later(struct rein_trace *t, const struct policy_rule *rule, const struct rein_finding *f,
                      const struct evidence *evidence)
{
    struct late_match late = {.finding = *f, .evidence = *evidence, .rule = rule, .len = evidence->text.len};
    if (t->late_len >= LATE_MAX && is_late_already(t, rule)) {
        t->late_dropped++;
        return 0;
    }
    late.len = late.len < EVIDENCE_MAX ? late.len : EVIDENCE_MAX;
    t->late_len++;
    int rv = bytes_append(&t->late, (const char *)&late, sizeof late);
    return rv == 0 ? bytes_append(&t->late, evidence->text.data, late.len) : rv;
}

static void note_refuser(struct rein_trace *t, const struct policy_rule *rule)
{
    if (rule->action == REIN_REFUSE && !rule->shadow)
        t->prompt_refuser = trace_first_refuser(t->prompt_refuser, rule);
}

static int find_late(struct rein_trace *t)
{
    int rv = 0;
    for (size_t at = 0; at < bytes_len(&t->late) && rv == 0;) {
        struct late_match late;
        memcpy(&late, bytes_at(&t->late, at), sizeof late);
        late.evidence.text = (struct span){bytes_at(&t->late, at + sizeof late), late.len};
        at += sizeof late + late.len;
        if (!prompt_fits(t, &late.rule->when))
            continue;
        note_refuser(t, late.rule);
        rv = trace_add_finding(t, &late.finding, &late.evidence);
    }
    bytes_clear(&t->late);
    return rv;
}

/* Rules that judge nothing but what is known of the prompt. */
static int find_by_prompt(struct rein_trace *t)
{
    int rv = 0;
    for (size_t i = 0; i < t->policy->prompt_rules_len && rv == 0; i++) {
        const struct policy_rule *rule = &t->policy->prompt_rules[i];
        if (!prompt_fits(t, &rule->when))
            continue;
        struct rein_finding f = trace_finding_of(rule);
        f.action = rule->action;
        f.channel = REIN_PROMPT;
        f.score = prompt_risk(t);
        note_refuser(t, rule);
        struct evidence nothing = evidence_of(SPAN(""), 0);
        rv = trace_add_finding(t, &f, &nothing);
    }
    return rv;
}

static bool is_muted(const struct rein_trace *t, const struct policy_rule *rule)
{
    return rule->when.is_set && !prompt_fits(t, &rule->when);
}

static int mute_rules(struct rein_trace *t)
{
    size_t len = t->policy->rules_len;
    if (!t->policy->has_conditions)
        return 0;
    t->muted = heap_new(len / 64 + 1, sizeof *t->muted);
    for (size_t i = 0; i < len && t->muted != NULL; i++)
        if (is_muted(t, &t->policy->rules[i]))
            t->muted[i / 64] |= UINT64_C(1) << i % 64;
    return t->muted != NULL ? 0 : REIN_ENOMEM;
}

/* The harms that the prompt names, for the decision. */
static int name_harms(struct rein_trace *t)
{
    const char *name;
    struct bytes names;
    int rv = 0;
    if (t->risk.categories == 0)
        return 0;
    bytes_init(&names, SIGNAL_CATEGORIES_MAX * 80);
    for (size_t i = 0; i < SIGNAL_CATEGORIES_MAX && rv == 0; i++) {
        if ((t->risk.categories >> i & 1) == 0 || (name = signals_category_name(t->policy->signals, i)) == NULL)
            continue;
        if (bytes_len(&names) > 0)
            rv = bytes_append_span(&names, SPAN(","));
        if (rv == 0)
            rv = bytes_append(&names, name, strlen(name));
    }
    t->harms = rv == 0 ? heap_copy(bytes_span(&names).data, bytes_len(&names)) : NULL;
    bytes_fini(&names);
    t->decision.harms = t->harms;
    return rv == 0 && t->harms == NULL ? REIN_ENOMEM : rv;
}

int trace_when_prompt_ends(struct rein_trace *t)
{
    int rv = name_harms(t);
    if (rv == 0)
        rv = find_by_prompt(t);
    if (rv == 0)
        rv = find_late(t);
    return rv == 0 ? mute_rules(t) : rv;
}
