-- What was done to an account, by whom. Entries are only ever added, and are
-- numbered without gaps, so one that was taken away is missed.
CREATE TABLE audit (
  account  TEXT NOT NULL REFERENCES accounts (id),
  n        INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  action   TEXT NOT NULL,
  target   TEXT NOT NULL,
  was      TEXT NOT NULL, -- JSON; empty: it was not there
  became   TEXT NOT NULL, -- JSON; empty: it is no longer there
  at       INTEGER NOT NULL,
  PRIMARY KEY (account, n)
) STRICT;
