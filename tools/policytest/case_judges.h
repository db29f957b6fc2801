/* What the judges of a case say: its script instead of services.
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first entry of the case's `judges` that fits a question answers it. A reply is read by the judge's own kind, as a
 * server reads it. A question that no entry fits fails the case.
 *
 * Thread: any. */
#ifndef TOOLS_POLICYTEST_CASE_JUDGES_H
#define TOOLS_POLICYTEST_CASE_JUDGES_H

#include "config/config.h"
#include "policytest/case_names.h"
#include "policytest/case_result.h"
#include "policytest/cases.h"
#include "rein/rein.h"

/* An answer that is to be given. */
struct case_said {
    uint32_t id;
    struct rein_answer answer;
    char categories[REIN_CATEGORIES_MAX];
};

/* Answers that are not given yet, in the order of their questions. Zeroed is empty. */
struct case_answers {
    struct case_said *items;
    size_t len, cap;
};
void case_answers_fini(struct case_answers *answers);

/* Adds the script's answer. `config` says of which kind the judge is; NULL: replies are not used. 1: no entry fits, and
 * `said` says so; else 0 or an error. */
int case_judges_answer(struct case_answers *answers, const struct case_script *script, const struct config *config,
                       const struct case_names *names, const struct rein_question *question,
                       char said[CASE_SAID_MAX]) REIN_MUST_USE;

/* Adds what of the cases cannot be asked or read: judges that the policy does not ask (`policy`: its root, with what it
 * extends), and replies of judges of no kind. */
void case_judges_check(const struct cases *cases, const struct rein_node *policy, const struct config *config,
                       struct rein_problems *problems);

#endif
