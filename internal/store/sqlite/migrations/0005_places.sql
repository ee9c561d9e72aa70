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

-- An attempt's row is that of its verification times 4096, and its own number: it
-- is found without an index, and new rows stand at the end.
CREATE TABLE tries (
  row           INTEGER PRIMARY KEY,
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
  gate_at       INTEGER NOT NULL
) STRICT;
INSERT INTO tries SELECT v.n * 4096 + a.n, a.id, a.verification, a.account, a.n, a.send, a.step, a.channel, a.route, a.state,
  a.ref, a.outcome, a.reason, a.may_have_rung, a.fault, a.permanent, a.gate, a.ungated, a.screen, a.gate_passed, a.readouts,
  a.stop, a.created_at, a.dialled_at, a.answered_at, a.ended_at, a.rung_at, a.gate_at
  FROM verifications AS v JOIN attempts AS a ON a.verification = v.id ORDER BY v.n, a.n;
DROP TABLE attempts;
ALTER TABLE tries RENAME TO attempts;
-- Those that are told to stop and have not ended are few, mostly none.
CREATE INDEX attempts_stop ON attempts (id) WHERE stop <> '' AND state <> 'ended';

-- Counters are numbered: those that are written together stand together.
CREATE TABLE counters (
  n          INTEGER PRIMARY KEY,
  key        TEXT NOT NULL UNIQUE,
  counts     BLOB NOT NULL,
  keep_until INTEGER NOT NULL
) STRICT;
INSERT INTO counters (key, counts, keep_until) SELECT key, counts, keep_until FROM limits;
DROP TABLE limits;
ALTER TABLE counters RENAME TO limits;
CREATE INDEX limits_keep ON limits (keep_until) WHERE keep_until > 0;
