-- How bad a finding is, and the names that its rule gives it.
-- SPDX-License-Identifier: Apache-2.0

ALTER TABLE findings ADD COLUMN severity TEXT; -- info, low, medium, high, critical; NULL: the rule says nothing
ALTER TABLE findings ADD COLUMN tags TEXT NOT NULL DEFAULT '[]'; -- JSON array of names

DROP VIEW v_findings;
CREATE VIEW v_findings AS
SELECT d.id AS decision_id, f.started_at_us, d.route, d.model, d.verdict,
       p.name AS policy, p.version AS policy_version,
       f.n,
       f.kind, -- pattern, rule, judge
       f.name, -- of a judge's finding: the panel, or the pattern that the judge has named
       f.action,
       f.shadow, -- 1: action is what it would have done
       f.channel, f.choice, f.attempt, f.offset, f.len, f.score,
       f.steps, -- JSON array: what led to the finding, in order
       t.text AS evidence,
       f.judge, -- whose opinion it is; NULL: what words show
       f.severity, -- info, low, medium, high, critical; NULL: the rule says nothing
       f.tags -- JSON array of names
  FROM findings AS f
  JOIN decisions AS d ON d.seq = f.decision
  JOIN policies AS p ON p.number = d.policy
  LEFT JOIN texts AS t ON t.decision = f.decision AND t.kind = 'evidence' AND t.n = f.n;
