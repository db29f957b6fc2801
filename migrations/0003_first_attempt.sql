-- The first attempt moves into its decision's row: most requests have no other.
-- SPDX-License-Identifier: Apache-2.0
--
-- Its template and delivery are there already. The table attempts keeps the later ones; v_attempts shows all, as before.

ALTER TABLE decisions ADD COLUMN attempt_reason TEXT;
ALTER TABLE decisions ADD COLUMN attempt_started_us INTEGER;
ALTER TABLE decisions ADD COLUMN attempt_first_byte_us INTEGER;
ALTER TABLE decisions ADD COLUMN attempt_ended_us INTEGER;
ALTER TABLE decisions ADD COLUMN attempt_status INTEGER;
ALTER TABLE decisions ADD COLUMN attempt_outcome TEXT;

UPDATE decisions
   SET (attempt_reason, attempt_started_us, attempt_first_byte_us, attempt_ended_us, attempt_status, attempt_outcome) =
       (SELECT reason, started_us, first_byte_us, ended_us, status, outcome
          FROM attempts WHERE decision = seq AND n = 0)
 WHERE attempts > 0;
DELETE FROM attempts WHERE n = 0;

DROP VIEW v_attempts;
CREATE VIEW v_attempts AS
SELECT d.id AS decision_id, d.started_at_us, d.route, d.model, d.upstream,
       0 AS n, -- 0 is the first; later ones are restarts
       d.template, d.delivery, d.attempt_reason AS reason, d.attempt_started_us AS started_us,
       d.attempt_first_byte_us AS first_byte_us, d.attempt_ended_us AS ended_us, d.attempt_status AS status,
       d.attempt_outcome AS outcome
  FROM decisions AS d
 WHERE d.attempts > 0
 UNION ALL
SELECT d.id, d.started_at_us, d.route, d.model, d.upstream,
       a.n, a.template, a.delivery, a.reason, a.started_us, a.first_byte_us, a.ended_us, a.status, a.outcome
  FROM attempts AS a
  JOIN decisions AS d ON d.seq = a.decision;
