/* See matcher.h: rules are compiled here, each into its own automaton.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rules/ruleset.h"

#include <stdio.h>

#include "base/heap.h"
#include "rules/nfa.h"
#include "rules/regex.h"

/* A folded rule without max_bytes may span so many original bytes for each folded one, and always FOLD_FLOOR: room for
 * inserted zero-width characters, within a bound. */
enum { FOLD_STRETCH = 16, FOLD_FLOOR = 1024 };

/* A folded rule holds so many more bytes: an incomplete UTF-8 sequence. */
enum { CUT_SHORT = 3 };

int ruleset_new(struct ruleset **out, size_t hold_max_bytes)
{
    struct ruleset *set = heap_new(1, sizeof(*set));
    if (set == NULL)
        return REIN_ENOMEM;
    set->hold_max = hold_max_bytes;
    *out = set;
    return 0;
}

void ruleset_free(struct ruleset *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->len; i++)
        dfa_fini(&set->rules[i].dfa);
    for (size_t c = 0; c < REIN_CHANNELS; c++)
        prefilter_fini(&set->prefilters[c]);
    heap_free(set->rules);
    heap_free(set);
}

static int ruleset_refuse(struct ruleset *set, const char *text)
{
    snprintf(set->why, sizeof(set->why), "%s", text);
    return REIN_EPOLICY;
}

static int compile_tree(struct ruleset *set, struct dfa *dfa, const struct regex *re)
{
    struct nfa nfa;
    int rv = nfa_compile(&nfa, re);
    if (rv == 0)
        rv = dfa_build(dfa, &nfa);
    nfa_fini(&nfa);
    if (rv == REIN_ELIMIT) {
        snprintf(set->why, sizeof(set->why),
                 "too large: it needs more than %u states or %u table cells, or takes too long to compile. Shorten it, "
                 "or lower its counts",
                 (unsigned)DFA_STATES_MAX, (unsigned)DFA_TABLE_MAX);
        rv = REIN_EPOLICY;
    }
    return rv;
}

static int ruleset_compile(struct ruleset *set, struct dfa *dfa, const struct rule_spec *spec, const char *pattern)
{
    struct regex re;
    struct regex_error error;
    int rv = pattern != NULL ? regex_parse(&re, (struct span){pattern, strlen(pattern)}, spec->folded, &error)
                             : regex_literals(&re, spec->literals, spec->literals_len, spec->folded, &error);
    if (rv == 0)
        rv = compile_tree(set, dfa, &re);
    else if (rv == REIN_EPOLICY && pattern != NULL)
        snprintf(set->why, sizeof(set->why), "at byte %zu: %s", error.offset + 1, error.what);
    else if (rv == REIN_EPOLICY)
        ruleset_refuse(set, error.what);
    else if (rv == REIN_ELIMIT)
        rv = ruleset_refuse(set, "too large");
    regex_fini(&re);
    return rv;
}

static size_t worst_hold(const struct rule *rule, size_t limit)
{
    return !rule->withholds ? 0 : limit + (rule->folded ? CUT_SHORT : 0);
}

/* The longest match that the rule may have, in original bytes; 0 after a refusal. */
static size_t decide_limit(struct ruleset *set, const struct rule *rule, size_t wanted)
{
    size_t natural = rule->dfa.longest;
    if (natural == SIZE_MAX && wanted == 0)
        return ruleset_refuse(set, "a match could have any length: limit the repetitions, or set max_bytes"), 0;
    size_t limit = wanted;
    if (rule->folded && wanted == 0) {
        limit = natural > SIZE_MAX / FOLD_STRETCH ? natural : natural * FOLD_STRETCH;
        limit = limit < FOLD_FLOOR ? FOLD_FLOOR : limit;
        if (rule->withholds && limit + CUT_SHORT > set->hold_max && natural + CUT_SHORT <= set->hold_max)
            limit = set->hold_max - CUT_SHORT;
    } else if (!rule->folded && (wanted == 0 || wanted > natural))
        limit = natural;
    size_t worst = worst_hold(rule, limit);
    if (worst <= set->hold_max)
        return limit;
    snprintf(set->why, sizeof(set->why), "could hold %zu bytes, but the policy allows %zu (hold.max_bytes)", worst,
             set->hold_max);
    return 0;
}

static int finish_rule(struct ruleset *set, struct rule *rule, const struct rule_spec *spec, size_t max_bytes)
{
    if (rule->dfa.matches_empty)
        return ruleset_refuse(set, "must not match an empty text");
    if (!rule->dfa.can_match)
        return ruleset_refuse(set, "can never match");
    rule->channels = spec->channels;
    rule->folded = spec->folded;
    rule->withholds = spec->withholds;
    rule->limit = decide_limit(set, rule, max_bytes);
    if (rule->limit == 0)
        return REIN_EPOLICY;
    set->table_bytes += (size_t)rule->dfa.states_len * rule->dfa.classes_len * sizeof(uint32_t);
    return set->table_bytes > RULESET_TABLE_MAX
               ? ruleset_refuse(set, "all rules together are too large: remove or shorten some")
               : 0;
}

static int grow(struct ruleset *set)
{
    struct rule *rules = heap_one_more(set->rules, set->len, &set->cap, 16, sizeof(*rules));
    if (rules == NULL)
        return REIN_ENOMEM;
    set->rules = rules;
    return 0;
}

/* A built-in needs no more than the policy may hold. */
static size_t builtin_limit(const struct ruleset *set, const struct rule_spec *spec, const struct builtin *builtin)
{
    size_t cut_short = spec->folded ? CUT_SHORT : 0;
    bool fits = !spec->withholds || builtin->max_bytes + cut_short <= set->hold_max || set->hold_max <= cut_short;
    return fits ? builtin->max_bytes : set->hold_max - cut_short;
}

static int add_rule(struct ruleset *set, const struct rule_spec *spec)
{
    const struct builtin *builtin = spec->builtin != NULL ? builtin_find(spec->builtin) : NULL;
    if (spec->builtin != NULL && builtin == NULL)
        return ruleset_refuse(set, "no such built-in");
    if (spec->regex == NULL && builtin == NULL && spec->literals_len == 0)
        return ruleset_refuse(set, "needs one of regex, builtin or literal");
    if (set->len == RULES_MAX)
        return ruleset_refuse(set, "too many rules");
    int rv = grow(set);
    if (rv != 0)
        return rv;
    struct rule rule = {.check = builtin != NULL ? builtin->check : NULL, .masked = builtin != NULL};
    size_t max_bytes = spec->max_bytes;
    if (max_bytes == 0 && builtin != NULL)
        max_bytes = builtin_limit(set, spec, builtin);
    rv = ruleset_compile(set, &rule.dfa, spec, builtin != NULL ? builtin->regex : spec->regex);
    if (rv == 0)
        rv = finish_rule(set, &rule, spec, max_bytes);
    if (rv == 0)
        set->rules[set->len++] = rule;
    else
        dfa_fini(&rule.dfa);
    return rv;
}

int ruleset_add(struct ruleset *set, const struct rule_spec *spec, const char **why)
{
    set->why[0] = '\0';
    int rv = add_rule(set, spec);
    *why = rv == REIN_EPOLICY ? set->why : rein_strerror(rv);
    return rv;
}

int ruleset_finish(struct ruleset *set)
{
    for (size_t c = 0; c < REIN_CHANNELS; c++) {
        prefilter_fini(&set->prefilters[c]);
        int rv = prefilter_init(&set->prefilters[c], set, (enum rein_channel)c);
        if (rv != 0)
            return rv;
    }
    return 0;
}

size_t ruleset_count(const struct ruleset *set)
{
    return set->len;
}

size_t ruleset_worst_hold(const struct ruleset *set, int rule)
{
    size_t worst = 0;
    for (size_t i = 0; i < set->len; i++) {
        size_t hold = worst_hold(&set->rules[i], set->rules[i].limit);
        if ((rule < 0 || (size_t)rule == i) && hold > worst)
            worst = hold;
    }
    return worst;
}

const char *const *ruleset_builtins(void)
{
    return builtin_names();
}

bool ruleset_masks(const struct ruleset *set, uint16_t rule)
{
    return set->rules[rule].masked;
}
