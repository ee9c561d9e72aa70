package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/verify"
)

// empty is a database without a schema.
func empty() pgtest.Template {
	return pgtest.Template{Name: "empty", Make: func(context.Context, string) error { return nil }}
}

// withNext are the program's migrations and one more, which suits the programs of
// this version (old), or none but the next.
func withNext(t *testing.T, old bool, sql string) []step {
	t.Helper()
	all, err := steps(migrations)
	if err != nil {
		t.Fatal(err)
	}
	version := len(all) + 1
	next := step{store.Migration{Version: version, Name: "next", SQL: sql}, version}
	if old {
		next.oldest--
	}
	return append(all, next)
}

// Of the schema after this one, which a node of this version still works on.
const compatibleNext = `ALTER TABLE verifications ADD COLUMN next_thing text NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN next_thing bigint NOT NULL DEFAULT 0;
CREATE TABLE next_things (id text PRIMARY KEY);
`

func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	name := c.Database(t, empty())
	// Who has waited for the others must see what they did, whatever the default is.
	if err := c.Exec(t.Context(), "postgres", "ALTER DATABASE "+name+" SET default_transaction_isolation = 'repeatable read'"); err != nil {
		t.Fatal(err)
	}
	cfg := Config{DSN: c.DSN(name)}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrOldSchema) {
		t.Errorf("an empty database gave %v", err)
	}
	i, err := Inspect(t.Context(), cfg)
	if err != nil || i.Version != 0 || i.Known == 0 {
		t.Errorf("the inspection of an empty database: %+v, %v", i, err)
	}
	var g errgroup.Group
	for range 4 {
		g.Go(func() error { return Migrate(t.Context(), cfg) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	openTest(t, cfg)
}

// A node of this version works beside one of the next, on its schema.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	cfg := Config{DSN: c.DSN(c.Database(t, template()))}
	old := openTest(t, cfg) // works all the time
	if _, err := old.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	x := sampleStart()
	if err := old.Do(t.Context(), x.Start()); err != nil {
		t.Fatal(err)
	}
	next := withNext(t, true, compatibleNext)
	if _, err := openAt(t.Context(), cfg, len(next)); !errors.Is(err, ErrOldSchema) {
		t.Errorf("the next program on this schema: %v", err)
	}
	if err := migrate(t.Context(), cfg, next); err != nil {
		t.Fatal(err)
	}
	newer, err := openAt(t.Context(), cfg, len(next))
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Close()
	restarted := openTest(t, cfg)
	stores := []*Store{old, newer, restarted}
	if done, _ := atOnce(t, stores, 30, func(int) verify.Op { return x.Check() }); done != 30 {
		t.Errorf("%d guesses of 30", done)
	}
	if done, _ := atOnce(t, stores, 30, func(int) verify.Op { return sampleStart().Start() }); done != 30 {
		t.Errorf("%d starts of 30", done)
	}
	if err := Migrate(t.Context(), cfg); !errors.Is(err, ErrNewSchema) {
		t.Errorf("migrating back gave %v", err)
	}
}

// A node of an earlier version goes on while its schema is brought up to date, and
// starts again on the new one.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	all, err := steps(migrations)
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version < len(all); version++ {
		t.Run(fmt.Sprint("from ", version), func(t *testing.T) { upgrade(t, all, version) })
	}
}

func upgrade(t *testing.T, all []step, version int) {
	c := pgtest.Shared(t)
	cfg := Config{DSN: c.DSN(c.Database(t, empty()))}
	if err := migrate(t.Context(), cfg, all[:version]); err != nil {
		t.Fatal(err)
	}
	old, err := openAt(t.Context(), cfg, version)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if _, err := old.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := old.Do(t.Context(), sampleStart().Start()); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrOldSchema) {
		t.Errorf("this program on the old schema: %v", err)
	}
	if err := migrate(t.Context(), cfg, all); err != nil {
		t.Fatalf("beside the old node: %v", err)
	}
	restarted, err := openAt(t.Context(), cfg, version)
	if err != nil {
		t.Fatalf("the old program on the new schema: %v", err)
	}
	defer restarted.Close()
	for _, s := range []*Store{old, restarted} {
		if err := s.Do(t.Context(), sampleStart().Start()); err != nil {
			t.Error(err)
		}
	}
}

// A migration that must wait for a lock does not stop the nodes, and is carried out
// when it can have it.
func TestMigrateBesideReaders(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	cfg := Config{DSN: c.DSN(c.Database(t, empty()))}
	all, err := steps(migrations)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), cfg, all[:2]); err != nil {
		t.Fatal(err)
	}
	old, err := openAt(t.Context(), cfg, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	tx, err := old.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), "LOCK TABLE jobs IN ACCESS SHARE MODE"); err != nil { // as pg_dump does
		t.Fatal(err)
	}
	h := haste{wait: 100 * time.Millisecond, pause: 150 * time.Millisecond}
	if err := migrateIn(t.Context(), cfg, all, h); !errors.Is(err, ErrInTheWay) || !strings.Contains(err.Error(), "(pincall), in a transaction since") {
		t.Errorf("without patience: %v", err)
	}
	if i, err := Inspect(t.Context(), cfg); err != nil || i.Version != 2 {
		t.Errorf("version %d after it, %v", i.Version, err)
	}
	done := make(chan error, 1)
	h.all = time.Minute
	go func() { done <- migrateIn(context.Background(), cfg, all, h) }()
	for range 3 {
		untilTrue(t, old, `SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'jobs'::regclass AND NOT granted)`)
		if err := old.Do(t.Context(), sampleStart().Start()); err != nil {
			t.Errorf("a start beside the migration: %v", err)
		}
	}
	if err := errors.Join(tx.Rollback(t.Context()), <-done); err != nil {
		t.Error(err)
	}
	if i, err := Inspect(t.Context(), cfg); err != nil || i.Version != len(all) {
		t.Errorf("version %d at the end, %v", i.Version, err)
	}
}

// untilTrue asks until the answer is yes.
func untilTrue(t *testing.T, s *Store, sql string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		yes := false
		if err := s.pool.QueryRow(t.Context(), sql).Scan(&yes); err != nil {
			t.Fatal(err)
		}
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it was never so: %s", sql)
		}
	}
}

// What was left for a node that is no more is forgotten, and nothing else.
func TestForgetHints(t *testing.T) {
	t.Parallel()
	s := openTest(t, Config{})
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.exec(t.Context(), `INSERT INTO hints (node, attempt) VALUES ($1, 'a'), ('gone', 'b')`, node); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	for whose, want := range map[string]int{node: 1, "gone": 0} {
		if got, err := s.Hinted(t.Context(), whose); err != nil || len(got) != want {
			t.Errorf("for %s: %v, %v", whose, got, err)
		}
	}
}

// A schema that this version does not suit is not made while it works, and is
// refused afterwards.
func TestIncompatibleSchema(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	cfg := Config{DSN: c.DSN(c.Database(t, template()))}
	s := openTest(t, cfg)
	node, err := s.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := withNext(t, false, "ALTER TABLE nodes ADD COLUMN next_thing text")
	if err := migrate(t.Context(), cfg, next); !errors.Is(err, ErrNodes) {
		t.Errorf("while a node works: %v", err)
	}
	if err := s.Leave(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), cfg, next); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrNewSchema) {
		t.Errorf("the old program got %v", err)
	}
}

// A step that fails leaves nothing.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	cfg := Config{DSN: c.DSN(c.Database(t, template()))}
	if err := migrate(t.Context(), cfg, withNext(t, true, compatibleNext+"SELECT 1/0;")); err == nil {
		t.Error("it succeeded")
	}
	if err := migrate(t.Context(), cfg, withNext(t, true, compatibleNext)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestCompatibleLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"SELECT 1": 2, "-- compatible: 1\nSELECT 1": 1, "-- compatible: 2": 2, "-- compatible: 3": 0, "-- compatible: x": 0} {
		got, err := steps(fstest.MapFS{"migrations/0001_a.sql": {}, "migrations/0002_b.sql": {Data: []byte(text)}})
		if (err == nil) != (want > 0) || err == nil && got[1].oldest != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestKeyring(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	dsn := c.DSN(c.Database(t, template()))
	for _, want := range []struct {
		check string
		err   error
	}{{"", nil}, {"one", nil}, {"one", nil}, {"two", store.ErrWrongKeys}, {"", nil}} {
		s, err := Open(t.Context(), Config{DSN: dsn, KeyCheck: want.check})
		if !errors.Is(err, want.err) {
			t.Fatalf("key check %q: got %v, want %v", want.check, err, want.err)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	i, err := Inspect(t.Context(), Config{DSN: dsn})
	if err != nil || i.KeyCheck != "one" || i.Version != i.Known {
		t.Errorf("inspected %+v, %v", i, err)
	}
}
