-- What decisions with masked text need to be judged again: what detectors read, what judges had heard and named, and
-- whether an attempt could have been continued. All are NULL in rows from before.
-- SPDX-License-Identifier: Apache-2.0

-- Sums of weights, no text. They go with the text, and no view shows them: only `rein backtest` reads them.
ALTER TABLE kept_texts ADD COLUMN readings BLOB; -- NULL: nothing of the decision's text is masked, or it was too much
ALTER TABLE kept_texts ADD COLUMN turns TEXT;
ALTER TABLE kept_texts ADD COLUMN series INTEGER;
ALTER TABLE opinions ADD COLUMN heard INTEGER;
ALTER TABLE opinions ADD COLUMN patterns TEXT;
ALTER TABLE opinions ADD COLUMN said INTEGER;
ALTER TABLE attempts ADD COLUMN may_continue INTEGER;
ALTER TABLE attempts ADD COLUMN choices INTEGER;
ALTER TABLE decisions ADD COLUMN attempt_may_continue INTEGER; -- of the first attempt
ALTER TABLE decisions ADD COLUMN attempt_choices INTEGER;

DROP VIEW v_attempts;
CREATE VIEW v_attempts AS
SELECT d.id AS decision_id, d.started_at_us, d.route, d.model, d.upstream,
       0 AS n, -- 0 is the first; later ones are restarts
       d.template, d.delivery, d.attempt_reason AS reason, d.attempt_started_us AS started_us,
       d.attempt_first_byte_us AS first_byte_us, d.attempt_ended_us AS ended_us, d.attempt_status AS status,
       d.attempt_outcome AS outcome,
       d.attempt_may_continue AS may_continue, -- 1: it has no prefill, and a restart may have been able to continue it
       d.attempt_choices AS choices -- that it was asked for
  FROM decisions AS d
 WHERE d.attempts > 0
 UNION ALL
SELECT d.id, d.started_at_us, d.route, d.model, d.upstream,
       a.n, a.template, a.delivery, a.reason, a.started_us, a.first_byte_us, a.ended_us, a.status, a.outcome,
       a.may_continue, a.choices
  FROM attempts AS a
  JOIN decisions AS d ON d.seq = a.decision;

DROP VIEW v_opinions;
CREATE VIEW v_opinions AS
SELECT d.id AS decision_id, d.started_at_us, d.route, d.model, d.verdict,
       p.name AS policy, p.version AS policy_version,
       o.n, o.panel, o.judge, o.attempt, o.choice, o.channel, o.offset, o.len,
       o.outcome, o.risk, o.categories, o.took_ms, o.was_known,
       o.heard, -- how far the attempt had come before the answer: bytes of its texts, one more for each text that had
                -- ended, and one for its end
       o.patterns, -- that the judge named, joined by commas; NULL: none
       o.said -- the answer's number among all answers, as they came; from 0
  FROM opinions AS o
  JOIN decisions AS d ON d.seq = o.decision
  JOIN policies AS p ON p.number = d.policy;

DROP VIEW v_texts;
CREATE VIEW v_texts AS
SELECT d.id AS decision_id, d.started_at_us,
       t.n, -- the prompt's messages first, then by attempt and choice; from 0
       t.channel, t.attempt, t.choice,
       t.speaker, -- of a message of the prompt; else NULL
       t.form, -- redacted: all that a rule found is masked; full: what is secret or personal is masked
       t.origin, -- findings count offsets from so many bytes before the text: a restart goes on from what was shown
       t.len, -- bytes of decoded text received
       t.whole, -- 1: all of it is kept; 0: its end was cut off (log.max_bytes)
       t.masks, -- JSON array of masked spans: offset, len, rule, restored_len; in order, not overlapping
       t.found, -- JSON array of all matches of the text's own rules, if any text of the decision is masked: offset,
                -- len, rule, and at, the byte before which it was decided (absent: where it ends; null: the text's end
                -- decided it). Of rows from before this migration: those alone that are masked, in part or as a whole
       t.turns, -- JSON array of pairs, in order: how far the attempt had come (as v_opinions.heard), and how many bytes of
                -- the text came then without another text in between; [] for too many. NULL: the texts of the response came
                -- one after the other, or a row from before this migration
       t.series, -- of reasoning: texts with the same number are one to the patterns; NULL: it is alone, or a row from before
                 -- this migration
       t.text
  FROM kept_texts AS t
  JOIN decisions AS d ON d.seq = t.decision;
