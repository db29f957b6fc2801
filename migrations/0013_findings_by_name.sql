-- Decisions with a finding are found in the index alone: `first` is a part of it, so that no finding is read to check it.
-- SPDX-License-Identifier: Apache-2.0

DROP INDEX findings_by_name;
CREATE INDEX findings_by_name ON findings (kind, name, started_at_us, decision, first) WHERE first = 1;
