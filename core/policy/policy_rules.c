/* A policy's content rules: what each searches for and where, and which actions can work there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "builtin/builtin.h"
#include "policy/policy_load.h"
#include "json/text.h"

enum { ON_PROMPT = 1u << REIN_PROMPT, ON_REASONING = 1u << REIN_REASONING, ON_OTHER = 1u << REIN_OTHER };

/* ---- rules that cannot work ---- */

static void check_action(struct policy_loader *l, const struct rein_node *rule, unsigned channels,
                         enum rein_action action)
{
    bool on_prompt = (channels & ON_PROMPT) != 0;
    if (on_prompt && action != REIN_RECORD && action != REIN_REFUSE && action != REIN_REDACT)
        rein_problems_node(
            l->problems, rule, "action",
            "on prompts only `record`, `redact` and `refuse` are possible: use a separate rule for `prompt`");
    else if (action == REIN_CUT_REASONING && channels != ON_REASONING)
        rein_problems_node(l->problems, rule, "action", "cut_reasoning works only with `channels: [reasoning]`");
    if (action != REIN_REDACT && rein_node_get(rule, "replacement") != NULL)
        rein_problems_node(l->problems, rule, "replacement", "only the action redact uses a replacement: remove it");
    if (!rein_node_bool(rule, "restore"))
        return;
    if (action != REIN_REDACT || !on_prompt)
        rein_problems_node(l->problems, rule, "restore",
                           "only what a rule masks in prompts can be restored: it needs `action: redact` and the "
                           "channel `prompt`");
    else if (channels == ON_PROMPT && rein_node_get(rule, "replacement") != NULL)
        rein_problems_node(l->problems, rule, "replacement",
                           "a rule that restores makes placeholders of its own: remove the replacement");
}

static void check_builtin(struct policy_loader *l, const struct rein_node *rule)
{
    const char *name = rein_node_text(rule, "builtin"), *names[BUILTINS_MAX + 1];
    builtin_names(names);
    if (name == NULL || doc_find_word(names, name, strlen(name)) >= 0)
        return;
    const char *nearest = rein_nearest(name, names);
    rein_problems_node(
        l->problems, rule, "builtin", "there is no built-in `%.64s`%s%s%s; `rein check --builtins` lists the built-ins",
        name, nearest != NULL ? " (did you mean `" : "", nearest != NULL ? nearest : "", nearest != NULL ? "`?)" : "");
}

/* ---- rules that are probably not intended ---- */

static bool is_ascii_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Letters with single blanks between them: text that looks like words, and whose ends \b matches. */
static bool looks_like_words(const struct rein_node *literal)
{
    const char *text = literal->text;
    for (size_t i = 0; i < literal->len; i++)
        if (!is_ascii_letter(text[i]) && (unsigned char)text[i] < 0x80 && (text[i] != ' ' || text[i + 1] == ' '))
            return false;
    return literal->len > 0 && is_ascii_letter(text[0]) && is_ascii_letter(text[literal->len - 1]);
}

/* For each rule the first one, and how many more there are. */
static void warn_of_words(struct policy_loader *l, const struct rein_node *literals)
{
    const struct rein_node *first = NULL, *at = literals->kind == REIN_NODE_LIST ? literals->first : literals;
    size_t more = 0;
    for (; at != NULL; at = at == literals ? NULL : at->next)
        if (at->kind == REIN_NODE_TEXT && looks_like_words(at)) {
            more += first != NULL;
            first = first != NULL ? first : at;
        }
    if (first == NULL)
        return;
    char others[64] = "";
    if (more > 0)
        snprintf(others, sizeof others, "; this applies to %zu more of this list", more);
    rein_problems_warn(l->problems, first, NULL,
                       "`%.40s` is also found inside longer words; to match only the whole word, use `words: %.40s`%s",
                       first->text, first->text, others);
}

/* The key that says what is searched for, NULL (with a problem) unless there is exactly one. */
static const char *looks_for(struct policy_loader *l, const struct rein_node *rule)
{
    static const char *const keys[] = {"literal", "words", "regex", "builtin", "prompt"};
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (rein_node_get(rule, keys[i]) != NULL) {
            found = keys[i];
            count++;
        }
    if (count == 0)
        rein_problems_node(l->problems, rule, NULL, "a rule needs one of literal, words, regex, builtin and prompt");
    else if (count > 1)
        rein_problems_node(l->problems, rule, found,
                           "a rule can have only one of literal, words, regex, builtin and prompt");
    return count == 1 ? found : NULL;
}

static void check_id(struct policy_loader *l, const struct rein_node *rule)
{
    const char *id = rein_node_text(rule, "id");
    for (const struct rein_node *at = rule->parent->first; id != NULL && at != rule; at = at->next) {
        const char *other = rein_node_text(at, "id");
        if (other != NULL && strcmp(other, id) == 0) {
            rein_problems_node(l->problems, rule, "id", "another rule has the id `%s` too: rename one of them", id);
            return;
        }
    }
    for (int i = 0; id != NULL && i < REIN_PATTERNS; i++)
        if (strcmp(id, rein_pattern_name((enum rein_pattern)i)) == 0)
            rein_problems_node(l->problems, rule, "id", "`%s` is the name of a pattern: use another id", id);
}

/* What `near` and `except` cannot mean. */
static void check_filter(struct policy_loader *l, const struct rein_node *rule)
{
    const struct rein_node *near = rein_node_get(rule, "near"), *except = rein_node_get(rule, "except");
    bool has_near = near != NULL && near->kind == REIN_NODE_MAP;
    if (has_near && rein_node_int(near, "before") == 0 && rein_node_int(near, "behind") == 0)
        rein_problems_node(l->problems, near, NULL, "says neither `before` nor `behind`: no word can be so near");
    if (except == NULL || except->kind != REIN_NODE_MAP)
        return;
    if (except->count == 0)
        rein_problems_node(l->problems, except, NULL, "needs one of words, regex and values");
    const struct rein_node *regexes = rein_node_get(except, "regex"), *values = rein_node_get(except, "values");
    bool is_list = regexes != NULL && regexes->kind == REIN_NODE_LIST;
    for (const struct rein_node *at = is_list ? regexes->first : regexes; at != NULL; at = is_list ? at->next : NULL)
        if (at->kind == REIN_NODE_TEXT)
            doc_warn_of_escape(at, l->problems);
    is_list = values != NULL && values->kind == REIN_NODE_LIST;
    for (const struct rein_node *at = is_list ? values->first : values; at != NULL; at = is_list ? at->next : NULL)
        if (at->kind == REIN_NODE_TEXT && !ruleset_value_is_sound(at->text))
            rein_problems_node(l->problems, at, NULL,
                               "`%.60s` has no letter or digit, or more than 256, so no match can equal it", at->text);
}

/* ---- compiling ---- */

/* A rule on any channel of the response also examines strings in unknown places, because they would bypass it
 * otherwise. */
static unsigned channels_of(const struct rein_node *rule)
{
    unsigned channels = rein_node_words(rule, "channels");
    return (channels & ~(unsigned)ON_PROMPT) != 0 ? channels | ON_OTHER : channels;
}

static bool withholds(const struct policy_rule *rule, unsigned channels)
{
    return !rule->shadow && rule->action > REIN_RECORD && channels != ON_PROMPT;
}

static const char **collect_literals(const struct rein_node *node, size_t *len)
{
    bool is_list = node->kind == REIN_NODE_LIST;
    const char **literals = heap_new(is_list ? node->count : 1, sizeof(*literals));
    *len = 0;
    if (literals == NULL || !is_list) {
        if (literals != NULL)
            literals[(*len)++] = node->text;
        return literals;
    }
    for (const struct rein_node *at = node->first; at != NULL; at = at->next)
        literals[(*len)++] = at->text;
    return literals;
}

/* What a rule is compiled from, besides the document's own texts; owned. */
struct rule_texts {
    const char **literals, **words, **near, **except_words, **except_regexes, **values;
};

static void texts_fini(struct rule_texts *t)
{
    heap_free(t->literals);
    heap_free(t->words);
    heap_free(t->near);
    heap_free(t->except_words);
    heap_free(t->except_regexes);
    heap_free(t->values);
}

/* The texts at a key, one or a list; *out stays NULL where it is absent. */
static int collect_texts(const struct rein_node *rule, const char *key, const char ***out, size_t *len)
{
    const struct rein_node *node = rein_node_get(rule, key);
    if (node == NULL)
        return 0;
    *out = collect_literals(node, len);
    return *out != NULL ? 0 : REIN_ENOMEM;
}

static int collect_filter(struct policy_loader *l, const struct rein_node *rule, struct rule_spec *spec,
                          struct rule_texts *t)
{
    int rv = policy_collect_words(l, rule, "near.words", true, &t->near, &spec->near.len);
    if (rv == 0)
        rv = policy_collect_words(l, rule, "except.words", true, &t->except_words, &spec->except.words.len);
    if (rv == 0)
        rv = collect_texts(rule, "except.regex", &t->except_regexes, &spec->except.regexes_len);
    if (rv == 0)
        rv = collect_texts(rule, "except.values", &t->values, &spec->except.values_len);
    if (spec->near.len > 0) {
        spec->near_before = (size_t)rein_node_int(rule, "near.before");
        spec->near_behind = (size_t)rein_node_int(rule, "near.behind");
    }
    spec->near.words = t->near;
    spec->except.words.words = t->except_words;
    spec->except.regexes = t->except_regexes;
    spec->except.values = t->values;
    return rv;
}

static int collect_rule(struct policy_loader *l, const struct rein_node *rule, const char *key, struct rule_spec *spec,
                        struct rule_texts *t)
{
    int rv = 0;
    if (strcmp(key, "literal") == 0)
        rv = collect_texts(rule, key, &t->literals, &spec->literals_len);
    if (rv == 0)
        rv = policy_collect_words(l, rule, "words", spec->folded, &t->words, &spec->words.len);
    spec->literals = t->literals;
    spec->words.words = t->words;
    return rv == 0 ? collect_filter(l, rule, spec, t) : rv;
}

/* What is wrong with an exception is said there. */
static const char *key_of_fault(const struct rein_node *rule, const char *key, const char *why)
{
    if (strncmp(why, "could hold", 10) == 0 && rein_node_int(rule, "near.behind") > 0)
        return "near.behind";
    bool is_exception = strncmp(why, RULESET_EXCEPTION, strlen(RULESET_EXCEPTION)) == 0;
    return !is_exception ? key : rein_node_get(rule, "except.regex") != NULL ? "except.regex" : "except";
}

static int rules_compile(struct policy_loader *l, const struct rein_node *rule, const char *key, struct rule_spec *spec)
{
    const char *why = "", *match = rein_node_text(rule, "match");
    struct rule_texts texts = {NULL, NULL, NULL, NULL, NULL, NULL};
    bool is_plain = strcmp(key, "literal") == 0 || strcmp(key, "words") == 0;
    size_t before = rein_problems_said(l->problems);
    spec->folded = match != NULL ? strcmp(match, "folded") == 0 : is_plain;
    spec->max_bytes = (size_t)rein_node_int(rule, "max_bytes");
    spec->regex = rein_node_text(rule, "regex");
    spec->builtin = rein_node_text(rule, "builtin");
    int rv = collect_rule(l, rule, key, spec, &texts);
    bool has_none = strcmp(key, "words") == 0 && spec->words.len == 0; /* which was said */
    if (rv == 0 && rein_problems_said(l->problems) == before && !has_none)
        rv = ruleset_add(l->policy->ruleset, spec, &why);
    texts_fini(&texts);
    if (rv == REIN_EPOLICY) {
        rein_problems_node(l->problems, rule, key_of_fault(rule, key, why), "%s", why);
        return 0;
    }
    return rv;
}

/* As the inside of a JSON string. Returns good as long as the policy, or NULL. */
static const char *escape_words(struct rein_policy *policy, const char *words)
{
    struct bytes escaped;
    bytes_init(&escaped, SIZE_MAX / 2);
    const char *copy = NULL;
    if (json_escape(&escaped, (struct span){words, strlen(words)}) == 0)
        copy = arena_copy(&policy->arena, bytes_span(&escaped).data, bytes_len(&escaped));
    bytes_fini(&escaped);
    return copy;
}

/* A placeholder that may come back is held until it is known to be one. */
static void hold_placeholder(struct rein_policy_settings *settings, size_t id_len)
{
    size_t name = (id_len < MASK_LABEL_MAX ? id_len : MASK_LABEL_MAX) + (MASK_NAME_MAX - MASK_LABEL_MAX);
    settings->restores = true;
    settings->worst_hold = settings->worst_hold > name ? settings->worst_hold : name;
}

static int load_rule(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    unsigned channels = rein_node_words(node, "channels");
    const char *id = rein_node_text(node, "id"), *replacement = rein_node_text(node, "replacement");
    rule->action = policy_action(node, "action");
    rule->shadow = l->shadow || rein_node_bool(node, "shadow");
    rule->restores = rein_node_bool(node, "restore");
    rule->id = arena_copy(&l->policy->arena, id != NULL ? id : "", id != NULL ? strlen(id) : 0);
    rule->replacement = arena_copy(&l->policy->arena, replacement, strlen(replacement));
    rule->replacement_json = rule->replacement != NULL ? escape_words(l->policy, rule->replacement) : NULL;
    if (rule->id == NULL || rule->replacement_json == NULL)
        return REIN_ENOMEM;
    if (rule->action == REIN_STEER && !rule->shadow)
        l->policy->settings.may_steer = true;
    bool interrupts = rule->action == REIN_STEER || (rule->action == REIN_CUT_REASONING && !rule->shadow);
    l->policy->rule_interrupts |= interrupts && !l->shadow;
    bool masks = (channels & ON_PROMPT) != 0 && rule->action == REIN_REDACT && !rule->shadow;
    l->policy->settings.masks_prompt |= masks;
    if (masks && rule->restores)
        hold_placeholder(&l->policy->settings, strlen(rule->id));
    size_t before = rein_problems_said(l->problems);
    int rv = policy_load_rule_says(l, node, channels, rule);
    if (rv != 0)
        return rv;
    check_id(l, node);
    check_action(l, node, channels, rule->action);
    check_builtin(l, node);
    check_filter(l, node);
    const char *key = looks_for(l, node);
    if (key != NULL && strcmp(key, "literal") == 0)
        warn_of_words(l, rein_node_get(node, key));
    if (key != NULL && strcmp(key, "regex") == 0)
        doc_warn_of_escape(rein_node_get(node, key), l->problems);
    if (key == NULL || rein_problems_said(l->problems) != before)
        return 0;
    struct rule_spec spec = {.id = rule->id,
                             .channels = channels_of(node),
                             .withholds = withholds(rule, channels),
                             .secret = rein_node_bool(node, "secret")};
    return rules_compile(l, node, key, &spec);
}

bool policy_is_prompt_rule(const struct rein_node *rule)
{
    static const char *const others[] = {"literal", "words", "regex", "builtin"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (rein_node_get(rule, others[i]) != NULL)
            return false;
    return rein_node_get(rule, "prompt") != NULL;
}

/* A rule that judges what is known of the prompt as a whole. */
static int load_prompt_rule(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    static const char *const useless[] = {"match", "max_bytes", "near",        "except",
                                          "when",  "roles",     "replacement", "secret"};
    const char *id = rein_node_text(node, "id");
    unsigned channels = rein_node_words(node, "channels");
    rule->action = policy_action(node, "action");
    rule->shadow = l->shadow || rein_node_bool(node, "shadow");
    rule->id = arena_copy(&l->policy->arena, id != NULL ? id : "", id != NULL ? strlen(id) : 0);
    if (rule->id == NULL)
        return REIN_ENOMEM;
    check_id(l, node);
    for (size_t i = 0; i < sizeof useless / sizeof *useless; i++)
        if (rein_node_get(node, useless[i]) != NULL)
            rein_problems_node(l->problems, node, useless[i],
                               "a rule with `prompt` searches no text, so this key does nothing: remove it");
    if (rein_node_get(node, "channels") != NULL && channels != ON_PROMPT)
        rein_problems_node(l->problems, node, "channels",
                           "a rule with `prompt` judges prompts only: remove `channels`");
    if (rule->action != REIN_ALLOW && rule->action != REIN_RECORD && rule->action != REIN_REFUSE)
        rein_problems_node(l->problems, node, "action", "a rule with `prompt` can only `record` or `refuse`");
    return policy_load_rule_says(l, node, ON_PROMPT, rule);
}

int policy_load_rules(struct policy_loader *l)
{
    struct rein_policy *policy = l->policy;
    const struct rein_node *rules = rein_node_get(l->root, "rules");
    if (rules != NULL && rules->kind != REIN_NODE_LIST)
        rules = NULL;
    int rv = ruleset_new(&policy->ruleset, (size_t)rein_node_int(l->root, "hold.max_bytes"));
    if (rv != 0)
        return rv;
    size_t count = rules != NULL ? rules->count : 0;
    policy->rules = arena_new(&policy->arena, count, sizeof(*policy->rules));
    policy->prompt_rules = arena_new(&policy->arena, count, sizeof(*policy->prompt_rules));
    if (policy->rules == NULL || policy->prompt_rules == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = rules != NULL ? rules->first : NULL; at != NULL && rv == 0; at = at->next)
        if (at->kind == REIN_NODE_MAP && policy_is_prompt_rule(at))
            rv = load_prompt_rule(l, at, &policy->prompt_rules[policy->prompt_rules_len++]);
        else if (at->kind == REIN_NODE_MAP)
            rv = load_rule(l, at, &policy->rules[policy->rules_len++]);
    if (rv == 0)
        rv = ruleset_finish(policy->ruleset);
    size_t hold = rv == 0 ? ruleset_worst_hold(policy->ruleset, -1) : 0;
    if (hold > policy->settings.worst_hold) /* which placeholders may have set */
        policy->settings.worst_hold = hold;
    return rv;
}
