-- Sums over time, the values that filters can have, and what people say of findings; more indexes for filters.
-- SPDX-License-Identifier: Apache-2.0
--
-- What is here already is added to the sums in small steps after the start (sums_fill_*); what comes from now on is
-- added in the transaction of its decision.

-- Every value once: a sum refers to it by its number. At most 1,000 of a kind; 0 stands for all beyond.
CREATE TABLE facets (
    number        INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL, -- route, model, key, policy (its version), verdict, ending, pattern, rule, judge
    value         TEXT NOT NULL, -- '': unknown
    requests      INTEGER NOT NULL, -- finished ones; written about once a second
    first_seen_us INTEGER NOT NULL,
    last_seen_us  INTEGER NOT NULL,
    UNIQUE (kind, value)
);

-- Finished requests by the time at which they began. Minutes are kept for 8 days, hours for 400, days for ever. An hour or
-- a day holds the minutes before `sums_rolled_minute`; add the minutes from there on.
CREATE TABLE sums (
    level          INTEGER NOT NULL, -- minutes of a bucket: 1, 60, 1440
    scope          INTEGER NOT NULL, -- 0: all requests together, 1: by route, model, key and policy version
    bucket         INTEGER NOT NULL, -- when it begins: minutes since the Unix epoch
    route          INTEGER NOT NULL,
    model          INTEGER NOT NULL,
    key            INTEGER NOT NULL,
    policy         INTEGER NOT NULL,
    allow          INTEGER NOT NULL, -- requests with this verdict
    redact         INTEGER NOT NULL,
    steer          INTEGER NOT NULL,
    refuse         INTEGER NOT NULL,
    cut            INTEGER NOT NULL,
    none           INTEGER NOT NULL,
    shadowed       INTEGER NOT NULL,
    restarts       INTEGER NOT NULL,
    findings       INTEGER NOT NULL,
    failed         INTEGER NOT NULL,
    held_bytes_max INTEGER NOT NULL,
    unjudged_bytes INTEGER NOT NULL,
    added          BLOB, -- microseconds, in the form of server/base/spread.h
    first_byte     BLOB,
    duration       BLOB,
    PRIMARY KEY (level, scope, bucket, route, model, key, policy)
) WITHOUT ROWID;

-- Requests with a finding, likewise.
CREATE TABLE finding_sums (
    level        INTEGER NOT NULL,
    scope        INTEGER NOT NULL,
    bucket       INTEGER NOT NULL,
    route        INTEGER NOT NULL,
    model        INTEGER NOT NULL,
    key          INTEGER NOT NULL,
    policy       INTEGER NOT NULL,
    finding      INTEGER NOT NULL, -- a facet of the kind pattern, rule or judge
    enforced     INTEGER NOT NULL, -- requests in which one was not in shadow
    shadow       INTEGER NOT NULL, -- the others
    last_seen_us INTEGER NOT NULL,
    position     BLOB, -- bytes: the offset of a request's first
    PRIMARY KEY (level, scope, bucket, route, model, key, policy, finding)
) WITHOUT ROWID;

CREATE TABLE feedback (
    decision INTEGER NOT NULL,
    n        INTEGER NOT NULL, -- the finding's
    kind     TEXT NOT NULL, -- the finding's
    name     TEXT NOT NULL,
    started_at_us INTEGER NOT NULL, -- the decision's
    verdict  TEXT NOT NULL, -- right, wrong
    note     TEXT NOT NULL,
    by       TEXT, -- the name of the token
    at_us    INTEGER NOT NULL,
    PRIMARY KEY (decision, n)
) WITHOUT ROWID;
CREATE INDEX feedback_by_time ON feedback (at_us);
CREATE INDEX feedback_by_finding ON feedback (kind, name, started_at_us, verdict);

INSERT INTO facts (name, value) VALUES
    ('sums_fill_at', 0),
    ('sums_fill_end', (SELECT coalesce(max(seq), 0) FROM decisions)),
    ('sums_rolled_minute', CAST(strftime('%s') AS INTEGER) / 60);

CREATE INDEX decisions_by_key ON decisions (key, started_at_us) WHERE key IS NOT NULL;
CREATE INDEX decisions_by_ending ON decisions (ending, started_at_us) WHERE ending <> 'complete';
-- Ids that clients chose; Rein's own is the decision's id. By hours, so that new entries are next to each other.
CREATE INDEX decisions_by_request ON decisions (started_at_us / 3600000000, request_id) WHERE request_id <> id;

CREATE VIEW v_feedback AS
SELECT d.id AS decision_id, f.started_at_us, f.n, f.kind, f.name, f.verdict, f.note, f.by, f.at_us
  FROM feedback AS f
  JOIN decisions AS d ON d.seq = f.decision;
