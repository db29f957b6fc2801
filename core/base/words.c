/* The words of the policy file, the API and the database for the values of rein.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "rein/rein.h"

const char *rein_channel_name(enum rein_channel channel)
{
    static const char *const names[REIN_CHANNELS] = {"prompt", "reasoning", "answer", "tool", "other"};
    return (unsigned)channel < REIN_CHANNELS ? names[channel] : "";
}

const char *rein_judge_outcome_name(enum rein_judge_outcome outcome)
{
    static const char *const words[REIN_JUDGE_OUTCOMES] = {"open",   "opined", "unparsed",  "timed_out",
                                                           "failed", "busy",   "left_alone"};
    return words[outcome];
}

const char *rein_action_name(enum rein_action action)
{
    static const char *const names[] = {"allow", "record",       "redact", "cut_reasoning",
                                        "steer", "cut_response", "refuse"};
    return (unsigned)action < sizeof(names) / sizeof(names[0]) ? names[action] : "";
}

const char *rein_severity_name(enum rein_severity severity)
{
    static const char *const names[] = {"", "info", "low", "medium", "high", "critical"};
    return (unsigned)severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "";
}

const char *rein_pattern_name(enum rein_pattern pattern)
{
    static const char *const names[REIN_PATTERNS] = {
        [REIN_LACK_OF_SAFETY_AWARENESS] = "lack_of_safety_awareness",
        [REIN_STRONG_VACILLATION] = "strong_vacillation",
        [REIN_WEAK_VACILLATION] = "weak_vacillation",
        [REIN_HARMFUL_ADDITIONS] = "harmful_additions",
        [REIN_INCONSISTENCY_COMPLIES] = "inconsistency.complies",
        [REIN_INCONSISTENCY_REFUSES] = "inconsistency.refuses",
        [REIN_OUTCOME_RISK_REASONING] = "outcome_risk.reasoning",
        [REIN_OUTCOME_RISK_ANSWER] = "outcome_risk.answer",
    };
    return (unsigned)pattern < REIN_PATTERNS ? names[pattern] : "";
}

const char *rein_head_name(enum rein_head head)
{
    static const char *const names[REIN_HEADS] = {"prompt_harm", "reasoning_harm", "complies", "complies_answer"};
    return (unsigned)head < REIN_HEADS ? names[head] : "";
}

const char *rein_delivery_name(enum rein_delivery delivery)
{
    static const char *const names[] = {"off", "instruct", "prefill", "auto"};
    return (unsigned)delivery < sizeof(names) / sizeof(names[0]) ? names[delivery] : "";
}
