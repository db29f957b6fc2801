/* Loading a policy: what its steps share.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each step returns 0 or a failure that ends the loading (no memory); what is wrong with a document is added to
 * `problems`, and loading continues to find the rest. */
#ifndef CORE_POLICY_POLICY_LOAD_H
#define CORE_POLICY_POLICY_LOAD_H

#include "document/doc.h"
#include "policy/policy.h"

struct policy_loader {
    struct rein_policy *policy; /* being built */
    struct rein_doc *doc;
    const struct rein_node *root; /* of the policy's document, checked */
    struct rein_problems *problems;
    struct rein_doc **templates, **lexicons, **models; /* the library, checked; NULL where one could not be read */
    size_t templates_len, lexicons_len, models_len;
    const struct rein_library *library; /* of which lists and policies are read where they are wanted */
    struct rein_policy *const *peers;   /* whose signals may be shared */
    size_t peers_len;
    const struct rein_node *prefix, *corrective; /* the templates that are used, NULL: none */
    const struct rein_node *model;               /* likewise */
    const struct rein_judge_name *judges;        /* the library's */
    size_t judges_len;
    bool any_judge;
    bool shadow;         /* the whole policy is */
    struct arena words;  /* of lists, until the rules are compiled */
    struct bytes *canon; /* while the version is computed */
};

/* Reads and checks the whole library (policy_library.c). */
int policy_library_read(struct policy_loader *l, const struct rein_library *library) REIN_MUST_USE;
void policy_library_free(struct policy_loader *l);
/* A template or lexicon by the name inside it; NULL if there is none. */
const struct rein_node *policy_library_find(struct rein_doc *const *docs, size_t len, const char *name);
/* Adds a problem that says that `name` does not exist, and which name is similar. */
void policy_library_missing(struct policy_loader *l, const struct rein_node *node, const char *path, const char *what,
                            const char *name, struct rein_doc *const *docs, size_t len);

int policy_load_settings(struct policy_loader *l) REIN_MUST_USE; /* policy_settings.c */
int policy_load_patterns(struct policy_loader *l) REIN_MUST_USE; /* policy_patterns.c */
int policy_load_rules(struct policy_loader *l) REIN_MUST_USE;    /* policy_rules.c */
/* Reads how the refusal of a rule, a pattern or a panel with this action reads (policy_rule_says.c). */
int policy_load_refusal(struct policy_loader *l, const struct rein_node *node, enum rein_action action,
                        struct policy_refusal *refusal) REIN_MUST_USE;
/* Reads what a rule says besides what it searches for: its refusal, roles, severity and tags (policy_rule_says.c). */
int policy_load_rule_says(struct policy_loader *l, const struct rein_node *node, unsigned channels,
                          struct policy_rule *rule) REIN_MUST_USE;
/* The words at a key of a rule, inline or from files (policy_words.c). *out is owned; the words are the document's or
 * the list's. */
int policy_collect_words(struct policy_loader *l, const struct rein_node *rule, const char *path, bool folded,
                         const char ***out, size_t *len) REIN_MUST_USE;
/* What the lists hold that the policy names, for its version. */
int policy_put_words(struct policy_loader *l, struct bytes *out) REIN_MUST_USE;
/* The n-th file of words that a rule names, in order; one may come several times. NULL: there are no more. */
const struct rein_source *policy_list_at(const struct policy_loader *l, size_t n);
/* Conditions: after the rules, patterns and signals (policy_when.c). */
int policy_load_conditions(struct policy_loader *l) REIN_MUST_USE;
/* Does any condition, or rule on the prompt, need to know what the prompt's signals say? */
bool policy_asks_for_risk(const struct policy_loader *l);
/* Does it judge nothing but what is known of the prompt? (policy_rules.c) */
bool policy_is_prompt_rule(const struct rein_node *rule);
/* Puts the policy that this one extends below it (policy_extends.c). Before the document is checked. */
int policy_extend(struct policy_loader *l) REIN_MUST_USE;
int policy_load_panels(struct policy_loader *l) REIN_MUST_USE; /* policy_panels.c; after rules and model */
/* What the opinions of the policy's judges depend on, for its version. */
int policy_put_judges(const struct policy_loader *l, struct bytes *out) REIN_MUST_USE;
int policy_load_model(struct policy_loader *l) REIN_MUST_USE;   /* policy_model.c */
int policy_load_signals(struct policy_loader *l) REIN_MUST_USE; /* policy_signals.c */
void policy_signals_unref(struct policy_signals *shared);       /* NULL is fine */
/* The digest of all that was resolved (policy_version.c). */
int policy_load_version(struct policy_loader *l) REIN_MUST_USE;
/* Keeps what was resolved, as documents (policy_documents.c). */
int policy_load_documents(struct policy_loader *l, const struct rein_source *source) REIN_MUST_USE;

/* The lexicon's place in the order in which the policy names them; NULL past the last. */
const struct rein_node *policy_lexicon_at(const struct policy_loader *l, size_t i, const char **name);
/* The action that a word of the file stands for; REIN_ALLOW if it is none. */
enum rein_action policy_action(const struct rein_node *node, const char *path);

#endif
