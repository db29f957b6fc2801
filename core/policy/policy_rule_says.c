/* What a rule says besides what it searches for: how its refusal reads (patterns and panels say that, too), whose
 * messages it judges, how bad a match is.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"

enum { TAG_MAX = 64, TAGS_MAX = 16 * (TAG_MAX + 1) };

unsigned policy_speakers_of(const char *speaker)
{
    static const struct {
        const char *said;
        enum policy_speaker as;
    } known[] = {{"system", POLICY_SYSTEM},       {"developer", POLICY_SYSTEM}, {"user", POLICY_USER},
                 {"assistant", POLICY_ASSISTANT}, {"tool", POLICY_TOOL},        {"function", POLICY_TOOL}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(speaker, known[i].said) == 0)
            return 1u << known[i].as;
    return POLICY_ALL_SPEAKERS;
}

static void check_refusal(struct policy_loader *l, const struct rein_node *node, enum rein_action action)
{
    bool refuses = action == REIN_REFUSE || action == REIN_STEER;
    bool ends = refuses || action == REIN_CUT_RESPONSE;
    if (rein_node_get(node, "message") != NULL && action != REIN_ALLOW && !refuses)
        rein_problems_node(l->problems, node, "message",
                           "only the actions refuse and steer send a message: remove it, or use `action: refuse`");
    if (rein_node_get(node, "finish_reason") != NULL && action != REIN_ALLOW && !ends)
        rein_problems_node(l->problems, node, "finish_reason",
                           "only the actions refuse, steer and cut_response end a choice: remove it");
}

static void check_roles(struct policy_loader *l, const struct rein_node *node, unsigned channels)
{
    if (rein_node_get(node, "roles") != NULL && (channels & 1u << REIN_PROMPT) == 0)
        rein_problems_node(l->problems, node, "roles",
                           "only messages of the prompt have roles: add `prompt` to `channels`, or remove it");
}

static bool is_tag(const struct rein_node *node)
{
    if (node->kind != REIN_NODE_TEXT || node->len == 0 || node->len > TAG_MAX)
        return false;
    for (size_t i = 0; i < node->len; i++)
        if (!isalnum((unsigned char)node->text[i]) && strchr("._:/-", node->text[i]) == NULL)
            return false;
    return true;
}

static int load_tags(struct policy_loader *l, const struct rein_node *node, struct policy_rule *rule)
{
    const struct rein_node *list = rein_node_get(node, "tags");
    const struct rein_node *at = list == NULL ? NULL : list->kind == REIN_NODE_LIST ? list->first : list;
    char tags[TAGS_MAX];
    size_t len = 0;
    for (; at != NULL; at = at == list ? NULL : at->next)
        if (!is_tag(at))
            rein_problems_node(l->problems, at, NULL, "a tag has 1 to 64 letters, digits, '.', '_', ':', '/' and '-'");
        else if (len + at->len + 1 <= sizeof tags) {
            if (len > 0)
                tags[len++] = ',';
            memcpy(tags + len, at->text, at->len);
            len += at->len;
        }
    rule->tags = arena_copy(&l->policy->arena, tags, len);
    return rule->tags != NULL ? 0 : REIN_ENOMEM;
}

/* *out is NULL where the key is absent. */
static int keep_text(struct policy_loader *l, const struct rein_node *node, const char *key, const char **out)
{
    const char *text = rein_node_get(node, key) != NULL ? rein_node_text(node, key) : NULL;
    *out = text != NULL ? arena_copy(&l->policy->arena, text, strlen(text)) : NULL;
    return text == NULL || *out != NULL ? 0 : REIN_ENOMEM;
}

int policy_load_refusal(struct policy_loader *l, const struct rein_node *node, enum rein_action action,
                        struct policy_refusal *refusal)
{
    check_refusal(l, node, action);
    int rv = keep_text(l, node, "message", &refusal->message);
    return rv == 0 ? keep_text(l, node, "finish_reason", &refusal->reason) : rv;
}

int policy_load_rule_says(struct policy_loader *l, const struct rein_node *node, unsigned channels,
                          struct policy_rule *rule)
{
    unsigned speakers = rein_node_words(node, "roles");
    int severity = rein_node_word(node, "severity");
    rule->place = node->index;
    rule->speakers = speakers != 0 ? speakers : POLICY_ALL_SPEAKERS;
    rule->severity = severity >= 0 ? (enum rein_severity)(severity + 1) : REIN_SEVERITY_NONE;
    check_roles(l, node, channels);
    int rv = policy_load_refusal(l, node, rule->action, &rule->refusal);
    return rv == 0 ? load_tags(l, node, rule) : rv;
}
