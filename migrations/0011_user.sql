-- Who a request says its user is, as a hash with a key of the server's own, so that what belongs to a user can be erased.
-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE decisions ADD COLUMN user TEXT;
CREATE INDEX decisions_by_user ON decisions (user, seq) WHERE user IS NOT NULL;

DROP VIEW v_decisions;
CREATE VIEW v_decisions AS
SELECT d.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', d.started_at_us / 1000000.0, 'unixepoch') AS started_at,
       d.started_at_us,
       d.final, -- 0: the request is still running
       d.request_id, d.route, d.model, d.upstream, d.key, d.tenant, d.dialect,
       p.name AS policy,
       p.version AS policy_version,
       d.template, d.delivery, d.streamed, d.status,
       d.ending, -- 'lost': the server died before the end
       d.verdict, d.action, d.shadow, d.reasoning, d.prompt_risk, d.trace_risk, d.harms,
       d.score_lack_of_safety_awareness, d.score_strong_vacillation, d.score_weak_vacillation,
       d.score_harmful_additions, d.score_inconsistency_complies, d.score_inconsistency_refuses,
       d.attempts, d.findings, d.first_finding_bytes,
       d.upstream_first_byte_us, d.client_first_byte_us, d.duration_us,
       d.prompt_tokens, d.completion_tokens, d.reasoning_tokens,
       d.events, d.garbage_events, d.bytes_in, d.bytes_out,
       d.prompt_received, d.prompt_scanned, d.prompt_released, d.prompt_redacted, d.prompt_held_max,
       d.reasoning_received, d.reasoning_scanned, d.reasoning_released, d.reasoning_redacted, d.reasoning_held_max,
       d.answer_received, d.answer_scanned, d.answer_released, d.answer_redacted, d.answer_held_max,
       d.tool_received, d.tool_scanned, d.tool_released, d.tool_redacted, d.tool_held_max,
       d.other_received, d.other_scanned, d.other_released, d.other_redacted, d.other_held_max,
       d.upstream_error, -- JSON object: status, type, code and text of the upstream's last HTTP error
       d.dropped_fields, -- as in the header x-rein-dropped; NULL: none
       d.unjudged_parts, -- images, audio and files of the request
       d.score_outcome_risk_reasoning, d.score_outcome_risk_answer,
       d.model_prompt_harm, d.model_reasoning_harm, d.model_complies, d.model_complies_answer,
       d.user, -- a hash of who the request says its user is; NULL: it says nothing, or it was erased
       d.seq -- breaks ties of started_at_us when paging
  FROM decisions AS d
  JOIN policies AS p ON p.number = d.policy;
