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
