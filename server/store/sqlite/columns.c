/* See columns.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite/columns.h"

#include <assert.h>

#define AT(member) offsetof(struct store_job, member)
#define FLOW(prefix, channel)                                                                                          \
    {prefix "_received", COLUMN_SIZE, AT(decision.flow[channel].received)},                                            \
        {prefix "_scanned", COLUMN_SIZE, AT(decision.flow[channel].scanned)},                                          \
        {prefix "_released", COLUMN_SIZE, AT(decision.flow[channel].released)},                                        \
        {prefix "_redacted", COLUMN_SIZE, AT(decision.flow[channel].redacted)},                                        \
    {                                                                                                                  \
        prefix "_held_max", COLUMN_SIZE, AT(decision.flow[channel].held_max)                                           \
    }

const struct column store_columns[] = {
    {"id", COLUMN_ID, AT(record.id)},
    {"request_id", COLUMN_TEXT, AT(record.request_id)},
    {"started_at_us", COLUMN_SIGNED, AT(record.started_at_us)},
    {"final", COLUMN_BOOL, AT(record.final)},
    {"route", COLUMN_TEXT, AT(record.route)},
    {"model", COLUMN_TEXT, AT(record.model)},
    {"upstream", COLUMN_TEXT, AT(record.upstream)},
    {"key", COLUMN_TEXT, AT(record.key)},
    {"tenant", COLUMN_TEXT, AT(record.tenant)},
    {"dialect", COLUMN_TEXT, AT(record.dialect)},
    {"policy", COLUMN_SIGNED, AT(policy)},
    {"template", COLUMN_TEXT, AT(first.template_name)},
    {"delivery", COLUMN_WORD, AT(delivery)},
    {"streamed", COLUMN_BOOL, AT(record.streamed)},
    {"status", COLUMN_U32, AT(record.status)},
    {"ending", COLUMN_TEXT, AT(record.ending)},
    {"verdict", COLUMN_WORD, AT(verdict)},
    {"action", COLUMN_WORD, AT(action)},
    {"shadow", COLUMN_WORD, AT(shadow)},
    {"reasoning", COLUMN_WORD, AT(reasoning)},
    {"prompt_risk", COLUMN_REAL, AT(decision.prompt_risk)},
    {"trace_risk", COLUMN_REAL, AT(decision.trace_risk)},
    {"harms", COLUMN_TEXT, AT(decision.harms)},
    {"score_lack_of_safety_awareness", COLUMN_REAL, AT(decision.scores[REIN_LACK_OF_SAFETY_AWARENESS])},
    {"score_strong_vacillation", COLUMN_REAL, AT(decision.scores[REIN_STRONG_VACILLATION])},
    {"score_weak_vacillation", COLUMN_REAL, AT(decision.scores[REIN_WEAK_VACILLATION])},
    {"score_harmful_additions", COLUMN_REAL, AT(decision.scores[REIN_HARMFUL_ADDITIONS])},
    {"score_inconsistency_complies", COLUMN_REAL, AT(decision.scores[REIN_INCONSISTENCY_COMPLIES])},
    {"score_inconsistency_refuses", COLUMN_REAL, AT(decision.scores[REIN_INCONSISTENCY_REFUSES])},
    {"attempts", COLUMN_SIZE, AT(record.attempts_len)},
    {"findings", COLUMN_SIZE, AT(findings_len)},
    {"first_finding_bytes", COLUMN_SIZE, AT(decision.first_finding_bytes)},
    {"upstream_first_byte_us", COLUMN_UNKNOWN, AT(record.upstream_first_byte_us)},
    {"client_first_byte_us", COLUMN_UNKNOWN, AT(record.client_first_byte_us)},
    {"duration_us", COLUMN_UNKNOWN, AT(record.duration_us)},
    {"prompt_tokens", COLUMN_UNKNOWN, AT(decision.prompt_tokens)},
    {"completion_tokens", COLUMN_UNKNOWN, AT(decision.completion_tokens)},
    {"reasoning_tokens", COLUMN_UNKNOWN, AT(decision.reasoning_tokens)},
    {"events", COLUMN_SIZE, AT(decision.events)},
    {"garbage_events", COLUMN_SIZE, AT(decision.garbage_events)},
    {"bytes_in", COLUMN_SIZE, AT(decision.bytes_in)},
    {"bytes_out", COLUMN_SIZE, AT(decision.bytes_out)},
    FLOW("prompt", REIN_PROMPT),
    FLOW("reasoning", REIN_REASONING),
    FLOW("answer", REIN_ANSWER),
    FLOW("tool", REIN_TOOL),
    FLOW("other", REIN_OTHER),
    {"attempt_reason", COLUMN_TEXT, AT(first.reason)},
    {"attempt_started_us", COLUMN_UNKNOWN, AT(first.started_us)},
    {"attempt_first_byte_us", COLUMN_UNKNOWN, AT(first.first_byte_us)},
    {"attempt_ended_us", COLUMN_UNKNOWN, AT(first.ended_us)},
    {"attempt_status", COLUMN_U32, AT(first.status)},
    {"attempt_outcome", COLUMN_TEXT, AT(first.outcome)},
    {"upstream_error", COLUMN_TEXT, AT(record.upstream_error)},
    {"dropped_fields", COLUMN_TEXT, AT(record.dropped_fields)},
    {"unjudged_parts", COLUMN_U32, AT(record.unjudged_parts)},
    {"score_outcome_risk_reasoning", COLUMN_SCORE, AT(decision.scores[REIN_OUTCOME_RISK_REASONING])},
    {"score_outcome_risk_answer", COLUMN_SCORE, AT(decision.scores[REIN_OUTCOME_RISK_ANSWER])},
    {"model_prompt_harm", COLUMN_SCORE, AT(decision.heads[REIN_PROMPT_HARM])},
    {"model_reasoning_harm", COLUMN_SCORE, AT(decision.heads[REIN_REASONING_HARM])},
    {"model_complies", COLUMN_SCORE, AT(decision.heads[REIN_COMPLIES])},
    {"model_complies_answer", COLUMN_SCORE, AT(decision.heads[REIN_COMPLIES_ANSWER])},
    {"user", COLUMN_TEXT, AT(record.user)},
    {"attempt_may_continue", COLUMN_UNKNOWN, AT(may_continue)},
    {"attempt_choices", COLUMN_UNKNOWN, AT(choices)},
};
const size_t store_columns_len = sizeof store_columns / sizeof *store_columns;

static_assert(REIN_PATTERNS == 8 && REIN_HEADS == 4 && REIN_CHANNELS == 5, "a new score or channel needs a migration");
static_assert(sizeof(size_t) == sizeof(uint64_t), "COLUMN_SIZE reads both");
