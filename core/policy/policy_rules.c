/* A policy's content rules: what each searches for and where, and which actions can work there.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"
#include "json/text.h"

enum { ON_PROMPT = 1u << REIN_PROMPT, ON_REASONING = 1u << REIN_REASONING, ON_OTHER = 1u << REIN_OTHER };

/* ---- rules that cannot work ---- */

static void check_action(struct policy_loader *l, const struct rein_node *rule, unsigned channels,
                         enum rein_action action)
{
    bool on_prompt = (channels & ON_PROMPT) != 0;
    if (on_prompt && action != REIN_RECORD && action != REIN_REFUSE)
        rein_problems_node(l->problems, rule, "action",
                           "on prompts only `record` and `refuse` are possible: use a separate rule for `prompt`");
    else if (action == REIN_CUT_REASONING && channels != ON_REASONING)
        rein_problems_node(l->problems, rule, "action", "cut_reasoning works only with `channels: [reasoning]`");
    if (action != REIN_REDACT && rein_node_get(rule, "replacement") != NULL)
        rein_problems_node(l->problems, rule, "replacement", "only the action redact uses a replacement: remove it");
}

static void check_builtin(struct policy_loader *l, const struct rein_node *rule)
{
    const char *name = rein_node_text(rule, "builtin");
    const char *const *names = ruleset_builtins();
    if (name == NULL || doc_find_word(names, name, strlen(name)) >= 0)
        return;
    char known[256] = "";
    for (size_t i = 0, len = 0; names[i] != NULL && len < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s",
                                i == 0                 ? ""
                                : names[i + 1] == NULL ? " and "
                                                       : ", ",
                                names[i]);
    const char *nearest = rein_nearest(name, names);
    rein_problems_node(l->problems, rule, "builtin", "there is no built-in `%.64s`%s%s%s; the built-ins are %s", name,
                       nearest != NULL ? " (did you mean `" : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "`?)" : "", known);
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
    rein_problems_warn(
        l->problems, first, NULL,
        "`%.40s` is also found inside longer words; to match only the whole word, use `regex: '(?i)\\b%.40s\\b'`%s",
        first->text, first->text, others);
}

/* The key that says what is searched for, NULL (with a problem) unless there is exactly one. */
static const char *looks_for(struct policy_loader *l, const struct rein_node *rule)
{
    static const char *const keys[] = {"literal", "regex", "builtin"};
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < 3; i++)
        if (rein_node_get(rule, keys[i]) != NULL) {
            found = keys[i];
            count++;
        }
    if (count == 0)
        rein_problems_node(l->problems, rule, NULL, "a rule needs one of literal, regex and builtin");
    else if (count > 1)
        rein_problems_node(l->problems, rule, found, "a rule can have only one of literal, regex and builtin");
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

static int rules_compile(struct policy_loader *l, const struct rein_node *rule, const char *key, struct rule_spec *spec)
{
    const char *why = "";
    const char **literals = NULL;
    const char *match = rein_node_text(rule, "match");
    spec->folded = match != NULL ? strcmp(match, "folded") == 0 : strcmp(key, "literal") == 0;
    spec->max_bytes = (size_t)rein_node_int(rule, "max_bytes");
    spec->regex = rein_node_text(rule, "regex");
    spec->builtin = rein_node_text(rule, "builtin");
    if (strcmp(key, "literal") == 0) {
        literals = collect_literals(rein_node_get(rule, key), &spec->literals_len);
        spec->literals = literals;
        if (literals == NULL)
            return REIN_ENOMEM;
    }
    int rv = ruleset_add(l->policy->ruleset, spec, &why);
    heap_free(literals);
    if (rv == REIN_EPOLICY) {
        rein_problems_node(l->problems, rule, key, "%s", why);
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

static int load_rule(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    unsigned channels = rein_node_words(node, "channels");
    const char *id = rein_node_text(node, "id"), *replacement = rein_node_text(node, "replacement");
    rule->action = policy_action(node, "action");
    rule->shadow = rein_node_bool(node, "shadow");
    rule->id = arena_copy(&l->policy->arena, id != NULL ? id : "", id != NULL ? strlen(id) : 0);
    rule->replacement = arena_copy(&l->policy->arena, replacement, strlen(replacement));
    rule->replacement_json = rule->replacement != NULL ? escape_words(l->policy, rule->replacement) : NULL;
    if (rule->id == NULL || rule->replacement_json == NULL)
        return REIN_ENOMEM;
    if (rule->action == REIN_STEER && !rule->shadow)
        l->policy->settings.may_steer = true;
    l->policy->rule_interrupts |= rule->action == REIN_STEER || (rule->action == REIN_CUT_REASONING && !rule->shadow);
    size_t before = rein_problems_said(l->problems);
    check_id(l, node);
    check_action(l, node, channels, rule->action);
    check_builtin(l, node);
    const char *key = looks_for(l, node);
    if (key != NULL && strcmp(key, "literal") == 0)
        warn_of_words(l, rein_node_get(node, key));
    if (key != NULL && strcmp(key, "regex") == 0)
        doc_warn_of_escape(rein_node_get(node, key), l->problems);
    if (key == NULL || rein_problems_said(l->problems) != before)
        return 0;
    struct rule_spec spec = {.id = rule->id, .channels = channels_of(node), .withholds = withholds(rule, channels)};
    return rules_compile(l, node, key, &spec);
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
    if (policy->rules == NULL)
        return REIN_ENOMEM;
    for (const struct rein_node *at = rules != NULL ? rules->first : NULL; at != NULL && rv == 0; at = at->next)
        if (at->kind == REIN_NODE_MAP)
            rv = load_rule(l, at, &policy->rules[policy->rules_len++]);
    if (rv == 0)
        rv = ruleset_finish(policy->ruleset);
    if (rv == 0)
        policy->settings.worst_hold = ruleset_worst_hold(policy->ruleset, -1);
    return rv;
}
