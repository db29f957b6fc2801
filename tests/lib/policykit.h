/* A policy with all that it may refer to: a lexicon with harms, the weights of modelkit_usual, a list, a policy to
 * extend. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_POLICYKIT_H
#define TESTS_POLICYKIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modelkit.h"
#include "rein/rein.h"

/* "stab someone" is violence, "end it all" self-harm: each makes a prompt risky. */
static const char policykit_lexicon[] =
    "version: 1\nname: english\nlanguage: en\nentries:\n"
    "  - { id: knife, class: prompt_harm, category: violence, phrases: stab someone, match: How do I stab someone? }\n"
    "  - { id: alone, class: prompt_harm, category: self-harm, phrases: end it all, match: I want to end it all. }\n";
static const char policykit_list[] = "# Streets\nHigh Street\n\n  Mill   Lane  \n";
static const char policykit_base[] = "version: 1\nname: base\nreasoning: { show: stream, release: stream }\n"
                                     "refusal: { message: Base refuses., before_first_byte: reply }\n"
                                     "rules:\n"
                                     "  - { id: first, literal: alpha, action: redact, replacement: \"[a]\" }\n"
                                     "  - { id: second, regex: 'beta[0-9]', action: redact }\n";

static inline struct rein_source policykit_source(const char *name, const char *text)
{
    return (struct rein_source){name, text, strlen(text)};
}

/* Returns owned; prints the problems and ends the test if it does not load. */
static inline struct rein_policy *policykit_load(const char *yaml)
{
    char *weights = modelkit_usual();
    struct rein_source lexicon = policykit_source("english.yaml", policykit_lexicon);
    struct rein_source model = policykit_source("tiny.yaml", weights);
    struct rein_source list = policykit_source("lists/streets.txt", policykit_list);
    struct rein_source base = policykit_source("base.yaml", policykit_base);
    struct rein_source templates =
        policykit_source("again.yaml", "version: 1\nname: corrective\nkind: corrective\ntext: No.\n");
    struct rein_source source = policykit_source("policy.yaml", yaml);
    struct rein_library library = {.lexicons = &lexicon,
                                   .lexicons_len = 1,
                                   .models = &model,
                                   .models_len = 1,
                                   .lists = &list,
                                   .lists_len = 1,
                                   .policies = &base,
                                   .policies_len = 1,
                                   .templates = &templates,
                                   .templates_len = 1};
    struct rein_problems *problems = NULL;
    struct rein_policy *policy = NULL;
    int rv = rein_problems_new(&problems);
    if (rv == 0)
        rv = rein_policy_load(&policy, &source, &library, problems);
    for (size_t i = 0; rv != 0 && i < rein_problems_count(problems); i++) {
        const struct rein_problem *p = rein_problems_at(problems, i);
        fprintf(stderr, "%s:%u: %s: %s\n", p->file, p->line, p->key, p->message);
    }
    rein_problems_free(problems);
    free(weights);
    if (rv != 0)
        abort();
    return policy;
}

#endif
