/* Every name that a collector sees. A published interface: names are added, never changed.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where OpenTelemetry has a name for it, it is that one (http.*, gen_ai.*). Never a text of a request or response. */
#ifndef SERVER_TELEMETRY_NAMES_H
#define SERVER_TELEMETRY_NAMES_H

#define OTLP_SERVICE "rein"
#define OTLP_SCOPE "rein"

/* spans */
#define OTLP_SPAN_REQUEST "rein.request" /* of the kind server: one request of a client */
#define OTLP_SPAN_ATTEMPT "rein.attempt" /* of the kind client: one upstream call for it */

/* attributes of a request */
#define OTLP_DECISION "rein.decision" /* the decision's id */
#define OTLP_REQUEST_ID "rein.request_id"
#define OTLP_ROUTE "rein.route"
#define OTLP_POLICY "rein.policy" /* name and the beginning of its version */
#define OTLP_VERDICT "rein.verdict"
#define OTLP_ENDING "rein.ending"
#define OTLP_FINDINGS "rein.findings" /* how many */
#define OTLP_MODEL "gen_ai.request.model"
#define OTLP_INPUT_TOKENS "gen_ai.usage.input_tokens"
#define OTLP_OUTPUT_TOKENS "gen_ai.usage.output_tokens"
#define OTLP_STATUS "http.response.status_code"
#define OTLP_PATH "url.path"

/* attributes of an attempt */
#define OTLP_ATTEMPT "rein.attempt.number" /* 0 is the first */
#define OTLP_OUTCOME "rein.attempt.outcome"

/* attributes of a log record: one for each finding */
#define OTLP_FINDING_KIND "rein.finding.kind"
#define OTLP_FINDING_NAME "rein.finding.name"
#define OTLP_FINDING_ACTION "rein.finding.action"
#define OTLP_FINDING_SHADOW "rein.finding.shadow"
#define OTLP_FINDING_CHANNEL "rein.finding.channel"
#define OTLP_FINDING_SCORE "rein.finding.score"

#endif
