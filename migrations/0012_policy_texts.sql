-- What each policy version that was in use said.
-- SPDX-License-Identifier: Apache-2.0

CREATE TABLE policy_texts (
    policy          INTEGER PRIMARY KEY REFERENCES policies (number),
    first_active_us INTEGER NOT NULL,
    last_active_us  INTEGER, -- NULL: in use, as far as is known
    source          TEXT NOT NULL,
    resolved        TEXT NOT NULL,
    documents       TEXT NOT NULL
);

-- Versions that are known from decisions alone, of before this migration, have no texts.
CREATE VIEW v_policies AS
SELECT p.version, p.name,
       t.first_active_us AS first_active_at_us,
       t.last_active_us AS last_active_at_us, -- NULL: in use, or not known
       t.policy IS NOT NULL AND t.last_active_us IS NULL AS in_use,
       t.source, -- the file as it was written
       t.resolved, -- JSON: with the defaults, without comments
       t.documents -- JSON array: all that it resolves to, {"kind", "name", "sha256", "resolved"}; only templates have the last
  FROM policies AS p
  LEFT JOIN policy_texts AS t ON t.policy = p.number
 WHERE p.version <> '';
