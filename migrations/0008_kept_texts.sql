-- The texts of prompts and responses, where a policy keeps them (log.text), and until when text stays.
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE kept_texts (
    decision      INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    channel       TEXT NOT NULL, -- prompt, reasoning, answer, tool
    attempt       INTEGER NOT NULL,
    choice        INTEGER NOT NULL,
    speaker       TEXT,
    form          TEXT NOT NULL, -- redacted, full
    origin        INTEGER NOT NULL,
    len           INTEGER NOT NULL,
    whole         INTEGER NOT NULL,
    masks         TEXT NOT NULL,
    found         TEXT NOT NULL,
    keep_until_us INTEGER, -- the policy's log.keep_days; NULL: as long as the store says
    text          TEXT NOT NULL
);
CREATE UNIQUE INDEX kept_texts_by_decision ON kept_texts (decision, n);
CREATE INDEX kept_texts_by_end ON kept_texts (keep_until_us) WHERE keep_until_us IS NOT NULL;

ALTER TABLE texts ADD COLUMN keep_until_us INTEGER;
CREATE INDEX texts_by_end ON texts (keep_until_us) WHERE keep_until_us IS NOT NULL;

-- One row for each kept text of a decision.
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
       t.found, -- JSON array of the rules' matches that are masked: offset, len, rule
       t.text
  FROM kept_texts AS t
  JOIN decisions AS d ON d.seq = t.decision;
