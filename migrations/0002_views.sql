-- The views that dashboards read: the stable surface of the database.
-- SPDX-License-Identifier: Apache-2.0
--
-- Columns are added, never renamed or removed. Filter by started_at_us and by route, model, policy_version or verdict:
-- those use indexes. Units are in the names; sizes are bytes; unknown is NULL; booleans are 0 and 1.

-- One row for each request.
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
       d.seq -- breaks ties of started_at_us when paging
  FROM decisions AS d
  JOIN policies AS p ON p.number = d.policy;

-- One row for each upstream call.
CREATE VIEW v_attempts AS
SELECT d.id AS decision_id, d.started_at_us, d.route, d.model, d.upstream,
       a.n, -- 0 is the first; later ones are restarts
       a.template, a.delivery, a.reason, a.started_us, a.first_byte_us, a.ended_us, a.status, a.outcome
  FROM attempts AS a
  JOIN decisions AS d ON d.seq = a.decision;

-- One row for each finding, with its evidence where the policy keeps it and it was not purged.
CREATE VIEW v_findings AS
SELECT d.id AS decision_id, f.started_at_us, d.route, d.model, d.verdict,
       p.name AS policy, p.version AS policy_version,
       f.n, f.kind, f.name, f.action,
       f.shadow, -- 1: action is what it would have done
       f.channel, f.choice, f.attempt, f.offset, f.len, f.score,
       f.steps, -- JSON array: what led to the finding, in order
       t.text AS evidence
  FROM findings AS f
  JOIN decisions AS d ON d.seq = f.decision
  JOIN policies AS p ON p.number = d.policy
  LEFT JOIN texts AS t ON t.decision = f.decision AND t.kind = 'evidence' AND t.n = f.n;

-- Requests and their outcome for each day (UTC), route, model and policy version.
CREATE VIEW v_daily AS
SELECT strftime('%Y-%m-%d', d.started_at_us / 1000000, 'unixepoch') AS day,
       d.route, d.model, p.name AS policy, p.version AS policy_version,
       count(*) AS requests,
       sum(d.verdict = 'allow') AS allowed,
       sum(d.verdict = 'redact') AS redacted,
       sum(d.verdict = 'steer') AS steered,
       sum(d.verdict = 'refuse') AS refused,
       sum(d.verdict = 'cut') AS cut,
       sum(d.verdict = 'none') AS unjudged,
       sum(d.ending = 'lost') AS lost,
       sum(d.shadow <> 'allow') AS shadowed,
       sum(d.attempts > 1) AS restarted,
       sum(d.prompt_tokens) AS prompt_tokens,
       sum(d.completion_tokens) AS completion_tokens,
       sum(d.reasoning_tokens) AS reasoning_tokens,
       avg(d.duration_us) AS duration_us_avg,
       avg(d.client_first_byte_us) AS client_first_byte_us_avg
  FROM decisions AS d
  JOIN policies AS p ON p.number = d.policy
 GROUP BY day, d.route, d.model, d.policy;

-- Findings for each day (UTC): what was found how often, and what came of it.
CREATE VIEW v_findings_daily AS
SELECT strftime('%Y-%m-%d', f.started_at_us / 1000000, 'unixepoch') AS day,
       f.kind, f.name, f.channel, f.action, f.shadow,
       count(*) AS findings,
       count(DISTINCT f.decision) AS decisions,
       avg(f.score) AS score_avg
  FROM findings AS f
 GROUP BY day, f.kind, f.name, f.channel, f.action, f.shadow;
