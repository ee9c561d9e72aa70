package postgres

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// The jobs are looked at first of all, for a while after a node was lost, and from
// time to time.
func TestWhenJobsAreLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c census
		both, one, sick := map[string]bool{"a": true, "b": true}, map[string]bool{"a": true}, map[string]bool{"a": true, "b": false}
		for i, step := range []struct {
			after time.Duration
			alive map[string]bool
			want  bool
		}{
			{0, one, true},
			{500 * time.Millisecond, both, false}, // one more
			{500 * time.Millisecond, sick, true},
			{time.Second, one, true},
			{lookFor - 2*time.Second, one, true},
			{1500 * time.Millisecond, one, false},
			{500 * time.Millisecond, one, true}, // 2 s: see jobs.HeartbeatTTL
			{0, map[string]bool{}, true},        // itself
		} {
			time.Sleep(step.after)
			if got := c.lost(step.alive); got != step.want {
				t.Errorf("%d: %v", i, got)
			}
			if step.want {
				c.looked()
			}
		}
	})
}

// run carries out statements.
func run(t *testing.T, s *Store, all ...string) {
	t.Helper()
	for _, sql := range all {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// number asks for a number.
func number(t *testing.T, s *Store, sql string) (n int) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const heldByDead = `INSERT INTO jobs (kind, subject, due_at, node, leases) SELECT 'deliver', i::text, 0, 'dead', 1 FROM generate_series(1, `

// A job that was freed by another node and leased by one that has just joined, while
// its row was being looked for, stays that one's.
func TestReapLeavesTheYoung(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	run(t, s, heldByDead+`3) AS i`, `INSERT INTO nodes VALUES ('dead', 0)`)
	// Who reads the nodes waits for a lock, in the middle of a statement, before
	// anything else is asked of them: no job is locked by then.
	run(t, s, `CREATE FUNCTION pause() RETURNS boolean LANGUAGE plpgsql COST 0.0001
			AS 'BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN true; END'`,
		`ALTER TABLE nodes RENAME TO all_nodes`, `CREATE VIEW nodes AS SELECT * FROM all_nodes WHERE pause()`)
	tx, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock(4711)`); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.exec(context.Background(), reap, s.at(), reapBatch)
		done <- err
	}()
	untilTrue(t, s, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
	for _, sql := range []string{
		`UPDATE jobs SET node = NULL WHERE subject = '2'`, `INSERT INTO all_nodes VALUES ('young', 9000000000000000)`,
		`UPDATE jobs SET node = 'young', leases = leases + 1 WHERE subject = '2'`,
	} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if young, free := number(t, s, `SELECT count(*) FROM jobs WHERE node = 'young'`), number(t, s, `SELECT count(*) FROM jobs WHERE node IS NULL`); young != 1 || free != 2 {
		t.Errorf("the young node has %d jobs, and %d are free", young, free)
	}
}

// However many jobs dead nodes had, all are freed, and no statement has too much to
// do.
func TestReapMany(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	run(t, s, heldByDead+`2 * 5000 + 100) AS i`, `INSERT INTO nodes VALUES ('dead', 0)`,
		`CREATE FUNCTION few() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
			IF (SELECT count(*) FROM freed) > 5000 THEN RAISE EXCEPTION ''too many''; END IF;
			IF (SELECT count(*) FROM jobs WHERE node IS NOT NULL) > 0 AND NOT EXISTS (SELECT FROM nodes) THEN RAISE EXCEPTION ''too early''; END IF;
			RETURN NULL; END'`,
		`CREATE TRIGGER few AFTER UPDATE ON jobs REFERENCING NEW TABLE AS freed FOR EACH STATEMENT EXECUTE FUNCTION few()`)
	if n, err := s.Reap(t.Context()); err != nil || n != 10100 {
		t.Errorf("freed %d, %v", n, err)
	}
	if held, dead := number(t, s, `SELECT count(*) FROM jobs WHERE node IS NOT NULL`), number(t, s, `SELECT count(*) FROM nodes`); held > 0 || dead > 0 {
		t.Errorf("%d are still held, %d nodes still there", held, dead)
	}
}
