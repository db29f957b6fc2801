/* Typed rows: what a driver reads, and what becomes JSON.
 * SPDX-License-Identifier: Apache-2.0
 *
 * A field's name is that of the member, of the key in JSON and of the column in the views (migrations/), in this order.
 * A row and its texts are the driver's, good until the function that is called with it returns. */
#ifndef SERVER_STORE_ROW_H
#define SERVER_STORE_ROW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rein/rein.h"

#define STORE_UNKNOWN INT64_MIN /* a number that is not known: null in JSON */

enum store_field_type {
    STORE_TEXT,   /* const char *; NULL: unknown */
    STORE_JSON,   /* likewise, the text of a JSON value */
    STORE_NUMBER, /* int64_t, or STORE_UNKNOWN */
    STORE_ORDER,  /* int64_t, for paging: not part of the JSON */
    STORE_REAL,   /* double; NaN: unknown */
    STORE_FLAG,   /* bool */
    STORE_MAYBE,  /* int64_t: 0, 1 or STORE_UNKNOWN; a flag that older rows do not have */
};

#define STORE_FLOW_FIELDS(X, channel)                                                                                  \
    X(NUMBER, channel##_received)                                                                                      \
    X(NUMBER, channel##_scanned)                                                                                       \
    X(NUMBER, channel##_released)                                                                                      \
    X(NUMBER, channel##_redacted)                                                                                      \
    X(NUMBER, channel##_held_max)

/* A decision. */
#define STORE_DECISION_FIELDS(X)                                                                                       \
    X(TEXT, id)                                                                                                        \
    X(TEXT, started_at) /* UTC, with milliseconds */                                                                   \
    X(NUMBER, started_at_us)                                                                                           \
    X(FLAG, final)                                                                                                     \
    X(TEXT, request_id)                                                                                                \
    X(TEXT, route)                                                                                                     \
    X(TEXT, model)                                                                                                     \
    X(TEXT, upstream)                                                                                                  \
    X(TEXT, key)                                                                                                       \
    X(TEXT, tenant)                                                                                                    \
    X(TEXT, dialect)                                                                                                   \
    X(TEXT, policy)                                                                                                    \
    X(TEXT, policy_version)                                                                                            \
    X(TEXT, template)                                                                                                  \
    X(TEXT, delivery)                                                                                                  \
    X(FLAG, streamed)                                                                                                  \
    X(NUMBER, status)                                                                                                  \
    X(TEXT, ending)                                                                                                    \
    X(TEXT, verdict)                                                                                                   \
    X(TEXT, action)                                                                                                    \
    X(TEXT, shadow)                                                                                                    \
    X(TEXT, reasoning)                                                                                                 \
    X(REAL, prompt_risk)                                                                                               \
    X(REAL, trace_risk)                                                                                                \
    X(TEXT, harms)                                                                                                     \
    X(REAL, score_lack_of_safety_awareness)                                                                            \
    X(REAL, score_strong_vacillation)                                                                                  \
    X(REAL, score_weak_vacillation)                                                                                    \
    X(REAL, score_harmful_additions)                                                                                   \
    X(REAL, score_inconsistency_complies)                                                                              \
    X(REAL, score_inconsistency_refuses)                                                                               \
    X(NUMBER, attempts)                                                                                                \
    X(NUMBER, findings)                                                                                                \
    X(NUMBER, first_finding_bytes)                                                                                     \
    X(NUMBER, upstream_first_byte_us)                                                                                  \
    X(NUMBER, client_first_byte_us)                                                                                    \
    X(NUMBER, duration_us)                                                                                             \
    X(NUMBER, prompt_tokens)                                                                                           \
    X(NUMBER, completion_tokens)                                                                                       \
    X(NUMBER, reasoning_tokens)                                                                                        \
    X(NUMBER, events)                                                                                                  \
    X(NUMBER, garbage_events)                                                                                          \
    X(NUMBER, bytes_in)                                                                                                \
    X(NUMBER, bytes_out)                                                                                               \
    STORE_FLOW_FIELDS(X, prompt)                                                                                       \
    STORE_FLOW_FIELDS(X, reasoning)                                                                                    \
    STORE_FLOW_FIELDS(X, answer)                                                                                       \
    STORE_FLOW_FIELDS(X, tool)                                                                                         \
    STORE_FLOW_FIELDS(X, other)                                                                                        \
    X(JSON, upstream_error)                                                                                            \
    X(TEXT, dropped_fields)                                                                                            \
    X(NUMBER, unjudged_parts)                                                                                          \
    X(REAL, score_outcome_risk_reasoning)                                                                              \
    X(REAL, score_outcome_risk_answer)                                                                                 \
    X(REAL, model_prompt_harm)                                                                                         \
    X(REAL, model_reasoning_harm)                                                                                      \
    X(REAL, model_complies)                                                                                            \
    X(REAL, model_complies_answer)                                                                                     \
    X(TEXT, user)                                                                                                      \
    X(ORDER, seq)

/* What a list that grows while one looks needs: likewise. */
#define STORE_LIVE_FIELDS(X)                                                                                           \
    X(TEXT, id)                                                                                                        \
    X(TEXT, started_at)                                                                                                \
    X(NUMBER, started_at_us)                                                                                           \
    X(FLAG, final)                                                                                                     \
    X(TEXT, request_id)                                                                                                \
    X(TEXT, route)                                                                                                     \
    X(TEXT, model)                                                                                                     \
    X(TEXT, key)                                                                                                       \
    X(TEXT, policy)                                                                                                    \
    X(TEXT, policy_version)                                                                                            \
    X(FLAG, streamed)                                                                                                  \
    X(NUMBER, status)                                                                                                  \
    X(TEXT, ending)                                                                                                    \
    X(TEXT, verdict)                                                                                                   \
    X(TEXT, action)                                                                                                    \
    X(TEXT, shadow)                                                                                                    \
    X(REAL, prompt_risk)                                                                                               \
    X(REAL, trace_risk)                                                                                                \
    X(NUMBER, attempts)                                                                                                \
    X(NUMBER, findings)                                                                                                \
    X(NUMBER, duration_us)                                                                                             \
    X(ORDER, seq)

/* What a client may know of a decision of its own: members of the same struct. */
#define STORE_OUTCOME_FIELDS(X)                                                                                        \
    X(TEXT, id)                                                                                                        \
    X(TEXT, started_at)                                                                                                \
    X(FLAG, final)                                                                                                     \
    X(TEXT, request_id)                                                                                                \
    X(TEXT, model)                                                                                                     \
    X(TEXT, policy)                                                                                                    \
    X(TEXT, policy_version)                                                                                            \
    X(NUMBER, status)                                                                                                  \
    X(TEXT, ending)                                                                                                    \
    X(TEXT, verdict)                                                                                                   \
    X(TEXT, action)                                                                                                    \
    X(NUMBER, attempts)                                                                                                \
    X(NUMBER, findings)                                                                                                \
    X(NUMBER, prompt_tokens)                                                                                           \
    X(NUMBER, completion_tokens)                                                                                       \
    X(NUMBER, reasoning_tokens)                                                                                        \
    X(NUMBER, duration_us)                                                                                             \
    X(NUMBER, reasoning_released)                                                                                      \
    X(NUMBER, reasoning_redacted)                                                                                      \
    X(NUMBER, answer_released)                                                                                         \
    X(NUMBER, answer_redacted)                                                                                         \
    X(NUMBER, tool_released)                                                                                           \
    X(NUMBER, tool_redacted)                                                                                           \
    X(TEXT, dropped_fields)                                                                                            \
    X(NUMBER, unjudged_parts)

/* One upstream call of a decision. */
#define STORE_ATTEMPT_FIELDS(X)                                                                                        \
    X(NUMBER, n)                                                                                                       \
    X(TEXT, template)                                                                                                  \
    X(TEXT, delivery)                                                                                                  \
    X(TEXT, reason)                                                                                                    \
    X(NUMBER, started_us)                                                                                              \
    X(NUMBER, first_byte_us)                                                                                           \
    X(NUMBER, ended_us)                                                                                                \
    X(NUMBER, status)                                                                                                  \
    X(TEXT, outcome)                                                                                                   \
    X(MAYBE, may_continue)                                                                                             \
    X(NUMBER, choices)

/* One finding of a decision. */
#define STORE_FINDING_FIELDS(X)                                                                                        \
    X(NUMBER, n)                                                                                                       \
    X(TEXT, kind)                                                                                                      \
    X(TEXT, id)                                                                                                        \
    X(TEXT, action)                                                                                                    \
    X(FLAG, shadow)                                                                                                    \
    X(TEXT, channel)                                                                                                   \
    X(NUMBER, choice)                                                                                                  \
    X(NUMBER, attempt)                                                                                                 \
    X(NUMBER, offset)                                                                                                  \
    X(NUMBER, len)                                                                                                     \
    X(REAL, score)                                                                                                     \
    X(JSON, steps)                                                                                                     \
    X(TEXT, evidence)                                                                                                  \
    X(TEXT, judge)                                                                                                     \
    X(TEXT, severity)                                                                                                  \
    X(JSON, tags)

/* One question to a judge. */
#define STORE_OPINION_FIELDS(X)                                                                                        \
    X(NUMBER, n)                                                                                                       \
    X(TEXT, panel)                                                                                                     \
    X(TEXT, judge)                                                                                                     \
    X(NUMBER, attempt)                                                                                                 \
    X(NUMBER, choice)                                                                                                  \
    X(TEXT, channel)                                                                                                   \
    X(NUMBER, offset)                                                                                                  \
    X(NUMBER, len)                                                                                                     \
    X(TEXT, outcome)                                                                                                   \
    X(REAL, risk)                                                                                                      \
    X(TEXT, categories)                                                                                                \
    X(NUMBER, took_ms)                                                                                                 \
    X(FLAG, was_known)                                                                                                 \
    X(NUMBER, heard)                                                                                                   \
    X(TEXT, patterns)                                                                                                  \
    X(NUMBER, said)

/* One kept text of a decision. */
#define STORE_TEXT_FIELDS(X)                                                                                           \
    X(NUMBER, n)                                                                                                       \
    X(TEXT, channel)                                                                                                   \
    X(NUMBER, attempt)                                                                                                 \
    X(NUMBER, choice)                                                                                                  \
    X(TEXT, speaker)                                                                                                   \
    X(TEXT, form)                                                                                                      \
    X(NUMBER, origin)                                                                                                  \
    X(NUMBER, len)                                                                                                     \
    X(FLAG, whole)                                                                                                     \
    X(JSON, masks)                                                                                                     \
    X(JSON, found)                                                                                                     \
    X(JSON, turns)                                                                                                     \
    X(NUMBER, series)                                                                                                  \
    X(TEXT, text)

#define STORE_MEMBER_TEXT(name) const char *name;
#define STORE_MEMBER_JSON(name) const char *name;
#define STORE_MEMBER_NUMBER(name) int64_t name;
#define STORE_MEMBER_ORDER(name) int64_t name;
#define STORE_MEMBER_REAL(name) double name;
#define STORE_MEMBER_FLAG(name) bool name;
#define STORE_MEMBER_MAYBE(name) int64_t name;
#define STORE_MEMBER(type, name) STORE_MEMBER_##type(name)

struct store_decision_row {
    STORE_DECISION_FIELDS(STORE_MEMBER)
};
struct store_attempt_row {
    STORE_ATTEMPT_FIELDS(STORE_MEMBER)
};
struct store_finding_row {
    STORE_FINDING_FIELDS(STORE_MEMBER)
};
struct store_opinion_row {
    STORE_OPINION_FIELDS(STORE_MEMBER)
};
struct store_text_row {
    STORE_TEXT_FIELDS(STORE_MEMBER)
};
/* What statistics need of a decision. */
struct store_request_row {
    int64_t started_at_us;
    const char *verdict, *ending;
    int64_t duration_us, client_first_byte_us; /* or STORE_UNKNOWN */
};

/* What the sums of a bucket count, in this order; all but the maximum can be added up. */
enum store_sum_count {
    STORE_SUM_ALLOW,
    STORE_SUM_REDACT,
    STORE_SUM_STEER,
    STORE_SUM_REFUSE,
    STORE_SUM_CUT,
    STORE_SUM_NONE,
    STORE_SUM_SHADOWED,
    STORE_SUM_RESTARTS,
    STORE_SUM_FINDINGS,
    STORE_SUM_FAILED,
    STORE_SUM_HELD_MAX, /* the maximum */
    STORE_SUM_UNJUDGED,
    STORE_SUM_COUNTS
};
enum { STORE_SUM_VERDICTS = STORE_SUM_NONE + 1 };
/* Latencies, each in the form of base/spread.h. */
enum store_sum_spread { STORE_SUM_ADDED, STORE_SUM_FIRST_BYTE, STORE_SUM_DURATION, STORE_SUM_SPREADS };
struct store_bytes {
    const unsigned char *bytes;
    size_t len;
};
/* Requests of a bucket that begins at `at_us`. */
struct store_sum_row {
    int64_t at_us;
    const char *policy_version; /* NULL: of all policies together */
    int64_t counts[STORE_SUM_COUNTS];
    struct store_bytes spreads[STORE_SUM_SPREADS];
};
/* Requests of a bucket with a finding. */
struct store_finding_sum_row {
    int64_t at_us;
    const char *policy_version; /* likewise */
    const char *kind, *name;
    int64_t enforced, shadow, last_seen_us;
    struct store_bytes position;
};
/* What somebody says of a finding. */
struct store_feedback_row {
    int64_t n; /* the finding's */
    const char *verdict, *note, *by;
    int64_t at_us;
};
/* A value that a filter can have. */
struct store_facet_row {
    const char *kind, *value;
    const char *policy; /* the name of a policy whose version it is */
    int64_t requests, first_seen_us, last_seen_us;
};

/* The members of a row; a list ends with a name of NULL. */
struct store_field {
    const char *name;
    enum store_field_type type;
    size_t offset;
};
extern const struct store_field store_decision_fields[], store_outcome_fields[], store_live_fields[],
    store_attempt_fields[], store_finding_fields[], store_opinion_fields[], store_text_fields[];

/* Fields of a row as an object. Returns owned, NULL when out of memory. */
json_t *store_row_json(const struct store_field *fields, const void *row);

#endif
