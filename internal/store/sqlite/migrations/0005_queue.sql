-- Who has a job is only known to the process that works on the file, and ends with
-- it: the table holds which jobs there are. A number may be given again after a
-- restart, when no lease of it is left.
CREATE TABLE queue (
  id        INTEGER PRIMARY KEY,
  kind      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  order_key BLOB, -- NULL: no order
  due_at    INTEGER NOT NULL
) STRICT;
INSERT INTO queue SELECT id, kind, subject, order_key, due_at FROM jobs;
DROP TABLE jobs;
ALTER TABLE queue RENAME TO jobs;

-- The process that works on the file knows the pending verifications of a binding.
DROP INDEX verifications_binding;

-- Attempts stand with those of their verification: one tree less to write for each.
CREATE TABLE tries (
  id            TEXT NOT NULL UNIQUE,
  verification  TEXT NOT NULL,
  account       TEXT NOT NULL,
  n             INTEGER NOT NULL,
  send          INTEGER NOT NULL,
  step          INTEGER NOT NULL,
  channel       TEXT NOT NULL,
  route         TEXT NOT NULL,
  state         TEXT NOT NULL,
  ref           TEXT NOT NULL,
  outcome       TEXT NOT NULL,
  reason        TEXT NOT NULL,
  may_have_rung INTEGER NOT NULL,
  fault         TEXT NOT NULL,
  permanent     INTEGER NOT NULL,
  gate          TEXT NOT NULL,
  ungated       INTEGER NOT NULL,
  screen        BLOB,
  gate_passed   INTEGER NOT NULL,
  readouts      INTEGER NOT NULL,
  stop          TEXT NOT NULL,
  created_at    INTEGER NOT NULL,
  dialled_at    INTEGER NOT NULL,
  answered_at   INTEGER NOT NULL,
  ended_at      INTEGER NOT NULL,
  rung_at       INTEGER NOT NULL,
  gate_at       INTEGER NOT NULL,
  PRIMARY KEY (verification, n)
) STRICT, WITHOUT ROWID;
INSERT INTO tries SELECT id, verification, account, n, send, step, channel, route, state, ref, outcome, reason, may_have_rung,
  fault, permanent, gate, ungated, screen, gate_passed, readouts, stop, created_at, dialled_at, answered_at, ended_at,
  rung_at, gate_at FROM attempts ORDER BY verification, n;
DROP TABLE attempts;
ALTER TABLE tries RENAME TO attempts;
