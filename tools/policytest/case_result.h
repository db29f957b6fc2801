/* What came of a case, and the first thing in it that is not as expected.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Thread: any. */
#ifndef TOOLS_POLICYTEST_CASE_RESULT_H
#define TOOLS_POLICYTEST_CASE_RESULT_H

#include "policytest/cases.h"
#include "rein/rein.h"

enum { CASE_IDS_MAX = 64, CASE_SAID_MAX = 512 };

struct case_wire;
struct case_result {
    const struct case_wire *wire; /* the API that it came by */
    bool streamed;
    enum rein_action action;
    enum rein_ending ending;
    const char *ids[CASE_IDS_MAX]; /* of the findings, each once; good as long as the policy */
    size_t ids_len;
    const char *asked[CASE_IDS_MAX]; /* the judges, likewise */
    size_t asked_len;
    char unscripted[CASE_SAID_MAX]; /* a question that the case has no answer for; "": there was none */
    char *upstream;                 /* the prompt that the upstream got; owned, likewise */
    char *texts[CASE_TEXTS];        /* what the client got; owned, never NULL after a run */
};

void case_result_fini(struct case_result *result);

/* The id, or the judge, becomes one of the result's, unless it is one or there is no room. */
void case_result_found(struct case_result *result, const char *id);
void case_result_asked(struct case_result *result, const char *judge);

/* True if it is as the case expects; otherwise `said` is the first difference. A stream that was stopped has already
 * shown what came before, which a body has not: there, the exact texts are those of a body, and a stream is not held to
 * them. */
bool case_result_fits(const struct case_result *result, const struct case_script *script, char said[CASE_SAID_MAX]);

/* True if a client sees the same of both; otherwise `said` is the first difference. What a client has got by then may
 * differ where the response was stopped. */
bool case_result_same(const struct case_result *one, const struct case_result *other, char said[CASE_SAID_MAX]);

#endif
