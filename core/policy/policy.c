/* The life of a policy: loaded step by step, shared by reference count, freed by the last reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

#include <string.h>

#include "base/heap.h"
#include "policy/policy_load.h"

/* In the arena are also the texts of the policy and its templates. */
enum { ARENA_MAX = 16 << 20, WORDS_MAX = 64 << 20 };

static void free_policy(struct rein_policy *policy)
{
    ruleset_free(policy->ruleset);
    policy_signals_unref(policy->shared);
    model_free(policy->model);
    arena_fini(&policy->arena);
    heap_free(policy);
}

struct rein_policy *rein_policy_ref(struct rein_policy *policy)
{
    atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
    return policy;
}

void rein_policy_unref(struct rein_policy *policy)
{
    if (policy != NULL && atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) == 1)
        free_policy(policy);
}

const struct rein_policy_settings *rein_policy_settings(const struct rein_policy *policy)
{
    return &policy->settings;
}

enum rein_action policy_action(const struct rein_node *node, const char *path)
{
    const char *word = rein_node_text(node, path);
    for (int action = REIN_RECORD; word != NULL && action <= REIN_REFUSE; action++)
        if (strcmp(word, rein_action_name((enum rein_action)action)) == 0)
            return (enum rein_action)action;
    return REIN_ALLOW;
}

static int read_document(struct policy_loader *l, const struct rein_source *source)
{
    int rv = rein_doc_read(&l->doc, source, l->problems);
    if (rv != 0)
        return rv;
    rv = policy_extend(l);
    if (rv != 0)
        return rv;
    l->root = rein_doc_root(l->doc);
    rv = rein_doc_check(l->doc, rein_schema_policy(), l->problems);
    return rv == REIN_EPOLICY ? 0 : rv;
}

/* Rules and patterns come first, because the settings depend on what steers and on whether signals are needed. */
static int build(struct policy_loader *l)
{
    l->shadow = rein_node_bool(l->root, "shadow");
    int rv = policy_load_model(l);
    if (rv == 0)
        rv = policy_load_patterns(l);
    if (rv == 0)
        rv = policy_load_rules(l);
    if (rv == 0)
        rv = policy_load_panels(l);
    if (rv == 0)
        rv = policy_load_settings(l);
    if (rv == 0)
        rv = policy_load_signals(l);
    return rv == 0 ? policy_load_conditions(l) : rv;
}

static int load(struct policy_loader *l, const struct rein_source *source, const struct rein_library *library)
{
    size_t before = rein_problems_said(l->problems);
    int rv = policy_library_read(l, library);
    if (rv == 0)
        rv = read_document(l, source);
    if (rv == 0)
        rv = build(l);
    if (rv == 0 && rein_problems_result(l->problems) == REIN_ENOMEM)
        rv = REIN_ENOMEM;
    if (rv == 0 && rein_problems_said(l->problems) != before)
        rv = REIN_EPOLICY;
    if (rv == 0)
        rv = policy_load_version(l);
    return rv == 0 ? policy_load_documents(l, source) : rv;
}

int rein_policy_load_beside(struct rein_policy **out, const struct rein_source *policy,
                            const struct rein_library *library, struct rein_policy *const *peers, size_t peers_len,
                            struct rein_problems *problems)
{
    struct policy_loader l = {
        .policy = heap_new(1, sizeof(*l.policy)), .problems = problems, .peers = peers, .peers_len = peers_len};
    if (l.policy == NULL)
        return REIN_ENOMEM;
    atomic_init(&l.policy->refs, 1);
    arena_init(&l.policy->arena, ARENA_MAX);
    arena_init(&l.words, WORDS_MAX);
    int rv = load(&l, policy, library);
    policy_library_free(&l);
    rein_doc_free(l.doc);
    arena_fini(&l.words);
    if (rv == 0)
        *out = l.policy;
    else
        free_policy(l.policy);
    return rv;
}

int rein_policy_load(struct rein_policy **out, const struct rein_source *policy, const struct rein_library *library,
                     struct rein_problems *problems)
{
    return rein_policy_load_beside(out, policy, library, NULL, 0, problems);
}

int rein_policy_masks(const struct rein_policy *policy, const char *text, size_t len)
{
    struct match_list list = {0};
    int rv =
        policy->settings.masks_prompt ? matcher_scan(policy->ruleset, REIN_PROMPT, (struct span){text, len}, &list) : 0;
    for (size_t i = 0; i < list.len && rv == 0; i++) {
        const struct policy_rule *rule = &policy->rules[list.items[i].rule];
        rv = rule->action == REIN_REDACT && !rule->shadow;
    }
    match_list_fini(&list);
    return rv;
}

bool rein_policy_has_rule(const struct rein_policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->rules_len; i++)
        if (strcmp(policy->rules[i].id, name) == 0)
            return true;
    return false;
}
