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
enum { CUT_SHORT = 3, CHAR_MAX_BYTES = 4 };

int ruleset_new(struct ruleset **out, size_t hold_max_bytes)
{
    struct ruleset *set = heap_new(1, sizeof(*set));
    if (set == NULL)
        return REIN_ENOMEM;
    set->hold_max = hold_max_bytes;
    for (size_t i = 0; i < VIEWS; i++)
        word_set_init(&set->words[i].set, i == VIEW_FOLDED);
    *out = set;
    return 0;
}

static void rule_fini(struct rule *rule)
{
    dfa_fini(&rule->dfa);
    for (size_t i = 0; rule->filter != NULL && i < rule->filter->values_len; i++)
        heap_free(rule->filter->values[i]);
    if (rule->filter != NULL)
        heap_free(rule->filter->values);
    heap_free(rule->filter);
    rule->filter = NULL;
}

void ruleset_free(struct ruleset *set)
{
    if (set == NULL)
        return;
    for (size_t i = 0; i < set->len; i++)
        rule_fini(&set->rules[i]);
    for (size_t i = 0; i < set->hidden_len; i++)
        rule_fini(&set->hidden[i]);
    heap_free(set->hidden);
    for (size_t i = 0; i < VIEWS; i++)
        word_set_fini(&set->words[i].set);
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

/* What a rule holds besides a match: an incomplete character, and the words that may stand behind it with the character
 * that ends them. */
static size_t hold_extra(const struct rule *rule, size_t near_behind)
{
    return (rule->folded || rule_has_words(rule) ? CUT_SHORT : 0) +
           (near_behind > 0 ? near_behind + CHAR_MAX_BYTES : 0);
}

static size_t worst_hold(const struct rule *rule)
{
    return rule->withholds ? rule->worst : 0;
}

/* The longest match that the rule may have, in original bytes; 0 after a refusal. */
static size_t decide_limit(struct ruleset *set, const struct rule *rule, size_t wanted, size_t extra)
{
    size_t natural = rule->dfa.longest;
    bool stretches = rule->folded || rule_has_words(rule);
    if (natural == SIZE_MAX && wanted == 0)
        return ruleset_refuse(set, "a match could have any length: limit the repetitions, or set max_bytes"), 0;
    size_t limit = wanted;
    if (stretches && wanted == 0) {
        limit = natural > SIZE_MAX / FOLD_STRETCH ? natural : natural * FOLD_STRETCH;
        limit = limit < FOLD_FLOOR ? FOLD_FLOOR : limit;
        if (rule->withholds && limit + extra > set->hold_max && natural + extra <= set->hold_max)
            limit = set->hold_max - extra;
    } else if (!stretches && (wanted == 0 || wanted > natural))
        limit = natural;
    size_t worst = rule->withholds ? limit + extra : 0;
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
    size_t extra = hold_extra(rule, spec->near_behind);
    rule->channels = spec->channels;
    rule->withholds = spec->withholds;
    rule->limit = decide_limit(set, rule, max_bytes, extra);
    rule->worst = rule->limit + extra;
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

/* ---- words ---- */

const char *ruleset_word_fault(const char *word, bool folded)
{
    struct word_set set;
    const char *what = NULL;
    word_set_init(&set, folded);
    int rv = word_set_list(&set);
    if (rv == 0)
        rv = word_set_add(&set, (struct span){word, strlen(word)}, &what);
    word_set_fini(&set);
    return rv == REIN_EPOLICY ? what : NULL;
}

/* Adds a list of words, which becomes the rule's. */
static int add_words(struct ruleset *set, struct rule *rule, const struct rule_words *words)
{
    struct ruleset_words *all = &set->words[rule->folded ? VIEW_FOLDED : VIEW_RAW];
    int rv = word_set_list(&all->set);
    if (rv == REIN_ELIMIT)
        return ruleset_refuse(set, "too many lists of words: a policy can have 64, with those of `near` and `except`");
    for (size_t i = 0; i < words->len && rv == 0; i++) {
        const char *what = "";
        rv = word_set_add(&all->set, (struct span){words->words[i], strlen(words->words[i])}, &what);
        if (rv == REIN_EPOLICY)
            snprintf(set->why, sizeof set->why, "the entry `%.60s` %s", words->words[i], what);
    }
    if (rv == REIN_ELIMIT)
        return ruleset_refuse(set, "too large: all lists of words together have too many letters");
    size_t list = all->set.lists_len - 1;
    rule->word_list = (uint8_t)list;
    rule->dfa.longest = all->set.longest[list];
    rule->dfa.can_match = true;
    return rv;
}

bool ruleset_value_is_sound(const char *value)
{
    char seen[FILTER_VALUE_MAX];
    return filter_value((struct span){value, strlen(value)}, seen) > 0;
}

/* ---- hidden rules ---- */

/* A rule that only another one asks. *number counts those before it. */
static int add_hidden(struct ruleset *set, const struct rule_spec *spec, const struct rule_words *words,
                      const char *regex, size_t *number)
{
    struct rule_spec as = {.channels = spec->channels, .folded = words != NULL || spec->folded};
    struct rule rule = {.folded = as.folded, .word_list = NO_WORDS};
    struct rule *hidden = heap_one_more(set->hidden, set->hidden_len, &set->hidden_cap, 8, sizeof *hidden);
    if (hidden == NULL)
        return REIN_ENOMEM;
    set->hidden = hidden;
    if (set->hidden_len == RULES_MAX)
        return ruleset_refuse(set, "too many exceptions");
    int rv = words != NULL ? add_words(set, &rule, words) : ruleset_compile(set, &rule.dfa, &as, regex);
    if (rv == 0)
        rv = finish_rule(set, &rule, &as, 0);
    if (rv != 0) {
        rule_fini(&rule);
        return rv;
    }
    *number = set->hidden_len;
    set->hidden[set->hidden_len++] = rule;
    return 0;
}

/* Words may have much white space between them, but no more than the policy holds. */
static size_t exception_limit(const struct ruleset *set, const struct rule *rule)
{
    size_t natural = rule->dfa.longest + CUT_SHORT;
    bool fits = rule->limit + CUT_SHORT <= set->hold_max || natural > set->hold_max;
    return fits ? rule->limit : set->hold_max - CUT_SHORT;
}

/* An exception holds what it may still cover. */
static int check_exception(struct ruleset *set, const struct rule *rule, size_t number, size_t *worst)
{
    size_t hold = set->hidden[number].limit + CUT_SHORT;
    *worst = hold > *worst ? hold : *worst;
    if (!rule->withholds || hold <= set->hold_max)
        return 0;
    snprintf(set->why, sizeof set->why,
             RULESET_EXCEPTION "could hold %zu bytes, but the policy allows %zu (hold.max_bytes)", hold, set->hold_max);
    return REIN_EPOLICY;
}

/* The fault is that of an exception. */
static void say_exception(struct ruleset *set, const char *regex)
{
    char why[sizeof set->why];
    memcpy(why, set->why, sizeof why);
    snprintf(set->why, sizeof set->why, RULESET_EXCEPTION "`%.40s`: %.130s", regex, why);
}

static int add_exceptions(struct ruleset *set, struct rule *rule, const struct rule_spec *spec)
{
    struct rule_filter *f = rule->filter;
    size_t number = 0, first = set->hidden_len;
    int rv = 0;
    if (spec->except.words.len > 0) {
        rv = add_hidden(set, spec, &spec->except.words, NULL, &number);
        if (rv == 0) /* their own room is no more than the policy holds */
            set->hidden[number].limit = exception_limit(set, &set->hidden[number]);
    }
    if (rv == 0 && spec->except.words.len > 0)
        rv = check_exception(set, rule, number, &rule->worst);
    for (size_t i = 0; i < spec->except.regexes_len && rv == 0; i++) {
        rv = add_hidden(set, spec, NULL, spec->except.regexes[i], &number);
        if (rv == REIN_EPOLICY)
            say_exception(set, spec->except.regexes[i]);
        if (rv == 0)
            rv = check_exception(set, rule, number, &rule->worst);
    }
    f->first_exception = (uint16_t)first;
    f->exceptions_len = (uint16_t)(set->hidden_len - first);
    return rv;
}

static int add_values(struct rule_filter *f, const struct rule_spec *spec)
{
    f->values = spec->except.values_len > 0 ? heap_new(spec->except.values_len, sizeof *f->values) : NULL;
    if (spec->except.values_len > 0 && f->values == NULL)
        return REIN_ENOMEM;
    for (size_t i = 0; i < spec->except.values_len; i++) {
        char value[FILTER_VALUE_MAX];
        const char *text = spec->except.values[i];
        size_t len = filter_value((struct span){text, strlen(text)}, value);
        f->values[i] = heap_copy(value, len);
        if (f->values[i] == NULL)
            return REIN_ENOMEM;
        f->values_len++;
    }
    return 0;
}

/* Numbers of hidden rules count from 0 until all rules are added. */
static int add_filter(struct ruleset *set, struct rule *rule, const struct rule_spec *spec)
{
    bool has_exceptions = spec->except.words.len + spec->except.regexes_len + spec->except.values_len > 0;
    size_t number = 0;
    if (spec->near.len == 0 && !has_exceptions)
        return 0;
    rule->filter = heap_new(1, sizeof *rule->filter);
    if (rule->filter == NULL)
        return REIN_ENOMEM;
    *rule->filter = (struct rule_filter){.near = -1, .before = spec->near_before, .behind = spec->near_behind};
    int rv = spec->near.len > 0 ? add_hidden(set, spec, &spec->near, NULL, &number) : 0;
    if (rv == 0 && spec->near.len > 0) {
        rule->filter->near = (int)number;
        rule->is_gated = spec->near_behind == 0;
        set->hidden[number].is_hint = true;
        set->near_max = spec->near_before > set->near_max ? spec->near_before : set->near_max;
    }
    if (rv == 0)
        rv = add_exceptions(set, rule, spec);
    set->has_filters = true;
    return rv == 0 ? add_values(rule->filter, spec) : rv;
}

/* ---- adding ---- */

static int add_rule(struct ruleset *set, const struct rule_spec *spec)
{
    const struct builtin *builtin = spec->builtin != NULL ? builtin_find(spec->builtin) : NULL;
    if (spec->builtin != NULL && builtin == NULL)
        return ruleset_refuse(set, "no such built-in");
    if (builtin != NULL && builtin->raw_only && spec->folded)
        return ruleset_refuse(set, "this built-in finds text as it is written: remove `match: folded`");
    if (spec->regex == NULL && builtin == NULL && spec->literals_len == 0 && spec->words.len == 0)
        return ruleset_refuse(set, "needs one of regex, builtin, literal and words");
    if (set->len == RULES_MAX)
        return ruleset_refuse(set, "too many rules");
    int rv = grow(set);
    if (rv != 0)
        return rv;
    struct rule rule = {.check = builtin != NULL ? builtin->check : NULL,
                        .masked = builtin != NULL || spec->secret,
                        .folded = spec->folded,
                        .word_list = NO_WORDS};
    size_t max_bytes = spec->max_bytes;
    if (max_bytes == 0 && builtin != NULL)
        max_bytes = builtin_limit(set, spec, builtin);
    if (spec->words.len > 0)
        rv = add_words(set, &rule, &spec->words);
    else
        rv = ruleset_compile(set, &rule.dfa, spec, builtin != NULL ? builtin->regex : spec->regex);
    if (rv == 0)
        rv = finish_rule(set, &rule, spec, max_bytes);
    if (rv == 0)
        rv = add_filter(set, &rule, spec);
    if (rv == 0)
        set->rules[set->len++] = rule;
    else
        rule_fini(&rule);
    set->count = set->len;
    return rv;
}

int ruleset_add(struct ruleset *set, const struct rule_spec *spec, const char **why)
{
    set->why[0] = '\0';
    int rv = add_rule(set, spec);
    *why = rv == REIN_EPOLICY ? set->why : rein_strerror(rv);
    return rv;
}

/* Hidden rules get their numbers, behind all others. */
static int reveal_hidden(struct ruleset *set)
{
    size_t len = set->len + set->hidden_len;
    struct rule *rules = heap_resize(set->rules, (len > 0 ? len : 1) * sizeof *rules);
    if (rules == NULL)
        return REIN_ENOMEM;
    set->rules = rules;
    for (size_t i = 0; i < set->count; i++) {
        struct rule_filter *f = rules[i].filter;
        if (f != NULL && f->near >= 0)
            f->near += (int)set->count;
        if (f != NULL)
            f->first_exception = (uint16_t)(f->first_exception + set->count);
    }
    if (set->hidden_len > 0)
        memcpy(rules + set->len, set->hidden, set->hidden_len * sizeof *rules);
    set->len = set->cap = len;
    set->hidden_len = 0;
    return 0;
}

static void finish_words(struct ruleset *set, size_t number)
{
    const struct rule *rule = &set->rules[number];
    struct ruleset_words *words = &set->words[rule->folded ? VIEW_FOLDED : VIEW_RAW];
    uint64_t bit = UINT64_C(1) << rule->word_list;
    words->rules[rule->word_list] = (uint16_t)number;
    words->limits[rule->word_list] = rule->limit;
    words->limit = rule->limit > words->limit ? rule->limit : words->limit;
    words->withholds |= rule->withholds ? bit : 0;
    words->masked |= rule->masked ? bit : 0;
    words->hints |= rule->is_hint ? bit : 0;
    words->gated |= rule->is_gated ? bit : 0;
    for (size_t c = 0; c < REIN_CHANNELS; c++)
        words->on[c] |= rule->channels >> c & 1 ? bit : 0;
}

int ruleset_finish(struct ruleset *set)
{
    int rv = reveal_hidden(set);
    if (rv != 0)
        return rv;
    for (size_t i = 0; i < VIEWS; i++)
        word_set_finish(&set->words[i].set);
    set->all_withhold = true;
    for (size_t i = 0; i < set->len; i++) {
        set->all_withhold &= set->rules[i].withholds;
        if (rule_has_words(&set->rules[i]))
            finish_words(set, i);
    }
    for (size_t c = 0; c < REIN_CHANNELS; c++) {
        prefilter_fini(&set->prefilters[c]);
        rv = prefilter_init(&set->prefilters[c], set, (enum rein_channel)c);
        if (rv != 0)
            return rv;
    }
    return 0;
}

size_t ruleset_count(const struct ruleset *set)
{
    return set->count;
}

size_t ruleset_worst_hold(const struct ruleset *set, int rule)
{
    size_t worst = 0;
    for (size_t i = 0; i < set->count; i++) {
        size_t hold = worst_hold(&set->rules[i]);
        if ((rule < 0 || (size_t)rule == i) && hold > worst)
            worst = hold;
    }
    return worst;
}

bool ruleset_masks(const struct ruleset *set, uint16_t rule)
{
    return set->rules[rule].masked;
}
