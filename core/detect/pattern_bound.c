/* What one more sentence of the reasoning, or its end, can complete: the bound by which reasoning is released.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each automaton moves by a limited step for one sentence, so the highest score that it can have after the next one is
 * known before that sentence is. The scores are those of pattern_reasoning.c, for the worst sentence that there is. */
#include "detect/pattern_state.h"

/* Is the pattern one that acts, and not found yet? */
static bool is_open(const struct pattern_tracker *p, enum rein_pattern pattern)
{
    return p->settings.enabled[pattern] && p->settings.acts[pattern] && (p->found & 1u << pattern) == 0;
}

static bool is_enough(const struct pattern_tracker *p, enum rein_pattern pattern, double score)
{
    return score >= p->settings.threshold[pattern];
}

/* A sentence that plans and names no harm; the reasoning may end with it. */
static bool may_be_unaware(const struct pattern_tracker *p)
{
    const struct reasoning_state *r = &p->reasoning;
    const enum rein_pattern lack = REIN_LACK_OF_SAFETY_AWARENESS;
    if (!is_open(p, lack) || r->first_aware != 0)
        return false;
    return is_enough(p, lack, unawareness_score(p, r->plans + 1, r->sentences + 1)) ||
           (!r->ended && is_enough(p, lack, unawareness_end_score(p, r->plans + 1)));
}

/* A sentence that names harm and talks on, which counts for more than a plan. */
static bool may_vacillate(const struct pattern_tracker *p)
{
    const struct reasoning_state *r = &p->reasoning;
    return is_open(p, REIN_STRONG_VACILLATION) &&
           is_enough(p, REIN_STRONG_VACILLATION, vacillation_score(p, r->wavering + TALK_MAX, r->yielding));
}

static bool may_keep_persona(const struct pattern_tracker *p)
{
    return is_open(p, REIN_WEAK_VACILLATION) &&
           is_enough(p, REIN_WEAK_VACILLATION, persona_score(p->reasoning.kept + 1));
}

static bool may_add(const struct pattern_tracker *p)
{
    return is_open(p, REIN_HARMFUL_ADDITIONS) &&
           is_enough(p, REIN_HARMFUL_ADDITIONS, additions_score(p, p->reasoning.specifics + 1));
}

void pattern_bound(struct pattern_tracker *p)
{
    p->may_act =
        may_be_unaware(p) || may_vacillate(p) || may_keep_persona(p) || may_add(p) || outcome_reasoning_may_act(p);
}

bool pattern_may_act(const struct pattern_tracker *p)
{
    return p->may_act;
}
