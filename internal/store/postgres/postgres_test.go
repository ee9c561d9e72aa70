package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/pincall/pincall/internal/store/postgres/pgtest"
	"github.com/pincall/pincall/internal/store/storetest"
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
