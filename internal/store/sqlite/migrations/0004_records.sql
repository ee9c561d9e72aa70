-- Of which verification a kept answer tells: '' of none, '?' where that was not
-- written down.
ALTER TABLE once ADD COLUMN verification TEXT NOT NULL DEFAULT '';
UPDATE once SET verification = '?';

-- What is left of finished verifications: sums over those that are alike.
CREATE TABLE statistics (
  account TEXT NOT NULL,
  day     TEXT NOT NULL, -- UTC, of the start: 2026-01-02
  service TEXT NOT NULL,
  country TEXT NOT NULL,
  channel TEXT NOT NULL, -- of the last attempt; '' without one
  status  TEXT NOT NULL,
  outcome TEXT NOT NULL, -- of the last attempt
  sends   INTEGER NOT NULL,
  guesses INTEGER NOT NULL,
  n       INTEGER NOT NULL,
  PRIMARY KEY (account, day, service, country, channel, status, outcome)
) STRICT, WITHOUT ROWID;
