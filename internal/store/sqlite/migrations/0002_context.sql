-- What a request tells beside the number, sealed, and more moments of an attempt.
ALTER TABLE verifications ADD COLUMN context BLOB;
ALTER TABLE attempts ADD COLUMN rung_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN gate_at INTEGER NOT NULL DEFAULT 0;
