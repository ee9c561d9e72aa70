-- Times are microseconds since 1970 in UTC; 0 is "never" or "not yet".
--
-- What is searched for, or put in order, is compared byte by byte (COLLATE "C"),
-- whatever the database's locale.
--
-- Rows that change get room on their page (fillfactor), so that a change which no
-- index notices stays there and is cleaned up there. The partial indexes hold only
-- what is still being worked on, so what was finished long ago costs nothing.

CREATE TABLE meta (
  name  text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE accounts (
  id         text COLLATE "C" PRIMARY KEY,
  name       text COLLATE "C" NOT NULL,
  disabled   boolean NOT NULL,
  created_at bigint NOT NULL
);

CREATE TABLE services (
  account    text COLLATE "C" NOT NULL REFERENCES accounts (id),
  id         text COLLATE "C" NOT NULL,
  is_default boolean NOT NULL,
  settings   text NOT NULL, -- JSON
  PRIMARY KEY (account, id)
);
CREATE UNIQUE INDEX services_default ON services (account) WHERE is_default;

CREATE TABLE keys (
  id         text COLLATE "C" PRIMARY KEY,
  account    text COLLATE "C" NOT NULL REFERENCES accounts (id),
  name       text COLLATE "C" NOT NULL,
  scopes     text NOT NULL, -- separated by spaces
  hash       bytea,
  created_at bigint NOT NULL,
  revoked_at bigint NOT NULL
);
CREATE INDEX keys_account ON keys (account);

-- Ids are time-ordered: rows are added at the end of the index.
CREATE TABLE verifications (
  id            text COLLATE "C" PRIMARY KEY,
  account       text COLLATE "C" NOT NULL,
  service       text COLLATE "C" NOT NULL,
  purpose       text NOT NULL,
  number_index  bytea,
  number_sealed bytea,
  country       text COLLATE "C" NOT NULL,
  prefix        text NOT NULL,
  limit_key     text COLLATE "C" NOT NULL,
  binding       bytea,
  order_key     bytea,
  key_id        text NOT NULL,
  code_mac      bytea,
  context       bytea,
  created_at    bigint NOT NULL,
  settings      text NOT NULL, -- JSON
  -- What changes.
  status        text COLLATE "C" NOT NULL,
  reason        text NOT NULL,
  sealed        bytea, -- NULL once it has ended
  token_hash    bytea, -- NULL once it has ended
  guesses       integer NOT NULL,
  sends         integer NOT NULL,
  step          integer NOT NULL,
  expires_at    bigint NOT NULL,
  ended_at      bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX verifications_binding ON verifications (binding) WHERE status = 'pending';
CREATE INDEX verifications_expiry ON verifications (expires_at) WHERE status = 'pending';

CREATE TABLE attempts (
  id            text COLLATE "C" PRIMARY KEY,
  verification  text COLLATE "C" NOT NULL,
  account       text COLLATE "C" NOT NULL,
  n             integer NOT NULL,
  send          integer NOT NULL,
  step          integer NOT NULL,
  channel       text COLLATE "C" NOT NULL,
  route         text NOT NULL,
  state         text NOT NULL,
  ref           text NOT NULL,
  outcome       text COLLATE "C" NOT NULL,
  reason        text NOT NULL,
  may_have_rung boolean NOT NULL,
  fault         text NOT NULL,
  permanent     boolean NOT NULL,
  gate          text NOT NULL,
  ungated       boolean NOT NULL,
  screen        bytea,
  gate_passed   boolean NOT NULL,
  readouts      integer NOT NULL,
  stop          text NOT NULL,
  created_at    bigint NOT NULL,
  dialled_at    bigint NOT NULL,
  answered_at   bigint NOT NULL,
  ended_at      bigint NOT NULL,
  rung_at       bigint NOT NULL,
  gate_at       bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX attempts_verification ON attempts (verification);

CREATE TABLE limits (
  key        text COLLATE "C" PRIMARY KEY,
  counts     bytea NOT NULL,
  keep_until bigint NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX limits_keep ON limits (keep_until) WHERE keep_until > 0;

-- Answers kept for Idempotency-Keys; of which verification they tell, '' of none.
CREATE TABLE once (
  key          bytea PRIMARY KEY,
  account      text COLLATE "C" NOT NULL,
  body         bytea,
  answer       bytea,
  keep_until   bigint NOT NULL,
  verification text COLLATE "C" NOT NULL
);
CREATE INDEX once_keep ON once (keep_until);
CREATE INDEX once_verification ON once (verification) WHERE verification <> '';

CREATE TABLE nodes (
  id          text COLLATE "C" PRIMARY KEY,
  alive_until bigint NOT NULL
) WITH (fillfactor = 80);

-- A finished job is deleted. Its number is never given again, or an old lease
-- could fit a new job.
CREATE TABLE jobs (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind      text NOT NULL,
  subject   text COLLATE "C" NOT NULL,
  order_key bytea, -- NULL: no order
  due_at    bigint NOT NULL,
  node      text COLLATE "C", -- NULL: nobody has it
  leases    integer NOT NULL DEFAULT 0 -- how often it was leased: the fence
) WITH (fillfactor = 80);
CREATE INDEX jobs_due ON jobs (due_at, id) WHERE node IS NULL;
CREATE INDEX jobs_order ON jobs (order_key, id) WHERE order_key IS NOT NULL;
CREATE INDEX jobs_node ON jobs (node) WHERE node IS NOT NULL;
CREATE INDEX jobs_subject ON jobs (subject);
-- Of an order's jobs only one is in somebody's hands, whatever two nodes see that
-- lease at the same moment.
CREATE UNIQUE INDEX jobs_one ON jobs (order_key) WHERE node IS NOT NULL AND order_key IS NOT NULL;

-- What was done to an account, by whom. Entries are only ever added, and are
-- numbered without gaps, so one that was taken away is missed.
CREATE TABLE audit (
  account  text COLLATE "C" NOT NULL REFERENCES accounts (id),
  n        bigint NOT NULL,
  actor    text NOT NULL,
  action   text NOT NULL,
  target   text NOT NULL,
  was      text NOT NULL, -- JSON; empty: it was not there
  became   text NOT NULL, -- JSON; empty: it is no longer there
  at       bigint NOT NULL,
  PRIMARY KEY (account, n)
);

-- What is left of finished verifications: sums over those that are alike.
CREATE TABLE statistics (
  account text COLLATE "C" NOT NULL,
  day     text COLLATE "C" NOT NULL, -- UTC, of the start: 2026-01-02
  service text COLLATE "C" NOT NULL,
  country text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL, -- of the last attempt; '' without one
  status  text COLLATE "C" NOT NULL,
  outcome text COLLATE "C" NOT NULL, -- of the last attempt
  sends   bigint NOT NULL,
  guesses bigint NOT NULL,
  n       bigint NOT NULL,
  PRIMARY KEY (account, day, service, country, channel, status, outcome)
);

-- The last transaction of each writer. Who loses its connection while it commits
-- reads here, on another one, whether it did.
CREATE TABLE commits (
  writer text COLLATE "C" PRIMARY KEY,
  last   bigint NOT NULL, -- number of the transaction, counted by the writer
  at     bigint NOT NULL
) WITH (fillfactor = 50);
