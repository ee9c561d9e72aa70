-- Times are microseconds since 1970 in UTC; 0 is "never" or "not yet".
--
-- Tables with wide rows have a rowid: without one, whole rows would stand in the
-- inner pages of the tree, which would grow deep. Narrow tables do without.
-- The partial indexes hold only what is still being worked on, so what was
-- finished long ago costs nothing.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE accounts (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  disabled   INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE services (
  account    TEXT NOT NULL REFERENCES accounts (id),
  id         TEXT NOT NULL,
  is_default INTEGER NOT NULL,
  settings   TEXT NOT NULL, -- JSON
  PRIMARY KEY (account, id)
) STRICT;
CREATE UNIQUE INDEX services_default ON services (account) WHERE is_default = 1;

CREATE TABLE keys (
  id         TEXT PRIMARY KEY,
  account    TEXT NOT NULL REFERENCES accounts (id),
  name       TEXT NOT NULL,
  scopes     TEXT NOT NULL, -- separated by spaces
  hash       BLOB,
  created_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_account ON keys (account);

CREATE TABLE verifications (
  n             INTEGER PRIMARY KEY,
  id            TEXT NOT NULL UNIQUE,
  account       TEXT NOT NULL,
  service       TEXT NOT NULL,
  purpose       TEXT NOT NULL,
  number_index  BLOB,
  number_sealed BLOB,
  country       TEXT NOT NULL,
  prefix        TEXT NOT NULL,
  limit_key     TEXT NOT NULL,
  binding       BLOB,
  order_key     BLOB,
  key_id        TEXT NOT NULL,
  code_mac      BLOB,
  created_at    INTEGER NOT NULL,
  settings      TEXT NOT NULL, -- JSON
  -- What changes.
  status        TEXT NOT NULL,
  reason        TEXT NOT NULL,
  sealed        BLOB, -- NULL once it has ended
  token_hash    BLOB, -- NULL once it has ended
  guesses       INTEGER NOT NULL,
  sends         INTEGER NOT NULL,
  step          INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  ended_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX verifications_binding ON verifications (binding) WHERE status = 'pending';
CREATE INDEX verifications_expiry ON verifications (expires_at) WHERE status = 'pending';

CREATE TABLE attempts (
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
  ended_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_verification ON attempts (verification, n);

CREATE TABLE limits (
  key        TEXT PRIMARY KEY,
  counts     BLOB NOT NULL,
  keep_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX limits_keep ON limits (keep_until) WHERE keep_until > 0;

CREATE TABLE once (
  key        BLOB PRIMARY KEY NOT NULL,
  account    TEXT NOT NULL,
  body       BLOB,
  answer     BLOB,
  keep_until INTEGER NOT NULL
) STRICT;
CREATE INDEX once_keep ON once (keep_until);

CREATE TABLE nodes (
  id          TEXT PRIMARY KEY,
  alive_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A finished job is deleted. Its number is never given again (AUTOINCREMENT), or
-- an old lease could fit a new job.
CREATE TABLE jobs (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  kind      TEXT NOT NULL,
  subject   TEXT NOT NULL,
  order_key BLOB, -- NULL: no order
  due_at    INTEGER NOT NULL,
  node      TEXT, -- NULL: nobody has it
  leases    INTEGER NOT NULL DEFAULT 0 -- how often it was leased: the fence
) STRICT;
CREATE INDEX jobs_due ON jobs (due_at) WHERE node IS NULL;
CREATE INDEX jobs_order ON jobs (order_key) WHERE order_key IS NOT NULL;
CREATE INDEX jobs_node ON jobs (node) WHERE node IS NOT NULL;
CREATE INDEX jobs_subject ON jobs (subject);
