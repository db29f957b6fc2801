/* Runs one case through the public interface, as a server would, and reads what a client gets.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: that of the engine. */
#ifndef TOOLS_POLICYTEST_CASE_RUN_H
#define TOOLS_POLICYTEST_CASE_RUN_H

#include "config/config.h"
#include "policytest/case_result.h"
#include "policytest/case_wire.h"
#include "policytest/cases.h"
#include "rein/rein.h"

/* What all cases of a run share; borrowed. */
struct case_under {
    struct rein_policy *policy;
    struct rein_engine *engine;
    const struct config *config; /* of which kinds the judges are; NULL: no reply is used */
};

/* On success, case_result_fini gives the result back. */
int case_run(struct case_result *out, const struct case_under *under, const struct case_script *script,
             const struct case_wire *wire, bool streamed) REIN_MUST_USE;

#endif
