/* A policy's plain settings: prefix, reasoning, steer, refusal, limits, log.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "policy/policy_load.h"

static const char *settings_keep(struct policy_loader *l, const char *text)
{
    return arena_copy(&l->policy->arena, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

/* The template that is at `path`, of one of two kinds; NULL with a problem if there is none. */
static const struct rein_node *find_template(struct policy_loader *l, const char *path, const char *kind,
                                             const char *other_kind)
{
    const char *name = rein_node_text(l->root, path);
    const struct rein_node *found = policy_library_find(l->templates, l->templates_len, name);
    if (found == NULL) {
        policy_library_missing(l, l->root, path, "template", name, l->templates, l->templates_len);
        return NULL;
    }
    const char *is = rein_node_text(found, "kind");
    if (is != NULL && strcmp(is, kind) != 0 && strcmp(is, other_kind) != 0)
        rein_problems_node(l->problems, l->root, path, "the template `%s` is a %s, not a %s", name, is, kind);
    return found;
}

static void load_prefix(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    s->prefix.template_name = s->prefix.text = "";
    s->prefix.when = REIN_WHEN_NEVER;
    if (rein_node_get(l->root, "prefix") == NULL)
        return;
    s->prefix.deliver = (enum rein_delivery)rein_node_word(l->root, "prefix.deliver");
    if (l->shadow)
        s->prefix.deliver = REIN_DELIVER_OFF;
    s->prefix.when = (enum rein_when)rein_node_word(l->root, "prefix.when");
    s->prefix.show = rein_node_bool(l->root, "prefix.show");
    l->prefix = find_template(l, "prefix.template", "prefix", "primer");
    s->prefix.template_name = settings_keep(l, rein_node_text(l->root, "prefix.template"));
    s->prefix.text = settings_keep(l, l->prefix != NULL ? rein_node_text(l->prefix, "text") : NULL);
}

static void load_reasoning(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    s->reasoning.show = rein_node_word(l->root, "reasoning.show") == 1;
    s->reasoning.release = (enum rein_release)rein_node_word(l->root, "reasoning.release");
    if (l->shadow) {
        s->reasoning.show = true;
        s->reasoning.release = REIN_RELEASE_STREAM;
    }
}

/* The prefix is shown unchanged, so the rules are applied to it once, here. */
static int judge_prefix(struct policy_loader *l)
{
    const struct rein_policy *policy = l->policy;
    struct match_list matches = {0};
    struct span text = {policy->settings.prefix.text, strlen(policy->settings.prefix.text)};
    if (ruleset_count(policy->ruleset) != policy->rules_len)
        return 0; /* a rule has errors, which are reported first */
    int rv = matcher_scan(policy->ruleset, REIN_REASONING, text, &matches);
    for (size_t i = 0; i < matches.len && rv == 0; i++) {
        const struct policy_rule *rule = &policy->rules[matches.items[i].rule];
        if (rule->shadow || rule->action <= REIN_RECORD)
            continue;
        rein_problems_node(l->problems, l->root, "prefix.show",
                           "the rule `%s` (%s) matches in the prefix, so the prefix cannot be shown: change the rule, "
                           "or set `show: false`",
                           rule->id, rein_action_name(rule->action));
        break;
    }
    match_list_fini(&matches);
    return rv;
}

static int check_shown_prefix(struct policy_loader *l)
{
    const struct rein_policy_settings *s = &l->policy->settings;
    if (!s->prefix.show || s->prefix.text == NULL)
        return 0;
    if (s->reasoning.show)
        return judge_prefix(l);
    rein_problems_node(l->problems, l->root, "prefix.show",
                       "the prefix is part of the reasoning, which `reasoning.show: hide` hides: change one of them");
    return 0;
}

static void load_steer(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    s->steer.max_attempts = (unsigned)rein_node_int(l->root, "steer.max_attempts");
    s->steer.max_added_ms = (unsigned)rein_node_int(l->root, "steer.max_added_ms");
    s->steer.fallback = policy_action(l->root, "steer.fallback");
    s->steer.corrective = "";
    if (!s->may_steer && rein_node_get(l->root, "steer.template") == NULL)
        return;
    l->corrective = find_template(l, "steer.template", "corrective", "corrective");
    s->steer.corrective = settings_keep(l, l->corrective != NULL ? rein_node_text(l->corrective, "text") : NULL);
    if (s->may_steer && s->steer.max_attempts < 2)
        rein_problems_node(l->problems, l->root, "steer.max_attempts",
                           "steering needs a second attempt: set at least 2, or use another action than steer");
}

static void load_limits(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    s->hold_max_bytes = (size_t)rein_node_int(l->root, "hold.max_bytes");
    s->stream_max_bytes = (size_t)rein_node_int(l->root, "limits.stream_bytes");
    if (s->stream_max_bytes < s->hold_max_bytes)
        rein_problems_node(l->problems, l->root, "limits.stream_bytes",
                           "must be at least the value of hold.max_bytes, %zu", s->hold_max_bytes);
}

static void load_refusal(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    s->refusal.message = settings_keep(l, rein_node_text(l->root, "refusal.message"));
    s->refusal.finish_reason = settings_keep(l, rein_node_text(l->root, "refusal.finish_reason"));
    s->refusal.reply_before_first_byte = rein_node_word(l->root, "refusal.before_first_byte") == 1;
}

static void load_request(struct policy_loader *l)
{
    const struct rein_node *list = rein_node_get(l->root, "request.allow");
    size_t count = list != NULL && list->kind == REIN_NODE_LIST ? list->count : 0, len = 0;
    const char **fields = arena_new(&l->policy->arena, count + 1, sizeof(*fields));
    for (const struct rein_node *at = count > 0 ? list->first : NULL; at != NULL && fields != NULL; at = at->next) {
        fields[len] = settings_keep(l, at->text);
        if (fields[len++] == NULL)
            fields = NULL;
    }
    l->policy->settings.request = (struct rein_request_rules){
        .unknown = (enum rein_unknown)rein_node_word(l->root, "request.unknown"),
        .pass_unjudged_parts = rein_node_word(l->root, "request.unjudged_parts") == 1,
        .allow = fields,
    };
}

static void load_log(struct policy_loader *l)
{
    l->policy->settings.log = (struct rein_log_rules){
        .text = (enum rein_keep_text)rein_node_word(l->root, "log.text"),
        .channels = rein_node_words(l->root, "log.channels"),
        .max_bytes = (size_t)rein_node_int(l->root, "log.max_bytes"),
        .keep_days = (unsigned)rein_node_int(l->root, "log.keep_days"),
    };
    l->policy->pattern_settings.quotes = l->policy->settings.log.text != REIN_KEEP_NONE;
}

int policy_load_settings(struct policy_loader *l)
{
    struct rein_policy_settings *s = &l->policy->settings;
    load_prefix(l);
    load_reasoning(l);
    load_steer(l);
    load_limits(l);
    load_refusal(l);
    load_request(l);
    s->pass_upstream_errors = rein_node_word(l->root, "upstream_errors") == 0;
    load_log(l);
    s->name = settings_keep(l, rein_node_text(l->root, "name"));
    bool is_whole = s->name != NULL && s->prefix.template_name != NULL && s->prefix.text != NULL &&
                    s->steer.corrective != NULL && s->refusal.message != NULL && s->refusal.finish_reason != NULL &&
                    s->request.allow != NULL;
    return is_whole ? check_shown_prefix(l) : REIN_ENOMEM;
}
