package postgres

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/store/storetest"
	"github.com/pincall/pincall/internal/verify"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// template is a migrated, empty database.
func template() pgtest.Template {
	return pgtest.Template{Name: "pincall", Make: func(ctx context.Context, dsn string) error {
		return Migrate(ctx, Config{DSN: dsn})
	}}
}

// openTest opens a database that is closed when the test ends; without a DSN one
// of its own.
func openTest(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.DSN == "" {
		c := pgtest.Shared(t)
		cfg.DSN = c.DSN(c.Database(t, template()))
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 8
	}
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Engine { return openTest(t, Config{Now: now}) })
}

// One writer, small groups, and what PgBouncer needs where it is told.
func TestConformanceOfOneWriter(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Engine {
		dsn := c.DSN(c.Database(t, template())) + " default_query_exec_mode=exec"
		return openTest(t, Config{DSN: dsn, Now: now, Writers: 1, Group: 3})
	})
}

// Behind PgBouncer in transaction mode, as every statement of a session may go to
// another server process.
func TestConformanceBehindPgBouncer(t *testing.T) {
	t.Parallel()
	c := pgtest.Shared(t)
	dsn := c.Bouncer(t)
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Engine {
		return openTest(t, Config{DSN: dsn(c.Database(t, template())), Now: now})
	})
}

// naming is an engine whose operations name their account's row, as all of the
// program do; the suite's do not.
type naming struct {
	*Store
	mu   sync.Mutex
	made map[string]bool
}

// Do writes the account's row before it is named for the first time.
func (e *naming) Do(ctx context.Context, op verify.Op) error {
	acc := store.Text(op.Need.Account)
	key := accountKey(acc)
	if acc == "" || acc != op.Need.Account || slices.Contains(op.Need.Limits, key) {
		return e.Store.Do(ctx, op)
	}
	if err := e.make(key); err != nil {
		return err
	}
	op.Need.Limits = append(slices.Clone(op.Need.Limits), key)
	plan := op.Plan
	op.Plan = func(s verify.State) (verify.Writes, error) {
		delete(s.Limits, key)
		return plan(s)
	}
	return e.Store.Do(ctx, op)
}

func (e *naming) make(key string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made[key] {
		return nil
	}
	e.made[key] = true
	return e.Store.Do(context.Background(), verify.Op{Plan: func(verify.State) (verify.Writes, error) {
		return verify.Writes{Limits: map[string]verify.LimitRow{key: {}}}, nil
	}})
}

// As the program works: under the lock on the account's row.
func TestConformanceOfAccounts(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) storetest.Engine {
		return &naming{Store: openTest(t, Config{Now: now, Writers: 2}), made: make(map[string]bool)}
	})
}
