/* What a backtest found: how many would have been decided otherwise, how, and for which findings.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bounded: kinds of changes and names of findings have ceilings; what comes beyond is counted together.
 *
 * Thread: one. */
#ifndef TOOLS_BACKTEST_BACKTEST_REPORT_H
#define TOOLS_BACKTEST_BACKTEST_REPORT_H

#include <jansson.h>

#include "backtest/decision_play.h"

enum { REPORT_EXAMPLES = 3, REPORT_CHANGES = 64, REPORT_NAMES = 256, REPORT_ID = 37 };

struct report_examples {
    char ids[REPORT_EXAMPLES][REPORT_ID];
    unsigned len;
};

struct backtest_report {
    size_t decisions, same, otherwise;
    size_t reasons[PLAY_REASON_COUNT];
    struct report_change {
        char from[32], to[32];
        size_t count;
        struct report_examples examples;
    } changes[REPORT_CHANGES]; /* of actions; the last one is for all that have no place */
    size_t changes_len;
    struct report_finding {
        char name[PLAY_NAME_MAX];
        size_t was, would, more, less; /* decisions that had it, that would; that would anew, that would not any more */
        struct report_examples examples;
    } findings[REPORT_NAMES];
    size_t findings_len, names_left_out;
};

void report_add(struct backtest_report *report, const char *id, enum play_reason reason, const struct play_outcome *was,
                const struct play_outcome *would);
/* As a table on stdout, or as a JSON object. */
void report_print(const struct backtest_report *report, const struct rein_policy_settings *policy);
json_t *report_json(const struct backtest_report *report, const struct rein_policy_settings *policy);

#endif
