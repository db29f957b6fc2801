-- Decisions, their attempts, findings and kept text.
-- SPDX-License-Identifier: Apache-2.0
--
-- The tables are Rein's own and may change with any release; what dashboards read is the views (0002).
-- Times are microseconds: *_at_us since the Unix epoch, other *_us since the request began. Unknown is NULL.

-- Each policy version once: a decision refers to it by a small number, which keeps rows and indexes short.
CREATE TABLE policies (
    number  INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE, -- SHA-256 of all that the policy resolves to; '' for requests that met no policy
    name    TEXT NOT NULL
);

CREATE TABLE decisions (
    seq                    INTEGER PRIMARY KEY, -- the order of first commits; internal
    id                     TEXT NOT NULL UNIQUE, -- UUID version 7: sorts by time
    request_id             TEXT,
    started_at_us          INTEGER NOT NULL,
    final                  INTEGER NOT NULL, -- 0: committed before the end, the request goes on
    route                  TEXT,
    model                  TEXT,
    upstream               TEXT,
    key                    TEXT, -- the name of the client's key, never the key
    tenant                 TEXT,
    dialect                TEXT,
    policy                 INTEGER NOT NULL REFERENCES policies (number),
    template               TEXT, -- of the first attempt, as the policy asked for
    delivery               TEXT, -- likewise: off, instruct, prefill
    streamed               INTEGER NOT NULL,
    status                 INTEGER NOT NULL, -- HTTP status that the client got, 0: none
    ending                 TEXT NOT NULL, -- how it ended for the client
    verdict                TEXT NOT NULL, -- allow, redact, steer, refuse, cut; none: never judged
    action                 TEXT NOT NULL, -- the strongest action of all findings, finer than the verdict
    shadow                 TEXT NOT NULL, -- the strongest action that shadow findings would have had
    reasoning              TEXT NOT NULL, -- evaluable, not_evaluable
    prompt_risk            REAL NOT NULL,
    trace_risk             REAL NOT NULL,
    harms                  TEXT NOT NULL, -- harm categories of the prompt, separated by commas
    score_lack_of_safety_awareness REAL NOT NULL,
    score_strong_vacillation       REAL NOT NULL,
    score_weak_vacillation         REAL NOT NULL,
    score_harmful_additions        REAL NOT NULL,
    score_inconsistency_complies   REAL NOT NULL,
    score_inconsistency_refuses    REAL NOT NULL,
    attempts               INTEGER NOT NULL,
    findings               INTEGER NOT NULL,
    first_finding_bytes    INTEGER NOT NULL, -- reasoning received when the first enforced finding was made, 0: none
    upstream_first_byte_us INTEGER,
    client_first_byte_us   INTEGER,
    duration_us            INTEGER,
    prompt_tokens          INTEGER, -- tokens: the upstream's own figures
    completion_tokens      INTEGER,
    reasoning_tokens       INTEGER,
    events                 INTEGER NOT NULL,
    garbage_events         INTEGER NOT NULL,
    bytes_in               INTEGER NOT NULL,
    bytes_out              INTEGER NOT NULL,
    -- Bytes of decoded text for each channel.
    prompt_received INTEGER NOT NULL, prompt_scanned INTEGER NOT NULL, prompt_released INTEGER NOT NULL,
    prompt_redacted INTEGER NOT NULL, prompt_held_max INTEGER NOT NULL,
    reasoning_received INTEGER NOT NULL, reasoning_scanned INTEGER NOT NULL, reasoning_released INTEGER NOT NULL,
    reasoning_redacted INTEGER NOT NULL, reasoning_held_max INTEGER NOT NULL,
    answer_received INTEGER NOT NULL, answer_scanned INTEGER NOT NULL, answer_released INTEGER NOT NULL,
    answer_redacted INTEGER NOT NULL, answer_held_max INTEGER NOT NULL,
    tool_received INTEGER NOT NULL, tool_scanned INTEGER NOT NULL, tool_released INTEGER NOT NULL,
    tool_redacted INTEGER NOT NULL, tool_held_max INTEGER NOT NULL,
    other_received INTEGER NOT NULL, other_scanned INTEGER NOT NULL, other_released INTEGER NOT NULL,
    other_redacted INTEGER NOT NULL, other_held_max INTEGER NOT NULL
);

-- Paging by time, and all that statistics need without touching a row. The newest entries are at the end of the tree.
CREATE INDEX decisions_by_time
    ON decisions (started_at_us, verdict, ending, duration_us, client_first_byte_us);
-- One filter each, in time order. Most decisions are `allow`, so that one is found by time.
CREATE INDEX decisions_by_route ON decisions (route, started_at_us);
CREATE INDEX decisions_by_model ON decisions (model, started_at_us);
CREATE INDEX decisions_by_policy ON decisions (policy, started_at_us);
CREATE INDEX decisions_by_verdict ON decisions (verdict, started_at_us) WHERE verdict <> 'allow';
-- What a crash leaves open.
CREATE INDEX decisions_open ON decisions (seq) WHERE final = 0;

CREATE TABLE attempts (
    decision      INTEGER NOT NULL,
    n             INTEGER NOT NULL, -- 0 is the first
    template      TEXT,
    delivery      TEXT NOT NULL,
    reason        TEXT, -- why this delivery
    started_us    INTEGER,
    first_byte_us INTEGER,
    ended_us      INTEGER,
    status        INTEGER NOT NULL, -- HTTP, 0: none
    outcome       TEXT,
    PRIMARY KEY (decision, n)
) WITHOUT ROWID;

CREATE TABLE findings (
    decision      INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    started_at_us INTEGER NOT NULL, -- the decision's
    kind          TEXT NOT NULL, -- pattern, rule
    name          TEXT NOT NULL,
    first         INTEGER NOT NULL, -- 1: the first of its kind and name in the decision
    action        TEXT NOT NULL,
    shadow        INTEGER NOT NULL, -- 1: not acted on
    channel       TEXT NOT NULL,
    choice        INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    offset        INTEGER NOT NULL, -- bytes of the channel's decoded text
    len           INTEGER NOT NULL,
    score         REAL NOT NULL,
    steps         TEXT NOT NULL, -- JSON: [{"signal", "sentence", "offset", "len"}]
    PRIMARY KEY (decision, n)
) WITHOUT ROWID;
CREATE INDEX findings_by_name ON findings (kind, name, started_at_us, decision) WHERE first = 1;

-- Kept text, in a table of its own so that it can be purged apart.
CREATE TABLE texts (
    decision INTEGER NOT NULL,
    kind     TEXT NOT NULL, -- evidence; later: redacted, full
    n        INTEGER NOT NULL, -- evidence: the finding's n
    channel  TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (decision, kind, n)
) WITHOUT ROWID;

-- Facts about the store itself.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
