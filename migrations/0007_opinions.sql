-- Questions to judges and what became of them; and which judge a finding is due to.
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE opinions (
    decision   INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    panel      TEXT NOT NULL,
    judge      TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    choice     INTEGER NOT NULL,
    channel    TEXT NOT NULL,
    offset     INTEGER NOT NULL, -- bytes of the channel's decoded text: what came since the question before
    len        INTEGER NOT NULL,
    outcome    TEXT NOT NULL, -- opined; no opinion: open, unparsed, timed_out, failed, busy, left_alone
    risk       REAL, -- 0 to 1; NULL: no opinion
    categories TEXT, -- the judge's own names, joined by commas; NULL: none
    took_ms    INTEGER NOT NULL, -- from the question to the answer
    was_known  INTEGER NOT NULL, -- 1: the opinion was given before, about the same text
    PRIMARY KEY (decision, n)
) WITHOUT ROWID;

ALTER TABLE findings ADD COLUMN judge TEXT;

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
       f.judge -- whose opinion it is; NULL: what words show
  FROM findings AS f
  JOIN decisions AS d ON d.seq = f.decision
  JOIN policies AS p ON p.number = d.policy
  LEFT JOIN texts AS t ON t.decision = f.decision AND t.kind = 'evidence' AND t.n = f.n;

-- One row for each question to a judge.
CREATE VIEW v_opinions AS
SELECT d.id AS decision_id, d.started_at_us, d.route, d.model, d.verdict,
       p.name AS policy, p.version AS policy_version,
       o.n, o.panel, o.judge, o.attempt, o.choice, o.channel, o.offset, o.len,
       o.outcome, o.risk, o.categories, o.took_ms, o.was_known
  FROM opinions AS o
  JOIN decisions AS d ON d.seq = o.decision
  JOIN policies AS p ON p.number = d.policy;
