-- Counters are found by a list of keys, which is filled in bulk and in the order of
-- keys: an index would cost every start of a new number a page of its own. meta says
-- up to which number they are listed; who works on the file knows the keys of those
-- after it.
CREATE TABLE counters (
  n          INTEGER PRIMARY KEY,
  key        TEXT NOT NULL,
  counts     BLOB NOT NULL,
  keep_until INTEGER NOT NULL
) STRICT;
INSERT INTO counters SELECT n, key, counts, keep_until FROM limits ORDER BY n;
CREATE TABLE limit_keys (
  key TEXT PRIMARY KEY,
  n   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO limit_keys SELECT key, n FROM limits ORDER BY key;
INSERT INTO meta (name, value) SELECT 'limits_listed', coalesce(max(n), 0) FROM limits;
DROP TABLE limits;
ALTER TABLE counters RENAME TO limits;
CREATE INDEX limits_keep ON limits (keep_until) WHERE keep_until > 0;
